"""The pace: how many places to call, and when the door lets whom in. Plain arithmetic, no clock, no store.

This is the oracle of the Lua scripts, so every result is one that Lua's doubles give as well: times are whole
milliseconds, and the door's own measures, interval and theoretical arrival time, are whole 1/1024 ms. Such
numbers add up without rounding, so the door's limit holds exactly however long the sale.

The door is GCRA in its virtual scheduling form (ITU-T I.371): ``tat`` is the instant at which the bucket of
recent entries will be empty; an entry takes one ``interval`` of it, and ``burst`` intervals are its size.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

LEAD_MS = 6_000
"""A called place is expected at the door within this time."""

HALF_LIFE_MS = 30_000
"""Half-life of the decayed counts: old enough to be steady, young enough to follow a crowd's mood."""

FLOW_HALF_LIFE_MS = 120_000
"""Half-life of the counts that forecasts rest on: shorter, a slow door's are too noisy; longer, they believe too
long in a crowd or a pace that has changed (median error of the wait 12 % with 30 s, 9.5 % with 120 s, and with
300 s 9 %, but 26 % instead of 20 % once the pace was changed)."""

FLOW_STEP_MS = 1_000
"""The most time that one call adds to the flow: while no gate was running, no line was moving."""

SHOW_RATE_FLOOR = 0.02
"""Never believe that fewer come: else a deserted line would be called all at once."""

CALL_EVERY_MS = 200
"""The least time between two calls."""

CALL_MOST = 2_000
"""The most places called at once, which bounds the time that the script holds the store."""

CLOCK_FELL_MS = 5_000
"""The clocks of gates differ by less; one that falls back by more was set back."""

BOOK_AHEAD_MS = 2_000
"""The first in line may be given a slot that lies this far ahead."""

KNOCK_EARLY_MS = 1_000
"""Knock this long before the slot: early enough to be booked, so that no slot passes unused."""

KNOCK_SOONEST_MS = 1_000
KNOCK_LATEST_MS = 20_000
"""A shopper at the door is told to knock again within these bounds."""

KNOCK_GRACE_MS = 2_000
"""A knock counts this much longer than until the next is due. Who comes later still has their place."""

TICK = 1_024
"""Parts of a millisecond: doubles add multiples of 1/1024 exactly up to the year 2248."""


# ---- How many to call


def decay(count: float, elapsed_ms: int, half_life_ms: int = HALF_LIFE_MS) -> float:
    """What is left of a count after a time; a clock that runs backwards changes nothing."""
    return float(count * 2.0 ** (-max(0, elapsed_ms) / half_life_ms))


def per_ms(count: float, half_life_ms: int = HALF_LIFE_MS) -> float:
    """The rate of events, per millisecond, that holds a decayed count at this level."""
    return count * math.log(2) / half_life_ms


def show_rate(shown: float, lapsed: float) -> float:
    """The share of called places that come to the door in time; 1 as long as nothing is known."""
    return max(SHOW_RATE_FLOOR, (shown + 0.5) / (shown + lapsed + 0.5))


@dataclass(frozen=True, slots=True)
class Need:
    """What `how_many_to_call` looks at.

    Attributes:
        interval: milliseconds from one entry to the next.
        free: spots free in the shop, below 0 after capacity was lowered; None for no limit.
        leaving: visits that end, per millisecond.
        door: places at the door.
        coming: places called that may still come in time.
        show_rate: the share of them that will.
        waiting: places not called yet.
    """

    interval: float
    free: int | None
    leaving: float
    door: int
    coming: int
    show_rate: float
    waiting: int


def how_many_to_call(need: Need) -> int:
    """So many that those at the door are one more than the next few seconds can take.

    The one more stands ready when fewer come than expected: without it a slow door stands empty too often
    (92 % instead of 97 % of the entries allowed at 30 a minute and a burst of 1).
    """
    want = LEAD_MS / need.interval
    if need.free is not None:
        want = min(want, need.free + need.leaving * LEAD_MS)
    missing = max(1.0, 1.0 + want) - need.door - need.show_rate * need.coming
    return max(0, min(math.ceil(missing / need.show_rate), need.waiting, CALL_MOST))


# ---- The door


def interval(rate: float) -> float:
    """Milliseconds from entry to entry at ``rate`` a minute, rounded up to 1/1024 ms: never faster.

    Raises:
        ValueError: the rate is not above 0.
    """
    if not rate > 0:
        raise ValueError(f"a rate is above 0 entries a minute, not {rate}")
    return math.ceil(60_000 * TICK / rate) / TICK


def slot(now: int, tat: float, before: int, burst: int, interval: float) -> float:
    """The instant from which a place with ``before`` places before it at the door may enter."""
    return max(float(now), tat + (before - burst + 1) * interval)


def book(enter_at: int, tat: float, interval: float) -> float:
    """The ``tat`` after an entry at ``enter_at``, which is never before its slot."""
    return max(float(enter_at), tat) + interval


def enter_at(now: int, slot: float, before: int, free: int | None) -> int | None:
    """When a place that knocks now is let in, in whole milliseconds; None if it has to knock again."""
    if free is not None and before >= free:
        return None
    if slot <= now + (BOOK_AHEAD_MS if before == 0 else 0):
        return math.ceil(slot)
    return None


def knock_again(now: int, slot: float, before: int, free: int | None, leaving: float) -> int:
    """When a place that was not let in should knock again: shortly before it may hope to be.

    Without a free spot, the next in line asks as often as allowed, so that no freed spot is left to stand.
    Those behind wait for others to go in first: they ask after half the time that so many visits took to end
    lately, since visits end when they like. If none ended lately, they ask as rarely as allowed.
    """
    hope = slot - KNOCK_EARLY_MS
    if free is not None and before > free:
        hope = max(hope, now + (before - free) / (2 * leaving)) if leaving > 0 else math.inf
    return math.ceil(min(max(hope, now + KNOCK_SOONEST_MS), now + KNOCK_LATEST_MS))


class Limit(NamedTuple):
    """What bounds entries: ``interval`` milliseconds between them, and ``burst`` of them back to back."""

    interval: float
    burst: int


def rescale_tat(tat: float, now: int, old: Limit, new: Limit) -> float:
    """The ``tat`` under another limit, so that what was used up stays used up.

    Slots booked ahead of ``now`` stand: the door counts as full until the last of them, else a faster rate or a
    larger burst would let others in between and exceed the limit. Otherwise the used share of the burst is kept.
    """
    booked = tat - old.burst * old.interval
    if booked > now:
        return booked + new.burst * new.interval
    if tat > now:
        return math.ceil((now + (tat - now) * new.interval / old.interval) * TICK) / TICK
    return tat
