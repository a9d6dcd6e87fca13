"""Joins batch themselves: one script call is under way, and whoever arrives meanwhile rides in the next.

No timer decides when a batch goes, so a lone join is as fast as the store, and a crowd costs few calls.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

MOST = 256
"""The most joins in one script call, which bounds the time that it holds the store."""


class Request(NamedTuple):
    """One join.

    Attributes:
        leaf: the ticket's line on the roll, 32 bytes.
        identity: the subject, or "".
        id: the ticket id in hex.
        entropy: the shopper's 32 random bytes.
        held: record of the ticket that came with the request, ``number:id[:place]``, or "".
    """

    leaf: bytes
    identity: str
    id: str
    entropy: bytes
    held: str


class Answer(NamedTuple):
    """What the store said: ``code`` is new, same, once or refused; ``id`` is the ticket's, in hex."""

    code: str
    number: int
    id: str
    phase: str


class Joins:
    """Gathers requests into batches and runs them one batch at a time.

    Args:
        run: takes a batch and answers one answer for each request, in order.
    """

    def __init__(self, run: Callable[[list[Request]], Awaitable[list[Answer]]]) -> None:
        self._run = run
        self._waiting: list[tuple[Request, asyncio.Future[Answer]]] = []
        self._worker: asyncio.Task[None] | None = None

    async def answer(self, request: Request) -> Answer:
        """Ride in the next batch.

        Raises:
            whatever the batch's run raises.
        """
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        return await future

    async def _work(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                await self._answer_batch(batch)
        finally:
            self._worker = None

    async def _answer_batch(self, batch: list[tuple[Request, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._run([request for request, _ in batch])
        except Exception as error:  # noqa: BLE001 - it is raised again for each who rides in this batch
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), answer in zip(batch, answers, strict=True):
            # A shopper who hung up meanwhile has cancelled; the ticket stays theirs for a repeat.
            if not future.done():
                future.set_result(answer)
