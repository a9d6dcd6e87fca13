"""Between Python values and the fields of a room's hashes in the store."""

from collections.abc import Mapping
from math import inf

from waitroom.pace import show_rate
from waitroom.room import Line, Pace, Schedule

Fields = Mapping[bytes, bytes]


def pairs(flat: list[bytes]) -> dict[bytes, bytes]:
    """A hash as the store answers it: name, value, name, value."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def settings_fields(schedule: Schedule, pace: Pace) -> list[str]:
    """The ``settings`` hash of a room, flat; what is None has no field."""
    values = {
        "opens_at": schedule.opens_at,
        "presale_opens_at": schedule.presale_opens_at,
        "presale_closes_at": schedule.presale_closes_at,
        "closes_at": schedule.closes_at,
        "rate": pace.rate,
        "capacity": pace.capacity,
        "burst": pace.burst,
        "visit_ms": pace.visit_ms,
        "visit_longest_ms": pace.visit_longest_ms,
        "more_time_ms": pace.more_time_ms,
        "more_times": pace.more_times,
        "version": pace.version,
    }
    return [text for name, value in values.items() if value is not None for text in (name, str(value))]


def read_schedule(fields: Fields) -> Schedule:
    """The schedule in a ``settings`` hash."""
    return Schedule(
        opens_at=int(fields[b"opens_at"]),
        presale_opens_at=_int(fields, b"presale_opens_at"),
        presale_closes_at=_int(fields, b"presale_closes_at"),
        closes_at=_int(fields, b"closes_at"),
    )


def read_pace(fields: Fields) -> Pace:
    """The pace in a ``settings`` hash."""
    return Pace(
        rate=float(fields[b"rate"]),
        capacity=_int(fields, b"capacity"),
        burst=int(fields[b"burst"]),
        visit_ms=int(fields[b"visit_ms"]),
        visit_longest_ms=int(fields[b"visit_longest_ms"]),
        more_time_ms=int(fields.get(b"more_time_ms", 0)),
        more_times=int(fields.get(b"more_times", 0)),
        version=int(fields[b"version"]),
    )


def read_longest_pass(fields: Fields) -> int:
    """The longest that a pass may be good for, ms: also one signed before the operator shortened visits."""
    return max(read_pace(fields).longest_ms, int(fields.get(b"visit_longest_ever_ms", 0)))


def read_line(fields: Fields, visits: int, at_door: int, coming: int) -> Line:
    """The line in a ``line`` hash and the sizes of its sets."""
    minutes = float(fields.get(b"moving", 0)) / 60_000 or inf
    return Line(
        issued=int(fields.get(b"issued", 0)),
        called=int(fields.get(b"called", 0)),
        presale_size=_int(fields, b"presale_size"),
        root=fields.get(b"root"),
        seed=fields.get(b"seed"),
        signature=fields.get(b"signature"),
        paused_at=_int(fields, b"paused_at"),
        reason=fields.get(b"reason", b"").decode(),
        sold_out=b"sold_out" in fields,
        closed=b"closed" in fields,
        units_left=_int(fields, b"units_left"),
        units_held=_int(fields, b"units_held"),
        units_taken=int(fields.get(b"units_taken", 0)),
        visits=visits,
        at_door=at_door,
        coming=coming,
        entries=int(fields.get(b"entries", 0)),
        show_rate=show_rate(float(fields.get(b"shown", 0)), float(fields.get(b"lapsed", 0))),
        called_per_minute=float(fields.get(b"moved", 0)) / minutes,
        entering_per_minute=float(fields.get(b"entered", 0)) / minutes,
        seal=bytes.fromhex(fields.get(b"seal", b"").decode()),
        sealed_to=fields.get(b"sealed_to", b"0").decode(),
        trouble_since=_int(fields, b"trouble_since"),
        trouble_until=int(fields.get(b"trouble_until", 0)),
        trouble_ms=int(fields.get(b"trouble_ms", 0)),
        trusted=b"trusted" in fields,
    )


def _int(fields: Fields, name: bytes) -> int | None:
    value = fields.get(name)
    return None if value is None else int(value)
