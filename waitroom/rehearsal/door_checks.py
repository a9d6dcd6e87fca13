"""Checks of the door: how many are in the shop, how fast they enter, and in which order."""

import sys
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from waitroom.pace import interval
from waitroom.rehearsal.findings import Check, Finding, finding
from waitroom.rehearsal.story import AtDoor, Evidence, LetIn, Story

WINDOWS_S = (1, 10, 60)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time in which something surely was so, for a place."""

    place: int
    begins_at: int
    ends_at: int


def capacity(evidence: Evidence) -> Finding:
    """Never more visits at once than the capacity; a visit counts from entering until its leaving was sent."""
    limit = evidence.limits.capacity
    peak, at = most_at_once(_stays(evidence))
    allowed = "no limit" if limit is None else f"of {limit}"
    broken = limit is not None and peak > limit
    return finding(
        "visits at once", f"{peak} {allowed}", [f"{peak} visits at once at {at}, {allowed}"] if broken else []
    )


def rate_in(seconds: int) -> Check:
    """The check that no window of so many seconds saw more entries than the rate and the burst allow."""

    def check(evidence: Evidence) -> Finding:
        limits = evidence.limits
        entries = [entry.enter_at for _, entry in evidence.visits]
        most, at = most_in_window(entries, seconds * 1000)
        allowed = limits.burst + int(seconds * 1000 // interval(limits.rate))
        violations = (
            [f"{most} entries in the {seconds} s from {at}, {allowed} allowed"] if most > allowed else []
        )
        return finding(f"entries in any {seconds} s", f"{most} of {allowed}", violations)

    return check


def enters_once(evidence: Evidence) -> Finding:
    """A place entered once, and its pass opened the shop."""

    def violations() -> Iterator[str]:
        entered: dict[int, LetIn] = {}
        for story, entry in evidence.visits:
            if entry.place in entered:
                yield f"place {entry.place} entered at {entered[entry.place].enter_at} and at {entry.enter_at}"
            entered[entry.place] = entry
            if entry.place != story.place:
                yield f"shopper {story.name} entered with place {entry.place}, not {story.place}"
        for story in evidence.stories:
            for refusal in story.turned_away:
                yield f"shopper {story.name} was let in, and then turned away: {refusal}"

    return finding("one visit for one place", f"{len(evidence.visits)} visits", violations())


def lowest_first(evidence: Evidence) -> Finding:
    """A place passed lower ones at the door only when its own slot was due and spots were free for all of them.

    With ``k`` lower places at the door a place may enter from ``tat + (k - burst + 1) * interval`` on, and only
    if more than ``k`` spots are free; ``tat`` is replayed from the entries. Only who surely stood at the door,
    and only visits that surely lasted, are counted, so whatever is found is a violation.
    """
    limits, step = evidence.limits, interval(evidence.limits.rate)
    door, visits = _at_door(evidence.stories), evidence.visits
    booked = [Span(k.place, k.received_at, s.stayed_until or k.expires_at) for s, k in visits]
    passed, wrong, tat = 0, [], 0.0
    for story, entry in visits:
        before = sum(_covers(span, entry) for span in door if span.place < entry.place)
        passed += before > 0
        due = tat + (before - limits.burst + 1) * step
        who = f"shopper {story.name} (place {entry.place}) entered at {entry.enter_at} past {before} lower places"
        if entry.enter_at < due - 1:
            wrong.append(f"{who}, {due - entry.enter_at:.0f} ms before its slot")
        inside = sum(_covers(span, entry) for span in booked if span.place != entry.place)
        if limits.capacity is not None and inside + before >= limits.capacity:
            wrong.append(f"{who}, while {inside} of {limits.capacity} spots were taken")
        tat = max(entry.enter_at, tat) + step
    return finding(
        "the lowest at the door goes first", f"{passed} passed a lower place, in its own slot", wrong
    )


# ---- Arithmetic


def most_at_once(spans: Sequence[Span]) -> tuple[int, int]:
    """The most spans that hold at one instant, and when first; a span holds until just before its end."""
    turns = sorted((at, change) for span in spans for at, change in ((span.begins_at, 1), (span.ends_at, -1)))
    most = at_most = now = 0
    for at, change in turns:
        now += change
        if now > most:
            most, at_most = now, at
    return most, at_most


def most_in_window(instants: Sequence[int], width: int) -> tuple[int, int]:
    """The most instants in any window of ``width``, its end left out, and where the first such begins."""
    ordered = sorted(instants)
    return max(
        ((bisect_left(ordered, at + width) - index, at) for index, at in enumerate(ordered)),
        key=lambda found: found[0],
        default=(0, 0),
    )


def _stays(evidence: Evidence) -> list[Span]:
    """Visits as far as they surely lasted."""
    return [
        Span(entry.place, entry.enter_at, max(entry.enter_at, story.stayed_until or entry.expires_at))
        for story, entry in evidence.visits
    ]


def _at_door(stories: Sequence[Story]) -> list[Span]:
    """When places surely stood at the door: from an answer that says so until they were to knock again, or did.

    Of two knocks at once, nobody can tell which was answered first; whoever knocked to be let in stood there no longer.
    """
    spans = []
    for story in stories:
        knocks = sorted(story.knocks, key=lambda knock: knock.sent_at)
        let_in = min((knock.sent_at for knock in knocks if isinstance(knock, LetIn)), default=sys.maxsize)
        for knock, following in pairwise([*knocks, None]):
            if isinstance(knock, AtDoor):
                until = min(knock.again_at, following.sent_at) if following else knock.again_at
                spans.append(Span(knock.place, knock.received_at, min(until, let_in)))
    return spans


def _covers(span: Span, entry: LetIn) -> bool:
    """Whether the span held during the whole time in which the entry was decided."""
    return span.begins_at <= entry.sent_at and entry.received_at < span.ends_at
