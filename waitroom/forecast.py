"""The wait as an honest range, and the chance that something is left at a shopper's turn.

Pure arithmetic on what the public state document says, so that every browser works out its own: ``waitFor`` and
``chanceFor`` in ``gate/static/line.js`` are the same formulas.

**The wait.** With ``ahead`` places still to be called, of which a share enters, N = share · ahead entries come
before this shopper's turn, at e entries a second. The share is measured as entries by places called, so it counts
those who come late as well. e is as measured, but never above the rate, which the operator may just have lowered;
and where capacity binds it may yet fall, as far as `sustained`. The middle is N / e, and what is unsure about it,
relative to it and squared, adds up:

- D / N for the line to come and D / n for the n entries measured, where D is the variance of the time from one
  entry to the next against its squared mean. Called places come or not, like a coin: that many calls to an entry
  are geometric, which gives 1 - share. A door as fast as the rate lets in like clockwork, and one that waits for
  visits to end lets in like a Poisson process: 1 - e / rate.
- between the two possible e, equally far off in logarithm: their middle, and 80 % of a normal law between them.

A factor so composed is nearly log-normal, and its 10th and 90th percentile are the range. As calls come in bunches,
a few seconds are added at both ends.

**The chance.** Units left suffice if those who go first take fewer. See `chance`.
"""

import math
from dataclasses import dataclass
from functools import cached_property

from waitroom.pace import FLOW_HALF_LIFE_MS
from waitroom.room import Line, Pace

LONGEST_S = 24 * 3600
"""Beyond a day a forecast says nothing."""

Z = 1.2816
"""So many standard deviations to each side of its middle hold 80 % of a normal law."""

DRIFT = 0.07
"""Relative standard deviation for what changes meanwhile: crowds lose heart, and who is late comes in bursts."""

BUNCH_S = 2
"""Standard deviation, in seconds, that comes from calling in bunches."""

MEMORY_MIN = FLOW_HALF_LIFE_MS / math.log(2) / 60_000
"""A measured rate rests on the entries of about so many minutes: the mean age of what a decayed count remembers."""


@dataclass(frozen=True)
class Flow:
    """How the line moves now, a minute.

    Attributes:
        called: places called, as measured lately; 0 if none yet.
        entering: entries, as measured lately; 0 if nobody has entered yet.
        rate: most entries.
        sustained: entries that capacity allows for long, at worst.
        show_rate: the share of called places that come in time, until entries are measured.
        entries: all so far, not a minute.
    """

    called: float
    entering: float
    rate: float
    sustained: float
    show_rate: float
    entries: int

    @cached_property
    def share(self) -> float:
        """Entries for each place called."""
        return min(1.0, self.entering / self.called) if self.entering and self.called else self.show_rate

    @cached_property
    def fast(self) -> float:
        """Entries a minute at best; the rate, as long as nothing is measured."""
        return min(self.entering or self.rate, self.rate)

    @cached_property
    def slow(self) -> float:
        """Entries a minute at worst."""
        return min(self.fast, self.sustained)

    @cached_property
    def spacing_s(self) -> float | None:
        """Seconds from one entry to the next, midway between best and worst; None: not one within the longest wait."""
        return None if self.slow * LONGEST_S < 60 else 60 / math.sqrt(self.fast * self.slow)

    @cached_property
    def dispersion(self) -> float:
        """Variance of the time from one entry to the next, against its squared mean."""
        return 1 - self.share + 1 - self.fast / self.rate

    @cached_property
    def between(self) -> float:
        """Relative variance that comes from not knowing which of the two rates it will be."""
        return (math.log(self.fast / self.slow) / (2 * Z)) ** 2

    @cached_property
    def measured(self) -> float:
        """How many entries the measured rate rests on."""
        return min(self.entries, self.entering * MEMORY_MIN)

    def unsure(self, dispersion: float, entries: float) -> float:
        """Relative variance of a forecast for so many entries, from those measured; each varies by ``dispersion``."""
        return dispersion * (1 / (entries + 1) + 1 / (self.measured + 1)) + DRIFT**2


