"""What holders of a ticket or a pass may ask beyond waiting and knocking: to come later, elsewhere, to stay longer."""

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from aiohttp import hdrs, web

from gate import shopper
from gate.bodies import entropy_in, is_form, read_form, read_json, refuse_foreign
from gate.gate import Gate, Handler, LiveRoom, no_store
from gate.handover import make_link, picture, take_over
from gate.problems import BadRequest
from waitroom.answers import Position
from waitroom.errors import Refused, StoreAway, TokenInvalid, VisitOver
from waitroom.tickets import Pass, Ticket

_RECEIPT = re.compile(r"[0-9a-f.]{0,260}")


class HoldersApi:
    """The handlers of one room's addresses for those who hold a ticket or a pass.

    Args:
        describe: what a shopper is told of a ticket that stands there.
    """

    def __init__(
        self, gate: Gate, room: LiveRoom, describe: Callable[[Ticket, Position], dict[str, Any]]
    ) -> None:
        self._gate = gate
        self._room = room
        self._describe_ticket = describe

    @property
    def addresses(self) -> dict[str, tuple[str, dict[str, Handler]]]:
        """The addresses below the room's own, by the name of their route."""
        return {
            "defer": ("/ticket/defer", {"POST": self.defer}),
            "move": ("/ticket/move", {"POST": self.move}),
            "claim": ("/ticket/claim", {"POST": self.claim}),
            "extend": ("/pass/extend", {"POST": self.extend}),
        }

    # ---- With a ticket

    async def defer(self, request: web.Request) -> web.Response:
        """Not now: let others by."""
        refuse_foreign(request)
        ticket = shopper.own_ticket(self._gate, request, self._room.waiting.room)
        await self._room.waiting.defer(ticket)
        return web.Response(status=204, headers=no_store())

    async def move(self, request: web.Request) -> web.Response:
        """A link that hands the place to another device, once, and its picture; the receipt goes along."""
        receipt = (await read_json(request)).get("receipt", "")
        if not (isinstance(receipt, str) and _RECEIPT.fullmatch(receipt)):
            raise BadRequest("receipt must be what the page keeps: hexadecimal values, joined by dots")
        ticket = shopper.own_ticket(self._gate, request, self._room.waiting.room)
        self._room.waiting.moves.require_held(ticket)
        link = make_link(self._gate, request, ticket)
        address = f"{link.room}#move={link.token}" + (f"&receipt={receipt}" if receipt else "")
        qr = await asyncio.to_thread(picture, address)
        document = {"link": address, "qr": qr, "expires_at": link.expires_at}
        return web.json_response(document, headers=no_store())

    async def claim(self, request: web.Request) -> web.Response:
        """Take over the place that a link hands on."""
        body = await read_json(request)
        if not isinstance(body.get("move"), str):
            raise BadRequest("move must be the token of the link")
        entropy = entropy_in(body)
        ticket = await take_over(self._gate, request, self._room, body["move"], entropy)
        token, set_cookie = shopper.give_ticket(self._gate, request, ticket)
        document = self._describe_ticket(ticket, self._room.waiting.position(ticket))
        document |= {"leaf": None, "token": token}
        return web.json_response(document, headers=no_store(**{hdrs.SET_COOKIE: set_cookie}))

    # ---- With a pass

    async def visit(self, request: web.Request) -> web.Response:
        """How long this visit lasts, and how much longer it may; from memory and the pass itself."""
        granted = self._pass(request)
        if not self._room.waiting.visits.admits(granted):
            raise VisitOver
        standing = self._room.waiting.visits.stands(granted)
        return web.json_response(self._describe_visit(standing), headers=no_store())

    async def extend(self, request: web.Request) -> web.Response:
        """More time in the shop; a form is answered with the way back, longer or not."""
        if is_form(request):
            return await self._extend_by_form(request)
        refuse_foreign(request)
        longer = await self._room.waiting.extend(self._pass(request))
        token, set_cookie = shopper.give_pass(self._gate, request, longer)
        document = self._describe_visit(longer) | {"token": token}
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

    def _describe_visit(self, granted: Pass) -> dict[str, Any]:
        pace = self._room.waiting.room.pace
        left = pace.times_left(granted.enter_at, granted.expires_at)
        return {
            "place": granted.place,
            "enter_at": granted.enter_at,
            "expires_at": granted.expires_at,
            "more_time": {"seconds": pace.more_time_ms / 1000, "left": left},
        }
