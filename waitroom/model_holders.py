"""The part of the model that knows who holds which ticket: joining, and moving to another device."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

RETRY_MS = 120_000
"""For so long a repeated join is known by its entropy."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A verb says no.

    The ``reason`` is ``paused``, ``sold_out``, ``closed``, ``spent``, ``once``, ``not_called``, ``in_shop``,
    ``moved``, ``used``, ``over`` or ``no_more``.
    ``ahead`` is how many places are called before one that is not called yet.
    """

    reason: str
    ahead: int = 0


@dataclass(frozen=True, slots=True)
class Visit:
    """A shopper in the shop until ``ends_at``, which activity may put off; in the time of visits."""

    enter_at: int
    ends_at: int

    def lasts(self, visit_time: int) -> bool:
        """Whether it has not ended yet."""
        return visit_time < self.ends_at


class Holders(ABC):
    """The tickets of one room. Every verb takes the time, in epoch ms."""

    def __init__(self, *, once: bool, presale: bool) -> None:
        self.once = once
        self.presale = presale
        self.issued = 0
        self.called = 0
        self.presale_size: int | None = None
        self.sold_out = False
        self.closed = False
        self.retries: dict[bytes, tuple[int, int]] = {}  # entropy -> number, forgotten at
        self.holders: dict[str, int] = {}  # identity -> number
        self.entered: dict[int, int] = {}  # number -> place, of those who entered
        self.spent: set[int] = set()  # numbers
        self.generation = 0  # the latest: how often a ticket was moved
        self.generations: dict[int, int] = {}  # number -> which move its last one was
        self.claims: dict[int, bytes] = {}  # number -> who claimed it last
        self.visits: dict[int, Visit] = {}  # by place

    @abstractmethod
    def visit_time(self, now: int) -> int:
        """By which visits end."""

    # ---- Taking a ticket

    def join(self, now: int, entropy: bytes, identity: str = "", held: int | None = None) -> int | Refused:
        """The number that this identity or browser already has, or the next one.

        ``held`` is the number of the ticket that came with the request.
        """
        number = self._of_identity(now, identity, held) if identity else self._of_browser(now, entropy, held)
        if number is not None:
            if self._on_roll and isinstance(number, int):
                self.spent.discard(number)
            return number
        if self.closed or self.sold_out:
            return Refused("closed" if self.closed else "sold_out")
        number, self.issued = self.issued, self.issued + 1
        if identity:
            self.holders[identity] = number
        else:
            self.retries[entropy] = number, now + RETRY_MS
        return number

    def _of_identity(self, now: int, identity: str, held: int | None) -> int | Refused | None:
        number = self.holders.get(identity, held)
        if number is None:
            return None
        if self._over(now, number):
            return Refused("once") if self.once and number in self.entered else None
        self.holders.setdefault(identity, number)
        return number

    def _of_browser(self, now: int, entropy: bytes, held: int | None) -> int | None:
        if held is not None and not self._over(now, held):
            return held
        number, forgotten_at = self.retries.get(entropy, (held, now))
        return number if now < forgotten_at and number != held else None

    def _over(self, now: int, number: int) -> bool:
        """Whether a ticket has done its work: it has entered or left, and no visit of it lasts.

        Before the draw none has: whoever left and joins again gets the same lot, not one more.
        """
        visit = self.visits.get(self.entered.get(number, -1))
        return (
            number in self.spent and not self._on_roll and not (visit and visit.lasts(self.visit_time(now)))
        )

    @property
    def _on_roll(self) -> bool:
        """Whether tickets still go on the list that is drawn."""
        return self.presale and self.presale_size is None and not self.closed

    def freeze(self) -> int:
        """The presale's size: fixed by the first who asks."""
        if self.presale_size is None:
            self.presale_size = self.issued
        return self.presale_size

    def heal(self, issued: int, called: int) -> None:
        """Raise the counters to the highest a gate has seen: after a loss no number is given out twice."""
        self.issued, self.called = max(self.issued, issued), max(self.called, called)

    # ---- To another device

    def claim(
        self,
        now: int,
        number: int,
        place: int | None,
        who: bytes,
        *,
        identity: str = "",
        generation: int = 0,
        known: int = 0,
    ) -> int | Refused:
        """Another device takes over the ticket of this ``generation``, once: its generation from now on.

        ``known`` is the latest that the gate knows of this number.
        """
        known = self._generation(number, max(generation, known))
        if known > generation:
            return known if self.claims.get(number) == who else Refused("used")
        visit = None if place is None else self.visits.get(place)
        if visit and visit.lasts(self.visit_time(now)):
            return Refused("in_shop")
        if self._is_spent(number, identity):
            return Refused("spent")
        self.generation += 1
        self.generations[number], self.claims[number] = self.generation, who
        return self.generation

    def _generation(self, number: int, signed: int) -> int:
        """The latest generation of a ticket; one that is signed and later was lost, and is believed."""
        if signed > self.generations.get(number, 0):
            self.generations[number], self.generation = signed, max(self.generation, signed)
        return self.generations.get(number, 0)

    def _is_spent(self, number: int, identity: str) -> bool:
        """Whether a ticket gets nothing more; one that its identity has replaced does not either."""
        return number in self.spent or (identity != "" and self.holders.get(identity, number) != number)
