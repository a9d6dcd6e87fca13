"""The draw of a live room, step by step: freeze the list, publish its root, wait for the beacon, settle.

Any gate may take any step, and again: each is a script that counts once. What this process has seen it remembers,
so that a draw that the store has lost is published and settled again as it was.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from waitroom import beacon
from waitroom.errors import BeaconNotAwaited
from waitroom.keys import Keys
from waitroom.presale import Commitment, Result, draw_lots, read_tree
from waitroom.room import Line
from waitroom.store import Store
from waitroom.tree import Tree

Run: TypeAlias = Callable[..., Awaitable[Any]]
Learn: TypeAlias = Callable[..., Line]


class Drawing:
    """The draw of one room, as far as this process knows it.

    Args:
        store: the store that holds the roll, under ``keys``.
        run: runs a verb. learn: takes over new values of the line's fields, and answers the line.
    """

    def __init__(self, store: Store, keys: Keys, run: Run, learn: Learn) -> None:
        self.result: Result | None = None
        self._store = store
        self._keys = keys
        self._run = run
        self._learn = learn
        self._root: bytes | None = None
        self._signature = b""
        self._tree = Tree(0, b"")
        self._tree_of: bytes | None = None
        self._reading = asyncio.Lock()

    def remember(self, line: Line) -> None:
        """Keep what the line tells of the draw, should the store lose it."""
        self._root = line.root or self._root
        self._signature = line.signature or self._signature

    async def advance(self, commitment: Commitment, line: Line) -> bool:
        """Take the draw of a presale that is over as far as it goes; says whether it is made.

        Raises:
            StoreAway: the store does not answer.
        """
        if line.presale_size is None:
            size = int(await self._run("freeze", (self._keys.roll, self._keys.log)))
            if size < 0:
                return False
            line = self._learn(presale_size=size)
        if line.root is None:
            line = self._learn(root=await self._publish(commitment, line))
        if line.seed is None and commitment.round is not None and not self._signature:
            return False
        if self.result is None or line.seed not in {None, self.result.seed}:
            self.result = await draw_lots(commitment, line, self._signature)
        if line.seed is None:
            await self._settle(self.result)
        return True

    def awaited_round(self, commitment: Commitment, line: Line, now_ms: int) -> int | None:
        """The beacon's round without which the draw cannot go on: the roll is out, the round's time has come."""
        number = commitment.round
        waits = line.root is not None and line.seed is None and not self._signature
        return number if number is not None and waits and now_ms >= beacon.time_of(number) else None

    async def deliver(self, number: int | None, signature: bytes) -> None:
        """Take the awaited round's signature, from whomever; the next step goes on with it.

        Raises:
            BeaconNotAwaited: there is none to take now. BeaconInvalid: it is not the round's signature.
        """
        if number is None:
            raise BeaconNotAwaited
        await asyncio.to_thread(beacon.randomness, number, signature)
        self._signature = signature

    async def path(self, number: int, line: Line) -> tuple[bytes, list[bytes]] | None:
        """Leaf and audit path of a number on the published roll; None where the roll has lost that leaf since.

        One read at a time, so that whoever asks for many loads the gate and not the store.

        Raises:
            StoreAway: the store does not answer.
        """
        async with self._reading:
            if self._tree_of != line.root:
                self._tree = await read_tree(self._store, self._keys, line.presale_size or 0)
                self._tree_of = line.root
            block = await self._store.read_range(self._keys.roll, *self._tree.block_of(number))
        path = self._tree.path(number, block) if self._tree.root == line.root else None
        return None if path is None else (self._tree.leaf(number, block), path)

    async def _publish(self, commitment: Commitment, line: Line) -> bytes:
        size = line.presale_size or 0
        root = self._root or (await read_tree(self._store, self._keys, size)).root
        args = str(size), root, root.hex(), commitment.secret.hex()
        # Where another gate was first, its word counts.
        self._root = await self._run("publish", (self._keys.log,), *args) or root
        return self._root

    async def _settle(self, result: Result) -> None:
        args = result.root, result.seed, result.seed.hex(), result.signature, result.signature.hex()
        await self._run("settle", (self._keys.log,), *args)
        self._learn(seed=result.seed, signature=result.signature)
