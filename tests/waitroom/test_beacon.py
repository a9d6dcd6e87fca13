"""The beacon: drand's real rounds, and nothing else, pass."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import NOON
from waitroom import beacon
from waitroom.errors import BeaconInvalid
from waitroom.presale import randomness

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "drand.json").read_text())
ROUNDS: list[dict[str, Any]] = VECTORS["beacons"]
each_round = pytest.mark.parametrize("vector", ROUNDS, ids=lambda vector: str(vector["round"]))


def test_the_chain_is_quicknet() -> None:
    """Its hash, period and genesis are those of drand's own documents."""
    info = VECTORS["info"]
    parameters = info["hash"], info["period"] * 1000, info["genesis_time"] * 1000
    assert (beacon.CHAIN.hex(), beacon.PERIOD_MS, beacon.GENESIS_MS) == parameters


@each_round
def test_a_real_round_gives_its_randomness(vector: dict[str, Any]) -> None:
    """Checked offline; it is the hash of the signature, which is what goes into the seed."""
    signature = bytes.fromhex(vector["signature"])
    assert beacon.randomness(vector["round"], signature).hex() == vector["randomness"]
    assert randomness(signature).hex() == vector["randomness"]
    assert beacon.time_of(vector["round"]) == vector["time"] * 1000


@each_round
def test_anything_else_is_refused(vector: dict[str, Any]) -> None:
    """Another round's signature, one flipped bit, another length, a number that no round has."""
    number, signature = vector["round"], bytes.fromhex(vector["signature"])
    flipped = bytes([signature[0], signature[1] ^ 1]) + signature[2:]
    wrong = [
        (number + 1, signature),
        (number, flipped),
        (number, signature[:-1]),
        (number, b""),
        (-1, signature),
    ]
    for case in wrong:
        with pytest.raises(BeaconInvalid, match=f"round {case[0]}$"):
            beacon.randomness(*case)


@given(st.integers(beacon.GENESIS_MS, 2**42))
def test_the_round_comes_a_minute_after_the_presale_or_little_more(closes_at: int) -> None:
    """So that the list is public before anyone can know the beacon."""
    number = beacon.round_after(closes_at).round
    wait = beacon.time_of(number) - closes_at
    assert beacon.NOTICE_MS <= wait < beacon.NOTICE_MS + beacon.PERIOD_MS


def test_before_the_chain_began_its_first_round_is_meant() -> None:
    """A presale of 2015 has long to wait."""
    assert beacon.round_after(NOON).round == 1
