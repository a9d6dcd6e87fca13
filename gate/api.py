"""The addresses of one room: the page, the public documents, the ticket and the pass."""

import re
from typing import Any

from aiohttp import hdrs, web
from pydantic_core import to_json

from gate import problems, shopper
from gate.bodies import entropy_in, is_form, read_json
from gate.gate import Gate, Handler, LiveRoom, no_store
from gate.headers import holds
from gate.holders import HoldersApi
from gate.languages import choose
from gate.page import Page, render_more, render_page
from gate.plain_pages import PlainPages
from gate.proof import BRIEFLY, ProofApi
from gate.work_api import WorkApi
from waitroom.answers import AtDoor, Position
from waitroom.errors import Moved
from waitroom.room import Phase
from waitroom.tickets import Ticket, pass_cookie, ticket_cookie

_GZIP = re.compile(r"\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))")


class RoomApi:
    """The handlers of one room's addresses."""

    def __init__(self, gate: Gate, room: LiveRoom) -> None:
        self._gate = gate
        self._room = room
        look = gate.looks[room.name]
        friction = gate.settings.rooms[room.name].friction
        self._pages = {each: render_page(room.waiting.room, each, look, friction) for each in look.languages}
        self._more = {each: render_more(each, look) for each in look.languages}
        self._plain = PlainPages(gate, room)
        self._proof = ProofApi(gate, room)
        self._holders = HoldersApi(gate, room, self._describe)
        self._work = WorkApi(gate, room)

    def add_routes(self, app: web.Application) -> None:
        """Put the room's addresses into an application."""
        base = f"/waitroom/{self._room.name}"
        addresses: dict[str, tuple[str, dict[str, Handler]]] = {
            "page": ("", {"GET": self.page}),
            "more": ("/more.js", {"GET": self.more}),
            "state": ("/state", {"GET": self.state}),
            "ticket": ("/ticket", {"GET": self.ticket, "POST": self.join, "DELETE": self.leave_line}),
            "pass": ("/pass", {"GET": self._holders.visit, "POST": self.knock, "DELETE": self.leave_shop}),
            **self._holders.addresses,
            **self._proof.addresses,
            **self._work.addresses,
        }
        for route, (path, methods) in addresses.items():
            app.router.add_route("*", base + path, self._gate.endpoint(route, methods))

    # ---- For everyone alike

    async def page(self, request: web.Request) -> web.Response:
        """The waiting page in the reader's language; with ``?plain=1`` the one for a browser without JavaScript."""
        if "plain" in request.query:
            return await self._plain.page(request)
        return _rendered(request, self._pages[choose(request, self._pages, by_cookie=False).language])

    async def more(self, request: web.Request) -> web.Response:
        """The module that the page imports when a shopper opens a part of it."""
        return _rendered(request, self._more[choose(request, self._more, by_cookie=False).language])

    async def state(self, request: web.Request) -> web.Response:
        """The public state, from memory."""
        state = self._room.state
        headers = {hdrs.CONTENT_TYPE: "application/json", hdrs.CACHE_CONTROL: BRIEFLY, hdrs.ETAG: state.etag}
        if holds(request, state.etag):
            return web.Response(status=304, headers=headers)
        return web.Response(body=state.body, headers=headers)

    # ---- For one shopper

    async def join(self, request: web.Request) -> web.Response:
        """Take a ticket."""
        if is_form(request):
            return await self._plain.join(request)
        body = await read_json(request)
        entropy = entropy_in(body)
        identity = shopper.read_identity(self._gate, request, self._room.waiting.room)
        held = shopper.find_ticket(self._gate, request, self._room.name)
        if self._room.friction is not None:
            await self._room.friction.admit(request, entropy, identity, body.get("work"))
        try:
            joined = await self._room.waiting.join(entropy, identity, held)
        except Moved as error:
            return self._forget_ticket(request, error)
        token, set_cookie = shopper.give_ticket(self._gate, request, joined.ticket)
        document = self._describe(joined.ticket, self._room.waiting.position(joined.ticket))
        document["leaf"] = joined.leaf and joined.leaf.hex()
        document["token"] = token
        return _json(document, 201 if joined.new else 200, set_cookie)

    async def ticket(self, request: web.Request) -> web.Response:
        """Where this ticket stands; arithmetic in memory."""
        ticket = shopper.read_ticket(self._gate, request, self._room.name)
        self._room.waiting.moves.require_held(ticket)
        return _json(self._describe(ticket, self._room.waiting.position(ticket)))

    async def leave_line(self, request: web.Request) -> web.Response:
        """Give the ticket up."""
        ticket = shopper.read_ticket(self._gate, request, self._room.name)
        try:
            await self._room.waiting.leave_line(ticket)
        except Moved as error:
            return self._forget_ticket(request, error)
        return self._gone(request, ticket_cookie(self._room.name))

    async def knock(self, request: web.Request) -> web.Response:
        """Ask to be let in."""
        if is_form(request):
            return await self._plain.knock(request)
        body = await read_json(request)
        ticket = shopper.own_ticket(self._gate, request, self._room.waiting.room)
        answer = await self._room.waiting.knock(ticket)
        if isinstance(answer, AtDoor):
            left_ms = max(0, answer.knock_again_at - self._gate.clock.now_ms())
            at_door = {
                "place": answer.place,
                "before": answer.before,
                "knock_again_at": answer.knock_again_at,
                "retry_after_s": left_ms / 1000,
            }
            return _json(at_door, 202)
        token, set_cookie = shopper.give_pass(self._gate, request, shopper.pass_for(ticket, answer))
        document = {
            "place": answer.place,
            "enter_at": answer.enter_at,
            "expires_at": answer.expires_at,
            "location": shopper.way_on(self._room.waiting.room, body.get("next")),
            "token": token,
        }
        return _json(document, 201, set_cookie)

    async def leave_shop(self, request: web.Request) -> web.Response:
        """End the visit; without one there is nothing to end, and that is fine."""
        granted = shopper.find_pass(self._gate, request, self._room.name)
        if granted is not None:
            await self._room.waiting.leave_shop(granted)
        return self._gone(request, pass_cookie(self._room.name))

    # ---- Within

    def _describe(self, ticket: Ticket, position: Position) -> dict[str, Any]:
        phase = self._room.waiting.phase()
        expected = self._room.wait_for(position) if phase is Phase.OPEN else None
        return {
            "room": ticket.room,
            "number": ticket.number,
            "ticket": ticket.id.hex(),
            "place": position.place,
            "ahead": position.ahead,
            "called": position.called,
            "wait": None if expected is None else {"low_s": expected[0], "high_s": expected[1]},
            "phase": str(phase),  # an enum takes to_json twice as long
            "next": _next_step(phase, called=position.called),
        }

    def _forget_ticket(self, request: web.Request, error: Moved) -> web.Response:
        """Say that another device holds the place, and take the ticket back, so that a next join starts afresh."""
        response = problems.answer(request, error)
        gone = shopper.take_back(self._gate, request, ticket_cookie(self._room.name))
        response.headers[hdrs.SET_COOKIE] = gone
        return response

    def _gone(self, request: web.Request, name: str) -> web.Response:
        gone = shopper.take_back(self._gate, request, name)
        return web.Response(status=204, headers=no_store(**{hdrs.SET_COOKIE: gone}))


def _rendered(request: web.Request, page: Page) -> web.Response:
    if holds(request, page.etag):
        return web.Response(status=304, headers=page.headers)
    if _GZIP.search(request.headers.get(hdrs.ACCEPT_ENCODING, "")):
        return web.Response(body=page.gzip_body, headers={**page.headers, hdrs.CONTENT_ENCODING: "gzip"})
    return web.Response(body=page.body, headers=page.headers)


def _next_step(phase: Phase, *, called: bool) -> str:
    if phase is Phase.SOLD_OUT or phase is Phase.CLOSED:
        return "leave"
    return "knock" if called and phase is Phase.OPEN else "wait"


def _json(document: dict[str, Any], status: int = 200, set_cookie: str | None = None) -> web.Response:
    headers = {hdrs.CONTENT_TYPE: "application/json", hdrs.CACHE_CONTROL: "no-store"}
    if set_cookie is not None:
        headers[hdrs.SET_COOKIE] = set_cookie
    return web.Response(body=to_json(document), status=status, headers=headers)
