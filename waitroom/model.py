"""A whole line in memory: what every verb does, in plain Python; the oracle of the Lua scripts.

It goes the scripts' way step by step: the arithmetic is `waitroom.pace`, the keys are dictionaries. It is
written to be read, and to be run by tests and simulations; nothing in production imports it.
"""

from bisect import bisect_left, insort
from dataclasses import dataclass, replace

from waitroom import pace as arithmetic
from waitroom.room import Hold, Pace

RETRY_MS = 120_000
"""For so long a repeated join is known by its entropy."""


@dataclass(frozen=True, slots=True)
class Entered:
    """Let in: the pass holds from ``enter_at`` until ``expires_at`` (epoch ms)."""

    enter_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class AtDoor:
    """Present: ``before`` places at the door go first; knock again at ``knock_again_at`` (epoch ms)."""

    before: int
    knock_again_at: int


@dataclass(frozen=True, slots=True)
class Refused:
    """No ticket or no entry: ``paused``, ``sold_out``, ``closed``, ``spent``, ``once``, or ``not_called``.

    ``ahead`` is how many places are called before one that is not called yet.
    """

    reason: str
    ahead: int = 0


@dataclass(frozen=True, slots=True)
class Visit:
    """A shopper in the shop until ``ends_at``, which activity may extend up to ``expires_at``."""

    enter_at: int
    ends_at: int
    expires_at: int

    def lasts(self, now: int) -> bool:
        """Whether it has not ended yet."""
        return now < self.ends_at


