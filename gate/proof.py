"""What anyone needs to check a sale, and nobody's own: the draw's documents, the roll, the public record.

``docs/draw.md`` has their formats.
"""

import asyncio
import binascii
import json
import re
from typing import Any

from aiohttp import hdrs, web

from gate.bodies import read_json
from gate.gate import Gate, Handler, LiveRoom
from gate.headers import holds
from gate.problems import BadRequest
from gate.streams import read_page
from waitroom import beacon
from waitroom.errors import StoreAway
from waitroom.presale import place_of
from waitroom.state import draw_document

LOG_PAGE = 1000
READERS = 4
ROLL_PIECE = 1 << 16
ROLL_PATIENCE_S = 120
"""So many readers of roll and log at once, with so much in memory and for so long: the line comes first."""

BRIEFLY = "public, max-age=1"
FOREVER = "public, max-age=31536000, immutable"
_AN_HOUR = "public, max-age=3600"
_NUMBER = re.compile(r"[0-9]{1,10}")


class ProofApi:
    """The handlers of one room's public documents, and the one way to add to them: a beacon's signature."""

    def __init__(self, gate: Gate, room: LiveRoom) -> None:
        self._gate = gate
        self._room = room
        self._readers = asyncio.Semaphore(READERS)

    @property
    def addresses(self) -> dict[str, tuple[str, dict[str, Handler]]]:
        """The addresses below the room's own, by the name of their route."""
        return {
            "draw": ("/draw", {"GET": self.draw, "POST": self.deliver}),
            "path": ("/draw/{number}", {"GET": self.path}),
            "roll": ("/roll", {"GET": self.roll}),
            "log": ("/log", {"GET": self.log}),
        }

    async def draw(self, _request: web.Request) -> web.Response:
        """The draw's documents: the commit document byte for byte, and all that has been published since."""
        waiting = self._room.waiting
        if not waiting.room.schedule.has_presale:
            raise web.HTTPNotFound(text="this room has no presale, so nothing is drawn")
        document = draw_document(waiting.room.name, waiting.commitment, waiting.line)
        return _json(document, FOREVER if waiting.line.seed else BRIEFLY)

    async def deliver(self, request: web.Request) -> web.Response:
        """Take the signature of the beacon's round that the draw waits for; anybody may bring it."""
        await self._room.waiting.deliver_beacon(signature_in(await read_json(request)))
        await self._room.advance_draw()
        return _json({"round": self._room.waiting.commitment.round}, "no-store", status=202)

    async def path(self, request: web.Request) -> web.Response:
        """A number's leaf, place and audit path: that it is on the roll under the published root."""
        waiting = self._room.waiting
        line, asked = waiting.line, request.match_info["number"]
        if not _NUMBER.fullmatch(asked):
            raise web.HTTPNotFound(text="a ticket's number is written in digits")
        number = int(asked)
        if line.root is None or line.presale_size is None:
            raise web.HTTPNotFound(text="the roll is published when the presale is over")
        if number >= line.presale_size:
            text = f"the draw was among the numbers below {line.presale_size}; a later ticket's place is its number"
            raise web.HTTPNotFound(text=text)
        found = await waiting.audit_path(number)
        if found is None:
            raise web.HTTPNotFound(
                text="the store has lost this part of the roll since its root was published"
            )
        leaf, path = found
        place = place_of(number, line, waiting.room.schedule, waiting.draw)
        document = {
            "room": waiting.room.name,
            "number": number,
            "leaf": leaf.hex(),
            "path": [node.hex() for node in path],
            "size": line.presale_size,
            "root": line.root.hex(),
            "place": place,
        }
        return _json(document, BRIEFLY if place is None else FOREVER)

    async def roll(self, request: web.Request) -> web.StreamResponse:
        """The presale's leaves, 32 bytes each in order of number, once their root is published."""
        waiting = self._room.waiting
        line = waiting.line
        if line.presale_size is None or line.root is None:
            raise web.HTTPNotFound(text="the roll is published when the presale is over")
        headers = {
            hdrs.CONTENT_TYPE: "application/octet-stream",
            hdrs.CACHE_CONTROL: FOREVER,
            hdrs.ETAG: f'"{line.root.hex()}"',
        }
        if holds(request, headers[hdrs.ETAG]):
            return web.Response(status=304, headers=headers)
        response = web.StreamResponse(headers=headers)
        response.content_length = 32 * line.presale_size
        if request.method == hdrs.METH_HEAD:
            return response
        async with self._readers:
            pieces = self._gate.store.read_bytes(waiting.keys.roll, ROLL_PIECE)
            first = await anext(pieces, b"")
            await response.prepare(request)
            try:
                async with asyncio.timeout(ROLL_PATIENCE_S):
                    await response.write(first)
                    async for piece in pieces:
                        await response.write(piece)
            except (StoreAway, TimeoutError):
                request.protocol.force_close()  # so that half a roll never looks whole
        return response

    async def log(self, request: web.Request) -> web.Response:
        """The public record after the entry ``after``, a page at a time; ``next`` leads to the following page."""
        async with self._readers:
            entries, more = await read_page(self._gate.store, self._room.waiting.keys.log, request, LOG_PAGE)
        # Nothing is ever inserted, so a full page stays as it is.
        return _json({"entries": entries, "next": more}, BRIEFLY if more is None else _AN_HOUR)


def signature_in(body: dict[str, Any]) -> bytes:
    """The beacon's signature in a body, in hexadecimal.

    Raises:
        BadRequest: there is none.
    """
    try:
        signature = binascii.unhexlify(body.get("signature", ""))
    except (ValueError, TypeError):
        signature = b""
    if len(signature) != beacon.SIGNATURE_BYTES:
        raise BadRequest("signature must be the round's signature, written as 96 hexadecimal digits")
    return signature


def _json(document: dict[str, Any], cache: str, status: int = 200) -> web.Response:
    body = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    headers = {hdrs.CONTENT_TYPE: "application/json", hdrs.CACHE_CONTROL: cache}
    return web.Response(body=body, status=status, headers=headers)
