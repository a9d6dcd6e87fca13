"""What happens in a room, as frozen facts. The line emits them; metrics and logs observe."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from waitroom.room import Line, Phase, Room


@dataclass(frozen=True, slots=True)
class Joined:
    """A batch of joins was answered: ``new`` tickets were issued, ``known`` requests got the one they had."""

    room: str
    new: int
    known: int


@dataclass(frozen=True, slots=True)
class Knocked:
    """A knock was answered with ``result``: entered, door, not_called, moved, spent or the phase that forbids it."""

    room: str
    result: str


@dataclass(frozen=True, slots=True)
class Entered:
    """A place entered; its visit lasts from ``enter_at`` to ``expires_at`` (epoch ms)."""

    room: str
    place: int
    enter_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Deferred:
    """A place that was on its way or at the door let others by."""

    room: str
    place: int


@dataclass(frozen=True, slots=True)
class TicketMoved:
    """A ticket's place was moved to another device."""

    room: str
    number: int


@dataclass(frozen=True, slots=True)
class Extended:
    """A visitor was given more time: the visit lasts until ``expires_at`` (epoch ms) now."""

    room: str
    place: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Left:
    """A visit was ended before its time."""

    room: str
    place: int


@dataclass(frozen=True, slots=True)
class LineRead:
    """The line's counters were read afresh."""

    room: Room
    line: Line
    phase: Phase


@dataclass(frozen=True, slots=True)
class PhaseChanged:
    """The room went from one phase to another."""

    room: str
    before: Phase
    after: Phase


@dataclass(frozen=True, slots=True)
class Drawn:
    """The draw of ``size`` presale tickets was settled with this seed."""

    room: str
    size: int
    seed: bytes


@dataclass(frozen=True, slots=True)
class ScriptRan:
    """A verb's script call took ``seconds``; ``ok`` is false when the store did not answer."""

    verb: str
    seconds: float
    ok: bool


@dataclass(frozen=True, slots=True)
class StoreLost:
    """The store stopped answering, as far as this gate can tell."""

    reason: str


@dataclass(frozen=True, slots=True)
class StoreBack:
    """The store answers again."""


Event: TypeAlias = (
    Joined
    | Knocked
    | Entered
    | Deferred
    | TicketMoved
    | Extended
    | Left
    | LineRead
    | PhaseChanged
    | Drawn
    | ScriptRan
    | StoreLost
    | StoreBack
)
Observe: TypeAlias = Callable[[Event], None]


def ignore(_event: Event) -> None:
    """The observer that looks away."""


def fan_out(*observers: Observe) -> Observe:
    """One observer that tells all of ``observers``, in order."""

    def observe(event: Event) -> None:
        for observer in observers:
            observer(event)

    return observe
