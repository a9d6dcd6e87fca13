"""The draw: from the presale's list to everyone's place, so that anyone can check it from public documents.

A secret is committed to before the presale, the list of tickets is fixed by a Merkle root after it, and a
seed made from both (and a public beacon, if there is one) drives a swap-or-not shuffle. Everything here is
plain arithmetic on bytes and integers: it stores nothing and knows no clock.

Sources: the tree is RFC 6962's (checking a path: RFC 9162, section 2.1.3.2); the shuffle is Ethereum's
``compute_shuffled_index``, so other people's programs and test vectors check ours.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

ROUNDS = 90
"""Rounds of the shuffle, as in Ethereum."""

NO_BEACON = bytes(32)
"""Stands for the beacon's randomness in local mode."""

MAX_SIZE = 2**32
"""A draw's most tickets: a place is kept in four bytes."""

_HASH = 32
_TICKET = 16
_BLOCK = 256  # one hash decides the swaps of this many positions

Leaves: TypeAlias = bytes | Sequence[bytes]
"""The roll: leaves in order of number, one after the other in one ``bytes``, or one by one."""


class DrandRound(NamedTuple):
    """The beacon that a draw waits for: a drand chain, by its hash, and the number of a round."""

    chain: bytes
    round: int


# ---- The shuffle


def shuffle(number: int, size: int, seed: bytes, rounds: int = ROUNDS) -> int:
    """The place, from 0, of ticket ``number`` among ``size`` tickets.

    Raises:
        ValueError: the number is not below the size, or the size, seed or rounds make no draw.
    """
    return _walk(number, size, seed, _round_marks(size, seed, rounds))


def unshuffle(place: int, size: int, seed: bytes, rounds: int = ROUNDS) -> int:
    """The ticket number that the draw put at ``place``: the inverse of `shuffle`, with the same errors."""
    return _walk(place, size, seed, reversed(_round_marks(size, seed, rounds)))


def places(size: int, seed: bytes, rounds: int = ROUNDS) -> NDArray[np.uint32]:
    """The whole draw at once: element ``number`` is the place of that ticket; four bytes a ticket.

    A round swaps mirror images: positions 0 … pivot around their middle, and the rest around theirs. So it is
    two passes over contiguous memory, and rounds taken backwards compose to `shuffle` itself.

    Raises:
        ValueError: the size, seed or rounds make no draw.
    """
    marks = _round_marks(size, seed, rounds)
    drawn = np.arange(size, dtype=np.uint32)
    if size < 2:
        return drawn
    for mark in reversed(marks):
        pivot = _pivot(seed + mark, size)
        swaps = _swap_bits(seed + mark, size)
        for start, end in ((0, pivot + 1), (pivot + 1, size)):
            half = (end - start) // 2
            low, high = drawn[start : start + half], drawn[end - half : end][::-1]
            change = (low ^ high) * swaps[end - half : end][::-1]
            low ^= change
            high ^= change
    return drawn


