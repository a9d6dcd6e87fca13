"""The arithmetic of calling and of the door keeps its limits exactly."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waitroom import pace
from waitroom.pace import Limit

NOW = 1_432_033_200_000

rates = st.integers(1, 60_000) | st.floats(0.1, 60_000)
bursts = st.integers(1, 20)


def need(
    *,
    interval: float = 1000,
    free: int | None = None,
    leaving: float = 0,
    door: int = 0,
    coming: int = 0,
    show_rate: float = 1,
    waiting: int = 10**6,
) -> pace.Need:
    """A room at sixty a minute with an empty door, unless told otherwise."""
    return pace.Need(interval, free, leaving, door, coming, show_rate, waiting)


def test_a_count_halves_in_its_half_life() -> None:
    """A decayed count halves every thirty seconds, and not at all when the clock runs backwards."""
    assert pace.decay(8, 30_000) == 4
    assert pace.decay(8, 90_000) == 1
    assert pace.decay(8, -5) == pace.decay(8, 0) == 8


@given(st.floats(0.001, 0.1))
def test_a_steady_flow_is_measured_as_what_it_is(flow: float) -> None:
    """The decayed count of a steady flow of events gives its rate back."""
    count = 0.0
    for _ in range(600):
        count = pace.decay(count, 1000) + flow * 1000
    assert pace.per_ms(count) == pytest.approx(flow, rel=0.02)


@pytest.mark.parametrize(
    "shown, lapsed, rate", [(0, 0, 1), (10, 0, 1), (0, 1000, 0.02), (9.5, 10, 0.5), (0.5, 1, 0.5)]
)
def test_the_show_rate_starts_hopeful_and_has_a_floor(shown: float, lapsed: float, rate: float) -> None:
    """Nothing known means that everyone comes; nobody coming never means zero."""
    assert pace.show_rate(shown, lapsed) == pytest.approx(rate)


@pytest.mark.parametrize(
    "case, count",
    [
        (need(), 7),  # six slots in six seconds, and one more
        (need(door=3, coming=2), 2),
        (need(door=7), 0),
        (need(door=9), 0),
        (need(show_rate=0.1), 70),
        (need(show_rate=0.1, coming=60), 10),
        (need(free=2), 3),
        (need(free=2, leaving=0.0005), 6),
        (need(free=20), 7),
        (need(free=0), 1),
        (need(free=-50), 1),
        (need(waiting=4), 4),
        (need(waiting=0), 0),
        (need(interval=60_000), 2),
        (need(interval=1, show_rate=0.02), pace.CALL_MOST),
    ],
)
def test_as_many_are_called_as_the_next_seconds_can_take(case: pace.Need, count: int) -> None:
    """Slots and spots of the next six seconds, one more, less those present or expected."""
    assert pace.how_many_to_call(case) == count


@given(
    st.builds(
        pace.Need,
        interval=rates.map(pace.interval),
        free=st.none() | st.integers(-100, 1000),
        leaving=st.floats(0, 1),
        door=st.integers(0, 1000),
        coming=st.integers(0, 10_000),
        show_rate=st.floats(0.02, 1),
        waiting=st.integers(0, 10**7),
    )
)
def test_a_call_stays_within_the_line(case: pace.Need) -> None:
    """Never fewer than none, never more than wait, never so many that the store is held up."""
    assert 0 <= pace.how_many_to_call(case) <= min(case.waiting, pace.CALL_MOST)


@pytest.mark.parametrize("rate", [0, -1, math.nan])
def test_a_rate_is_above_nothing(rate: float) -> None:
    """A pause is a pause; a rate of zero or less is refused."""
    with pytest.raises(ValueError, match="above 0 entries a minute"):
        pace.interval(rate)


@given(st.integers(1, 600_000))
def test_an_interval_is_never_too_short(rate: int) -> None:
    """Rounded up by less than 1/1024 ms, so the rate holds exactly."""
    assert 0 <= Fraction(pace.interval(rate)) - Fraction(60_000, rate) < Fraction(1, pace.TICK)


@given(
    rate=st.integers(1, 60_000),
    burst=bursts,
    gaps=st.lists(st.integers(0, 3000), min_size=1, max_size=60),
)
def test_no_window_sees_more_than_burst_and_rate(rate: int, burst: int, gaps: list[int]) -> None:
    """I5: between any two entries lies the time that all between them, less a burst, take at this rate."""
    interval, tat, now, entries = pace.interval(rate), 0.0, NOW, list[int]()
    for gap in gaps:
        now += gap
        at = pace.enter_at(now, pace.slot(now, tat, 0, burst, interval), 0, None)
        if at is not None:
            tat = pace.book(at, tat, interval)
            entries.append(at)
    assert entries
    assert entries == sorted(entries)
    for first, start in enumerate(entries):
        for last in range(first, len(entries)):
            assert last - first + 1 <= burst + Fraction(rate, 60_000) * (entries[last] - start)


@given(burst=bursts, interval=rates.map(pace.interval), ahead=st.integers(0, 50))
def test_those_before_keep_their_slots(burst: int, interval: float, ahead: int) -> None:
    """A slot stays the same while those before it enter, each at its own."""
    tat = float(NOW + 60_000_000)
    first = pace.slot(NOW, tat, ahead, burst, interval)
    for entered in range(ahead):
        assert pace.slot(NOW, tat + entered * interval, ahead - entered, burst, interval) == first


@pytest.mark.parametrize(
    "slot, before, free, entered",
    [
        (NOW, 0, None, NOW),
        (NOW, 0, 1, NOW),
        (NOW, 0, 0, None),
        (NOW, 3, 3, None),
        (NOW, 3, 4, NOW),
        (NOW, 0, -2, None),
        (NOW + 0.25, 0, None, NOW + 1),
        (NOW + 2000, 0, None, NOW + 2000),
        (NOW + 2000.25, 0, None, None),
        (NOW + 0.25, 1, None, None),
    ],
)
def test_only_the_first_in_line_is_booked_ahead(
    slot: float, before: int, free: int | None, entered: int | None
) -> None:
    """A place enters on its slot and a free spot; the first one is told up to two seconds ahead."""
    assert pace.enter_at(NOW, slot, before, free) == entered


@pytest.mark.parametrize(
    "slot, before, free, leaving, after",
    [
        (NOW + 5000.5, 3, None, 0, 4001),
        (NOW + 5000.5, 3, 4, 0, 4001),
        (NOW, 1, None, 0, 1000),
        (NOW + 90_000, 0, None, 0, 20_000),
        (NOW, 0, 0, 0, 1000),
        (NOW, 2, 2, 0, 1000),
        (NOW, 3, 2, 0, 20_000),
        (NOW, 3, 1, 0.0005, 2000),
        (NOW + 9000, 3, 1, 0.0005, 8000),
        (NOW, 3, -100, 0.0005, 20_000),
    ],
)
def test_the_next_knock_is_due_when_there_is_hope(
    slot: float, before: int, free: int | None, leaving: float, after: int
) -> None:
    """A second before the slot, or when visits may have ended; between one and twenty seconds from now."""
    assert pace.knock_again(NOW, slot, before, free, leaving) == NOW + after


def test_a_new_rate_keeps_the_used_share_of_the_burst() -> None:
    """Three of five used at one a second stay three of five at ten a second; an idle door stays idle."""
    assert pace.rescale_tat(NOW + 3000.0, NOW, Limit(1000, 5), Limit(100, 5)) == NOW + 300
    assert pace.rescale_tat(NOW + 300.0, NOW, Limit(100, 5), Limit(1000, 9)) == NOW + 3000
    assert pace.rescale_tat(NOW - 1.0, NOW, Limit(1000, 5), Limit(100, 5)) == NOW - 1
    assert pace.rescale_tat(0.0, NOW, Limit(1000, 5), Limit(100, 5)) == 0


def test_slots_booked_ahead_stand_when_the_pace_changes() -> None:
    """With a booking at one second from now, no faster rate and no larger burst lets anyone in before it."""
    assert pace.rescale_tat(NOW + 6000.0, NOW, Limit(1000, 5), Limit(100, 5)) == NOW + 1000 + 500
    assert pace.rescale_tat(NOW + 6000.0, NOW, Limit(1000, 5), Limit(1000, 8)) == NOW + 1000 + 8000


@given(
    steps=st.lists(
        st.tuples(st.integers(1, 6000), st.integers(1, 5), st.integers(0, 3000)), min_size=2, max_size=40
    ),
)
def test_no_window_exceeds_its_bound_while_the_pace_changes(steps: list[tuple[int, int, int]]) -> None:
    """I5 while the operator turns the rate at every knock: a rate counts from the last booked slot on."""
    interval, burst, tat, now = 1000.0, 1, 0.0, NOW
    most = max(step[1] for step in steps)
    earned, since = Fraction(0), Fraction(0)  # entries allowed until `since`, and that instant
    entries: list[tuple[int, Fraction]] = []  # each with what was allowed until it
    for rate, new_burst, gap in steps:
        now += gap
        new = pace.interval(rate)
        turn = max(since, Fraction(max(float(now), tat - burst * interval)))
        earned, since = earned + (turn - since) / Fraction(interval), turn
        tat = pace.rescale_tat(tat, now, Limit(interval, burst), Limit(new, new_burst))
        interval, burst = new, new_burst
        at = pace.enter_at(now, pace.slot(now, tat, 0, burst, interval), 0, None)
        if at is not None:
            tat = pace.book(at, tat, interval)
            entries.append((at, earned + (at - since) / Fraction(interval)))
    for first, (_, start) in enumerate(entries):
        for last in range(first, len(entries)):
            assert last - first + 1 <= most + entries[last][1] - start
