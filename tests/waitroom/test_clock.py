"""Time as the gates agree on it."""

import pytest

from waitroom.clock import Clock, ManualClock


def test_the_wall_clock_counts_epoch_milliseconds_and_the_steady_one_seconds() -> None:
    """Both go forward; the wall clock is past 2020."""
    clock = Clock()
    first, steady = clock.now_ms(), clock.monotonic()
    assert first > 1_577_836_800_000
    assert clock.now_ms() >= first
    assert clock.monotonic() >= steady


def test_a_wrong_clock_takes_over_the_stores_time() -> None:
    """Just so far that the reading lies within the round trip; the next correction builds on it."""
    clock = Clock()
    clock.correct(store_ms=10_000, sent_ms=1_000, received_ms=1_010)
    assert clock.offset_ms == 10_000 - 1_010
    clock.correct(store_ms=9_990, sent_ms=10_000, received_ms=10_020)
    assert clock.offset_ms == 8_990 - 10


def test_a_slow_answer_says_nothing_of_the_time() -> None:
    """A good clock must not jump because the store was busy."""
    clock = Clock()
    clock.correct(store_ms=5_000, sent_ms=1_000, received_ms=1_201)
    assert clock.offset_ms == 0


@pytest.mark.parametrize("store_ms", [1_000, 1_004, 1_010])
def test_a_right_clock_does_not_tremble(store_ms: int) -> None:
    """A difference within the round trip is noise."""
    clock = Clock()
    clock.correct(store_ms, sent_ms=1_000, received_ms=1_010)
    assert clock.offset_ms == 0


def test_a_manual_clock_moves_only_when_told() -> None:
    """Not even the store moves it; its steady reading is the same time in seconds."""
    clock = ManualClock(5_000)
    clock.correct(store_ms=9_000, sent_ms=5_000, received_ms=5_000)
    assert (clock.now_ms(), clock.monotonic()) == (5_000, 5.0)
    clock.advance(250)
    assert (clock.now_ms(), clock.monotonic()) == (5_250, 5.25)
