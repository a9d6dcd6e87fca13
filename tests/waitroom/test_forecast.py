"""What a shopper is told of the wait and of the units left is honest: a range that holds, or nothing at all."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.forecasts import EARLY, Read, Story, Told, judged, left
from tests.bench.simulate import Sale
from waitroom.forecast import LONGEST_S, Flow, chance, flow, sustained, wait
from waitroom.room import Line, Pace

STEADY = Flow(called=60, entering=60, rate=60, sustained=60, show_rate=1, entries=1000)
STOCK = Line(entries=1000, units_left=500, units_taken=500)
PACE = Pace(rate=120, capacity=40, burst=5, visit_ms=600_000, visit_longest_ms=600_000)

flows = st.builds(
    Flow,
    called=st.floats(0, 6000),
    entering=st.floats(0, 600),
    rate=st.floats(0.1, 600),
    sustained=st.floats(0, 600),
    show_rate=st.floats(0.02, 1),
    entries=st.integers(0, 10**6),
)
lines = st.builds(
    Line,
    visits=st.integers(0, 10**4),
    entries=st.integers(0, 10**6),
    units_left=st.integers(0, 10**6),
    units_taken=st.integers(0, 10**6),
)


def told(ahead: int, flow: Flow) -> tuple[int, int]:
    """A wait that must be there."""
    found = wait(ahead, flow)
    assert found is not None
    return found


def test_a_place_already_called_waits_no_more() -> None:
    """Below zero places ahead there is nothing to wait for."""
    assert wait(-1, STEADY) == (0, 0)


def test_a_steady_line_is_told_closely() -> None:
    """Where everyone comes at a minute's sixty, 600 places are ten minutes, give or take one."""
    assert told(600, STEADY) == (545, 659)


def test_absent_people_shorten_the_wait() -> None:
    """If one in ten comes, ten times the places pass in the same time, a little less surely."""
    low, high = told(6000, replace(STEADY, called=600))
    assert 480 < low < 600 < high < 730


def test_few_entries_make_a_wide_range() -> None:
    """What rests on five entries is told with less certainty than what rests on a hundred."""
    some = replace(STEADY, called=120)
    few, many = (told(2000, replace(some, entries=count)) for count in (5, 100))
    assert few[1] / few[0] > 2
    assert many[1] / many[0] < 1.5


def test_before_anyone_has_entered_rate_and_limit_of_visits_span_the_range() -> None:
    """A shopper at the opening reads no more certainty than there is: 4 to 120 a minute may enter."""
    nobody = Line(called_per_minute=120)
    low, high = told(200, flow(PACE, nobody, 1000))
    assert low <= 200 / 120 * 60
    assert high >= 200 / 4 * 60


def test_a_rate_just_lowered_counts_at_once() -> None:
    """Half the rate, twice the wait, however fast the line was until now."""
    low, high = told(600, replace(STEADY, rate=30))
    assert low < 1200 < high
    assert low > 1000


def test_the_show_rate_stands_in_until_entries_are_measured() -> None:
    """Places are called before the first of them enters."""
    first = replace(STEADY, entering=0, entries=0, show_rate=0.5)
    low, high = told(600, first)
    assert low < 300 < high


def test_a_door_that_lets_nobody_in_has_no_forecast() -> None:
    """With no spots at all nobody can tell."""
    assert wait(1, replace(STEADY, sustained=0)) is None


def test_beyond_a_day_nothing_is_said() -> None:
    """A number nobody could mean is not shown."""
    assert wait(2 * LONGEST_S, STEADY) is None


@pytest.mark.parametrize(
    "pace, line, open_s, expected",
    [
        (replace(PACE, capacity=None), Line(), 0, 120),
        (PACE, Line(), 0, 4),
        (PACE, Line(visits=40, entries=40, entering_per_minute=120), 20, 4.1),
        (PACE, Line(visits=40, entries=400, entering_per_minute=40), 300, 27.6),
        (PACE, Line(visits=40, entries=800, entering_per_minute=40), 600, 40),
        (PACE, Line(visits=10, entries=800, entering_per_minute=40), 600, 120),
        (PACE, Line(visits=0, entries=800, entering_per_minute=40), 600, 120),
    ],
)
def test_what_capacity_sustains_is_learnt_from_visits(
    pace: Pace, line: Line, open_s: int, expected: float
) -> None:
    """The limit of visits tells nothing any more once a sale has run as long as the longest of them."""
    assert sustained(pace, line, open_s * 1000) == pytest.approx(expected, rel=0.01)


@given(flows, st.integers(0, 10**7), st.integers(0, 10**6))
def test_the_range_is_a_range_and_grows_with_the_line(flow: Flow, ahead: int, more: int) -> None:
    """Low is never above high, and nobody further back is promised less."""
    near, far = wait(ahead, flow), wait(ahead + more, flow)
    if near is None:
        assert far is None
    else:
        assert 0 <= near[0] <= near[1] <= LONGEST_S
    if near and far:
        assert near[0] <= far[0]
        assert near[1] <= far[1]


@pytest.mark.parametrize(
    "ahead, line, low, high",
    [
        (100, STOCK, 0.99, 1),
        (900, STOCK, 0.8, 0.9),
        (1100, STOCK, 0.1, 0.2),
        (3000, STOCK, 0, 0.01),
        (0, replace(STOCK, units_left=1), 1, 1),
        (0, replace(STOCK, units_left=0), 0, 0),
        (5, replace(STOCK, units_left=0), 0, 0.01),
        (700, STOCK, 0.999, 1),
        (700, replace(STOCK, visits=100), 0.98, 0.999),
        (5000, Line(units_left=500), 0, 0.2),
        (50, Line(units_left=500), 0.95, 1),
    ],
)
def test_the_chance_follows_from_what_visitors_took(ahead: int, line: Line, low: float, high: float) -> None:
    """Every second visitor took a unit: 500 left are enough for about a thousand more. At first, one each."""
    found = chance(ahead, STEADY, line)
    assert found is not None
    assert low <= found <= high


def test_unknown_units_make_no_chance() -> None:
    """Where the shop tells nothing of its stock, nothing is said of it."""
    assert chance(1, STEADY, Line()) is None


@given(flows, lines, st.integers(0, 10**7))
def test_the_chance_is_always_a_chance(flow: Flow, line: Line, ahead: int) -> None:
    """From 0 to 1 in any sale, and the last in line has no better one than the first."""
    near, far = chance(ahead, flow, line), chance(2 * ahead + 1000, flow, line)
    assert near is not None
    assert far is not None
    assert 0 <= far <= 1
    assert 0 <= near <= 1


def test_forecasts_come_true_in_a_simulated_sale() -> None:
    """One sale as ``make bench`` plays them by the hundred: ranges hold the wait, and the middle is near it."""
    sale = Sale("rate 120", show=0.6, visit_longest=60)
    every = list(Read(Story(sale, line=3000, stock=1000, event="calm"), seed=1).read())
    assert judged(every).held > 0.7
    assert judged(every).error < 0.1
    assert left(every, 0.95, 1.01)[1] > 0.9


def test_the_benchs_judge_leaves_out_what_nobody_could_know() -> None:
    """Forecasts made too early, or overtaken by the operator, are counted apart."""
    story = Story(Sale("a sale"), line=1, stock=1, event="pause")
    good = Told(story, 0, 0.1, 0, (50, 70), 1.0, waited=60)
    others = [replace(good, moved=EARLY), replace(good, overtaken=True)]
    assert judged([good, *others]).told == [good]
    assert (good.held, good.error) == (True, 0)
    assert (replace(good, wait=None).held, replace(good, waited=100).held) == (False, False)
