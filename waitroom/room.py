"""A room, its line as last read, and its phase: pure values and one pure function."""

from dataclasses import dataclass, field
from enum import StrEnum

from waitroom.trouble import Threshold


class Phase(StrEnum):
    """The stages of a room's life, in their usual order."""

    SCHEDULED = "scheduled"
    PRESALE = "presale"
    DRAWING = "drawing"
    OPEN = "open"
    PAUSED = "paused"
    SOLD_OUT = "sold_out"
    CLOSED = "closed"


class Hold(StrEnum):
    """What an operator (or the shop's stock) may do to the door.

    Trust lets it go on although the gates see the shop in trouble; watch takes that back.
    """

    PAUSE = "pause"
    RESUME = "resume"
    TRUST = "trust"
    WATCH = "watch"
    SOLD_OUT = "sold_out"
    RESTOCK = "restock"
    CLOSE = "close"
    REOPEN = "reopen"


JOINABLE = frozenset({Phase.PRESALE, Phase.DRAWING, Phase.OPEN, Phase.PAUSED})
"""The phases in which tickets are issued."""

_BEFORE_SOLD_OUT = frozenset({Phase.SCHEDULED, Phase.PRESALE, Phase.DRAWING, Phase.OPEN, Phase.PAUSED})

HOLDS = {
    Hold.PAUSE: _BEFORE_SOLD_OUT,
    Hold.RESUME: _BEFORE_SOLD_OUT,
    Hold.TRUST: _BEFORE_SOLD_OUT,
    Hold.WATCH: _BEFORE_SOLD_OUT,
    Hold.SOLD_OUT: frozenset({Phase.OPEN, Phase.PAUSED, Phase.SOLD_OUT}),
    Hold.RESTOCK: frozenset({Phase.OPEN, Phase.PAUSED, Phase.SOLD_OUT}),
    Hold.CLOSE: frozenset(Phase),
    Hold.REOPEN: frozenset({Phase.CLOSED}),
}
"""The phases in which each hold is a legal move; repeating one that already holds changes nothing."""

