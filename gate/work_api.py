"""The addresses of the work that a room may ask for before a join: the challenge, and the worker that solves it."""

import re

from aiohttp import hdrs, web

from gate import shopper
from gate.gate import Gate, Handler, LiveRoom, no_store
from gate.problems import BadRequest
from gate.sources import read_worker

_HASH = re.compile(r"[0-9a-f]{64}")
_WORKER_HEADERS = {
    "Content-Type": "text/javascript; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'",  # a worker has its own
    "X-Content-Type-Options": "nosniff",
    hdrs.CACHE_CONTROL: "public, max-age=60",
}


class WorkApi:
    """The handlers of one room's work."""

    def __init__(self, gate: Gate, room: LiveRoom) -> None:
        self._gate = gate
        self._room = room

    @property
    def addresses(self) -> dict[str, tuple[str, dict[str, Handler]]]:
        """The addresses below the room's own, by the name of their route."""
        return {
            "challenge": ("/challenge", {"GET": self.challenge}),
            "worker": ("/worker.js", {"GET": give_worker}),
        }

    async def challenge(self, request: web.Request) -> web.Response:
        """A challenge for the one join that will send the entropy whose SHA-256 is ``for``."""
        wanted = request.query.get("for", "")
        if not _HASH.fullmatch(wanted):
            raise BadRequest(
                "for must be the SHA-256 of the join's entropy, written as 64 hexadecimal digits"
            )
        if self._room.friction is None:
            raise web.HTTPNotFound(text="this room asks for nothing before a join")
        identity = shopper.read_identity(self._gate, request, self._room.waiting.room)
        challenge = await self._room.friction.challenge(bytes.fromhex(wanted), identity)
        return web.json_response(challenge, headers=no_store())


async def give_worker(_request: web.Request) -> web.Response:
    """The worker, which the page starts in rooms that ask for work."""
    return web.Response(text=read_worker(), headers=_WORKER_HEADERS)