def _walk(position: int, size: int, seed: bytes, marks: Iterable[bytes]) -> int:
    if not 0 <= position < size:
        raise ValueError(f"{position} is not among the {size} tickets of this draw")
    for mark in marks:
        base = seed + mark
        flip = (_pivot(base, size) - position) % size
        decider = max(position, flip)
        source = sha256(base + (decider // _BLOCK).to_bytes(4, "little")).digest()
        if source[decider % _BLOCK // 8] >> decider % 8 & 1:
            position = flip
    return position


def _round_marks(size: int, seed: bytes, rounds: int) -> list[bytes]:
    """The byte that stands for each round, once the draw's terms are known to be sound."""
    if not 0 <= size <= MAX_SIZE:
        raise ValueError(f"a draw has 0 to {MAX_SIZE} tickets, not {size}")
    if not 0 < rounds < 256:
        raise ValueError(f"a shuffle has 1 to 255 rounds, not {rounds}")
    _expect("seed", seed, _HASH)
    return [bytes((mark,)) for mark in range(rounds)]


def _pivot(base: bytes, size: int) -> int:
    return int.from_bytes(sha256(base).digest()[:8], "little") % size


def _swap_bits(base: bytes, size: int) -> NDArray[np.uint8]:
    """For each position, 1 if the pair whose higher member it is trades places in this round."""
    blocks = range((size + _BLOCK - 1) // _BLOCK)
    source = b"".join([sha256(base + block.to_bytes(4, "little")).digest() for block in blocks])
    return np.unpackbits(np.frombuffer(source, dtype=np.uint8), bitorder="little")


# ---- The roll


def leaf(ticket: bytes, entropy: bytes) -> bytes:
    """A ticket's line in the roll, from its 16-byte id and the 32 random bytes its holder brought.

    Raises:
        ValueError: one of them has another length.
    """
    return sha256(b"\x00" + _expect("ticket", ticket, _TICKET) + _expect("entropy", entropy, _HASH)).digest()


def merkle_root(leaves: Leaves) -> bytes:
    """The RFC 6962 root of the roll; an empty roll has the hash of nothing.

    Raises:
        ValueError: the roll is not whole leaves of 32 bytes.
    """
    *_, top = levels(_roll(leaves))
    return top or sha256().digest()


def audit_path(number: int, leaves: Leaves) -> list[bytes]:
    """What `verify_path` needs beside a leaf to reach the root: its neighbours, from the leaf upwards.

    Raises:
        ValueError: the number is not in the roll, or the roll is not whole leaves of 32 bytes.
    """
    roll = _roll(leaves)
    if not 0 <= number < len(roll) // _HASH:
        raise ValueError(f"{number} is not among the {len(roll) // _HASH} leaves of this roll")
    return neighbours(number, levels(roll))


def neighbours(number: int, levels: Iterable[bytes]) -> list[bytes]:
    """The nodes beside the way up from node ``number`` of the lowest of these levels, as far as there are any."""
    beside = [level[((number >> height) ^ 1) * _HASH :][:_HASH] for height, level in enumerate(levels)]
    return [node for node in beside if node]


def verify_path(leaf: bytes, number: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether ``leaf`` is line ``number`` of the roll of ``size`` leaves that has this root."""
    if not 0 <= number < size:
        return False
    node, last = leaf, size - 1
    for sibling in path:
        if last == 0:
            return False
        if number % 2 or number == last:
            node = _node(sibling + node)
            while number % 2 == 0 and number:
                number, last = number // 2, last // 2
        else:
            node = _node(node + sibling)
        number, last = number // 2, last // 2
    return last == 0 and node == root


def levels(roll: bytes) -> Iterator[bytes]:
    """The tree from the leaves up to the root; a node without a neighbour rises as it is."""
    yield roll
    while len(roll) > _HASH:
        whole = len(roll) - len(roll) % (2 * _HASH)
        pairs = [_node(roll[at : at + 2 * _HASH]) for at in range(0, whole, 2 * _HASH)]
        roll = b"".join([*pairs, roll[whole:]])
        yield roll


def _node(children: bytes) -> bytes:
    return sha256(b"\x01" + children).digest()


def _roll(leaves: Leaves) -> bytes:
    roll = (
        leaves if isinstance(leaves, bytes) else b"".join([_expect("leaf", each, _HASH) for each in leaves])
    )
    if len(roll) % _HASH:
        raise ValueError(f"a roll is whole leaves of {_HASH} bytes, not {len(roll)} bytes")
    return roll


# ---- Commitment and seed


def commitment(secret: bytes) -> bytes:
    """What is published of the secret before the presale.

    Raises:
        ValueError: the secret is not 32 bytes.
    """
    return sha256(_expect("secret", secret, _HASH)).digest()


def commit_document(
    room: str,
    commitment: bytes,
    presale_opens_at: int,
    presale_closes_at: int,
    *,
    rounds: int = ROUNDS,
    drand: DrandRound | None = None,
) -> bytes:
    """The document that binds the draw before it begins; its very bytes go into the seed.

    JSON with sorted keys, no spaces, ASCII only. Times are epoch milliseconds. Without ``drand`` the draw is
    in local mode.

    Raises:
        ValueError: a hash has the wrong length, or the presale would end before it begins.
    """
    if presale_opens_at >= presale_closes_at:
        raise ValueError(f"the presale would close at {presale_closes_at}, not after {presale_opens_at}")
    terms: dict[str, str | int] = {
        "v": 1,
        "room": room,
        "mode": "drand" if drand else "local",
        "commitment": _expect("commitment", commitment, _HASH).hex(),
        "rounds": rounds,
        "presale_opens_at": presale_opens_at,
        "presale_closes_at": presale_closes_at,
    }
    if drand:
        terms |= {"chain": _expect("chain", drand.chain, _HASH).hex(), "round": drand.round}
    return json.dumps(terms, sort_keys=True, separators=(",", ":")).encode()


def seed(commit: bytes, secret: bytes, root: bytes, size: int, beacon: bytes = NO_BEACON) -> bytes:
    """The seed of the shuffle: fixed by the commit document, the secret, the roll and the beacon together.

    Raises:
        ValueError: secret, root or beacon is not 32 bytes, or the size is no draw's.
    """
    if not 0 <= size <= MAX_SIZE:
        raise ValueError(f"a draw has 0 to {MAX_SIZE} tickets, not {size}")
    return sha256(
        b"draw/v1\x00"
        + sha256(commit).digest()
        + _expect("secret", secret, _HASH)
        + _expect("root", root, _HASH)
        + size.to_bytes(8, "big")
        + _expect("beacon", beacon, _HASH)
    ).digest()


def _expect(name: str, value: bytes, length: int) -> bytes:
    if len(value) != length:
        raise ValueError(f"{name} has {length} bytes, not {len(value)}")
    return value
