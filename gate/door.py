"""Everything that is not the gate's own: on to the shop, with a pass where a room protects the path."""

import secrets
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import quote

import structlog
from aiohttp import hdrs, web

from gate import problems, shopper
from gate.gate import Gate, LiveRoom, no_store
from gate.paths import normalise, protects
from gate.proxy import OnAnswer, Upstream
from waitroom.errors import Refused, StoreAway
from waitroom.tickets import Pass, pass_cookie

OWN = ("/waitroom",)
HIDDEN = ("/metrics", "/healthz")  # the shop's own affairs

_log = structlog.get_logger()


class Door:
    """The way into the shop.

    Args:
        gate: the gate it belongs to.
        upstream: the shop.
    """

    def __init__(self, gate: Gate, upstream: Upstream) -> None:
        self._gate = gate
        self._upstream = upstream
        self._guards = {prefix: room for room in gate.rooms.values() for prefix in room.waiting.room.protect}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Let a request through to the shop, or send it to the waiting room."""
        target = normalise(request.raw_path, request.host)
        if protects(target, OWN) or protects(target, HIDDEN):
            raise web.HTTPNotFound(text="there is nothing at this address")
        prefix = protects(target, self._guards)
        if prefix is None:
            return await self._upstream.forward(request, target)
        return await self._guarded(request, target, self._guards[prefix])

    async def _guarded(self, request: web.Request, target: str, room: LiveRoom) -> web.StreamResponse:
        granted = shopper.find_pass(self._gate, request, room.name)
        visits, now = room.waiting.visits, self._gate.clock.now_ms()
        if granted is not None and visits.admits(granted) and granted.enter_at <= now:
            self._keep(request, granted, room)
            return await self._upstream.forward(
                request, target, on_answer=self._listen(request, room, granted)
            )
        if problems.wants_page(request):
            return await self._to_waiting_page(request, target, room)
        raise problems.NoPass(f"/waitroom/{room.name}")

    def _keep(self, request: web.Request, granted: Pass, room: LiveRoom) -> None:
        """Extend the visit of an active visitor, where visits slide."""
        if room.waiting.room.pace.sliding:
            extended = room.waiting.visits.touch(granted)
            if extended is not granted:
                _also_set(request, shopper.give_pass(self._gate, request, extended)[1])

    async def _to_waiting_page(self, request: web.Request, target: str, room: LiveRoom) -> web.StreamResponse:
        """Send a browser to the waiting page, or straight in where nobody waits."""
        if request.method == hdrs.METH_GET and room.waiting.nobody_waits:
            with suppress(Refused, StoreAway):
                identity = shopper.read_identity(self._gate, request, room.waiting.room)
                held = shopper.find_ticket(self._gate, request, room.name)
                ticket, entered = await room.waiting.go_straight_in(secrets.token_bytes(32), identity, held)
                _also_set(request, shopper.give_ticket(self._gate, request, ticket)[1])
                if entered is not None and entered.enter_at <= self._gate.clock.now_ms():
                    granted = shopper.pass_for(ticket, entered)
                    token, set_cookie = shopper.give_pass(self._gate, request, granted)
                    _also_set(request, set_cookie)
                    return await self._upstream.forward(
                        request,
                        target,
                        cookie=f"{pass_cookie(room.name)}={token}",
                        on_answer=self._listen(request, room, granted),
                    )
        location = f"/waitroom/{room.name}?next={quote(target, safe='')}"
        return web.Response(status=303, headers=no_store(Location=location))

    def _listen(self, request: web.Request, room: LiveRoom, granted: Pass) -> OnAnswer:
        async def listen(words: Mapping[str, str]) -> None:
            try:
                if words.get("Waitroom-Command") == "leave":
                    await room.waiting.leave_shop(granted)
                    _also_set(request, shopper.take_back(self._gate, request, pass_cookie(room.name)))
                await self._hear_units(room, words)
            except StoreAway as error:
                # The shop's next answer says it again, and the visit ends by itself.
                _log.warning("not heard", room=room.name, words=dict(words), reason=str(error))

        return listen

    async def _hear_units(self, room: LiveRoom, words: Mapping[str, str]) -> None:
        left, held = words.get("Waitroom-Units-Left"), words.get("Waitroom-Units-Held", "0")
        if left is None:
            return
        if not (left.isascii() and left.isdigit() and held.isascii() and held.isdigit()):
            _log.warning("the shop's stock makes no sense", room=room.name, words=dict(words))
            return
        await room.waiting.tell_units(int(left), int(held))


_COOKIES = "waitroom.cookies"


def _also_set(request: web.Request, set_cookie: str) -> None:
    request.setdefault(_COOKIES, []).append(set_cookie)


async def set_cookies(request: web.Request, response: web.StreamResponse) -> None:
    """Add the cookies that a request has earned to the shop's answer; a signal before it is sent."""
    for each in request.get(_COOKIES, ()):
        response.headers.add(hdrs.SET_COOKIE, each)
