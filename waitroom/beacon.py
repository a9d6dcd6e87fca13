"""The public beacon: drand's quicknet, whose rounds nobody can know before their time and everyone can check.

A round's signature is checked offline against the chain's public key, so it may come from anyone. Pure: who
fetches it, and when, stands elsewhere. The chain's parameters are those of drand's ``/info``.
"""

from drand_verify import verify_quicknet  # type: ignore[import-untyped]

from waitroom.draw import DrandRound
from waitroom.errors import BeaconInvalid

CHAIN = bytes.fromhex("52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971")
GENESIS_MS = 1_692_803_367_000
PERIOD_MS = 3_000
SIGNATURE_BYTES = 48

NOTICE_MS = 60_000
"""From the end of the presale to the round at the least: the time in which the list must become public."""


def round_after(presale_closes_at: int) -> DrandRound:
    """The first round that comes into being `NOTICE_MS` or more after the presale's end (epoch ms)."""
    due = presale_closes_at + NOTICE_MS - GENESIS_MS
    return DrandRound(CHAIN, max(1, 1 - (-due // PERIOD_MS)))


def time_of(number: int) -> int:
    """When a round comes into being (epoch ms)."""
    return GENESIS_MS + (number - 1) * PERIOD_MS


def randomness(number: int, signature: bytes) -> bytes:
    """The 32 random bytes of a round, if this is its signature.

    Raises:
        BeaconInvalid: it is not.
    """
    try:
        return bytes.fromhex(verify_quicknet(number, signature.hex()))
    except (ValueError, OverflowError):
        raise BeaconInvalid(number) from None
