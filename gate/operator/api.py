"""The operator's API: read a room, change its pace, hold its door, read who changed what."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from aiohttp import web

from gate.bodies import read_json
from gate.gate import Gate, Handler, LiveRoom, no_store
from gate.operator.changes import describe_pace, read_hold, read_pace
from gate.operator.session import Session, Sessions
from gate.proof import signature_in
from gate.streams import read_page
from waitroom.room import HOLDS, Hold, Line, Phase

AUDIT_PAGE = 200

OperatorHandler = Callable[[web.Request, Session], Awaitable[web.Response]]


class OperatorApi:
    """The handlers under ``/api/``; all of them need a session."""

    def __init__(self, gate: Gate, sessions: Sessions) -> None:
        self._gate = gate
        self._sessions = sessions

    def add_routes(self, app: web.Application) -> None:
        """Put the addresses into an application."""
        addresses: dict[str, dict[str, OperatorHandler]] = {
            "/api/rooms": {"GET": self.rooms},
            "/api/rooms/{room}": {"GET": self.room},
            "/api/rooms/{room}/pace": {"PATCH": self.tune},
            "/api/rooms/{room}/hold": {"POST": self.hold},
            "/api/rooms/{room}/beacon": {"POST": self.deliver_beacon},
            "/api/rooms/{room}/audit": {"GET": self.audit},
        }
        for path, handlers in addresses.items():
            methods = {method: self._signed_in(handler) for method, handler in handlers.items()}
            app.router.add_route("*", path, self._gate.endpoint("operator_api", methods))

    async def rooms(self, _request: web.Request, _session: Session) -> web.Response:
        """All rooms."""
        now = self._gate.clock.now_ms()
        return _json({"rooms": [describe_room(room, now) for room in self._gate.rooms.values()]})

    async def room(self, request: web.Request, _session: Session) -> web.Response:
        """One room."""
        return self._describe(self._find(request))

    async def tune(self, request: web.Request, session: Session) -> web.Response:
        """Change the pace: compare-and-set by ``version``."""
        room = self._find(request)
        pace, reason = read_pace(await read_json(request), room.waiting.room.pace)
        await room.waiting.tune(pace, by=session.by, reason=reason)
        return self._describe(room)

    async def hold(self, request: web.Request, session: Session) -> web.Response:
        """Do one of the room's ``holds`` to its door."""
        room = self._find(request)
        order = read_hold(await read_json(request))
        await room.waiting.hold(order.action, by=session.by, reason=order.reason)
        return self._describe(room)

    async def deliver_beacon(self, request: web.Request, _session: Session) -> web.Response:
        """Bring the beacon's round that the draw waits for, where the gate cannot reach drand itself."""
        room = self._find(request)
        await room.waiting.deliver_beacon(signature_in(await read_json(request)))
        await room.advance_draw()
        return self._describe(room)

    async def audit(self, request: web.Request, _session: Session) -> web.Response:
        """Who changed what after the entry ``after``, oldest first; ``next`` leads to the following page."""
        keys = self._find(request).waiting.keys
        entries, more = await read_page(self._gate.store, keys.audit, request, AUDIT_PAGE)
        return _json({"entries": [entry | {"at": int(entry["at"])} for entry in entries], "next": more})

    def _signed_in(self, handler: OperatorHandler) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            return await handler(request, self._sessions.read(request))

        return handle

    def _find(self, request: web.Request) -> LiveRoom:
        name = request.match_info["room"]
        if name not in self._gate.rooms:
            raise web.HTTPNotFound(text=f"there is no room {name[:63]!r}; /api/rooms lists them")
        return self._gate.rooms[name]

    def _describe(self, room: LiveRoom) -> web.Response:
        return _json(describe_room(room, self._gate.clock.now_ms()))


def describe_room(live: LiveRoom, now_ms: int) -> dict[str, Any]:
    """All an operator wants to know of a room, as last read: times are epoch ms, rates a minute."""
    waiting = live.waiting
    room, line, phase = waiting.room, waiting.line, waiting.phase()
    counters = asdict(line) | {"waiting": line.waiting}
    for name in ("root", "seed", "signature", "seal", "sealed_to"):  # stand in the public documents
        del counters[name]
    return {
        "room": room.name,
        "title": room.title,
        "notice": room.notice,
        "identity": room.identity,
        "once": room.once,
        "protect": room.protect,
        "now": now_ms,
        "phase": phase,
        "schedule": asdict(room.schedule),
        "pace": describe_pace(room.pace),
        "line": counters,
        "holds": [hold for hold in Hold if phase in HOLDS[hold] and _changes_something(hold, line, phase)],
        "store_away": waiting.store_away,
    }


def _changes_something(hold: Hold, line: Line, phase: Phase) -> bool:  # noqa: PLR0911 - one return a hold
    match hold:
        case Hold.PAUSE:
            return line.paused_at is None
        case Hold.RESUME:
            return line.paused_at is not None
        case Hold.TRUST:
            return not line.trusted
        case Hold.WATCH:
            return line.trusted
        case Hold.SOLD_OUT:
            return not line.sold_out
        case Hold.RESTOCK:
            return line.sold_out
        case Hold.CLOSE:
            return phase is not Phase.CLOSED
        case Hold.REOPEN:
            return line.closed


def _json(document: dict[str, Any]) -> web.Response:
    return web.json_response(document, headers=no_store())
