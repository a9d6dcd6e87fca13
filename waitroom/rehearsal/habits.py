"""What a shopper is like: when they come, whether they stay, how careful they are. All by lot, from a seed."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any

LONGEST_PACE_S = 20.0
"""Nobody takes longer than this over a step, however slow the room."""


class Closes(StrEnum):
    """Where a shopper closes the tab for ever."""

    NEVER = "never"
    WAITING = "waiting"
    CALLED = "called"
    AT_DOOR = "at the door"
    IN_SHOP = "in the shop"


@dataclass(frozen=True, slots=True)
class Habits:
    """One shopper's ways. Times are seconds.

    Attributes:
        arrives_at: when they open the page (epoch ms).
        closes: where they close the tab for ever, ``patience_s`` after joining if it is while they wait.
        away_s: how long they are away before they come back, 0 for those who stay; they leave at ``patience_s``.
        gives_up: whether they take themselves out of the line, at ``patience_s``.
        double_clicks: whether everything they send goes out twice at once.
        bad_line: whether their connection breaks now and then, before the answer is there.
        units: what they want of one product; 0 only looks around.
        greedy: whether they try for more than the shop allows.
        changes_mind: whether they cancel their first order and place another.
        card_declined: whether their first card is declined.
        visit_s: how long they take in the shop, in all.
        defers_s: for how long they let others by when they are called, 0 for those who come at once.
        moves: whether they take their place to another device while they wait.
    """

    arrives_at: int
    closes: Closes
    patience_s: float
    away_s: float
    gives_up: bool
    double_clicks: bool
    bad_line: bool
    units: int
    greedy: bool
    changes_mind: bool
    card_declined: bool
    visit_s: float
    defers_s: float
    moves: bool


def pace_s(rate: float, capacity: int | None) -> float:
    """Seconds of a visit that just keeps a room full at its rate: what the crowd's times are measured in."""
    return LONGEST_PACE_S if capacity is None else min(LONGEST_PACE_S, capacity / rate * 60)


def draw_habits(random: Random, arrives_at: int, unit_s: float) -> Habits:
    """One shopper's habits; about one in five never comes to the shop, or never leaves it by themselves."""
    closes = random.choices(list(Closes), weights=(80, 12, 3, 2, 3))[0]
    stays = closes is Closes.NEVER
    return Habits(
        arrives_at=arrives_at,
        closes=closes,
        patience_s=unit_s * random.uniform(0.2, 2.5),
        away_s=unit_s * random.uniform(0.3, 1.2) if stays and random.random() < 0.12 else 0,
        gives_up=stays and random.random() < 0.02,
        double_clicks=random.random() < 0.15,
        bad_line=random.random() < 0.12,
        units=random.choices((0, 1, 2), weights=(8, 42, 50))[0],
        greedy=random.random() < 0.1,
        changes_mind=random.random() < 0.06,
        card_declined=random.random() < 0.06,
        visit_s=unit_s * random.uniform(0.2, 1.3),
        defers_s=unit_s * random.uniform(0.2, 1) if stays and random.random() < 0.05 else 0,
        moves=stays and random.random() < 0.05,
    )


def arrival(random: Random, state: Mapping[str, Any], now: int, unit_s: float) -> int:
    """When a shopper comes (epoch ms): most before the presale ends, some while it is drawn, some after.

    ``state`` is the room's state document. In a room that is open already, soon.
    """
    opens_at = max(now, int(state["opens_at"]))
    presale_ends = max(now, int(state["presale_closes_at"] or opens_at))
    kind = random.random()
    if kind < 0.7 and presale_ends > now:
        return round(random.uniform(now, now + (presale_ends - now) * 0.95))
    if kind < 0.8 and opens_at > presale_ends:
        return round(random.uniform(presale_ends, opens_at))
    return round(random.uniform(opens_at, opens_at + 1000 * unit_s))
