"""The Merkle tree over a long roll: only its upper levels are kept, a block of leaves is read when it is asked for.

A block is 256 leaves, so that a million leaves are 250 KB here, and an audit path costs the store one read of 8 KB.
The tree is RFC 6962's all the same: blocks begin at multiples of a power of two.
"""

from waitroom import draw

BLOCK = 256
BLOCK_BYTES = 32 * BLOCK


def block_roots(leaves: bytes) -> bytes:
    """The root of each block of these leaves, one after the other; they begin where a block begins.

    Raises:
        ValueError: they are not whole leaves of 32 bytes.
    """
    starts = range(0, len(leaves), BLOCK_BYTES)
    return b"".join([draw.merkle_root(leaves[start : start + BLOCK_BYTES]) for start in starts])


class Tree:
    """The tree over ``size`` leaves, from the roots of their blocks upwards."""

    def __init__(self, size: int, roots: bytes) -> None:
        self.size = size
        self.root = draw.merkle_root(roots)
        self._levels = list(draw.levels(roots))

    def block_of(self, number: int) -> tuple[int, int]:
        """Where in the roll the block of a leaf begins and ends, in bytes."""
        start = number // BLOCK * BLOCK_BYTES
        return start, min(start + BLOCK_BYTES, 32 * self.size)

    def leaf(self, number: int, block: bytes) -> bytes:
        """A leaf, from its block."""
        return block[number % BLOCK * 32 :][:32]

    def path(self, number: int, block: bytes) -> list[bytes] | None:
        """The audit path of a leaf, from its block; None where this is not the block that is under the root."""
        if number % BLOCK >= len(block) // 32:
            return None
        path = draw.audit_path(number % BLOCK, block) + draw.neighbours(number // BLOCK, self._levels)
        fits = draw.verify_path(self.leaf(number, block), number, self.size, path, self.root)
        return path if fits else None
