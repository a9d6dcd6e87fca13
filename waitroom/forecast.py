"""The wait, as an honest range: two numbers that the truth should lie between, or nothing.

Calling goes faster than entering, since of those called only a share comes. So the places ahead cost about
their number times the show rate in entries, give or take two standard deviations of a coin that falls so, and
entries come at the rate measured lately or at what the limits allow, whichever is slower or faster.
"""

import math
from dataclasses import dataclass

from waitroom.pace import LEAD_MS

LONGEST_S = 24 * 3600
"""Beyond a day a forecast says nothing."""


@dataclass(frozen=True, slots=True)
class Flow:
    """How the line moves now.

    Attributes:
        entering_per_minute: entries, as measured lately; 0 if nobody has entered yet.
        rate: most entries a minute.
        capacity: most visits at once; None for no limit.
        visit_s: how long a visit lasts, as measured or else as allowed.
        show_rate: the share of called places that come.
    """

    entering_per_minute: float
    rate: float
    capacity: int | None
    visit_s: float
    show_rate: float


def wait(ahead: int, flow: Flow) -> tuple[int, int] | None:
    """Seconds (low, high) until a place with ``ahead`` places before it is called; None if nobody can tell.

    ``ahead`` counts the places not called yet. Below 0 means called already: no wait.
    """
    if ahead < 0:
        return 0, 0
    slow, fast = _entries_a_second(flow)
    if slow <= 0:
        return None
    entries = ahead * flow.show_rate
    spread = 2 * math.sqrt(entries * (1 - flow.show_rate) + 1)
    low = math.floor(max(0.0, entries - spread) / fast)
    high = (entries + spread) / slow + LEAD_MS / 1000
    return (low, math.ceil(high)) if high <= LONGEST_S else None


def _entries_a_second(flow: Flow) -> tuple[float, float]:
    """The slower and the faster of what was measured and what the limits allow in the long run."""
    allowed = flow.rate / 60
    if flow.capacity is not None:
        allowed = min(allowed, flow.capacity / flow.visit_s)
    measured = min(flow.entering_per_minute, flow.rate) / 60 or allowed
    return min(measured, allowed), max(measured, allowed)
