"""The verdict: every check, run over what the shoppers saw."""

import math
from collections.abc import Sequence

from waitroom.rehearsal.door_checks import WINDOWS_S, capacity, enters_once, lowest_first, rate_in
from waitroom.rehearsal.findings import Check, Finding
from waitroom.rehearsal.line_checks import (
    call_times,
    called_only_grows,
    draw_replays,
    nobody_before_their_call,
    numbers,
    places,
)
from waitroom.rehearsal.shop_checks import all_told, limit_each, money, no_faults, repeats, units
from waitroom.rehearsal.story import AtDoor, Evidence, LetIn

CHECKS: tuple[Check, ...] = (
    numbers,
    draw_replays,
    places,
    called_only_grows,
    nobody_before_their_call,
    lowest_first,
    enters_once,
    capacity,
    *(rate_in(seconds) for seconds in WINDOWS_S),
    units,
    limit_each,
    money,
    repeats,
    no_faults,
    all_told,
)


def judge(evidence: Evidence) -> list[Finding]:
    """All findings."""
    return [check(evidence) for check in CHECKS]


def waits(evidence: Evidence) -> dict[str, list[float]]:
    """How long things took, in seconds: from joining, calling and the first knock.

    Whoever was away when called did not look, so they don't count among those who noticed.
    """
    called_at = call_times(evidence.log)
    opens_at = int(evidence.last["opens_at"])
    found: dict[str, list[float]] = {
        "joined → in": [],
        "opened → in": [],
        "called → noticed": [],
        "knocked → in": [],
    }
    for story in evidence.stories:
        knocks = sorted((k for k in story.knocks if isinstance(k, AtDoor | LetIn)), key=lambda k: k.sent_at)
        if not knocks:
            continue
        if story.attentive and (called := called_at.get(knocks[0].place)):
            came_at = max(called, story.joined_at)
            found["called → noticed"].append(max(0, knocks[0].sent_at - came_at) / 1000)
        for entry in story.entries[:1]:
            found["joined → in"].append((entry.enter_at - story.joined_at) / 1000)
            found["opened → in"].append((entry.enter_at - max(opens_at, story.joined_at)) / 1000)
            found["knocked → in"].append((entry.enter_at - knocks[0].sent_at) / 1000)
    return found


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of them does not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)] if ordered else 0.0
