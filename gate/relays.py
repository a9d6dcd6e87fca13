"""Fetches the beacon's round that a draw waits for; what a relay says is checked, so none need be trusted."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Self

import aiohttp
import structlog

from gate.gate import LiveRoom
from waitroom import beacon
from waitroom.errors import BeaconInvalid, BeaconNotAwaited

PATIENCE_S = 3
MOST_BYTES = 4096

_FAULTS = (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError, BeaconInvalid)

_log = structlog.get_logger()


class Relays:
    """The HTTP relays of a room, asked one after another."""

    def __init__(self, session: aiohttp.ClientSession, addresses: Sequence[str]) -> None:
        self._session = session
        self._addresses = addresses

    @classmethod
    @asynccontextmanager
    async def open(cls, addresses: Sequence[str]) -> AsyncIterator[Self]:
        """The relays at these addresses, with connections that are closed at the end."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE_S)) as session:
            yield cls(session, addresses)

    async def bring(self, room: LiveRoom) -> None:
        """Bring the beacon to a room that waits for it: the first signature that is right; else next time."""
        number = room.waiting.awaited_round
        if number is None:
            return
        for address in self._addresses:
            try:
                await room.waiting.deliver_beacon(await self._fetch(address, number))
            except BeaconNotAwaited:
                return  # somebody else was quicker
            except _FAULTS as error:
                _log.warning("beacon", room=room.name, round=number, relay=address, error=repr(error))
            else:
                _log.info("beacon", room=room.name, round=number, relay=address)
                return

    async def _fetch(self, address: str, number: int) -> bytes:
        url = f"{address}/{beacon.CHAIN.hex()}/public/{number}"
        async with self._session.get(url, allow_redirects=False, raise_for_status=True) as response:
            body = b""
            async for piece in response.content.iter_chunked(MOST_BYTES):
                body += piece
                if len(body) > MOST_BYTES:
                    raise ValueError("the answer is too long for a beacon")
        document = json.loads(body)
        return bytes.fromhex(str(document["signature"]))
