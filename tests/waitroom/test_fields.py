"""Between Python values and the fields of hashes."""

from hypothesis import given
from hypothesis import strategies as st

from waitroom.fields import pairs, read_line, read_pace, read_schedule, settings_fields
from waitroom.room import Line, Pace, Schedule

times = st.integers(0, 2**42)
schedules = st.builds(Schedule, times, st.none() | times, st.none() | times, st.none() | times)
paces = st.builds(
    Pace,
    st.floats(0.001, 1_000_000),
    st.none() | st.integers(1, 1_000_000),
    st.integers(1, 10_000),
    st.integers(1, 86_400_000),
    st.integers(1, 86_400_000),
    st.integers(1),
)


@given(schedules, paces)
def test_settings_read_back_as_they_were_written(schedule: Schedule, pace: Pace) -> None:
    """No digit of a rate is lost, and what is None has no field."""
    flat = [text.encode() for text in settings_fields(schedule, pace)]
    fields = pairs(flat)
    assert (read_schedule(fields), read_pace(fields)) == (schedule, pace)
    assert b"None" not in flat


def test_an_empty_line_reads_as_nothing_yet() -> None:
    """A room just founded: no ticket, no flag, no units told."""
    assert read_line({}, visits=0, at_door=0, coming=0) == Line()


def test_a_line_reads_every_field() -> None:
    """Counters are ints, flags are there or not, bytes stay bytes."""
    fields = {
        b"issued": b"9",
        b"called": b"5",
        b"presale_size": b"4",
        b"root": b"\x01" * 32,
        b"seed": b"\x02" * 32,
        b"paused_at": b"123",
        b"reason": "die Kasse hält".encode(),
        b"sold_out": b"1",
        b"closed": b"1",
        b"units_left": b"0",
        b"units_held": b"2",
        b"units_taken": b"7",
        b"entries": b"3",
        b"shown": b"1.5",
        b"lapsed": b"2",
    }
    line = read_line(fields, visits=1, at_door=2, coming=3)
    assert line == Line(
        issued=9,
        called=5,
        presale_size=4,
        root=b"\x01" * 32,
        seed=b"\x02" * 32,
        paused_at=123,
        reason="die Kasse hält",
        sold_out=True,
        closed=True,
        units_left=0,
        units_held=2,
        units_taken=7,
        visits=1,
        at_door=2,
        coming=3,
        entries=3,
        show_rate=0.5,
    )
    assert line.waiting == 4


def test_rates_are_counts_by_the_time_that_the_line_moved() -> None:
    """Both have decayed alike, so a sale that has just opened or stood still for a while reads as it moved."""
    fields = {b"moving": b"30000", b"moved": b"45", b"entered": b"30"}
    line = read_line(fields, visits=0, at_door=0, coming=0)
    assert (line.called_per_minute, line.entering_per_minute) == (90, 60)
