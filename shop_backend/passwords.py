"""Password hashes, made in a few threads of their own so that hashing never holds up the server."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from shop_backend.errors import Busy
from shop_backend.texts import _

# OWASP's first choice for argon2id: 19 MiB, two passes, one lane; some 25 ms of one core.
HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
LONGEST_QUEUE = 300
"""Hashes that may wait: 10 s at the 30 a second of a slow machine, as a repeated registration waits twice and the
gate for 30 s. Beyond that a request is refused at once, to be sent again."""

Result = TypeVar("Result")


class Passwords:
    """Hashes and verifies passwords, ``threads`` at a time."""

    def __init__(self, hasher: PasswordHasher = HASHER, threads: int | None = None) -> None:
        self._hasher = hasher
        self._pool = ThreadPoolExecutor(threads or os.cpu_count() or 1, thread_name_prefix="password")
        self._queued = 0
        # Verified against when there is no such account, so that both answers take as long.
        self._nobody = hasher.hash(os.urandom(16))

    async def hash(self, password: str) -> str:
        """The hash of a password, with its salt and parameters.

        Raises:
            Busy: when too many wait.
        """
        return await self._run(partial(self._hasher.hash, password))

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether the password is the one that was hashed; nobody's (None) never is.

        Raises:
            Busy: when too many wait.
        """
        return await self._run(partial(self._verify, password_hash or self._nobody, password))

    def close(self) -> None:
        """Let the threads end."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: partial[Result]) -> Result:
        if self._queued >= LONGEST_QUEUE:
            raise Busy(_("Too many people are signing in at this moment."))
        self._queued += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._queued -= 1
