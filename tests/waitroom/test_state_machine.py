"""Whatever shoppers, gates and an operator do in any order, the scripts answer as the model does.

Hypothesis makes up sales: joins with and without identity, repeats, knocks, departures, activity, changes of pace,
pauses, stock, a shop in trouble, jumps of time, gates that restart, and a store that loses its last writes. After each
step every key of the line is compared with `waitroom.model.Model`, and the invariants of the design are checked.
"""

import asyncio
from copy import deepcopy
from dataclasses import replace
from fractions import Fraction
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.conftest import NOON
from tests.waitroom.shadow import Entries, Shadow, Snapshot
from waitroom import model as pure
from waitroom.errors import Conflict, StoreAway
from waitroom.pace import CLOCK_FELL_MS, interval
from waitroom.room import HOLDS, Hold, Phase

VISIT = 60_000
PRESALE_S = 20

gates = st.integers(0, 1)
rates = st.sampled_from([60.0, 77.0, 6.0, 6000.0])
capacities = st.sampled_from([2, 1, None, 0, 5])
bursts = st.integers(1, 3)
mores = st.sampled_from([(10_000, 2), (30_000, 1), (0, 1)])
steps = st.sampled_from(
    [250, 1, 100, 700, 700, 1000, 1000, 1000, 1500, 2000, 3000, 5000, 7000, 20_000, VISIT, 130_000]
)
# Most of the time the sale should go on.
holds = st.sampled_from(
    [Hold.PAUSE, *[Hold.RESUME] * 2, Hold.SOLD_OUT, *[Hold.RESTOCK] * 2, Hold.TRUST, *[Hold.WATCH] * 2]
)
stocks = st.sampled_from([(3, 1), (0, 2), (5, 0), (4, 1), (2, 2), (1, 1), (0, 0)])


