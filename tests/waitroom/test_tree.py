"""The tree over a long roll is RFC 6962's, and gives the same audit paths from one block of leaves."""

import pytest

from waitroom import draw
from waitroom.tree import BLOCK, Tree, block_roots


def leaves(size: int) -> bytes:
    """A roll."""
    return b"".join([draw.leaf(bytes(16), each.to_bytes(32, "big")) for each in range(size)])


@pytest.mark.parametrize(
    "size", [0, 1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 3 * BLOCK + 7, 5 * BLOCK - 1]
)
def test_blocks_make_the_same_tree(size: int) -> None:
    """Root and paths equal those over the whole roll, however long the last block is."""
    roll = leaves(size)
    tree = Tree(size, block_roots(roll))
    assert tree.root == draw.merkle_root(roll)
    for number in {0, 1, BLOCK - 1, BLOCK, size // 2, size - 2, size - 1} & set(range(size)):
        start, end = tree.block_of(number)
        block = roll[start:end]
        assert tree.leaf(number, block) == roll[32 * number :][:32]
        assert tree.path(number, block) == draw.audit_path(number, roll)


def test_a_block_that_is_not_under_the_root_has_no_path() -> None:
    """An edited leaf, also another than the one that was asked for; a block that is cut short."""
    size = 2 * BLOCK
    roll = leaves(size)
    tree = Tree(size, block_roots(roll))
    edited = bytearray(roll[: 32 * BLOCK])
    edited[70] ^= 1
    assert tree.path(0, bytes(edited)) is None
    assert tree.path(5, roll[:160]) is None
    assert tree.path(4, roll[:160]) is None
