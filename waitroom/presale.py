"""A room's draw as it happens: what was committed, and everyone's place once the seed is there."""

import asyncio
import secrets
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from waitroom import draw
from waitroom.keys import Keys
from waitroom.room import Line, Schedule
from waitroom.store import Store


@dataclass(frozen=True, slots=True)
class Commitment:
    """A room's secret and the byte-frozen document that binds it to it; both empty without a presale."""

    secret: bytes
    document: bytes

    @property
    def hash(self) -> bytes:
        """SHA-256 of the secret; public from the start."""
        return draw.commitment(self.secret)


def commit(room: str, schedule: Schedule) -> Commitment:
    """A fresh commitment for a room; empty when it has no presale."""
    if schedule.presale_opens_at is None or schedule.presale_closes_at is None:
        return Commitment(b"", b"")
    secret = secrets.token_bytes(32)
    document = draw.commit_document(
        room, draw.commitment(secret), schedule.presale_opens_at, schedule.presale_closes_at
    )
    return Commitment(secret, document)


@dataclass(frozen=True, slots=True)
class Result:
    """The draw of ``size`` tickets: the roll's root, the seed (32 bytes each) and every place by number."""

    size: int
    root: bytes
    seed: bytes
    places: NDArray[np.uint32]


async def draw_lots(store: Store, keys: Keys, commitment: Commitment, line: Line) -> Result:
    """Compute the draw of a frozen line. Any gate gets the same; the loop stays free meanwhile.

    A seed that is settled already stands, whatever has become of the roll since.

    Raises:
        StoreAway: the store does not answer.
    """
    size = line.presale_size or 0
    if line.seed is not None and line.root is not None:
        return await asyncio.to_thread(_compute, line.root, line.seed, size)
    roll = b"".join([piece async for piece in store.read_bytes(keys.roll)])
    return await asyncio.to_thread(_compute_from_roll, roll[: 32 * size], commitment, size)


def _compute_from_roll(roll: bytes, commitment: Commitment, size: int) -> Result:
    root = draw.merkle_root(roll)
    return _compute(root, draw.seed(commitment.document, commitment.secret, root, size), size)


def _compute(root: bytes, seed: bytes, size: int) -> Result:
    return Result(size, root, seed, draw.places(size, seed))


def place_of(number: int, line: Line, schedule: Schedule, result: Result | None) -> int | None:
    """The place of a ticket number; None as long as the draw has not decided it."""
    if not schedule.has_presale:
        return number
    if line.presale_size is None:
        return None
    if number >= line.presale_size:
        return number
    return int(result.places[number]) if result is not None else None