class Model:
    """One room's line. Every verb takes the time, in epoch ms, and never looks at a clock."""

    def __init__(self, pace: Pace, *, once: bool = False) -> None:
        self.pace = pace
        self.once = once
        self.interval = arithmetic.interval(pace.rate)
        self.issued = 0
        self.called = 0
        self.presale_size: int | None = None
        self.retries: dict[bytes, tuple[int, int]] = {}  # entropy -> number, forgotten at
        self.holders: dict[str, int] = {}  # identity -> number
        self.entered: dict[int, int] = {}  # number -> place, of those who entered
        self.spent: set[int] = set()  # numbers
        self.coming: dict[int, int] = {}  # place -> called at
        self.door: list[int] = []  # places, in order
        self.knocks: dict[int, int] = {}  # place at the door -> until when its last knock counts
        self.visits: dict[int, Visit] = {}  # by place
        self.tat = 0.0
        self.shown = self.lapsed = self.leaving = 0.0  # decayed counts, as of `decayed_at`
        self.decayed_at = 0
        self.last_call = 0
        self.paused_at: int | None = None
        self.sold_out = False
        self.closed = False
        self.units_left: int | None = None
        self.units_held: int | None = None

    # ---- Taking a ticket

    def join(self, now: int, entropy: bytes, identity: str = "") -> int | Refused:
        """The number that this identity holds or this entropy was given, or the next one."""
        if self.closed or self.sold_out:
            return Refused("closed" if self.closed else "sold_out")
        number = self._holding(now, identity) if identity else self._retried(now, entropy)
        if number is not None:
            return number
        if self.once and identity in self.holders:
            return Refused("once")
        number, self.issued = self.issued, self.issued + 1
        if identity:
            self.holders[identity] = number
        else:
            self.retries[entropy] = number, now + RETRY_MS
        return number

    def _holding(self, now: int, identity: str) -> int | None:
        """The ticket of this identity, unless it is spent and its visit over."""
        number = self.holders.get(identity)
        if number is None or number not in self.spent:
            return number
        visit = self.visits.get(self.entered.get(number, -1))
        return number if visit and visit.lasts(now) else None

    def _retried(self, now: int, entropy: bytes) -> int | None:
        number, forgotten_at = self.retries.get(entropy, (None, now))
        return number if forgotten_at > now else None

    def freeze(self) -> int:
        """The presale's size: fixed by the first who asks."""
        if self.presale_size is None:
            self.presale_size = self.issued
        return self.presale_size

    def heal(self, issued: int, called: int) -> None:
        """Raise the counters to the highest a gate has seen: after a loss no number is given out twice."""
        self.issued, self.called = max(self.issued, issued), max(self.called, called)

    # ---- Calling

    def call(self, now: int) -> int:
        """Tidy up, then call the next places if it is time; answers how many."""
        self._tidy(now)
        if self._shut() or now - self.last_call < arithmetic.CALL_EVERY_MS:
            return 0
        self.last_call = now
        if self.units_left == 0 and self.units_held:
            return 0
        need = arithmetic.Need(
            interval=self.interval,
            free=self._free(now),
            leaving=arithmetic.per_ms(self.leaving),
            door=len(self.door),
            coming=len(self.coming),
            show_rate=self.show_rate,
            waiting=self.issued - self.called,
        )
        count = arithmetic.how_many_to_call(need)
        self.coming |= dict.fromkeys(range(self.called, self.called + count), now)
        self.called += count
        return count

    @property
    def show_rate(self) -> float:
        """The share of called places that come in time, as measured."""
        return arithmetic.show_rate(self.shown, self.lapsed)

    def _tidy(self, now: int) -> None:
        """Drop what is over and count it; a pause keeps the door and those who are coming as they are."""
        ended = [place for place, visit in self.visits.items() if not visit.lasts(now)]
        for place in ended:
            del self.visits[place]
        late: list[int] = []
        if self.paused_at is None:
            self._drop_stale_knocks(now)
            late = [place for place, at in self.coming.items() if at <= now - arithmetic.LEAD_MS]
            for place in late:
                del self.coming[place]
        elapsed, self.decayed_at = now - self.decayed_at, max(now, self.decayed_at)
        self.shown = arithmetic.decay(self.shown, elapsed)
        self.lapsed = arithmetic.decay(self.lapsed, elapsed) + len(late)
        self.leaving = arithmetic.decay(self.leaving, elapsed) + len(ended)

    def _drop_stale_knocks(self, now: int) -> None:
        for place in [place for place, until in self.knocks.items() if until <= now]:
            self._forget_knock(place)

    def _forget_knock(self, place: int) -> None:
        if self.knocks.pop(place, None) is not None:
            self.door.remove(place)

    # ---- The door

    def knock(self, now: int, number: int, place: int, identity: str = "") -> Entered | AtDoor | Refused:
        """Ask to be let in; asked again while the visit lasts, the same answer."""
        visit = self.visits.get(place)
        if visit and visit.lasts(now):
            return Entered(visit.enter_at, visit.expires_at)
        if refused := self._refusal(number, place, identity):
            return refused
        self._drop_stale_knocks(now)
        if self.coming.pop(place, None) is not None:
            self.shown += 1
        before, free = bisect_left(self.door, place), self._free(now)
        slot = arithmetic.slot(now, self.tat, before, self.pace.burst, self.interval)
        enter_at = arithmetic.enter_at(now, slot, before, free)
        if enter_at is not None:
            return self._enter(enter_at, number, place)
        again = arithmetic.knock_again(now, slot, before, free, arithmetic.per_ms(self.leaving))
        if place not in self.knocks:
            insort(self.door, place)
        self.knocks[place] = again + arithmetic.KNOCK_GRACE_MS
        return AtDoor(before, again)

    def _refusal(self, number: int, place: int, identity: str) -> Refused | None:
        if shut := self._shut():
            return Refused(shut)
        if number in self.spent or (identity and self.holders.get(identity) != number):
            return Refused("spent")
        if place >= self.called:
            return Refused("not_called", place - self.called)
        return None

    def _enter(self, enter_at: int, number: int, place: int) -> Entered:
        self._forget_knock(place)
        self.tat = arithmetic.book(enter_at, self.tat, self.interval)
        self.spent.add(number)
        self.entered[number] = place
        expires_at = enter_at + self.pace.visit_longest_ms
        self.visits[place] = Visit(enter_at, enter_at + self.pace.visit_ms, expires_at)
        return Entered(enter_at, expires_at)

    def _free(self, now: int) -> int | None:
        if self.pace.capacity is None:
            return None
        return self.pace.capacity - sum(visit.lasts(now) for visit in self.visits.values())

    # ---- Going

    def leave(self, number: int, place: int) -> None:
        """End the visit, or give the ticket back."""
        if self.visits.pop(place, None) is not None:
            self.leaving += 1
        self._forget_knock(place)
        self.spent.add(number)

    def touch(self, now: int, place: int) -> bool:
        """Extend a visit that lasts; answers whether it does."""
        visit = self.visits.get(place)
        if visit is None or not visit.lasts(now):
            return False
        ends_at = max(visit.ends_at, min(now + self.pace.visit_ms, visit.expires_at))
        self.visits[place] = replace(visit, ends_at=ends_at)
        return True

    # ---- The operator and the shop

    def hold(self, now: int, action: Hold) -> None:
        """Pause, resume, sold out, restock or close; what already holds changes nothing."""
        match action:
            case Hold.PAUSE if self.paused_at is None:
                self.paused_at = now
            case Hold.RESUME if self.paused_at is not None:
                self._resume(now)
            case Hold.SOLD_OUT:
                self.sold_out = True
            case Hold.RESTOCK:
                self.sold_out = False
            case Hold.CLOSE:
                self.closed = True

    def _resume(self, now: int) -> None:
        """Everyone who was at the door or on the way has the lead time, from now, to show again."""
        self.paused_at = None
        self.knocks = dict.fromkeys(self.knocks, now + arithmetic.LEAD_MS)
        self.coming = dict.fromkeys(self.coming, now)

    def _shut(self) -> str:
        """Why nobody is called or let in; empty if the door is open."""
        if self.closed:
            return "closed"
        if self.sold_out:
            return "sold_out"
        return "" if self.paused_at is None else "paused"

    def set_pace(self, now: int, pace: Pace) -> None:
        """Take over a new pace; the burst used so far stays used."""
        new = arithmetic.interval(pace.rate)
        self.tat = arithmetic.rescale_tat(self.tat, now, self.pace.burst, self.interval, new)
        self.pace, self.interval = pace, new

    def units(self, left: int, held: int) -> None:
        """What the shop says of its stock; nothing left and nothing held means sold out."""
        self.units_left, self.units_held = left, held
        if left == held == 0:
            self.sold_out = True