def flow(pace: Pace, line: Line, open_ms: int) -> Flow:
    """How this line moves at this pace, the sale being open for so long."""
    return Flow(
        called=line.called_per_minute,
        entering=line.entering_per_minute,
        rate=pace.rate,
        sustained=sustained(pace, line, open_ms),
        show_rate=line.show_rate,
        entries=line.entries,
    )


def sustained(pace: Pace, line: Line, open_ms: int) -> float:
    """Entries a minute for long, if the visitors inside stay as long as they may.

    By Little's law (1961) capacity / W enter, W being the mean length of a visit. Lately it was visits / entries a
    minute; but that misses those whose visits are yet to prove long. At worst all who are inside, visits / entries
    so far of all visitors, stay to the limit. The longer the sale has been open, the more of them would have reached
    it already and so are in the measure. Before anyone has entered the limit is all there is to go by.
    """
    if pace.capacity is None:
        return pace.rate
    limit = pace.longest_ms / 60_000
    if not (line.entries and line.entering_per_minute):
        return min(pace.rate, pace.capacity / limit)
    lately = line.visits / line.entering_per_minute
    unproven = min(1.0, line.visits / line.entries) * max(0.0, 1 - open_ms / pace.longest_ms)
    length = lately + unproven * max(0.0, limit - lately)
    return min(pace.rate, pace.capacity / length) if length else pace.rate


def wait(ahead: int, flow: Flow) -> tuple[int, int] | None:
    """Seconds (low, high) that hold the wait in 80 % of cases; None if nobody can tell.

    ``ahead`` counts the places not called yet that come first. Below 0 means called already: no wait.
    """
    if ahead < 0:
        return 0, 0
    if flow.spacing_s is None:
        return None
    entries = ahead * flow.share
    middle = entries * flow.spacing_s
    factor = math.exp(Z * math.sqrt(flow.unsure(flow.dispersion, entries) + flow.between))
    low, high = middle / factor - Z * BUNCH_S, middle * factor + Z * BUNCH_S
    return (max(0, math.floor(low)), math.ceil(high)) if high <= LONGEST_S else None


def chance(ahead: int, flow: Flow, line: Line) -> float | None:
    """How likely it is, from 0 to 1, that a unit is left when a place with ``ahead`` places before it is called.

    None while the shop has not told its units.

    Who enters takes u units, measured as units taken / visits made; one more visit and one more unit stand for what
    was believed before anything was measured. In a steady sale the visitors inside are half-way on average, and half
    their visits are pending; if nobody has left yet, all of them are. Between the two it goes by the share of all
    visitors who are inside. The demand before this shopper's turn is u · (pending + share · ahead), and its relative
    variance the sum of that of a Poisson number, that of u (units taken are Poisson as well), and that of the entries
    to come. For a gamma law of this mean and variance the probability to stay below the units left is, by Wilson and
    Hilferty (1931), a normal one of the cube root.
    """
    if line.units_left is None:
        return None
    entries = ahead * flow.share
    inside = min(line.visits, line.entries)
    pending = inside * (1 + inside / max(1, line.entries)) / 2
    each = (line.units_taken + 1) / (line.entries - pending + 1)
    demand = each * (pending + entries)
    if demand <= 0:
        return 1.0 if line.units_left else 0.0
    spread = (1 / demand + 1 / (line.units_taken + 1) + flow.unsure(1 - flow.share, entries)) / 9
    return _normal(((max(0.0, line.units_left - 0.5) / demand) ** (1 / 3) - 1 + spread) / math.sqrt(spread))


def _normal(z: float) -> float:
    """The normal law's distribution function, by Page's logistic form (1977): at most 0.0002 off."""
    z = max(-9.0, min(9.0, z))
    return 1 / (1 + math.exp(-1.5976 * z - 0.070566 * z**3))
