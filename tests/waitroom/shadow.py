"""A sale on the real store with the pure model beside it: what each answer must be, and what always holds."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, TypeVar

import pytest
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
)
from redis import Redis

from tests.conftest import NOON, Sale, reachable
from waitroom import model as pure
from waitroom.answers import AtDoor, Entered
from waitroom.clock import ManualClock
from waitroom.errors import (
    Conflict,
    InShop,
    LinkUsed,
    Moved,
    NoMoreTime,
    NotCalled,
    NotJoinable,
    NotOpen,
    OneVisitOnly,
    Refused,
    Spent,
    StoreAway,
    VisitOver,
)
from waitroom.events import PhaseChanged
from waitroom.line import WaitingRoom
from waitroom.pace import CLOCK_FELL_MS, interval
from waitroom.room import JOINABLE, Line, Pace, Phase, phase
from waitroom.store import Store
from waitroom.tickets import Pass, Ticket

BEFORE_OPEN = {Phase.SCHEDULED, Phase.PRESALE, Phase.DRAWING}
T = TypeVar("T")
REFUSALS = {
    "in_shop": InShop,
    "spent": Spent,
    "not_called": NotCalled,
    "moved": Moved,
    "used": LinkUsed,
    "over": VisitOver,
    "no_more": NoMoreTime,
}


@dataclass
class Shopper:
    """Somebody with a browser, and the ticket and pass in it."""

    entropy: bytes
    identity: str = ""
    ticket: Ticket | None = None
    granted: Pass | None = None


@dataclass
class Snapshot:
    """All that a store may fall back to, and what the model was then."""

    keys: dict[Any, Any]
    model: pure.Model
    drawn: bool
    entered: set[int]


@dataclass
class Entries:
    """Entries since the store last lost anything, each with how many the rates so far allow at that instant (I5)."""

    since: Fraction
    step: Fraction
    most_burst: int
    allowed: Fraction = Fraction(0)
    seen: list[Fraction] = field(default_factory=list)

    def add(self, enter_at: int) -> None:
        """An entry; no window that it ends may hold more than the burst and what the rate allows."""
        self.seen.append(self.allowed + (enter_at - self.since) / self.step)
        self.seen.sort()
        for first, start in enumerate(self.seen):
            for last in range(first, len(self.seen)):
                assert last - first + 1 <= self.most_burst + self.seen[last] - start, "I5"

    def tune(self, turn: Fraction, pace: Pace) -> None:
        """Another pace from ``turn`` on."""
        turn = max(self.since, turn)
        self.allowed += (turn - self.since) / self.step
        self.since, self.step = turn, Fraction(interval(pace.rate))
        self.most_burst = max(self.most_burst, pace.burst)


class Shadow(RuleBasedStateMachine):
    """Two gates on one store, and the model; who drives them stands in ``test_state_machine``."""

    options: dict[str, Any]
    gates: list[WaitingRoom]
    model: pure.Model
    drawn: bool
    entries: Entries

    def __init__(self, url: str) -> None:
        super().__init__()
        self.redis = Redis.from_url(url)
        self.redis.flushall()
        self.runner = asyncio.Runner()
        self.clock = ManualClock(NOON)
        self.sale = Sale(self.clock, Store(url, self.clock), self.redis)
        self.shoppers: list[Shopper] = []
        self.ids: dict[int, bytes] = {}
        self.places: dict[int, int] = {}
        self.entered: set[int] = set()
        self.snapshots: list[Snapshot] = []
        self.called = self.steps = self.hold_until = self.latest = 0
        self.left: set[int] = set()  # places whose visit was ended early, or lost

    def teardown(self) -> None:
        """Close what was opened."""
        self.run(self.sale.store.aclose())
        self.runner.close()
        self.redis.close()

    def run(self, doing: Awaitable[T]) -> T:
        """Let the machine's own loop do something."""

        async def wait() -> T:
            return await doing

        return self.runner.run(wait())

    @staticmethod
    async def attempt(doing: Awaitable[T]) -> T | Exception:
        """The answer, or what was raised."""
        try:
            return await doing
        except (Refused, Conflict, StoreAway) as error:
            return error

    def expected_phase(self) -> Phase:
        """What the phase must be, from the model's flags and whether the draw is made."""
        flags = Line(
            seed=b"" if self.drawn else None,
            paused_at=self.model.paused_at,
            trouble_since=self.model.trouble_since,
            sold_out=self.model.sold_out,
            closed=self.model.closed,
        )
        return phase(self.gates[0].room.schedule, flags, self.clock.at_ms)

    def call(self, *, forced: bool) -> None:
        """The model's part of a tick."""
        if self.expected_phase() in BEFORE_OPEN:
            self.model.recover(self.clock.at_ms)
            return
        if self.model.last_call - self.clock.at_ms > CLOCK_FELL_MS:
            self.count_entries_anew()
        self.model.call(self.clock.at_ms, forced=forced)

    def count_entries_anew(self) -> None:
        """From now on: I5 is said of time that runs forward, in a store that keeps what it has acknowledged."""
        pace = self.model.pace
        self.entries = Entries(Fraction(self.clock.at_ms), Fraction(interval(pace.rate)), pace.burst)

    def tick(self, gate: WaitingRoom, *, force: bool = False) -> None:
        """A gate's turn: call, and the draw as far as it goes."""
        self.heal(gate)
        self.call(forced=force)
        self.run(gate.tick(force=force))
        self.advance_draw(gate)

    def advance_draw(self, gate: WaitingRoom) -> None:
        """Once the presale is over, its size and the draw stand."""
        presale_closes_at = gate.room.schedule.presale_closes_at
        if presale_closes_at is None:
            return
        due = self.clock.at_ms >= presale_closes_at
        if self.model.presale_size is None and self.healing:
            due = False  # what the store has lost is healed before the list is fixed
        if due:
            self.model.freeze()
        assert self.run(gate.advance_draw()) == due
        self.drawn = self.drawn or due

    def heal(self, room: WaitingRoom) -> None:
        """What a gate's marks do to a line that has lost something."""
        marks = room._marks
        self.model.heal(marks.issued, marks.called)
        if marks.presale_size >= 0 and self.model.presale_size is None:
            self.model.presale_size = marks.presale_size

    def new_shopper(self) -> Shopper:
        """Somebody never seen before."""
        count = len(self.shoppers)
        identity = f"shopper-{count}" if self.options["identity"] else ""
        self.shoppers.append(Shopper((count + 1).to_bytes(32, "big"), identity))
        return self.shoppers[-1]

    def shopper(self, who: int) -> Shopper:
        """One of all shoppers."""
        return self.shoppers[who % len(self.shoppers)]

    def check_join(self, room: WaitingRoom, shopper: Shopper, held: Ticket | None, answer: Any) -> None:  # noqa: ANN401 - an answer or an error
        """I1 and I9: the model's number, given to nobody else, with the id it was given with."""
        if held is not None and self.knows_moved(room, held):
            assert isinstance(answer, Moved)
            return
        model, stage = self.model, self.expected_phase()
        if self.healing:
            assert isinstance(answer, StoreAway)
            return
        if self.drawn_by_schedule and stage in JOINABLE - {Phase.PRESALE}:
            model.freeze()
        before = model.issued
        expected = model.join(
            self.clock.at_ms, shopper.entropy, shopper.identity, None if held is None else held.number
        )
        if isinstance(expected, pure.Refused):
            assert isinstance(answer, OneVisitOnly if expected.reason == "once" else NotJoinable)
            return
        generation = held.generation if held is not None and held.number == expected else 0
        if not shopper.identity and room.moves.generation(expected) > generation:
            assert isinstance(answer, Moved), "the entropy of a ticket that was moved brings nobody back"
            return
        assert answer.ticket.number == expected
        assert answer.ticket.generation in {generation, room.moves.generation(expected)}
        assert answer.new == (expected == before)
        assert answer.ticket.identity == shopper.identity
        if answer.new:
            assert expected not in self.ids, "I1: no number is issued twice"
        assert self.ids.setdefault(expected, answer.ticket.id) == answer.ticket.id
        shopper.ticket = answer.ticket

    @property
    def healing(self) -> bool:
        """Whether the gates are healing a store that has just started; setting the clock back does not prolong it."""
        return 0 < self.hold_until - self.clock.at_ms <= 1000 + CLOCK_FELL_MS

    @property
    def drawn_by_schedule(self) -> bool:
        """Whether the room has a presale."""
        return self.gates[0].room.schedule.has_presale

    @staticmethod
    def knows_moved(room: WaitingRoom, ticket: Ticket) -> bool:
        """Whether a gate remembers that a ticket was moved, which it may do longer than the store."""
        return not room.moves.is_held(ticket)

    def check_knock(self, room: WaitingRoom, shopper: Shopper, ticket: Ticket, answer: Any) -> None:  # noqa: ANN401 - an answer or an error
        """The model's answer; and for an entry the limits, the order, and that it is the only one."""
        place = room.position(ticket).place
        lower = sum(
            until > self.clock.at_ms for other, until in self.model.knocks.items() if other < (place or 0)
        )
        visit_time = self.model.visit_time(self.clock.at_ms)
        repeated = place in self.model.visits and self.model.visits[place].lasts(visit_time)
        expected = self.expected_knock(room, ticket, place)
        match answer:
            case Entered():
                assert expected == pure.Entered(answer.enter_at, answer.expires_at)
                assert answer.place == place
                times = answer.enter_at, answer.expires_at, "", answer.trouble_ms
                shopper.granted = Pass(room.room.name, answer.place, ticket.number, *times)
                if not repeated:
                    self.check_entry(ticket.number, answer, lower)
            case AtDoor():
                assert expected == pure.AtDoor(answer.before, answer.knock_again_at)
                assert answer.place == place
            case NotCalled():
                assert expected == pure.Refused("not_called", answer.ahead)
            case NotOpen():
                assert expected == pure.Refused(answer.phase)
            case Spent():
                assert expected == pure.Refused("spent")
            case Moved():
                assert expected == pure.Refused("moved")
            case _:
                assert answer is None
                assert not isinstance(expected, pure.Entered)

    def check_defer(self, room: WaitingRoom, ticket: Ticket, answer: Any) -> None:  # noqa: ANN401 - an answer or an error
        """The model's answer."""
        place = room.position(ticket).place
        if self.knows_moved(room, ticket):
            assert isinstance(answer, Moved)
            return
        if place is None:
            assert isinstance(answer, NotOpen)
            return
        expected = self.model.defer(
            self.clock.at_ms, ticket.number, place, ticket.identity, ticket.generation
        )
        if isinstance(expected, pure.Refused):
            assert isinstance(answer, REFUSALS[expected.reason])
        else:
            assert answer is None

    def check_claim(self, room: WaitingRoom, handed: Ticket, device: Shopper) -> None:
        """The model's answer; the place is the same, the ticket is the device's own."""
        known = room.moves.generation(handed.number)
        answer = self.run(self.attempt(room.claim(handed, device.entropy)))
        expected = self.model.claim(
            self.clock.at_ms,
            handed.number,
            room.position(handed).place,
            device.entropy,
            identity=handed.identity,
            generation=handed.generation,
            known=known,
        )
        if isinstance(expected, pure.Refused):
            assert isinstance(answer, REFUSALS[expected.reason])
            return
        assert answer == handed._replace(generation=expected)
        device.ticket = answer

    def check_extend(self, room: WaitingRoom, shopper: Shopper, granted: Pass, answer: Any) -> None:  # noqa: ANN401 - an answer or an error
        """The model's answer; a pass is good as long as its visit lasts, and within what the operator gives."""
        expected = self.model.extend(self.clock.at_ms, granted.place, granted.expires_at - granted.trouble_ms)
        if isinstance(expected, pure.Refused):
            assert isinstance(answer, REFUSALS[expected.reason])
            return
        assert answer == room.visits.stands(replace(granted, expires_at=expected + granted.trouble_ms))
        ends_at = self.model.visits[granted.place].ends_at
        assert answer.expires_at - answer.trouble_ms == ends_at, (
            "I4: the spot is taken while the pass is good"
        )
        shopper.granted = answer

    @staticmethod
    def place(room: WaitingRoom, shopper: Shopper) -> int | None:
        """Where a shopper's ticket stands, if they have one."""
        return None if shopper.ticket is None else room.position(shopper.ticket).place

    def expected_knock(
        self, room: WaitingRoom, ticket: Ticket, place: int | None
    ) -> pure.Entered | pure.AtDoor | pure.Refused:
        """The model's answer; it begins where the sale opens."""
        stage = self.expected_phase()
        if self.knows_moved(room, ticket):
            return pure.Refused("moved")
        if place is None:
            return pure.Refused(room.phase())
        if stage in BEFORE_OPEN:
            if self.model._generation(ticket.number, ticket.generation) > ticket.generation:
                return pure.Refused("moved")
            refused = self.model._refusal(ticket.number, place, ticket.identity)
            return refused if refused == pure.Refused("spent") else pure.Refused(stage)
        return self.model.knock(self.clock.at_ms, ticket.number, place, ticket.identity, ticket.generation)

    def check_entry(self, number: int, answer: Entered, lower: int) -> None:
        """What must hold whenever somebody enters, whatever the model says."""
        now, capacity = self.clock.at_ms, self.model.pace.capacity
        assert number not in self.entered, "I6: a ticket enters once"
        self.entered.add(number)
        visits = sum(float(end) > self.model.visit_time(now) for _, end in self.read_set("visits"))
        assert capacity is None or visits + lower <= capacity, "I4, and spots kept for lower places"
        assert now <= answer.enter_at <= now + (0 if lower else 2000), "I7: behind others only when due"
        self.entries.add(answer.enter_at)

    def give_back(self, room: WaitingRoom, shopper: Shopper | None) -> None:
        """The ticket is spent."""
        if shopper is None or shopper.ticket is None:
            return
        ticket, answer = shopper.ticket, self.run(self.attempt(room.leave_line(shopper.ticket)))
        if self.knows_moved(room, ticket):
            assert isinstance(answer, Moved)
            return
        place = room.position(ticket).place
        expected = self.model.leave(place, ticket.number, ticket.generation)
        assert isinstance(answer, Moved) == (expected == pure.Refused("moved"))
        if expected is True and place is not None:
            self.left.add(place)

    def read_set(self, name: str) -> list[tuple[int, float]]:
        """A sorted set of the line: places and scores."""
        entries: Any = self.redis.zrange(getattr(self.gates[0].keys, name), 0, -1, withscores=True)
        return [(int(place), score) for place, score in entries]

    @invariant()
    def the_store_holds_what_the_model_holds(self) -> None:
        """Every counter, every set, every ticket that is spent."""
        model, keys = self.model, self.gates[0].keys
        line = self.redis.hgetall(keys.line)

        def number(name: str) -> float | None:
            return float(line[name.encode()]) if name.encode() in line else None

        assert (number("issued") or 0, number("called") or 0) == (model.issued, model.called)
        assert number("presale_size") == model.presale_size
        assert (number("tat") or 0) == model.tat
        counts = [number(name) or 0 for name in ("shown", "lapsed", "left", "moving", "moved", "entered")]
        measured = [model.shown, model.lapsed, model.leaving, model.moving, model.moved, model.entering]
        assert counts == pytest.approx(measured, rel=1e-12)
        assert (number("units_taken") or 0) == model.units_taken
        assert (number("paused_at"), number("units_left")) == (model.paused_at, model.units_left)
        assert (b"sold_out" in line, b"closed" in line) == (model.sold_out, model.closed)
        trouble = number("trouble_since"), number("trouble_until") or 0, number("trouble_ms") or 0
        assert trouble == (model.trouble_since, model.trouble_until, model.trouble_ms)
        assert (b"trusted" in line) == model.trusted
        assert self.read_set("door") == [(place, place) for place in model.door]
        assert dict(self.read_set("knocks")) == model.knocks
        assert dict(self.read_set("coming")) == model.coming
        assert dict(self.read_set("visits")) == {
            place: visit.ends_at for place, visit in model.visits.items()
        }
        assert dict(self.read_set("entered")) == {
            place: visit.enter_at for place, visit in model.visits.items()
        }
        generations: Any = self.redis.zrange(keys.generations, 0, -1, withscores=True)
        assert {int(each): generation for each, generation in generations} == model.generations
        assert (number("generation") or 0) == model.generation
        spent = {each for each in range(model.issued) if self.redis.getbit(keys.spent, each)}
        assert spent == model.spent
        records: Any = self.redis.hgetall(keys.holders)
        holders = {name.decode(): int(records[name].split(b":")[0]) for name in records}
        assert holders == model.holders

    @invariant()
    def a_pass_is_good_while_its_visit_lasts(self) -> None:
        """I4: no gate takes a pass for longer, though trouble extends both."""
        self.latest = max(self.latest, self.clock.at_ms)
        visit_time = self.model.visit_time(self.clock.at_ms)
        lasting = {place for place, visit in self.model.visits.items() if visit.lasts(visit_time)}
        for granted in [each.granted for each in self.shoppers if each.granted]:
            for room in self.gates:
                if granted.place not in self.left and room.visits.stands(granted).expires_at > self.latest:
                    assert granted.place in lasting, "I4: a pass outlives its visit"

    @invariant()
    def counters_only_grow(self) -> None:
        """I3, and I1: numbers are dense, save those that a loss has taken from the store."""
        assert self.called <= self.model.called <= self.model.issued
        self.called = self.model.called
        assert max(self.ids, default=-1) == self.model.issued - 1

    @invariant()
    def places_stay(self) -> None:
        """I2: once known a place is the ticket's for good, the same at both gates, and nobody else's."""
        for shopper in self.shoppers:
            for room in self.gates:
                if shopper.ticket and (place := room.position(shopper.ticket).place) is not None:
                    assert self.places.setdefault(shopper.ticket.number, place) == place
        assert len(set(self.places.values())) == len(self.places)

    @invariant()
    def phases_move_as_the_table_says(self) -> None:
        """Every change that a gate has seen is a move, or a path of moves."""
        for event in self.sale.told(PhaseChanged):
            reopened = event.before is Phase.CLOSED
            assert reopened or event.after in reachable(event.before)
        self.sale.events.clear()
        self.steps += 1
