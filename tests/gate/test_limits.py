"""A limiter counts each network by itself, exactly, in bounded memory."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate import limits
from gate.limits import Limiter, network_of
from waitroom.errors import TooManyJoins

HERE = network_of(ip_address("192.0.2.1"))


def took(limiter: Limiter, now: int, network: limits.NetworkKey = HERE) -> bool:
    """Whether one more was let through."""
    try:
        limiter.take(network, now)
    except TooManyJoins:
        return False
    return True


def remembered(limiter: Limiter) -> int:
    """How many networks it holds in memory."""
    return len(limiter._old) + len(limiter._young)


@given(
    steps=st.lists(st.integers(0, 3_000), max_size=60),
    interval=st.integers(1, 2_000),
    burst=st.integers(1, 5),
)
def test_no_window_sees_more_than_burst_and_rate_allow(steps: list[int], interval: int, burst: int) -> None:
    """Of those let through, any that came within a window of W are at most burst + W / interval."""
    limiter, now, passed = Limiter(interval, burst), 1_000_000, list[int]()
    for step in steps:
        now += step
        if took(limiter, now):
            passed.append(now)
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            assert last - first + 1 <= burst + (passed[last] - passed[first]) / interval


@given(steps=st.lists(st.integers(0, 3_000), max_size=60), burst=st.integers(1, 5))
def test_forgetting_changes_nothing(steps: list[int], burst: int) -> None:
    """A limiter that forgets what is outdated answers as one that remembers everything."""
    limiter, now, tat = Limiter(1_000, burst), 1_000_000, 0
    for step in steps:
        now += step
        allowed = tat - (burst - 1) * 1_000 <= now
        if allowed:
            tat = max(now, tat) + 1_000
        assert took(limiter, now) == allowed


def test_who_comes_when_told_is_let_through() -> None:
    """The refusal names the seconds, rounded up, and they are enough."""
    limiter = Limiter(1_500, 2)
    assert [took(limiter, 0), took(limiter, 0)] == [True, True]
    with pytest.raises(TooManyJoins) as refused:
        limiter.take(HERE, 0)
    assert refused.value.retry_after_s == 2
    assert not took(limiter, 1_499)
    assert took(limiter, 2_000)


def test_a_clock_that_is_set_back_keeps_nobody_out() -> None:
    """What was taken at times still to come is forgotten, and from then on all is as ever."""
    limiter = Limiter(1_000, 2)
    assert [took(limiter, 3_600_000), took(limiter, 3_600_000)] == [True, True]
    assert [took(limiter, 0), took(limiter, 0), took(limiter, 0)] == [True, True, False]
    assert took(limiter, 1_000)
    assert took(limiter, 2_000, (4, 1))
    assert took(limiter, 4_000, (4, 1))
    assert took(limiter, 6_000, (4, 1))
    assert HERE not in {*limiter._old, *limiter._young}


def test_memory_is_bounded_whoever_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never more than two generations, at one instant or over time; and nothing stays of those who are long gone."""
    monkeypatch.setattr(limits, "MOST_NETWORKS", 100)
    limiter = Limiter(60_000, 10)
    for each in range(1_000):
        assert took(limiter, 0, (6, each))
        assert remembered(limiter) <= 200
    for now in (600_000, 1_200_000, 1_800_000):
        assert took(limiter, now)
    assert remembered(limiter) <= 2


@pytest.mark.parametrize(
    "one, other, same",
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:0:ff00::1", "2001:db8:0:ffff::2", True),
        ("2001:db8:0:ff00::1", "2001:db8:0:fe00::1", False),
        ("0.0.0.0", "::", False),  # noqa: S104 - nobody listens there
    ],
)
def test_a_network_is_an_address_or_a_homes_prefix(one: str, other: str, same: bool) -> None:  # noqa: FBT001
    """An IPv4 address is one network; in IPv6 a /56 is, the least that a home is given."""
    assert (network_of(ip_address(one)) == network_of(ip_address(other))) == same


def test_connections_without_an_address_are_one_network() -> None:
    """Such as those of a unix socket."""
    assert network_of(None) == network_of(None) != HERE
