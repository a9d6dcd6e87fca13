"""A room's draw as it happens: what was committed, the roll's root, and everyone's place once the seed is there."""

import asyncio
import json
import secrets
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from waitroom import beacon, draw
from waitroom.keys import Keys
from waitroom.room import Line, Schedule
from waitroom.store import Store
from waitroom.tree import BLOCK_BYTES, Tree, block_roots


@dataclass(frozen=True, slots=True)
class Commitment:
    """A room's secret and the byte-frozen document that binds it to it; both empty without a presale."""

    secret: bytes
    document: bytes

    @property
    def hash(self) -> bytes:
        """SHA-256 of the secret; public from the start."""
        return draw.commitment(self.secret)

    @property
    def document_hash(self) -> bytes:
        """SHA-256 of the document: what a shopper's receipt keeps of it."""
        return sha256(self.document).digest()

    @property
    def round(self) -> int | None:
        """The beacon's round that the document names; None in local mode and without a presale."""
        number: int | None = json.loads(self.document or b"{}").get("round")
        return number


def commit(room: str, schedule: Schedule, *, drand: bool = False) -> Commitment:
    """A fresh commitment for a room, to a beacon's round where it draws by ``drand``; empty without a presale."""
    opens_at, closes_at = schedule.presale_opens_at, schedule.presale_closes_at
    if opens_at is None or closes_at is None:
        return Commitment(b"", b"")
    secret = secrets.token_bytes(32)
    chosen = beacon.round_after(closes_at) if drand else None
    document = draw.commit_document(room, draw.commitment(secret), opens_at, closes_at, drand=chosen)
    return Commitment(secret, document)


@dataclass(frozen=True, slots=True)
class Result:
    """The draw of ``size`` tickets: root and seed (32 bytes each), the beacon's signature, every place by number."""

    size: int
    root: bytes
    seed: bytes
    signature: bytes
    places: NDArray[np.uint32]


async def read_tree(store: Store, keys: Keys, size: int) -> Tree:
    """The tree over the first ``size`` leaves of the roll, which is never held whole; the loop stays free meanwhile.

    Raises:
        StoreAway: the store does not answer.
    """
    roots, left = bytearray(), 32 * size
    async for piece in store.read_bytes(keys.roll, chunk=64 * BLOCK_BYTES):
        roots += await asyncio.to_thread(block_roots, piece[:left])
        left -= len(piece[:left])
    return await asyncio.to_thread(Tree, size, bytes(roots))


async def draw_lots(commitment: Commitment, line: Line, signature: bytes) -> Result:
    """Compute the draw over a published roll. Any gate gets the same; the loop stays free meanwhile.

    A seed that is settled already stands. ``signature`` is the beacon's, already checked; empty in local mode.
    """
    root, size = line.root or b"", line.presale_size or 0
    if line.seed is not None:
        seed, signature = line.seed, line.signature or b""
    else:
        seed = draw.seed(commitment.document, commitment.secret, root, size, randomness(signature))
    return Result(size, root, seed, signature, await asyncio.to_thread(draw.places, size, seed))


def randomness(signature: bytes) -> bytes:
    """What the beacon adds to the seed: the hash of its signature (already checked), zeros without one."""
    return sha256(signature).digest() if signature else draw.NO_BEACON


def place_of(number: int, line: Line, schedule: Schedule, result: Result | None) -> int | None:
    """The place of a ticket number; None as long as the draw has not decided it."""
    if not schedule.has_presale:
        return number
    if line.presale_size is None:
        return None
    if number >= line.presale_size:
        return number
    return int(result.places[number]) if result is not None else None
