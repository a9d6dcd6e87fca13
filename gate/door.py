"""Everything that is not the gate's own: on to the shop, with a pass where a room protects the path.

The shop's words are heard in every answer to somebody with a good pass. They are about the room that protects
the path; elsewhere about the one that `Waitroom-Room` names, which may be left out where there is one room alone.
"""

import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import quote

import structlog
from aiohttp import hdrs, web

from gate import problems, shopper
from gate.gate import Gate, LiveRoom, no_store
from gate.paths import normalise, protects
from gate.proxy import ProxyError, Upstream
from gate.turns import Turns
from gate.watch import Watch
from waitroom.errors import IdentityNeeded, Refused, StoreAway
from waitroom.tickets import Pass, pass_cookie, ticket_cookie

OWN = ("/waitroom",)
HIDDEN = ("/metrics", "/healthz")  # the shop's own affairs

_NUMBER = re.compile(r"[0-9]{1,9}")

_log = structlog.get_logger()


class Door:
    """The way into the shop.

    Args:
        gate: the gate it belongs to.
        visitors_way: the way to the shop for those who have been let in.
        open_way: the way for everybody else, to what no room protects.
    """

    def __init__(self, gate: Gate, visitors_way: Upstream, open_way: Upstream) -> None:
        self._gate = gate
        self._visitors_way = visitors_way
        self._open_way = open_way
        self._guards = {prefix: room for room in gate.rooms.values() for prefix in room.waiting.room.protect}
        self._turns = Turns()
        self._watches = {name: Watch(gate, room) for name, room in gate.rooms.items()}
        self._only_room = next(iter(gate.rooms)) if len(gate.rooms) == 1 else ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Let a request through to the shop, or send it to the waiting room."""
        # Not request.host: in an absolute target aiohttp takes that from the target itself.
        target = normalise(request.raw_path, request.headers.get(hdrs.HOST, ""))
        if protects(target, OWN) or protects(target, HIDDEN):
            raise web.HTTPNotFound(text="there is nothing at this address")
        prefix = protects(target, self._guards)
        if prefix is None:
            return await self._unguarded(request, target)
        return await self._guarded(request, target, self._guards[prefix])

    async def ask_shop(self, room: LiveRoom) -> None:
        """Ask the shop for its stock and how it is: no visit tells of either while nobody is in the shop.

        A shop that tells its stock nowhere is asked only when it is in trouble, for a page that needs a pass: that it
        answers at all is enough.

        Raises:
            StoreAway: the store does not answer.
        """
        watch, asked = self._watches[room.name], room.waiting.room
        path = asked.stock or (next(iter(asked.protect), "") if watch.wants_to_ask else "")
        if not path:
            return
        try:
            words = await self._visitors_way.listen(path, watch.patience_s)
        except ProxyError:
            watch.heard_own(failed=True)
            return
        watch.heard_own(failed=False)
        await self._hear_units(words, room)

    async def tell_trouble(self, room: LiveRoom) -> None:
        """Let the room know if its shop is in trouble.

        Raises:
            StoreAway: the store does not answer.
        """
        await self._watches[room.name].tell()

    async def _unguarded(self, request: web.Request, target: str) -> web.StreamResponse:
        set_cookies: list[str] = []

        async def listen(words: Mapping[str, str]) -> None:
            room = self._gate.rooms.get(words.get("Waitroom-Room", self._only_room))
            granted = self._find_visit(request, room) if room else None
            if room and granted:
                set_cookies.extend(await self._hear(request, words, room, granted))

        visits = (self._find_visit(request, room) for room in self._gate.rooms.values())
        visit = next(filter(None, visits), None)
        if visit is None:
            return await self._open_way.forward(request, target)
        async with self._turns.take((visit.room, visit.place)):
            return await self._visitors_way.forward(
                request, target, on_answer=listen, set_cookies=set_cookies
            )

    async def _guarded(self, request: web.Request, target: str, room: LiveRoom) -> web.StreamResponse:
        granted = self._find_visit(request, room)
        if granted is not None:
            return await self._let_through(request, target, room, granted, set_cookies=[])
        if not problems.wants_page(request):
            raise problems.NoPass(f"/waitroom/{room.name}")
        # A room that asks something of whoever joins asks it on the waiting page.
        if request.method == hdrs.METH_GET and room.waiting.nobody_waits and room.friction is None:
            with suppress(Refused, StoreAway):
                return await self._straight_in(request, target, room)
        return self._to_waiting_page(target, room, [])

    def _find_visit(self, request: web.Request, room: LiveRoom) -> Pass | None:
        """The pass, as signed, of a request whose visit has begun and goes on, shown by whoever it was given to."""
        granted = shopper.find_pass(self._gate, request, room.name)
        if granted is None or room.waiting.visits.stands(granted).enter_at > self._gate.clock.now_ms():
            return None
        if not room.waiting.visits.admits(granted):
            return None
        with suppress(IdentityNeeded):
            if granted.identity == shopper.read_identity(self._gate, request, room.waiting.room):
                return granted
        return None

    async def _straight_in(self, request: web.Request, target: str, room: LiveRoom) -> web.StreamResponse:
        """Let a browser in that comes while nobody waits: ticket, call and pass in one request."""
        identity = shopper.read_identity(self._gate, request, room.waiting.room)
        held = shopper.find_ticket(self._gate, request, room.name)
        ticket, entered = await room.waiting.go_straight_in(secrets.token_bytes(32), identity, held)
        cookies = [shopper.give_ticket(self._gate, request, ticket)[1]]
        if entered is None or entered.enter_at > self._gate.clock.now_ms():
            return self._to_waiting_page(target, room, cookies)
        granted = shopper.pass_for(ticket, entered)
        token, set_cookie = shopper.give_pass(self._gate, request, granted)
        cookie = f"{pass_cookie(room.name)}={token}"
        cookies.append(set_cookie)
        return await self._let_through(request, target, room, granted, set_cookies=cookies, cookie=cookie)

    async def _let_through(
        self,
        request: web.Request,
        target: str,
        room: LiveRoom,
        granted: Pass,
        *,
        set_cookies: list[str],
        cookie: str | None = None,
    ) -> web.StreamResponse:
        extended = room.waiting.visits.stands(granted)
        if room.waiting.room.pace.sliding:
            extended = room.waiting.visits.touch(extended)
        if extended is not granted:
            # The shop reads the pass too, and it knows neither of trouble nor of activity.
            token, set_cookie = shopper.give_pass(self._gate, request, extended)
            cookie = f"{pass_cookie(room.name)}={token}"
            set_cookies.append(set_cookie)
        sending = request.body_exists and not request.content.is_eof()

        async def listen(words: Mapping[str, str]) -> None:
            set_cookies.extend(await self._hear(request, words, room, granted))

        try:
            async with self._turns.take((room.name, granted.place)):
                with self._watches[room.name].ask(granted.place, patient=sending) as question:
                    return await self._visitors_way.forward(
                        request,
                        target,
                        cookie=cookie,
                        on_begin=question.answered,
                        on_answer=listen,
                        set_cookies=set_cookies,
                    )
        except ProxyError as error:
            # The shop's trouble must not cost a ticket or a pass that this request has just earned.
            response = problems.answer(request, error, self._gate.look)
            response.headers.extend((hdrs.SET_COOKIE, each) for each in set_cookies)
            return response

    async def _hear(
        self, request: web.Request, words: Mapping[str, str], room: LiveRoom, granted: Pass
    ) -> list[str]:
        """Act on what the shop says; answers the cookies to set: they take pass and ticket back after a visit."""
        try:
            await self._hear_units(words, room)
            if words.get("Waitroom-Command") != "leave":
                return []
            await room.waiting.leave_shop(granted)
        except StoreAway as error:
            # The shop's next answer says it again, and the visit ends by itself.
            _log.warning("not heard", room=room.name, words=dict(words), reason=str(error))
            return []
        # The ticket has done its work as well: whoever comes back asks for a new one.
        names = pass_cookie(room.name), ticket_cookie(room.name)
        return [shopper.take_back(self._gate, request, name) for name in names]

    async def _hear_units(self, words: Mapping[str, str], room: LiveRoom) -> None:
        left, held = words.get("Waitroom-Units-Left"), words.get("Waitroom-Units-Held", "0")
        if left is None:
            return
        if not (_NUMBER.fullmatch(left) and _NUMBER.fullmatch(held)):
            _log.warning("the shop's stock makes no sense", room=room.name, words=dict(words))
            return
        await room.waiting.tell_units(int(left), int(held))

    def _to_waiting_page(self, target: str, room: LiveRoom, set_cookies: list[str]) -> web.Response:
        location = f"/waitroom/{room.name}?next={quote(target, safe='')}"
        response = web.Response(status=303, headers=no_store(Location=location))
        response.headers.extend((hdrs.SET_COOKIE, each) for each in set_cookies)
        return response
