"""A whole line in memory: what every verb does, in plain Python; the oracle of the Lua scripts.

It goes the scripts' way step by step: the arithmetic is `waitroom.pace`, the keys are dictionaries. It is
written to be read, and to be run by tests and simulations; nothing in production imports it.
"""

from bisect import bisect_left, insort
from dataclasses import dataclass, replace

from waitroom import pace as arithmetic
from waitroom.model_holders import RETRY_MS, Holders, Refused, Visit
from waitroom.room import Hold, Pace

__all__ = ["RETRY_MS", "AtDoor", "Entered", "Model", "Refused", "Visit"]

TROUBLE_LASTS_MS = 5_000
"""The shop is in trouble until no gate has said so for this time."""


@dataclass(frozen=True, slots=True)
class Entered:
    """Let in: the visit lasts from ``enter_at`` until ``expires_at`` (epoch ms)."""

    enter_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class AtDoor:
    """Present: ``before`` places at the door go first; knock again at ``knock_again_at`` (epoch ms)."""

    before: int
    knock_again_at: int


class Model(Holders):
    """One room's line. Every verb takes the time, in epoch ms, and never looks at a clock.

    With a ``presale``, those who join before `freeze` are drawn.
    """

    def __init__(self, pace: Pace, *, once: bool = False, presale: bool = False) -> None:
        super().__init__(once=once, presale=presale)
        self.pace = pace
        self.interval = arithmetic.interval(pace.rate)
        self.coming: dict[int, int] = {}  # place -> called at
        self.door: list[int] = []  # places, in order
        self.knocks: dict[int, int] = {}  # place at the door -> until when its last knock counts
        self.tat = 0.0
        self.shown = self.lapsed = self.leaving = 0.0  # counts, decayed until `decayed_at`
        self.decayed_at = 0
        self.moving = self.moved = self.entering = 0.0  # ms, places, entries: decayed while the line moves
        self.last_call = 0
        self.paused_at: int | None = None
        self.trouble_since: int | None = None
        self.trouble_until = 0
        self.trouble_ms = 0  # all of it, before the one that lasts
        self.trusted = False
        self.units_left: int | None = None
        self.units_taken = 0

    # ---- Calling

    def call(self, now: int, *, forced: bool = False) -> int:
        """Tidy up, then call the next places if it is time; answers how many."""
        self._follow_clock(now)
        self.recover(now)
        self._tidy(now)
        elapsed = now - self.last_call
        if self._shut() or (0 <= elapsed < arithmetic.CALL_EVERY_MS and not forced):
            return 0
        self.last_call = now
        if self.units_left == 0:
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
        if self.issued > self.called:
            self._measure(elapsed, count)
        return count

    def _follow_clock(self, now: int) -> None:
        """After the clock was set back no date may lie far ahead, or the door would stand still until then."""
        fell = self.last_call - now
        if fell <= arithmetic.CLOCK_FELL_MS:
            return
        self.tat -= fell
        self.last_call = self.decayed_at = now
        self._date_anew(now)

    def _measure(self, elapsed: int, count: int) -> None:
        """How the line moves; one that has run dry tells nothing of how fast it could move."""
        elapsed = max(0, min(elapsed, arithmetic.FLOW_STEP_MS))
        kept = arithmetic.decay(1, elapsed, arithmetic.FLOW_HALF_LIFE_MS)
        self.moving = self.moving * kept + elapsed
        self.moved = self.moved * kept + count
        self.entering *= kept

    @property
    def show_rate(self) -> float:
        """The share of called places that come in time, as measured."""
        return arithmetic.show_rate(self.shown, self.lapsed)

    def _tidy(self, now: int) -> None:
        """Drop what is over and count it; a door that stands still keeps those at it and those who are coming."""
        visit_time = self.visit_time(now)
        over = [place for place, visit in self.visits.items() if not visit.lasts(visit_time)]
        for place in over:
            del self.visits[place]
        self._drop_stale_knocks(now)
        late: list[int] = []
        if not self._stands_still():
            late = [place for place, at in self.coming.items() if at <= now - arithmetic.LEAD_MS]
            for place in late:
                del self.coming[place]
        elapsed, self.decayed_at = now - self.decayed_at, max(now, self.decayed_at)
        self.shown = arithmetic.decay(self.shown, elapsed)
        self.lapsed = arithmetic.decay(self.lapsed, elapsed) + len(late)
        self.leaving = arithmetic.decay(self.leaving, elapsed) + len(over)

    def _drop_stale_knocks(self, now: int) -> None:
        if not self._stands_still():
            for place in [place for place, until in self.knocks.items() if until <= now]:
                self._forget_knock(place)

    def _forget_knock(self, place: int) -> None:
        if self.knocks.pop(place, None) is not None:
            self.door.remove(place)

    # ---- The door

    def knock(
        self, now: int, number: int, place: int, identity: str = "", generation: int = 0
    ) -> Entered | AtDoor | Refused:
        """Ask to be let in; asked again while the visit lasts, the same answer."""
        if self._generation(number, generation) > generation:
            return Refused("moved")
        visit, trouble = self.visits.get(place), self.trouble_so_far(now)
        if visit and visit.lasts(now - trouble):
            return Entered(visit.enter_at + trouble, visit.ends_at + trouble)
        if refused := self._refusal(number, place, identity):
            return refused
        self._drop_stale_knocks(now)
        if self.coming.pop(place, None) is not None:
            self.shown += 1
        before, free = bisect_left(self.door, place), self._free(now)
        slot = arithmetic.slot(now, self.tat, before, self.pace.burst, self.interval)
        enter_at = arithmetic.enter_at(now, slot, before, free)
        if enter_at is not None:
            return self._enter(enter_at, number, place, identity)
        again = arithmetic.knock_again(now, slot, before, free, arithmetic.per_ms(self.leaving))
        if place not in self.knocks:
            insort(self.door, place)
        self.knocks[place] = again + arithmetic.KNOCK_GRACE_MS
        return AtDoor(before, again)

    def defer(
        self, now: int, number: int, place: int, identity: str = "", generation: int = 0
    ) -> bool | Refused:
        """Let others by; answers whether the place was on its way or at the door.

        It counts as one that did not come. Left out of the show rate, as many too few are called as defer: with nine
        of ten, a simulated door at 120 a minute let in 88 % of what the limits allow, instead of 99 %.
        """
        if self._generation(number, generation) > generation:
            return Refused("moved")
        visit = self.visits.get(place)
        if visit and visit.lasts(self.visit_time(now)):
            return Refused("in_shop")
        if self._is_spent(number, identity):
            return Refused("spent")
        if place >= self.called:
            return Refused("not_called", place - self.called)
        coming, at_door = self.coming.pop(place, None) is not None, place in self.knocks
        self.lapsed += coming
        self._forget_knock(place)
        return coming or at_door

    def _refusal(self, number: int, place: int, identity: str) -> Refused | None:
        if self._is_spent(number, identity):
            return Refused("spent")
        if shut := self._shut():
            return Refused(shut)
        if place >= self.called:
            return Refused("not_called", place - self.called)
        return None

    def _enter(self, enter_at: int, number: int, place: int, identity: str) -> Entered:
        self._forget_knock(place)
        self.tat = arithmetic.book(enter_at, self.tat, self.interval)
        self.spent.add(number)
        self.entered[number] = place
        if identity:
            self.holders[identity] = number
        self.entering += self.issued > self.called
        expires_at = enter_at + self.pace.visit_ms
        self.visits[place] = Visit(enter_at - self.trouble_ms, expires_at - self.trouble_ms)
        return Entered(enter_at, expires_at)

    def _free(self, now: int) -> int | None:
        if self.pace.capacity is None:
            return None
        return self.pace.capacity - sum(visit.lasts(self.visit_time(now)) for visit in self.visits.values())

    # ---- Going

    def leave(self, place: int | None, number: int | None = None, generation: int = 0) -> bool | Refused:
        """End the visit at ``place``, and with a ``number`` give that ticket back; answers if a visit ended.

        The place is None while the draw has not given it yet.
        """
        if number is not None:
            if self._generation(number, generation) > generation:
                return Refused("moved")
            self.spent.add(number)
        if place is None:
            return False
        self.coming.pop(place, None)
        self._forget_knock(place)
        visit = self.visits.pop(place, None)
        self.leaving += visit is not None
        return visit is not None

    def touch(self, now: int, place: int) -> bool:
        """Extend a visit that lasts; answers whether it does."""
        visit, visit_time = self.visits.get(place), self.visit_time(now)
        if visit is None or not visit.lasts(visit_time):
            return False
        longest = visit.enter_at + self.pace.visit_longest_ms
        ends_at = max(visit.ends_at, min(visit_time + self.pace.visit_ms, longest))
        self.visits[place] = replace(visit, ends_at=ends_at)
        return True

    def extend(self, now: int, place: int, expires_at: int) -> int | Refused:
        """More time for a visitor whose pass ends at ``expires_at``: when the visit ends now; in the time of visits."""
        visit = self.visits.get(place)
        if visit is None or not visit.lasts(self.visit_time(now)):
            return Refused("over")
        latest = visit.enter_at + self.pace.longest_ms
        if not self.pace.more_ms or expires_at >= latest:
            return Refused("no_more")
        ends_at = max(visit.ends_at, min(expires_at + self.pace.more_time_ms, latest))
        self.visits[place] = replace(visit, ends_at=ends_at)
        return ends_at

    # ---- The operator and the shop

    def hold(self, now: int, action: Hold) -> None:
        """Pause, resume, sold out, restock, close or reopen; what already holds changes nothing."""
        match action:
            case Hold.PAUSE if self.paused_at is None:
                self.paused_at = now
            case Hold.RESUME if self.paused_at is not None:
                self.paused_at = None
                self._date_anew(now)
            case Hold.SOLD_OUT:
                self.sold_out = True
            case Hold.RESTOCK:
                self.sold_out, self.units_left = False, None
            case Hold.CLOSE:
                self.closed = True
            case Hold.REOPEN:
                self.closed = False
            case Hold.TRUST | Hold.WATCH:
                self.trusted = action is Hold.TRUST

    def _date_anew(self, now: int) -> None:
        """Everyone who was at the door or on the way has the lead time, from now, to show again."""
        self.knocks = dict.fromkeys(self.knocks, now + arithmetic.LEAD_MS)
        self.coming = dict.fromkeys(self.coming, now)

    def _shut(self) -> str:
        """Why nobody is called or let in; empty if the door is open."""
        if self.closed:
            return "closed"
        if self.sold_out:
            return "sold_out"
        return "paused" if self._stands_still() else ""

    def _stands_still(self) -> bool:
        return self.paused_at is not None or self.trouble_since is not None

    def trouble(self, now: int) -> None:
        """A gate sees the shop in trouble."""
        if self.trusted:
            return
        if self._trouble_is_over(now):
            self._end_trouble(now)
        if self.trouble_since is None:
            self.trouble_since = now
        self.trouble_until = max(self.trouble_until, now + TROUBLE_LASTS_MS)

    def recover(self, now: int) -> None:
        """Close a trouble that no gate has told of lately; the door goes on as after a pause."""
        if self._trouble_is_over(now):
            self._end_trouble(now)
            self._date_anew(now)

    def trouble_so_far(self, now: int) -> int:
        """For how long the shop has been in trouble; the time of visits stands still meanwhile."""
        if self.trouble_since is None:
            return self.trouble_ms
        return self.trouble_ms + max(0, min(now, self.trouble_until) - self.trouble_since)

    def visit_time(self, now: int) -> int:
        """By which visits end."""
        return now - self.trouble_so_far(now)

    def _trouble_is_over(self, now: int) -> bool:
        """Whether no gate has told of it for so long, by a clock that may have been set back since."""
        left = self.trouble_until - now
        return self.trouble_since is not None and not 0 < left <= TROUBLE_LASTS_MS + arithmetic.CLOCK_FELL_MS

    def _end_trouble(self, now: int) -> None:
        self.trouble_ms = self.trouble_so_far(now)
        self.trouble_since, self.trouble_until = None, 0

    def set_pace(self, now: int, pace: Pace) -> None:
        """Take over a new pace; the burst used so far stays used."""
        old = arithmetic.Limit(self.interval, self.pace.burst)
        new = arithmetic.Limit(arithmetic.interval(pace.rate), pace.burst)
        self.tat = arithmetic.rescale_tat(self.tat, now, old, new)
        self.pace, self.interval = pace, new.interval

    def units(self, left: int, held: int) -> None:
        """What the shop says of its stock: none left, nobody is called; none held either, sold out."""
        if self.units_left is not None:
            self.units_taken = max(0, self.units_taken + self.units_left - left)
        self.units_left = left
        if left == held == 0:
            self.sold_out = True
