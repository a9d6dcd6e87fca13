"""What a gate knows of visits beyond their passes."""

from collections.abc import Sequence

import pytest

from waitroom.clock import ManualClock
from waitroom.errors import StoreAway
from waitroom.tickets import Pass
from waitroom.visits import Visits

NOW = 1_000_000


class Extender:
    """The store's side of an extension: says until when, remembers who asked."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.ends: dict[int, int] = {}
        self.away = False

    async def __call__(self, places: Sequence[int]) -> list[int]:
        """When each visit ends now."""
        if self.away:
            raise StoreAway("gone")
        self.asked.append(sorted(places))
        return [self.ends.get(place, 0) for place in places]


def granted(place: int, expires_at: int = NOW + 60_000) -> Pass:
    """The pass of a visit that began now."""
    return Pass("mi-launch", place, place, NOW, expires_at)


@pytest.fixture
def extender() -> Extender:
    """A store that extends visits."""
    return Extender()


@pytest.fixture
def visits(extender: Extender) -> Visits:
    """The visits of a gate whose clock stands at NOW."""
    return Visits(ManualClock(NOW), extender)


def test_a_pass_is_good_until_its_visit_was_ended(visits: Visits) -> None:
    """By this gate, or by another as the store tells; other places are not concerned."""
    assert visits.admits(granted(7))
    visits.end(7)
    visits.read_ended([b"8", b"999000"], longest_ms=60_000)
    assert [visits.admits(granted(place)) for place in (7, 8, 9)] == [False, False, True]


def test_ends_are_forgotten_once_their_passes_have_run_out(visits: Visits) -> None:
    """So that memory does not grow with the people who have been in the shop."""
    visits.read_ended([b"1", b"940000", b"2", b"940001.0"], longest_ms=60_000)
    assert [visits.admits(granted(place)) for place in (1, 2)] == [True, False]


def test_ends_are_read_from_a_little_before_the_last_one(visits: Visits) -> None:
    """Gates' clocks may differ by seconds, and be set back by minutes; nothing is missed in between."""
    assert visits.ended_since == 0
    visits.read_ended([b"8", b"999700"], longest_ms=60_000)
    assert visits.ended_since == NOW - 5_300
    visits.end(7)
    assert visits.ended_since == NOW - 5_000
    visits.read_ended([b"9", b"1600000"], longest_ms=60_000)
    assert visits.ended_since == NOW - 5_000


async def test_active_visitors_are_extended_in_one_batch(visits: Visits, extender: Extender) -> None:
    """However often they click; who was idle is not asked for, and without anyone there is no call."""
    await visits.extend()
    for place in (1, 2, 1):
        visits.touch(granted(place))
    await visits.extend()
    await visits.extend()
    assert extender.asked == [[1, 2]]


async def test_a_pass_is_replaced_by_one_that_lasts_as_long_as_the_visit(
    visits: Visits, extender: Extender
) -> None:
    """Once the extension is known; a visit that was not extended keeps its pass."""
    extender.ends = {1: NOW + 90_000}
    assert visits.touch(granted(1)) == granted(1)
    visits.touch(granted(2))
    await visits.extend()
    assert visits.touch(granted(1)) == granted(1, NOW + 90_000)
    assert visits.touch(granted(1, NOW + 90_000)) == granted(1, NOW + 90_000)
    assert visits.touch(granted(2)) == granted(2)


async def test_extensions_that_are_over_are_forgotten(visits: Visits, extender: Extender) -> None:
    """Memory is bounded by the people in the shop."""
    extender.ends = {1: NOW}
    visits.touch(granted(1))
    await visits.extend()
    assert visits.touch(granted(1, NOW - 1)) == granted(1, NOW - 1)


async def test_visits_are_extended_later_when_the_store_was_away(visits: Visits, extender: Extender) -> None:
    """Nobody's activity is lost."""
    visits.touch(granted(1))
    extender.away = True
    with pytest.raises(StoreAway):
        await visits.extend()
    extender.away = False
    visits.touch(granted(2))
    await visits.extend()
    assert extender.asked == [[1, 2]]