MOVES = {
    Phase.SCHEDULED: {
        Phase.PRESALE: "presale opens",
        Phase.OPEN: "opens without a presale",
        Phase.PAUSED: "opens while paused",
    },
    Phase.PRESALE: {Phase.DRAWING: "presale ends"},
    Phase.DRAWING: {Phase.OPEN: "drawn, and the sale opens", Phase.PAUSED: "opens while paused"},
    Phase.OPEN: {Phase.PAUSED: "pause, or the shop is in trouble", Phase.SOLD_OUT: "sold out"},
    Phase.PAUSED: {Phase.OPEN: "resume, or the trouble is over", Phase.SOLD_OUT: "sold out"},
    Phase.SOLD_OUT: {Phase.OPEN: "restock", Phase.PAUSED: "restock while paused"},
    Phase.CLOSED: {},
}
"""The legal moves from phase to phase and what makes them.

Every phase may also close; a room that is reopened goes to the phase that its time and flags say.
"""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a room's phases begin, in epoch ms; fixed when the room is founded. No presale: both are None."""

    opens_at: int
    presale_opens_at: int | None = None
    presale_closes_at: int | None = None
    closes_at: int | None = None

    @property
    def has_presale(self) -> bool:
        """Whether tickets are issued before the opening and drawn."""
        return self.presale_closes_at is not None


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a room lets people in; the operator tunes it while the sale runs.

    Attributes:
        rate: entries a minute.
        capacity: most visits at once; None for no limit.
        burst: entries allowed back to back.
        visit_ms: length of a visit; in a sliding room, how long it lasts after the last request.
        visit_longest_ms: a visit never lasts longer than this; a room slides when it is above ``visit_ms``.
        more_time_ms: how much longer a visit lasts each time its visitor asks; 0: asking is of no use.
        more_times: how often a visitor may ask.
        version: grows with each change, for compare-and-set.
    """

    rate: float
    capacity: int | None
    burst: int
    visit_ms: int
    visit_longest_ms: int
    more_time_ms: int = 0
    more_times: int = 1
    version: int = 1

    @property
    def sliding(self) -> bool:
        """Whether visits are extended while the visitor is active."""
        return self.visit_longest_ms > self.visit_ms

    @property
    def more_ms(self) -> int:
        """How much longer a visit may last because its visitor asks."""
        return self.more_time_ms * self.more_times

    @property
    def longest_ms(self) -> int:
        """How long a visit may last in all."""
        return self.visit_longest_ms + self.more_ms

    def times_left(self, enter_at: int, expires_at: int) -> int:
        """How often a visitor may still ask for more time, by the times of their pass (epoch ms)."""
        if not self.more_ms:
            return 0
        left_ms = enter_at + self.longest_ms - expires_at
        return max(0, min(self.more_times, -(-left_ms // self.more_time_ms)))


@dataclass(frozen=True, slots=True)
class Room:
    """One waiting room, in front of one sale.

    Attributes:
        identity: whether a ticket is bound to an identity that the shop signs, one ticket each.
        once: whether an identity that has entered may not join again.
        protect: path prefixes of the shop that need this room's pass.
        sign_in: path of the shop's sign-in page, for rooms with identities.
        stock: path of the shop whose answer tells the units left and held; empty where only visits tell.
        notice: a line of the operator's that the page shows.
        trouble: from when on the shop is in trouble.
    """

    name: str
    title: str
    schedule: Schedule
    pace: Pace
    identity: bool = False
    once: bool = False
    protect: tuple[str, ...] = ()
    sign_in: str = ""
    stock: str = ""
    notice: str = ""
    trouble: Threshold = field(default_factory=Threshold)


@dataclass(frozen=True, slots=True)
class Line:
    """The line's counters and flags as last read from the store.

    ``show_rate`` is a share; ``called_per_minute`` and ``entering_per_minute`` are measured while people wait.
    ``presale_size`` is None until frozen, ``root`` until the roll is published, ``seed`` (32 bytes each) and
    ``signature`` (the beacon's; empty without one) until drawn, ``units_left`` and ``units_held`` until the shop
    tells; ``units_taken`` is by how much the units left fell since. ``seal`` is the last of the public record, empty
    before the first, and covers it up to the entry ``sealed_to``. The shop has been in trouble since ``trouble_since``,
    at least until ``trouble_until``, and for ``trouble_ms`` before that; ``trusted`` lets the door go on regardless.
    """

    issued: int = 0
    called: int = 0
    presale_size: int | None = None
    root: bytes | None = None
    seed: bytes | None = None
    signature: bytes | None = None
    paused_at: int | None = None
    reason: str = ""
    sold_out: bool = False
    closed: bool = False
    units_left: int | None = None
    units_held: int | None = None
    units_taken: int = 0
    visits: int = 0
    at_door: int = 0
    coming: int = 0
    entries: int = 0
    show_rate: float = 1.0
    called_per_minute: float = 0.0
    entering_per_minute: float = 0.0
    seal: bytes = b""
    sealed_to: str = "0"
    trouble_since: int | None = None
    trouble_until: int = 0
    trouble_ms: int = 0
    trusted: bool = False

    @property
    def waiting(self) -> int:
        """How many places are not called yet, including those of people who have gone."""
        return max(0, self.issued - self.called)

    @property
    def in_trouble(self) -> bool:
        """Whether the door stands still because the shop is slow or failing."""
        return self.trouble_since is not None

    def trouble_so_far(self, now_ms: int) -> int:
        """For how long the shop has been in trouble, ms; the time of visits stands still meanwhile."""
        if self.trouble_since is None:
            return self.trouble_ms
        return self.trouble_ms + max(0, min(now_ms, self.trouble_until) - self.trouble_since)


def phase(schedule: Schedule, line: Line, now_ms: int) -> Phase:  # noqa: PLR0911 - one return a phase
    """The phase of a room whose line is ``line`` at ``now_ms``; stored nowhere."""
    if line.closed or (schedule.closes_at is not None and now_ms >= schedule.closes_at):
        return Phase.CLOSED
    if line.sold_out:
        return Phase.SOLD_OUT
    if schedule.presale_opens_at is not None and schedule.presale_closes_at is not None:
        if now_ms < schedule.presale_opens_at:
            return Phase.SCHEDULED
        if now_ms < schedule.presale_closes_at:
            return Phase.PRESALE
        if now_ms < schedule.opens_at or line.seed is None:
            return Phase.DRAWING
    elif now_ms < schedule.opens_at:
        return Phase.SCHEDULED
    return Phase.PAUSED if line.paused_at is not None or line.in_trouble else Phase.OPEN
