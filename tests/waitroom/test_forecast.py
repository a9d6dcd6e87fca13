"""The wait is told as an honest range, or not at all."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from waitroom.forecast import LONGEST_S, Flow, wait

STEADY = Flow(entering_per_minute=60, rate=60, capacity=None, visit_s=300, show_rate=1)

flows = st.builds(
    Flow,
    entering_per_minute=st.floats(0, 600),
    rate=st.floats(0.1, 600),
    capacity=st.none() | st.integers(0, 1000),
    visit_s=st.floats(1, 3600),
    show_rate=st.floats(0.02, 1),
)


def test_a_place_already_called_waits_no_more() -> None:
    """Below zero places ahead there is nothing to wait for."""
    assert wait(-1, STEADY) == (0, 0)


def test_a_steady_line_is_told_closely() -> None:
    """Where everyone comes at a minute's sixty, 600 places are ten minutes, a few seconds more or less."""
    assert wait(600, STEADY) == (598, 608)


def test_absent_people_shorten_the_wait() -> None:
    """If one in ten comes, ten times the places pass in the same time, a little less surely."""
    low, high = wait(6000, replace(STEADY, show_rate=0.1)) or (0, 0)
    assert 540 < low < 600 < high < 660


def test_capacity_bounds_the_flow_when_nobody_has_entered_yet() -> None:
    """Ten spots and visits of 100 s are six entries a minute, whatever the rate."""
    before = replace(STEADY, entering_per_minute=0, capacity=10, visit_s=100)
    assert wait(60, before) == (580, 626)


def test_what_was_measured_and_what_is_allowed_span_the_range() -> None:
    """The slower of the two makes the high end, the faster the low end."""
    assert wait(100, replace(STEADY, entering_per_minute=30)) == (98, 210)
    assert wait(100, replace(STEADY, entering_per_minute=90)) == wait(100, STEADY)


def test_a_door_that_lets_nobody_in_has_no_forecast() -> None:
    """With no spots at all nobody can tell."""
    assert wait(1, replace(STEADY, capacity=0)) is None


def test_beyond_a_day_nothing_is_said() -> None:
    """A number nobody could mean is not shown."""
    assert wait(2 * LONGEST_S, STEADY) is None


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
