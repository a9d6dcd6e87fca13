"""So many requests of one visitor are at the shop at once; their others wait for those, and hold up nobody else."""

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from typing import Final

from gate.proxy import ProxyError

AT_ONCE: Final = 6
"""As many as a browser sends at once over HTTP/1.1, so that a visitor of a usual shop never waits."""

PATIENCE_S: Final = 5
"""As long as for a connection to the shop."""


class TooManyAtOnce(ProxyError):
    """A visitor's requests hold all of that visitor's turns, and none came free in time."""

    def __init__(self) -> None:
        super().__init__(
            f"the shop is still busy with {AT_ONCE} of your requests, and more at once would hold up the others; "
            "ask again when one of them is answered"
        )


class Turns:
    """The turns at the shop of each visitor; it remembers those who have a request under way, and nobody else."""

    def __init__(self) -> None:
        self._turns: dict[Hashable, asyncio.Semaphore] = {}
        self._asking: dict[Hashable, int] = {}

    @asynccontextmanager
    async def take(self, visitor: Hashable) -> AsyncIterator[None]:
        """One turn of a visitor, for as long as it is needed.

        Raises:
            TooManyAtOnce: none came free in time.
        """
        turns = self._turns.setdefault(visitor, asyncio.Semaphore(AT_ONCE))
        self._asking[visitor] = self._asking.get(visitor, 0) + 1
        try:
            async with _in_time(turns):
                yield
        finally:
            self._asking[visitor] -= 1
            if not self._asking[visitor]:
                del self._turns[visitor], self._asking[visitor]


@asynccontextmanager
async def _in_time(turns: asyncio.Semaphore) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(PATIENCE_S):
            await turns.acquire()
    except TimeoutError:
        raise TooManyAtOnce from None
    try:
        yield
    finally:
        turns.release()
