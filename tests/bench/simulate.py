"""Whole sales played on the model: do the rules let in what rate and capacity allow, and never more?

Run ``python tests/bench/simulate.py``. A sale lasts twenty simulated minutes; whatever a shopper does is an
event in a queue. *Allowed* is what a door with the whole crowd in front of it would let in under the same
limits and the same lengths of visits: somebody for every slot and every spot, without a moment's delay.
"""
# ruff: noqa: T201 - a table is what it makes

import heapq
import itertools
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from waitroom import pace as arithmetic
from waitroom.model import AtDoor, Entered, Model
from waitroom.room import Pace

START = 1_432_033_200_000
LENGTH_MS = 20 * 60_000
CALL_EVERY_MS = 250
CROWD = 2_000_000
LEAST = 0.95


@dataclass(frozen=True)
class Sale:
    """One crowd before one door. Times in seconds; shares from 0 to 1."""

    name: str
    rate: float = 120
    capacity: int | None = None
    burst: int = 5
    show: float = 1.0
    slowest: float = 4.0
    late: float = 0.05
    vanish: float = 0.03
    visit: float = 60.0
    visit_longest: float = 600.0


@dataclass
class Result:
    """What came of a sale: entries, waits at the door in seconds, and what it cost."""

    entries: list[int] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    visit_lengths: list[int] = field(default_factory=list)
    knocks: int = 0
    called: int = 0
    allowed: int = 0
    over: bool = False

    @property
    def share(self) -> float:
        """Entries against what the limits allow."""
        return len(self.entries) / self.allowed


class Play:
    """One sale as a queue of events."""

    def __init__(self, sale: Sale, seed: int) -> None:
        self.sale = sale
        self.random = random.Random(seed)  # noqa: S311 - a simulation, repeatable on purpose
        visit_ms = int(sale.visit_longest * 1000)
        self.model = Model(Pace(sale.rate, sale.capacity, sale.burst, visit_ms, visit_ms))
        self.model.issued = CROWD
        self.events: list[tuple[int, int, str, int]] = []
        self.order = itertools.count()
        self.first_knock: dict[int, int] = {}
        self.result = Result()

    def run(self) -> Result:
        """Play the sale to its end and judge it."""
        self.at(START, "call", 0)
        while self.events[0][0] < START + LENGTH_MS:
            now, _, what, place = heapq.heappop(self.events)
            getattr(self, what)(now, place)
        result = self.result
        result.entries = sorted(at for at in result.entries if at < START + LENGTH_MS)
        result.called = self.model.called
        result.allowed = ideal(self.sale, self.visit_lengths())
        result.over |= exceeds(result.entries, self.model.interval, self.sale.burst)
        return result

    def at(self, when: float, what: str, place: int) -> None:
        """Put an event into the queue."""
        heapq.heappush(self.events, (int(when), next(self.order), what, place))

    def call(self, now: int, _: int) -> None:
        """Some gate's quarter of a second: whoever is called comes after a reaction, later, or never."""
        first = self.model.called
        for place in range(first, first + self.model.call(now)):
            if self.random.random() < self.sale.show:
                self.at(now + self.random.uniform(500, self.sale.slowest * 1000), "knock", place)
            elif self.random.random() < self.sale.late:
                self.at(now + self.random.uniform(6_000, 300_000), "knock", place)
        self.at(now + CALL_EVERY_MS, "call", 0)

    def knock(self, now: int, place: int) -> None:
        """A knock; some of those told to wait close their tab instead."""
        self.result.knocks += 1
        first = self.first_knock.setdefault(place, now)
        match self.model.knock(now, place, place):
            case AtDoor(_, again):
                if now > first or self.random.random() >= self.sale.vanish:
                    self.at(again + self.random.uniform(20, 400), "knock", place)
            case Entered(enter_at, _):
                self.result.entries.append(enter_at)
                self.result.waits.append((enter_at - first) / 1000)
                self.result.over |= self.sale.capacity is not None and self.inside(now) > self.sale.capacity
                length = self.visit_length()
                self.result.visit_lengths.append(length)
                self.at(enter_at + length, "leave", place)

    def leave(self, _: int, place: int) -> None:
        """A visitor is done."""
        self.model.leave(place)

    def inside(self, now: int) -> int:
        """Visits under way."""
        return sum(visit.lasts(now) for visit in self.model.visits.values())

    def visit_length(self) -> int:
        """Some take three times as long as others; one in ten stays to the end of the time."""
        spread = self.random.uniform(0.5, 1.5) if self.random.random() < 0.9 else self.sale.visit_longest
        return int(min(self.sale.visit * spread, self.sale.visit_longest) * 1000)

    def visit_lengths(self) -> Iterator[int]:
        """The visits as they were, then more of their kind."""
        yield from self.result.visit_lengths
        while True:
            yield self.visit_length()


