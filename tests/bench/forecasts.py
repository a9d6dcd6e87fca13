"""Whole sales played on the model, with forecasts read on the way: does the wait come true, and the chance?

Run ``python -m tests.bench.forecasts``. Each time another tenth of a line has been called, shoppers from anywhere
in it read what the page would tell them, and the sale shows what came of it. The sales differ in what binds them,
in how many come, in how long they stay, and in what happens in their midst: the crowd loses heart (half as many come
in the end as in the beginning), the operator pauses for two minutes, halves or doubles rate or capacity. A forecast
cannot know what an operator will do: those overtaken by it are counted apart.
"""
# ruff: noqa: T201 - a table is what it makes

import heapq
import math
import random
import statistics
import sys
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from tests.bench.simulate import START, Play, Sale
from waitroom import forecast
from waitroom.pace import show_rate
from waitroom.room import Hold, Line

Event = Literal["calm", "weary", "pause", "rate", "capacity"]

TENTHS = tuple(tenth / 10 for tenth in range(1, 10))
EARLY = 0.02
READERS = 4
PAUSE_MS = 120_000
BUYS, TAKES_TWO = 0.6, 0.3
EACH = 0.9 * BUYS * (1 + TAKES_TWO)
LIKELY, UNLIKELY = 0.95, 0.05


@dataclass(frozen=True)
class Story:
    """A sale, how long its line is, and what happens when half of it has been called."""

    sale: Sale
    line: int
    stock: int
    event: Event
    factor: float = 1.0


@dataclass(frozen=True)
class Told:
    """What one shopper was told at ``at`` (ms), and what came of it."""

    story: Story
    at: int
    moved: float
    place: int
    wait: tuple[int, int] | None
    chance: float | None
    waited: float = 0.0
    left: bool = False
    overtaken: bool = False

    @property
    def held(self) -> bool:
        """Whether the range holds the true wait."""
        return self.wait is not None and self.wait[0] <= self.waited <= self.wait[1]

    @property
    def error(self) -> float:
        """How far the range's middle is from the true wait, relative to it."""
        return math.inf if self.wait is None else abs(sum(self.wait) / 2 / max(1, self.waited) - 1)


class Read(Play):
    """One sale, played until the whole line has been called."""

    def __init__(self, story: Story, seed: int) -> None:
        super().__init__(story.sale, seed)
        self.story = story
        self.model.issued = story.line
        self.taken = 0
        self.told: list[Told] = []
        self.calls: list[tuple[int, int, int]] = []  # places called, when, units left
        self.happened: list[int] = []
        self.marks = [EARLY, *TENTHS]

    def read(self) -> Iterator[Told]:
        """What was told, each with what came of it."""
        self.at(START, "call", 0)
        while self.model.called < self.story.line:
            now, _, what, place = heapq.heappop(self.events)
            getattr(self, what)(now, place)
        for told in self.told:
            _, at, left = self.calls[bisect_right(self.calls, told.place, key=lambda call: call[0])]
            overtaken = any(told.at < change <= at for change in self.happened)
            yield replace(told, waited=(at - told.at) / 1000, left=left > 0, overtaken=overtaken)

    def call(self, now: int, again: int) -> None:
        """As in every sale; and now and then shoppers look at their page, and something happens."""
        if self.story.event == "weary":
            self.sale = replace(self.sale, show=self.story.sale.show * (1 - self.moved / 2))
        super().call(now, again)
        self.calls.append((self.model.called, now, self.left))
        if not self.happened and self.moved >= 0.5:
            self.happen(now)
        while self.marks and self.moved >= self.marks[0] and self.model.paused_at is None:
            self.tell(now, self.marks.pop(0))

    def knock(self, now: int, place: int) -> None:
        """As in every sale; a pause is waited out."""
        if self.model.paused_at is None:
            return super().knock(now, place)
        return self.at(now + self.random.uniform(2_000, 4_000), "knock", place)

    def leave(self, now: int, place: int) -> None:
        """Some have bought a unit or two; not those whose time is up."""
        visit = self.model.visits.get(place)
        if visit and visit.lasts(now) and self.random.random() < BUYS:
            self.taken += 1 + (self.random.random() < TAKES_TWO)
        super().leave(now, place)

    @property
    def moved(self) -> float:
        """The share of the line that has been called."""
        return self.model.called / self.story.line

    @property
    def left(self) -> int:
        """Units left."""
        return max(0, self.story.stock - self.taken)

    def happen(self, now: int) -> None:
        """What this story has in store."""
        pace, factor = self.model.pace, self.story.factor
        match self.story.event:
            case "pause":
                self.model.hold(now, Hold.PAUSE)
                self.at(now + PAUSE_MS, "resume", 0)
            case "rate":
                self.model.set_pace(now, replace(pace, rate=pace.rate * factor))
            case "capacity":
                self.model.set_pace(now, replace(pace, capacity=int((pace.capacity or 0) * factor)))
            case _:
                return
        self.happened.append(now)

    def resume(self, now: int, _: int) -> None:
        """The pause is over."""
        self.model.hold(now, Hold.RESUME)

    def tell(self, now: int, mark: float) -> None:
        """What the page tells some of those who wait."""
        model = self.model
        minutes = model.moving / 60_000 or math.inf
        line = Line(
            visits=len(model.visits),
            entries=len(self.result.entries),
            show_rate=show_rate(model.shown, model.lapsed),
            called_per_minute=model.moved / minutes,
            entering_per_minute=model.entering / minutes,
            units_left=self.left or None,
            units_taken=self.story.stock - self.left,
        )
        flow = forecast.flow(model.pace, line, now - START)
        for _ in range(READERS):
            if model.called < self.story.line:
                place = self.random.randrange(model.called, self.story.line)
                ahead = place - model.called
                wait, chance = forecast.wait(ahead, flow), forecast.chance(ahead, flow, line)
                self.told.append(Told(self.story, now, mark, place, wait, chance))


