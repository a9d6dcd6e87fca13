"""The draw gives everyone one fair place, and anyone can check it from what is published."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from waitroom import draw

VECTORS = Path(__file__).parents[1] / "vectors"
SHUFFLES: list[dict[str, Any]] = json.loads((VECTORS / "shuffle.json").read_text())["vectors"]
DRAWS: list[dict[str, Any]] = json.loads((VECTORS / "draw.json").read_text())

hashes = st.binary(min_size=32, max_size=32)
SEED = bytes(range(32))


def each_hex(values: list[str]) -> list[bytes]:
    """Decode a vector's list of hex strings."""
    return [bytes.fromhex(value) for value in values]


@pytest.mark.parametrize("vector", SHUFFLES, ids=lambda v: f"{v['seed'][:6]}-{v['count']}")
def test_the_shuffle_is_ethereums(vector: dict[str, Any]) -> None:
    """Every place equals the one that Ethereum's published vectors give."""
    seed, size = bytes.fromhex(vector["seed"]), vector["count"]
    whole = draw.places(size, seed).tolist()
    assert sha256(",".join(map(str, whole)).encode()).hexdigest() == vector["digest"]
    assert whole == vector.get("mapping", whole)
    assert [draw.shuffle(number, size, seed) for number in range(min(size, 50))] == whole[:50]


@pytest.mark.parametrize("vector", DRAWS, ids=["local", "drand"])
def test_a_worked_draw_comes_out_byte_for_byte(vector: dict[str, Any]) -> None:
    """Commit document, leaves, root, path, seed and places equal the published worked draw."""
    terms = json.loads(vector["commit"])
    secret = bytes.fromhex(vector["secret"])
    commit = draw.commit_document(
        terms["room"],
        draw.commitment(secret),
        terms["presale_opens_at"],
        terms["presale_closes_at"],
        drand=draw.DrandRound(bytes.fromhex(terms["chain"]), terms["round"]) if "chain" in terms else None,
    )
    leaves = [
        draw.leaf(*pair)
        for pair in zip(each_hex(vector["tickets"]), each_hex(vector["entropy"]), strict=True)
    ]
    root = draw.merkle_root(leaves)
    seed = draw.seed(commit, secret, root, vector["size"], bytes.fromhex(vector["beacon"]))
    assert commit.decode() == vector["commit"]
    assert sha256(commit).hexdigest() == vector["commit_sha256"]
    assert leaves == each_hex(vector["leaves"])
    assert root.hex() == vector["root"]
    assert draw.audit_path(vector["audit_path"]["number"], leaves) == each_hex(vector["audit_path"]["path"])
    assert seed.hex() == vector["seed"]
    assert draw.places(vector["size"], seed).tolist() == vector["places"]


def test_local_mode_needs_no_beacon() -> None:
    """Without a beacon the seed is the one with 32 zero bytes in its stead."""
    assert draw.seed(b"{}", SEED, SEED, 3) == draw.seed(b"{}", SEED, SEED, 3, bytes(32))


@given(seed=hashes, size=st.integers(0, 1500), rounds=st.sampled_from([1, 2, 90]))
def test_a_draw_gives_each_ticket_one_place(seed: bytes, size: int, rounds: int) -> None:
    """The places are a permutation of the numbers, four bytes each."""
    whole = draw.places(size, seed, rounds)
    assert whole.dtype == np.uint32
    assert sorted(whole.tolist()) == list(range(size))


@given(seed=hashes, size=st.integers(1, 3000), rounds=st.sampled_from([1, 7, 90]), data=st.data())
def test_one_place_alone_is_its_place_in_the_whole_draw(
    seed: bytes, size: int, rounds: int, data: st.DataObject
) -> None:
    """Alone, at once, or backwards: the arithmetic agrees."""
    number = data.draw(st.integers(0, size - 1))
    place = draw.shuffle(number, size, seed, rounds)
    assert draw.places(size, seed, rounds)[number] == place
    assert draw.unshuffle(place, size, seed, rounds) == number


@given(seed=hashes, size=st.integers(1, draw.MAX_SIZE), data=st.data())
def test_the_inverse_holds_in_draws_of_any_size(seed: bytes, size: int, data: st.DataObject) -> None:
    """A place leads back to its number up to the largest draw."""
    number = data.draw(st.integers(0, size - 1))
    assert draw.unshuffle(draw.shuffle(number, size, seed), size, seed) == number


