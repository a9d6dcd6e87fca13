"""What the shoppers saw: plain records, and the evidence that the verdict is made from.

All times are epoch milliseconds by the gate's clock. ``sent_at`` and ``received_at`` bracket the instant at
which the gate did what it says.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True)
class Held:
    """The ticket a join was answered with; id and leaf are bytes."""

    number: int
    id: bytes
    leaf: bytes


@dataclass(frozen=True, slots=True)
class TooEarly:
    """A knock before the call: ``ahead`` places were to be called first."""

    place: int
    sent_at: int
    received_at: int
    ahead: int


@dataclass(frozen=True, slots=True)
class AtDoor:
    """A knock that was not let in yet; it holds the place at the door at least until ``again_at``."""

    place: int
    sent_at: int
    received_at: int
    before: int
    again_at: int


@dataclass(frozen=True, slots=True)
class LetIn:
    """A knock that was let in: a visit from ``enter_at`` until ``expires_at``."""

    place: int
    sent_at: int
    received_at: int
    enter_at: int
    expires_at: int


Knock = TooEarly | AtDoor | LetIn


@dataclass(frozen=True, slots=True)
class Repeat:
    """One request sent several times, and what was answered each time, in a form that can be compared."""

    request: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bought:
    """One line of a paid order."""

    order: str
    product: str
    units: int


class End(StrEnum):
    """How a shopper's day ends."""

    BOUGHT = "bought"
    WENT_EMPTY = "left the shop with nothing"
    GAVE_UP = "left the line"
    CLOSED = "closed the tab"
    TOLD = "told that it is over"
    STAYED = "still there when time was up"
    FELL = "fell over"


@dataclass(frozen=True, slots=True)
class Money:
    """What an order comes to, nothing unless it is paid, and the amounts that were charged for it (US cents)."""

    order: str
    due_cents: int
    charged_cents: tuple[int, ...]


@dataclass(slots=True)
class Story:
    """One shopper's day, as they saw it.

    Attributes:
        places: every place they were told or worked out, in order.
        stayed_until: the last instant at which their visit surely lasted.
        known_orders: ids of the orders they placed, to compare with what the shop lists.
        listed_orders: ids of the orders that the shop lists; None if they never looked.
        money: what the shop lists of each order: its price, if it is paid, and what was charged.
        stock: units of each product, free, held and sold together, at each look.
        turned_away: what the shop's door said to a pass that was good.
    """

    name: int
    account: str = ""
    held: Held | None = None
    joined_at: int = 0
    places: list[int] = field(default_factory=list)
    knocks: list[Knock] = field(default_factory=list)
    attentive: bool = True
    stayed_until: int | None = None
    repeats: list[Repeat] = field(default_factory=list)
    bought: list[Bought] = field(default_factory=list)
    money: list[Money] = field(default_factory=list)
    known_orders: set[str] = field(default_factory=set)
    listed_orders: set[str] | None = None
    stock: list[Mapping[str, int]] = field(default_factory=list)
    turned_away: list[str] = field(default_factory=list)
    end: End | None = None
    trouble: str = ""

    @property
    def entries(self) -> list[LetIn]:
        """Knocks that were let in; a repeat of one is the same visit, and stands here once."""
        visits = {
            (k.place, k.enter_at, k.expires_at): k for k in reversed(self.knocks) if isinstance(k, LetIn)
        }
        return sorted(visits.values(), key=lambda entry: entry.enter_at)

    @property
    def place(self) -> int | None:
        """Their place, once they know it."""
        return self.places[-1] if self.places else None


@dataclass(frozen=True, slots=True)
class Sight:
    """A state document and when somebody first received it."""

    received_at: int
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Limits:
    """What the door is held to: entries a minute, most visits at once (None: any number), burst."""

    rate: float
    capacity: int | None
    burst: int


UNKNOWN = Limits(0, 0, 0)
"""Stands for the limits until the public record is read."""


@dataclass(slots=True)
class Evidence:
    """Everything the verdict is made from.

    Attributes:
        limits: as the public record tells them.
        first_number: tickets issued before the crowd came.
        draw_before: the draw's documents as published before the presale ended; None if nobody looked.
        draw, roll: the draw's documents at the end; None where the room draws nothing.
        log: the public record, whole.
        answers: answers by request, status and kind. troubles: requests without an answer, by reason.
    """

    limits: Limits = UNKNOWN
    first_number: int = 0
    stories: list[Story] = field(default_factory=list)
    sights: list[Sight] = field(default_factory=list)
    draw_before: Mapping[str, Any] | None = None
    draw: Mapping[str, Any] | None = None
    roll: bytes | None = None
    log: list[Mapping[str, Any]] = field(default_factory=list)
    answers: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    troubles: Counter[str] = field(default_factory=Counter)

    @property
    def last(self) -> Mapping[str, Any]:
        """The newest state document."""
        return max(self.sights, key=lambda sight: int(sight.document["now"])).document

    @property
    def visits(self) -> list[tuple[Story, LetIn]]:
        """Every visit and whose it was, in order of entry."""
        found = [(story, entry) for story in self.stories for entry in story.entries]
        return sorted(found, key=lambda visit: visit[1].enter_at)
