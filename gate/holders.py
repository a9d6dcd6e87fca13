"""What the holder of a ticket or a pass may ask beyond waiting and knocking: to come later, to stay longer."""

from contextlib import suppress
from typing import Any

from aiohttp import hdrs, web

from gate import shopper
from gate.bodies import is_form, read_form
from gate.gate import Gate, Handler, LiveRoom, no_store
from waitroom.errors import Refused, StoreAway, TokenInvalid, VisitOver
from waitroom.tickets import Pass


class HoldersApi:
    """The handlers of one room's addresses for those who hold a ticket or a pass."""

    def __init__(self, gate: Gate, room: LiveRoom) -> None:
        self._gate = gate
        self._room = room
        self.addresses: dict[str, tuple[str, dict[str, Handler]]] = {
            "defer": ("/ticket/defer", {"POST": self.defer}),
            "extend": ("/pass/extend", {"POST": self.extend}),
        }

    async def defer(self, request: web.Request) -> web.Response:
        """Not now: let others by."""
        ticket = shopper.own_ticket(self._gate, request, self._room.waiting.room)
        await self._room.waiting.defer(ticket)
        return web.Response(status=204, headers=no_store())

    async def visit(self, request: web.Request) -> web.Response:
        """How long this visit lasts, and how much longer it may; from memory and the pass itself."""
        granted = self._pass(request)
        if not self._room.waiting.visits.admits(granted):
            raise VisitOver
        return web.json_response(self._describe(granted), headers=no_store())

    async def extend(self, request: web.Request) -> web.Response:
        """More time in the shop; a form is answered with the way back, longer or not."""
        if is_form(request):
            return await self._extend_by_form(request)
        longer = await self._room.waiting.extend(self._pass(request))
        token, set_cookie = shopper.give_pass(self._gate, request, longer)
        document = self._describe(longer) | {"token": token}
        return web.json_response(document, headers=no_store(**{hdrs.SET_COOKIE: set_cookie}))

    async def _extend_by_form(self, request: web.Request) -> web.Response:
        form = await read_form(request)
        headers = no_store(Location=shopper.way_on(self._room.waiting.room, form.get("next")))
        with suppress(Refused, TokenInvalid, StoreAway):
            longer = await self._room.waiting.extend(self._pass(request))
            headers[hdrs.SET_COOKIE] = shopper.give_pass(self._gate, request, longer)[1]
        return web.Response(status=303, headers=headers)

    def _pass(self, request: web.Request) -> Pass:
        return shopper.own_pass(self._gate, request, self._room.waiting.room)

    def _describe(self, granted: Pass) -> dict[str, Any]:
        pace = self._room.waiting.room.pace
        left = pace.times_left(granted.enter_at, granted.expires_at)
        return {
            "place": granted.place,
            "enter_at": granted.enter_at,
            "expires_at": granted.expires_at,
            "more_time": {"seconds": pace.more_time_ms / 1000, "left": left},
        }