def ideal(sale: Sale, lengths: Iterator[int]) -> int:
    """Entries if somebody stood before every free spot and every slot."""
    interval, tat, now, count = arithmetic.interval(sale.rate), 0.0, float(START), 0
    inside: list[float] = []
    for length in lengths:
        now = max(now, tat - (sale.burst - 1) * interval)
        if sale.capacity is not None and len(inside) >= sale.capacity:
            now = max(now, heapq.heappop(inside))
        if now >= START + LENGTH_MS:
            break
        count, tat = count + 1, max(now, tat) + interval
        heapq.heappush(inside, now + length)
    return count


def exceeds(entries: list[int], interval: float, burst: int) -> bool:
    """Whether any window of time saw more entries than its burst and rate."""
    latest = float("-inf")
    for index, at in enumerate(entries):
        spare = at - index * interval
        latest = max(latest, spare)
        if latest - spare > (burst - 1) * interval:
            return True
    return False


def sales() -> Iterator[Sale]:
    """The table: which limit binds, how many come, how fast, how many come late."""
    limits = (
        Sale("rate 6", rate=6, burst=2, visit=5),
        Sale("rate 30, burst 1", rate=30, burst=1, visit=5),
        Sale("rate 120", rate=120, visit=5),
        Sale("rate 600", rate=600, burst=10, visit=5, visit_longest=10),
        Sale("capacity 5", rate=6000, capacity=5, visit=30, visit_longest=60),
        Sale("capacity 20", rate=6000, capacity=20),
        Sale("capacity 100", rate=6000, capacity=100),
        Sale("both, small", rate=22, capacity=20, visit_longest=60),
        Sale("both", rate=120, capacity=106, visit_longest=60),
    )
    crowds = itertools.product((1.0, 0.5, 0.2, 0.05), ((4.0, 0.02), (8.0, 0.1)))
    for limit, (show, (slowest, late)) in itertools.product(limits, crowds):
        yield replace(limit, show=show, slowest=slowest, late=late)


def percentile(values: list[float], share: float) -> float:
    """The value below which this share of them lies."""
    return sorted(values)[int(share * (len(values) - 1))] if values else 0.0


COLUMNS = "limits              show react  late  entries  allowed  share  wait50  wait95  knocks   called"


def row(sale: Sale, result: Result) -> str:
    """One line of the table: waits in seconds at the door, knocks for each entry."""
    p50, p95 = percentile(result.waits, 0.5), percentile(result.waits, 0.95)
    return (
        f"{sale.name:18}{sale.show:6.2f}{sale.slowest:6.0f}{sale.late:6.2f}{len(result.entries):9}"
        f"{result.allowed:9}{result.share:7.3f}{p50:8.1f}{p95:8.1f}"
        f"{result.knocks / len(result.entries):8.1f}{result.called:9}{'  LIMIT EXCEEDED' * result.over}"
    )


def main() -> int:
    """Print the table; 1 if a sale let in too few or exceeded a limit."""
    print(COLUMNS)
    results = []
    for sale in sales():
        results.append(Play(sale, seed=1).run())
        print(row(sale, results[-1]), flush=True)
    least = min(result.share for result in results)
    exceeded = sum(result.over for result in results)
    print(f"least share {least:.3f} (at least {LEAST}), sales that exceeded a limit: {exceeded}")
    return int(least < LEAST or exceeded > 0)


if __name__ == "__main__":
    sys.exit(main())
