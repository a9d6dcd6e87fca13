"""What the verbs answer to a shopper."""

from dataclasses import dataclass
from typing import NamedTuple

from waitroom.tickets import Ticket


class Joined(NamedTuple):
    """The ticket a join was answered with, and whether it is ``new``.

    ``leaf`` is the ticket's line on the roll, 32 bytes; None where the join's entropy is not the one that the
    ticket was made with, as when an identity comes back with another browser.
    """

    ticket: Ticket
    new: bool
    leaf: bytes | None


class Position(NamedTuple):
    """Where a ticket stands: its place, and how many places are called before it; None until drawn."""

    number: int
    place: int | None
    ahead: int | None
    called: bool


@dataclass(frozen=True, slots=True)
class Entered:
    """Let in: a visit from ``enter_at`` to ``expires_at`` (epoch ms).

    ``trouble_ms`` is for how long the shop had been in trouble when this was answered: what is added to that is added
    to the visit.
    """

    place: int
    enter_at: int
    expires_at: int
    trouble_ms: int = 0


@dataclass(frozen=True, slots=True)
class AtDoor:
    """At the door, with ``before`` places to go in first; knock again at ``knock_again_at`` (epoch ms)."""

    place: int
    before: int
    knock_again_at: int