def stories() -> Iterator[Story]:
    """Two calm sales and one eventful one, for each limit and each share of places that come."""
    limits = (
        Sale("rate 30", rate=30),
        Sale("rate 120", rate=120),
        Sale("rate 600", rate=600, burst=10, visit=20, visit_longest=60),
        Sale("capacity 20", rate=6000, capacity=20, visit_longest=180),
        Sale("capacity 100", rate=6000, capacity=100, visit_longest=180),
        Sale("both", rate=120, capacity=106, visit_longest=60),
        Sale("120, 40, visits 60 s", rate=120, capacity=40),
        Sale("120, 40, visits 15 s", rate=120, capacity=40, visit=15),
    )
    chance = random.Random(1)  # noqa: S311 - a simulation, repeatable on purpose
    for index, limit in enumerate(limits):
        for turn, show in enumerate((1.0, 0.6, 0.3, 0.1)):
            sale = replace(limit, show=show, late=chance.choice((0.02, 0.1)), slowest=chance.choice((4, 8)))
            events: tuple[Event, ...] = ("weary", "pause", "rate", "capacity" if limit.capacity else "weary")
            for event in ("calm", "calm", events[(index + turn) % 4]):
                minutes = 8 if limit.rate == 600 else chance.choice((20, 40, 60))
                entries = minutes * throughput(sale)
                line = int(entries / (show + (1 - show) * sale.late))
                stock = int(entries * EACH * chance.uniform(0.3, 1.2))
                yield Story(sale, line, stock, event, chance.choice((0.5, 2)))


def throughput(sale: Sale) -> float:
    """Entries a minute that such visits allow in the long run (Little's law)."""
    length = 0.9 * min(sale.visit, sale.visit_longest) + 0.1 * sale.visit_longest
    return min(sale.rate, (sale.capacity or math.inf) / length * 60)


def play() -> list[Told]:
    """All that was told in all sales."""
    return [told for seed, story in enumerate(stories()) for told in Read(story, seed).read()]


@dataclass(frozen=True)
class Judged:
    """How a number of forecasts came true."""

    told: list[Told]

    @property
    def held(self) -> float:
        """The share of ranges that held the true wait."""
        return statistics.fmean(told.held for told in self.told)

    @property
    def error(self) -> float:
        """The median error of the middle."""
        return statistics.median(told.error for told in self.told)

    @property
    def width(self) -> float:
        """The median width of the range against its middle."""
        return statistics.median(
            2 * (told.wait[1] - told.wait[0]) / max(1, sum(told.wait)) for told in self.told if told.wait
        )


def judged(told: Iterable[Told]) -> Judged:
    """The forecasts that count: a tenth of the line has moved, and no operator has overtaken them."""
    return Judged([each for each in told if each.moved > EARLY and not each.overtaken])


def left(told: Iterable[Told], low: float, high: float) -> tuple[float, float, int]:
    """Of those who were told a chance within bounds: the mean chance, the share that found something left, how many."""
    some = [each for each in told if each.chance is not None and low <= each.chance < high]
    return (
        statistics.fmean(each.chance or 0 for each in some),
        statistics.fmean(each.left for each in some),
        len(some),
    )


def groups(every: list[Told]) -> dict[str, list[Told]]:
    """The forecasts that count, by what tells their sales apart; then those that do not count."""
    count = judged(every).told
    found = {"all": count}
    kinds: tuple[Callable[[Told], str], ...] = (
        lambda told: told.story.sale.name,
        lambda told: f"{told.story.sale.show:.0%} come",
        lambda told: told.story.event,
        lambda told: f"{told.moved:.0%} of the line called",
    )
    for kind in kinds:
        for told in count:
            found.setdefault(f"  {kind(told)}", []).append(told)
    found["before a tenth has been called"] = [told for told in every if told.moved == EARLY]
    found["overtaken by the operator"] = [told for told in every if told.moved > EARLY and told.overtaken]
    return found


def main() -> int:
    """Print the tables."""
    every = play()
    print(f"{'waits':34}{'forecasts':>10}{'held':>8}{'error':>8}{'width':>8}")
    for name, some in groups(every).items():
        judge = Judged(some)
        print(f"{name:34}{len(some):10}{judge.held:8.3f}{judge.error:8.3f}{judge.width:8.2f}")
    print(f"\n{'chance that something is left':34}{'forecasts':>10}{'told':>8}{'true':>8}")
    for low, high in pairwise((0, UNLIKELY, 0.2, 0.4, 0.6, 0.8, LIKELY, 1.01)):
        told, true, count = left(every, low, high)
        print(f"  {low:.0%} to {min(1, high):.0%}".ljust(34) + f"{count:10}{told:8.3f}{true:8.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
