"""What a room asks of whoever joins, against programs: work, or a wait instead of it, and a limit for each network."""

import asyncio
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from aiohttp import web

from gate.bodies import ENTROPY_BYTES
from gate.cookies import read_cookie
from gate.forwarded import Network, client_address
from gate.limits import Limiter, NetworkKey, network_of
from gate.work import GOOD_FOR_MS, Work
from waitroom import pace
from waitroom.clock import Clock
from waitroom.errors import TokenInvalid, TooManyJoins, WorkNeeded
from waitroom.friction import FrictionSettings
from waitroom.tickets import Stamp, Tokens, stamp_cookie

WAITING_AT_ONCE: Final = 10
"""Browsers of one network that may wait for each other; whoever comes then is told to come later."""


class Friction:
    """What one room asks.

    Args:
        room: the room's name. settings: what the operator asks for.
        tokens: signs stamps and challenges. clock: tells the time.
        trusted: networks of the proxies that may say whom they ask for.
        refused: is told the reason of each refusal.
    """

    def __init__(
        self,
        room: str,
        settings: FrictionSettings,
        *,
        tokens: Tokens,
        clock: Clock,
        trusted: Sequence[Network],
        refused: Callable[[str], None],
    ) -> None:
        self._room = room
        self._tokens = tokens
        self._clock = clock
        self._trusted = trusted
        self._refused = refused
        self.work = Work(room, settings.work, tokens) if settings.work else None
        self._waits = Limiter(1000 * settings.wait_seconds, WAITING_AT_ONCE)
        rate = settings.joins_per_minute
        self._joins = None if rate is None else Limiter(pace.interval(rate), settings.joins_burst)

    # ---- With JavaScript, or any program

    async def challenge(self, entropy_hash: bytes, identity: str) -> dict[str, Any]:
        """The work for the join that will send the entropy with this hash; derived beside the event loop.

        Raises:
            HTTPNotFound: the room asks for none.
        """
        if self.work is None:
            raise web.HTTPNotFound(text="this room asks for no work before a join")
        return await asyncio.to_thread(self.work.challenge, entropy_hash, identity, self._clock.now_ms())

    async def admit(self, request: web.Request, entropy: bytes, identity: str, work: object) -> None:
        """Let a join pass that brings the ``work`` asked for, from a network that has not had too many.

        Raises:
            WorkNeeded, TooManyJoins: it must not join, for now.
        """
        if self.work is not None:
            with self._counting():
                if not isinstance(work, str):
                    raise self.work.needed("missing")
                await asyncio.to_thread(self.work.check, work, entropy, identity, self._clock.now_ms())
        self.count(request)

    # ---- Without JavaScript

    def find_stamp(self, request: web.Request, identity: str) -> Stamp | None:
        """The stamp of a request that is good now or will be (see its ``joins_at``), if it carries one."""
        try:
            token = read_cookie(request, stamp_cookie(self._room)) or ""
            stamp = self._tokens.read_stamp(token, self._room, self._clock.now_ms())
        except TokenInvalid:
            return None
        return stamp if stamp.identity == identity else None

    def stamp(self, request: web.Request, identity: str) -> Stamp:
        """The stamp that this browser has, or a new one: it waits its time, after all others of its network.

        The stamp is good for so short a time after the wait that it is spent once, as work is.

        Raises:
            TooManyJoins: too many of its network are waiting already.
        """
        if found := self.find_stamp(request, identity):
            return found
        with self._counting():
            joins_at = self._waits.take(self._network(request), self._clock.now_ms())
        entropy = secrets.token_bytes(ENTROPY_BYTES)
        return Stamp(self._room, entropy, identity, joins_at, joins_at + GOOD_FOR_MS)

    def count(self, request: web.Request) -> None:
        """Count a join of its network.

        Raises:
            TooManyJoins: it is one too many.
        """
        if self._joins is not None:
            with self._counting():
                self._joins.take(self._network(request), self._clock.now_ms())

    # ---- Within

    def _network(self, request: web.Request) -> NetworkKey:
        return network_of(client_address(request, self._trusted))

    @contextmanager
    def _counting(self) -> Iterator[None]:
        try:
            yield
        except (WorkNeeded, TooManyJoins) as error:
            self._refused(error.reason)
            raise