def tree_hash(leaves: list[bytes]) -> bytes:
    """RFC 6962's own recursive definition, over leaves already hashed."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"").digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01" + tree_hash(leaves[:split]) + tree_hash(leaves[split:])).digest()


@given(st.lists(hashes, max_size=40))
def test_the_root_is_rfc_6962s(leaves: list[bytes]) -> None:
    """The root equals the standard's recursive definition, from a list or from the roll's bytes."""
    assert draw.merkle_root(leaves) == draw.merkle_root(b"".join(leaves)) == tree_hash(leaves)


def edited(value: bytes) -> bytes:
    """The same bytes with one bit turned."""
    return bytes([value[0] ^ 1]) + value[1:]


@given(st.lists(hashes, min_size=1, max_size=40, unique=True), st.data())
def test_an_audit_path_proves_one_leaf_and_no_other(leaves: list[bytes], data: st.DataObject) -> None:
    """A path leads to the root from its own leaf, number and size alone."""
    size = len(leaves)
    number = data.draw(st.integers(0, size - 1))
    path, root = draw.audit_path(number, leaves), draw.merkle_root(leaves)
    assert draw.verify_path(leaves[number], number, size, path, root)
    assert not draw.verify_path(edited(leaves[number]), number, size, path, root)
    assert not draw.verify_path(leaves[number], number, size, path, edited(root))
    assert not draw.verify_path(leaves[number], number, size, [*path, root], root)
    assert not draw.verify_path(leaves[number], size, size, path, root)
    assert not any(
        draw.verify_path(leaves[number], other, size, path, root) for other in range(size) if other != number
    )
    assert not path or not draw.verify_path(leaves[number], number, size, path[:-1], root)


def test_everything_published_changes_the_seed() -> None:
    """Another document, secret, root, size or beacon is another seed."""
    other = SEED[::-1]
    seeds = {
        draw.seed(b"{}", SEED, SEED, 3),
        draw.seed(b"{} ", SEED, SEED, 3),
        draw.seed(b"{}", other, SEED, 3),
        draw.seed(b"{}", SEED, other, 3),
        draw.seed(b"{}", SEED, SEED, 4),
        draw.seed(b"{}", SEED, SEED, 3, other),
    }
    assert len(seeds) == 6


@pytest.mark.parametrize(
    "call, complaint",
    [
        (lambda: draw.shuffle(3, 3, SEED), "3 is not among the 3 tickets"),
        (lambda: draw.shuffle(-1, 3, SEED), "-1 is not among the 3 tickets"),
        (lambda: draw.unshuffle(0, 0, SEED), "0 is not among the 0 tickets"),
        (lambda: draw.places(-1, SEED), "not -1"),
        (lambda: draw.places(2**32 + 1, SEED), "a draw has 0 to 4294967296 tickets"),
        (lambda: draw.places(3, SEED[1:]), "seed has 32 bytes, not 31"),
        (lambda: draw.shuffle(0, 3, SEED, 0), "1 to 255 rounds, not 0"),
        (lambda: draw.shuffle(0, 3, SEED, 256), "1 to 255 rounds, not 256"),
        (lambda: draw.leaf(SEED, SEED), "ticket has 16 bytes, not 32"),
        (lambda: draw.leaf(SEED[:16], b""), "entropy has 32 bytes, not 0"),
        (lambda: draw.merkle_root(SEED + b"x"), "whole leaves of 32 bytes, not 33 bytes"),
        (lambda: draw.merkle_root([SEED, b"x"]), "leaf has 32 bytes, not 1"),
        (lambda: draw.audit_path(1, SEED), "1 is not among the 1 leaves"),
        (lambda: draw.audit_path(-1, SEED), "-1 is not among the 1 leaves"),
        (lambda: draw.commitment(b"s"), "secret has 32 bytes, not 1"),
        (lambda: draw.commit_document("r", SEED, 5, 5), "would close at 5, not after 5"),
        (lambda: draw.commit_document("r", b"", 4, 5), "commitment has 32 bytes, not 0"),
        (lambda: draw.commit_document("r", SEED, 4, 5, drand=draw.DrandRound(b"", 1)), "chain has 32 bytes"),
        (lambda: draw.seed(b"", SEED, SEED, -1), "not -1"),
        (lambda: draw.seed(b"", SEED, b"", 1), "root has 32 bytes, not 0"),
        (lambda: draw.seed(b"", SEED, SEED, 1, b"?"), "beacon has 32 bytes, not 1"),
    ],
)
def test_what_makes_no_draw_is_refused_in_plain_words(call: Any, complaint: str) -> None:  # noqa: ANN401
    """A bad length, number, size or time is a ValueError that names what would be right."""
    with pytest.raises(ValueError, match=complaint):
        call()


def test_a_million_tickets_fit() -> None:
    """A million tickets are drawn at once, and their roll has a root."""
    size = 1_000_000
    whole = draw.places(size, SEED)
    assert np.array_equal(np.sort(whole), np.arange(size))
    assert whole[123_456] == draw.shuffle(123_456, size, SEED)
    assert len(draw.merkle_root(bytes(32 * size))) == 32