class AnySale(Shadow):
    """Shoppers, an operator, a shop, and trouble."""

    @initialize(
        presale=st.sampled_from([False, False, True]),
        identity=st.booleans(),
        once=st.booleans(),
        rate=rates,
        capacity=st.sampled_from([2, 1, None, 3]),
        burst=bursts,
        longest=st.sampled_from([VISIT, 2 * VISIT]),
        more=mores,
        tickets=st.integers(1, 20),
        late=st.sampled_from([0, 250, 14_900]),
    )
    def found(  # noqa: D102 - as the class says
        self,
        *,
        presale: bool,
        identity: bool,
        once: bool,
        rate: float,
        capacity: int | None,
        burst: int,
        longest: int,
        more: tuple[int, int],
        tickets: int,
        late: int,
    ) -> None:
        self.options: dict[str, Any] = {
            "opens_in": PRESALE_S * presale,
            "identity": identity,
            "once": once,
            "rate": rate,
            "capacity": capacity,
            "burst": burst,
            "visit_seconds": VISIT / 1000,
            "visit_longest_seconds": longest / 1000,
            "more_time_seconds": more[0] / 1000,
            "more_times": more[1],
        }
        self.gates = [self.run(self.sale.gate(**self.options)) for _ in range(2)]
        self.drawn = not presale
        self.model = pure.Model(self.gates[0].room.pace, once=once, presale=presale)
        self.call(forced=False)
        self.entries = Entries(Fraction(NOON), Fraction(interval(rate)), burst)
        self.crowd(0, tickets)
        self.time_passes(late, 0)

    @rule(ms=steps, gate=gates)
    def more_time_passes(self, ms: int, gate: int) -> None:
        """A rule is tried as often as its name is on the list; time passes more often than anything else happens."""
        self.time_passes(ms, gate)

    @rule(ms=steps, gate=gates)
    def time_passes(self, ms: int, gate: int) -> None:
        """Both gates have their turn, one after the other."""
        self.clock.advance(ms)
        for entropy, (_, forgotten_at) in list(self.model.retries.items()):
            if forgotten_at <= self.clock.at_ms:
                # The store's own clock expires this key; here time is made up.
                self.redis.delete(self.gates[0].keys.retry(entropy))
                del self.model.retries[entropy]
        self.tick(self.gates[gate])
        self.tick(self.gates[1 - gate])

    @precondition(lambda self: self.clock.at_ms > NOON + 2 * VISIT)
    @rule(ms=st.sampled_from([1, 300, 5000]), gate=gates)
    def clock_falls_back(self, ms: int, gate: int) -> None:
        """A gate whose clock is behind, or one whose clock was ahead."""
        self.clock.advance(-ms)
        self.tick(self.gates[gate])

    @precondition(lambda self: self.clock.at_ms > NOON + 2 * VISIT)
    @rule(ms=st.integers(CLOCK_FELL_MS + 1, 2 * VISIT - 1000 * PRESALE_S), gate=gates)
    def clock_is_set_back(self, ms: int, gate: int) -> None:
        """The store's clock, and every gate's with it."""
        self.clock_falls_back(ms, gate)

    @rule(gate=gates, size=st.integers(1, 8))
    def crowd(self, gate: int, size: int) -> None:
        """New shoppers join all at once, in batches."""
        new = [self.new_shopper() for _ in range(size)]
        room = self.gates[gate]
        self.heal(room)

        async def join_all() -> list[Any]:
            joins = [room.join(each.entropy, each.identity) for each in new]
            return await asyncio.gather(*joins, return_exceptions=True)

        for shopper, answer in zip(new, self.run(join_all()), strict=True):
            self.check_join(room, shopper, None, answer)

    @precondition(lambda self: self.shoppers)
    @rule(gate=gates, who=st.integers(0), with_ticket=st.booleans(), other_browser=st.booleans())
    def join_again(self, gate: int, who: int, *, with_ticket: bool, other_browser: bool) -> None:
        """A reload, a double click, a lost reply, a second browser; or a fresh start after a visit."""
        shopper, room = self.shopper(who), self.gates[gate]
        if other_browser and shopper.identity:
            shopper.entropy = bytes([who % 251, 1]) + shopper.entropy[2:]
        held = shopper.ticket if with_ticket else None
        self.heal(room)
        answer = self.run(self.attempt(room.join(shopper.entropy, shopper.identity, held)))
        self.check_join(room, shopper, held, answer)

    @precondition(lambda self: self.shoppers)
    @rule(gate=gates, who=st.integers(0))
    def knock(self, gate: int, who: int) -> None:
        """Anyone knocks: called or not, present or not, with a ticket that is spent or not."""
        shopper, room = self.shopper(who), self.gates[gate]
        if shopper.ticket is not None:
            answer = self.run(self.attempt(room.knock(shopper.ticket)))
            self.check_knock(room, shopper, shopper.ticket, answer)

    @precondition(lambda self: self.model.coming or self.model.door)
    @rule(gate=gates, data=st.data(), going=st.booleans())
    def come_to_the_door(self, gate: int, data: st.DataObject, *, going: bool) -> None:
        """Some of those whose turn it is knock, in any order; one of them may then leave the line."""
        places = sorted(self.model.coming.keys() | self.model.knocks.keys())
        order = data.draw(
            st.lists(st.sampled_from(places), min_size=min(3, len(places)), max_size=8, unique=True)
        )
        room = self.gates[gate]
        by_place = {room.position(each.ticket).place: each for each in self.shoppers if each.ticket}
        for shopper in [by_place[place] for place in order if place in by_place]:
            if shopper.ticket is not None:
                answer = self.run(self.attempt(room.knock(shopper.ticket)))
                self.check_knock(room, shopper, shopper.ticket, answer)
        if going:
            self.give_back(room, by_place.get(data.draw(st.sampled_from(places))))

    @precondition(lambda self: self.shoppers)
    @rule(gate=gates, who=st.integers(0), called=st.booleans())
    def defer(self, gate: int, who: int, *, called: bool) -> None:
        """Somebody lets others by, most of them called, and may say so twice."""
        room, shopper = self.gates[gate], self.shopper(who)
        if called:
            expected = self.model.coming.keys() | self.model.knocks.keys()
            shopper = next((each for each in self.shoppers if self.place(room, each) in expected), shopper)
        if shopper.ticket is not None:
            for _ in range(2):
                answer = self.run(self.attempt(room.defer(shopper.ticket)))
                self.check_defer(room, shopper.ticket, answer)

    @precondition(lambda self: any(shopper.ticket for shopper in self.shoppers))
    @rule(gate=gates, data=st.data())
    def move(self, gate: int, data: st.DataObject) -> None:
        """A place goes to another device, which claims it twice; a third one comes too late, the first one knocks."""
        old = data.draw(st.sampled_from([each for each in self.shoppers if each.ticket]))
        handed = old.ticket
        assert handed is not None
        for device in [self.new_shopper()] * 2 + [self.new_shopper()]:
            device.identity = old.identity
            self.check_claim(self.gates[gate], handed, device)
        room = self.gates[1 - gate]
        self.check_knock(room, old, handed, self.run(self.attempt(room.knock(handed))))

    @precondition(lambda self: self.shoppers)
    @rule(gate=gates, who=st.integers(0), with_ticket=st.booleans())
    def go_straight_in(self, gate: int, who: int, *, with_ticket: bool) -> None:
        """Join, call and knock in one request."""
        shopper, room = self.shopper(who), self.gates[gate]
        held = shopper.ticket if with_ticket else None
        self.heal(room)
        answer = self.run(self.attempt(room.go_straight_in(shopper.entropy, shopper.identity, held)))
        if isinstance(answer, Exception):
            self.check_join(room, shopper, held, answer)
            return
        ticket, entered = answer
        self.check_join(
            room, shopper, held, SimpleNamespace(ticket=ticket, new=ticket.number == self.model.issued)
        )
        self.call(forced=True)
        self.check_knock(room, shopper, ticket, entered)

    @precondition(lambda self: self.shoppers)
    @rule(gate=gates, who=st.integers(0))
    def leave_line(self, gate: int, who: int) -> None:
        """Somebody gives the ticket back, from wherever they are."""
        self.give_back(self.gates[gate], self.shopper(who))

    @precondition(lambda self: any(shopper.granted for shopper in self.shoppers))
    @rule(gate=gates, data=st.data(), done=st.booleans())
    def use_pass(self, gate: int, data: st.DataObject, *, done: bool) -> None:
        """A visitor is active, or done; or was, long ago."""
        granted = data.draw(st.sampled_from([each.granted for each in self.shoppers if each.granted]))
        room = self.gates[gate]
        if done:
            self.model.leave(granted.place)
            self.left.add(granted.place)
            self.run(room.leave_shop(granted))
            assert not room.visits.admits(granted) or granted.place not in self.model.visits
        else:
            room.visits.touch(granted)
            self.model.touch(self.clock.at_ms, granted.place)
            self.run(room.visits.extend())

    @precondition(lambda self: any(shopper.granted for shopper in self.shoppers))
    @rule(gate=gates, data=st.data())
    def extend(self, gate: int, data: st.DataObject) -> None:
        """A visitor asks for more time, twice with the same pass as two tabs do, through both gates."""
        shopper = data.draw(st.sampled_from([each for each in self.shoppers if each.granted]))
        if shopper.granted is not None:
            passes = [shopper.granted] * 2
            for room, granted in zip((self.gates[gate], self.gates[1 - gate]), passes, strict=True):
                self.check_extend(room, shopper, granted, self.run(self.attempt(room.extend(granted))))

    @rule(gate=gates, action=holds)
    def hold(self, gate: int, action: Hold) -> None:
        """The operator does what is legal, or is told that it is not."""
        room, stage = self.gates[gate], self.expected_phase()
        self.heal(room)
        answer = self.run(self.attempt(room.hold(action, by="olga")))
        if stage in HOLDS[action]:
            self.model.hold(self.clock.at_ms, action)
            assert answer is self.expected_phase()
            self.call(forced=False)
        else:
            assert isinstance(answer, Conflict)

    @rule(gate=gates, waits=st.tuples(st.sampled_from([0, 250, 4999]), st.sampled_from([0, 5000, 5001])))
    def shop_is_in_trouble(self, gate: int, waits: tuple[int, int]) -> None:
        """A gate says so, and again a while later; then it may be over."""
        room = self.gates[gate]
        for ms in waits:
            self.heal(room)
            before = self.model.trouble_since
            self.model.trouble(self.clock.at_ms)
            if before != self.model.trouble_since:
                self.call(forced=False)
            self.run(room.tell_trouble())
            self.time_passes(ms, gate)

    @precondition(lambda self: self.steps > 30)
    @rule(gate=gates)
    def close(self, gate: int) -> None:
        """The end of the sale."""
        self.hold(gate, Hold.CLOSE)

    @precondition(lambda self: self.model.closed)
    @rule(gate=gates)
    def reopen(self, gate: int) -> None:
        """Not quite yet: it goes on where it was closed."""
        self.hold(gate, Hold.REOPEN)

    @rule(gate=gates, rate=rates, capacity=capacities, burst=bursts, more=mores)
    def tune(self, gate: int, rate: float, capacity: int | None, burst: int, more: tuple[int, int]) -> None:
        """The operator changes everything at once, or is told that somebody else just has."""
        room = self.gates[gate]
        limits = replace(room.room.pace, rate=rate, capacity=capacity, burst=burst)
        pace = replace(limits, more_time_ms=more[0], more_times=more[1])
        self.heal(room)
        answer = self.run(self.attempt(room.tune(pace, by="olga")))
        if pace.version == self.model.pace.version:
            old = self.model
            booked = Fraction(old.tat) - old.pace.burst * Fraction(old.interval)
            self.entries.tune(max(Fraction(self.clock.at_ms), booked), pace)
            self.model.set_pace(self.clock.at_ms, replace(pace, version=pace.version + 1))
            self.call(forced=False)
            assert answer == self.model.pace
        else:
            assert isinstance(answer, Conflict)
            self.tick(room)

    @rule(gate=gates, units=stocks)
    def units(self, gate: int, units: tuple[int, int]) -> None:
        """The shop tells of its stock."""
        room, running = self.gates[gate], self.expected_phase() in {Phase.OPEN, Phase.PAUSED}
        self.heal(room)
        known = units == (room.line.units_left, room.line.units_held)
        if not known or (units == (0, 0) and not room.line.sold_out):
            sold_out = self.model.sold_out
            self.model.units(*units)
            self.model.sold_out = self.model.sold_out if running else sold_out
            if running and units == (0, 0):
                self.call(forced=False)
        self.run(room.tell_units(*units))

    @rule(gate=gates)
    def gate_restarts(self, gate: int) -> None:
        """A gate starts without any memory; the other one has had its turn."""
        self.tick(self.gates[1 - gate])
        room = self.gates[gate] = self.run(self.sale.gate(**self.options))
        self.call(forced=False)
        self.advance_draw(room)

    @rule()
    def snapshot(self) -> None:
        """What the store may fall back to."""
        keys = {key: self.redis.dump(key) for key in self.redis.keys("waitroom:*")}
        self.snapshots.append(Snapshot(keys, deepcopy(self.model), self.drawn, set(self.entered)))

    @precondition(lambda self: self.snapshots)
    @rule(data=st.data(), gate=gates)
    def store_loses_its_last_writes(self, data: st.DataObject, gate: int) -> None:
        """It restarts from an older state; joins wait until the gates have healed its counters."""
        snapshot = data.draw(st.sampled_from(self.snapshots))
        self.redis.flushall()
        for key, dump in snapshot.keys.items():
            self.redis.restore(key, 0, dump)
        self.redis.hset(self.gates[0].keys.line, "run", "the one before")
        self.model, self.drawn = deepcopy(snapshot.model), snapshot.drawn
        self.entered = set(snapshot.entered)
        self.left |= {each.granted.place for each in self.shoppers if each.granted}
        self.count_entries_anew()
        held_back = self.run(self.attempt(self.gates[gate].join(b"\xff" * 32)))
        assert isinstance(held_back, StoreAway)
        self.hold_until = self.clock.at_ms + 1000
        for room in (self.gates[gate], self.gates[1 - gate]):
            self.tick(room)
        self.sale.events.clear()


@pytest.mark.timeout(600)  # a sale that goes wrong is made as short as it can be
def test_any_sale_goes_as_the_model_says(store_url: str) -> None:
    """I1 to I9, for a hundred sales that hypothesis makes up."""
    run_state_machine_as_test(
        partial(AnySale, store_url),  # type: ignore[arg-type]  # any factory will do
        settings=settings(max_examples=100, stateful_step_count=50, deadline=None),
    )
