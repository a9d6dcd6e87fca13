"""The invariants of the design, each under its name, on the real store.

`test_state_machine` checks most of them again in sales that hypothesis makes up; I13 stands in `test_memory`. I10
and I12 are the shop's and the draw's, and what concerns the line of them stands here.
"""

import asyncio
from collections import Counter
from fractions import Fraction
from itertools import combinations_with_replacement, pairwise
from random import Random
from typing import Any

import pytest

from tests.conftest import Sale, crowd, enter, entropy, open_wide, try_knock
from waitroom import events
from waitroom.answers import AtDoor, Entered
from waitroom.errors import NotCalled, NotJoinable, NotOpen, Spent, StoreAway
from waitroom.line import WaitingRoom
from waitroom.pace import KNOCK_GRACE_MS
from waitroom.room import Hold, Phase
from waitroom.tickets import Pass, Ticket

MINUTE = 60_000


def snapshot(sale: Sale) -> dict[Any, Any]:
    """All that the store holds."""
    return {key: sale.redis.dump(key) for key in sale.redis.keys()}  # noqa: SIM118 - a command, no dict


def fall_back(sale: Sale, waiting: WaitingRoom, keys: dict[Any, Any]) -> None:
    """The store restarts without its last writes."""
    sale.redis.flushall()
    for key, dump in keys.items():
        sale.redis.restore(key, 0, dump)
    sale.redis.hset(waiting.keys.line, "run", "the process before")


def granted(waiting: WaitingRoom, ticket: Ticket, entered: Entered) -> Pass:
    """The pass that the gate signs for an entry."""
    return Pass(waiting.room.name, entered.place, ticket.number, entered.enter_at, entered.expires_at)


# ---- I1


async def test_i1_numbers_are_unique_and_dense_whoever_issues_them(sale: Sale) -> None:
    """Three gates, a hundred joins at once."""
    gates = [await sale.gate() for _ in range(3)]
    joined = await asyncio.gather(*(gates[each % 3].join(entropy(each)) for each in range(100)))
    assert sorted(answer.ticket.number for answer in joined) == list(range(100))
    assert len({answer.ticket.id for answer in joined}) == 100


async def test_i1_no_number_is_issued_twice_after_a_loss(sale: Sale) -> None:
    """The store forgets five tickets; a gate that knows of them heals it before any other is issued."""
    first, second = await sale.gate(), await sale.gate()
    await crowd(first, 5)
    before = snapshot(sale)
    lost = await crowd(first, 5, first=5)
    fall_back(sale, first, before)
    for gate in (first, second):
        with pytest.raises(StoreAway, match="tickets are issued again in 1000 ms"):
            await gate.join(entropy(99))
    await second.tick()
    with pytest.raises(StoreAway, match="tickets are issued again in 1000 ms"):
        await second.join(entropy(99))
    await first.tick()
    sale.clock.advance(1000)
    assert (await second.join(entropy(99))).ticket.number == 10
    assert [(await first.join(entropy(0), held=ticket)).ticket for ticket in lost] == lost


async def test_i1_no_number_is_issued_twice_after_the_store_lost_everything(sale: Sale) -> None:
    """The room is founded again as it was, and goes on counting where it stood."""
    first, second = await sale.gate(), await sale.gate()
    await crowd(first, 7)
    sale.redis.flushall()
    with pytest.raises(StoreAway):
        await second.join(entropy(99))
    await second.tick()
    with pytest.raises(StoreAway, match="tickets are issued again in 1000 ms"):
        await second.join(entropy(99))
    await first.tick()
    sale.clock.advance(1000)
    assert (await second.join(entropy(99))).ticket.number == 7
    assert second.room == first.room


async def test_i1_presale_tickets_that_the_store_lost_keep_their_part_in_the_draw(sale: Sale) -> None:
    """Their numbers stay theirs, and the size of the presale counts them."""
    waiting = await sale.gate(opens_in=60)
    await crowd(waiting, 2)
    before = snapshot(sale)
    lost = await crowd(waiting, 3, first=2)
    fall_back(sale, waiting, before)
    await waiting.tick()
    await sale.later(waiting, 55_000)
    await waiting.advance_draw()
    await waiting.tick()
    assert waiting.line.presale_size == 5
    places = {waiting.position(ticket).place for ticket in lost}
    assert len(places) == 3
    assert places <= set(range(5))


# ---- I2


async def test_i2_a_place_never_changes_whatever_others_do(sale: Sale) -> None:
    """Joining, entering, leaving and coming back of others only ever brings one nearer."""
    waiting = await sale.gate(opens_in=60, rate=600, capacity=3, visit_seconds=5)
    presale = await crowd(waiting, 12)
    await sale.later(waiting, 55_000)
    await waiting.advance_draw()
    late = await crowd(waiting, 4, first=100)
    mine = [max(presale, key=lambda ticket: waiting.position(ticket).place or 0), late[0]]
    places = [waiting.position(ticket).place for ticket in mine]
    aheads = [[waiting.position(ticket).ahead or 0] for ticket in mine]
    await sale.later(waiting, 5_000)
    for turn in range(30):
        other = (presale + late[1:])[turn % 15]
        if other not in mine:
            await try_knock(waiting, other)
        if turn % 4 == 0:
            await waiting.join(entropy(200 + turn))
            await waiting.leave_line(other if other not in mine else late[1])
        await sale.later(waiting, 700)
        for ticket, ahead in zip(mine, aheads, strict=True):
            ahead.append(waiting.position(ticket).ahead or 0)
        assert [waiting.position(ticket).place for ticket in mine] == places
    assert all(ahead == sorted(ahead, reverse=True) for ahead in aheads)
    assert all(ahead[-1] < ahead[0] for ahead in aheads)


# ---- I3


async def test_i3_called_never_falls(sale: Sale) -> None:
    """Not even when the store forgets its last calls."""
    first, second = await sale.gate(rate=600), await sale.gate(rate=600)
    await crowd(first, 200)
    await sale.later(first, 250)
    before = snapshot(sale)
    for _ in range(5):
        await sale.later(first, 7_000)
    called = first.line.called
    assert called > 70
    fall_back(sale, first, before)
    for gate in (first, second):
        await gate.tick()
    assert second.line.called == called
    read = [event.line.called for event in sale.told(events.LineRead)]
    assert all(now >= before for before, now in pairwise(read))


# ---- I4


async def test_i4_visits_never_exceed_the_capacity(sale: Sale) -> None:
    """However many knock, at every instant, while visits end and begin."""
    waiting = await sale.gate(rate=60_000, capacity=3, visit_seconds=10, burst=100)
    tickets = await crowd(waiting, 40)
    entered: list[Entered] = []
    for _ in range(40):
        await sale.later(waiting, 1_000)
        answers = await asyncio.gather(*(try_knock(waiting, ticket) for ticket in tickets))
        entered += [answer for answer in answers if isinstance(answer, Entered)]
        now = sale.clock.now_ms()
        inside = {answer.place for answer in entered if answer.expires_at > now}
        assert len(inside) <= 3
        assert sale.redis.zcard(waiting.keys.visits) == len(inside)
    assert len({answer.place for answer in entered}) >= 9


async def test_i4_a_lowered_capacity_throws_nobody_out_and_lets_nobody_in(sale: Sale) -> None:
    """Until it holds again; then the next one enters."""
    waiting = await sale.gate(rate=60_000, capacity=3, burst=10)
    tickets = await crowd(waiting, 6)
    await sale.later(waiting, 250)
    entered = [await enter(waiting, ticket) for ticket in tickets[:3]]
    await open_wide(waiting, capacity=1)
    assert waiting.line.visits == 3
    assert all(waiting.visits.admits(granted(waiting, *each)) for each in zip(tickets, entered, strict=False))
    for leaving in (0, 1):
        assert isinstance(await waiting.knock(tickets[3]), AtDoor)
        await waiting.leave_shop(granted(waiting, tickets[leaving], entered[leaving]))
    assert isinstance(await waiting.knock(tickets[3]), AtDoor)
    await waiting.leave_shop(granted(waiting, tickets[2], entered[2]))
    assert isinstance(await waiting.knock(tickets[3]), Entered)


# ---- I5


@pytest.mark.parametrize("rate, burst", [(60, 1), (77, 3), (600, 5), (6, 2)])
async def test_i5_no_window_sees_more_entries_than_rate_and_burst_allow(
    sale: Sale, rate: float, burst: int
) -> None:
    """Windows of every length, between any two entries, with a crowd that knocks all the time."""
    waiting = await sale.gate(rate=rate, burst=burst)
    tickets = await crowd(waiting, 60)
    await open_wide(waiting)
    random = Random(rate)  # noqa: S311 - no secret
    for _ in range(60):
        sale.clock.advance(random.randrange(int(90_000 / rate)))
        await waiting.tick(force=True)
        for ticket in random.sample(tickets, 12):
            await try_knock(waiting, ticket)
    enter_times = sorted(event.enter_at for event in sale.told(events.Entered))
    assert len(enter_times) >= 20
    for first, last in combinations_with_replacement(range(len(enter_times)), 2):
        window = enter_times[last] - enter_times[first]
        assert last - first + 1 <= burst + Fraction(rate) * window / MINUTE


# ---- I6


async def test_i6_a_place_enters_at_most_once(sale: Sale) -> None:
    """Not by knocking again, at two gates at once, after the visit, or after leaving."""
    first, second = await sale.gate(rate=60_000, burst=10), await sale.gate(rate=60_000, burst=10)
    stayer, leaver = await crowd(first, 2)
    await sale.later(first, 250)
    answers = await asyncio.gather(*((first, second)[each % 2].knock(stayer) for each in range(20)))
    assert len(set(answers)) == 1
    entered = await enter(second, leaver)
    await second.leave_shop(granted(second, leaver, entered))
    assert isinstance(await try_knock(first, leaver), Spent)
    sale.clock.advance(first.room.pace.visit_ms)
    assert isinstance(await try_knock(first, stayer), Spent)
    await first.tick()
    assert isinstance(await try_knock(second, stayer), Spent)
    assert first.line.entries == 2


# ---- I7


async def test_i7_places_are_called_in_order(sale: Sale) -> None:
    """Every call takes up where the last one ended, whoever calls; the record shows it."""
    gates = [await sale.gate(rate=60) for _ in range(3)]
    tickets = await crowd(gates[0], 150)
    for turn in range(60):
        await sale.later(gates[turn % 3], 500)
        await try_knock(gates[0], tickets[turn])
    entries = await sale.store.read_stream(gates[0].keys.log, "0", 1000)
    calls = [(int(fields["from"]), int(fields["to"])) for _, fields in entries if fields["kind"] == "call"]
    assert len(calls) > 5
    assert calls[0][0] == 0
    assert all(last + 1 == first for (_, last), (first, _) in pairwise(calls))


async def test_i7_of_the_places_at_the_door_the_lowest_enters_first(sale: Sale) -> None:
    """In whatever order they knock, and however late the lowest came."""
    waiting = await sale.gate(rate=60_000, capacity=1, burst=1, visit_seconds=600)
    tickets = await crowd(waiting, 8)
    sale.redis.hset(waiting.keys.line, "called", 8)
    inside, pass_inside = tickets[0], await enter(waiting, tickets[0])
    at_door = tickets[2:]
    random = Random(7)  # noqa: S311 - no secret
    order: list[int] = []
    while at_door:
        random.shuffle(at_door)
        for ticket in at_door:
            assert isinstance(await waiting.knock(ticket), AtDoor)
        if len(order) == 3:
            at_door.append(tickets[1])
            await waiting.knock(tickets[1])
        await waiting.leave_shop(granted(waiting, inside, pass_inside))
        sale.clock.advance(100)
        answers = {
            ticket: await waiting.knock(ticket) for ticket in sorted(at_door, key=lambda each: -each.number)
        }
        ((inside, pass_inside),) = [
            (ticket, answer) for ticket, answer in answers.items() if isinstance(answer, Entered)
        ]
        at_door.remove(inside)
        order.append(inside.number)
    assert order == [2, 3, 4, 1, 5, 6, 7]


# ---- I8


@pytest.mark.parametrize("limits", [{"rate": 30, "burst": 1}, {"rate": 6000, "capacity": 2, "burst": 5}])
async def test_i8_while_someone_is_at_the_door_nothing_stays_unused_for_long(
    sale: Sale, limits: dict[str, Any]
) -> None:
    """Not longer than to the next knock and two seconds.

    Half of all places are ghosts, one in ten vanishes from the door; everyone else knocks when told to.
    """
    waiting = await sale.gate(visit_seconds=4, **limits)
    tickets = await crowd(waiting, 80)
    random = Random(8)  # noqa: S311 - no secret
    present = {ticket.number: ticket for ticket in tickets if random.random() < 0.5}
    due: dict[int, int] = {}
    taken_by: int | None = None
    for _ in range(600):
        sale.clock.advance(100)
        now = sale.clock.now_ms()
        await waiting.tick()
        for number, ticket in list(present.items()):
            if waiting.position(ticket).called and due.get(number, now) <= now:
                answer = await waiting.knock(ticket)
                if isinstance(answer, Entered):
                    del present[number]
                    taken_by = None
                elif random.random() < 0.1:
                    del present[number]
                else:
                    due[number] = answer.knock_again_at
        waits = min((number for number in due if number in present), default=None)
        if waits is None or not could_enter(sale, waiting):
            taken_by = None
        elif taken_by is None:
            # Who vanished before them is forgotten two seconds after their knock was due; then they knock once more.
            taken_by = max(due[number] for number in due if number <= waits) + KNOCK_GRACE_MS + 1_000
        assert taken_by is None or now <= taken_by, "I8"
    assert waiting.line.entries > 10


def could_enter(sale: Sale, waiting: WaitingRoom) -> bool:
    """Whether a spot is free and a slot is due for the first in line."""
    now, line = sale.clock.now_ms(), sale.redis.hgetall(waiting.keys.line)
    pace = waiting.room.pace
    slot = float(line.get(b"tat", 0)) - (pace.burst - 1) * MINUTE / pace.rate
    visits = sale.redis.zcount(waiting.keys.visits, f"({now}", "+inf")
    return slot <= now and (pace.capacity is None or visits < pace.capacity)


async def test_i8_a_visitor_whose_visit_ended_gets_behind_the_line(sale: Sale) -> None:
    """The old ticket is spent; a new one has the last number."""
    waiting = await sale.gate(rate=6000, capacity=1, identity=True)
    mi = (await waiting.join(entropy(0), "mi")).ticket
    await sale.later(waiting, 250)
    entered = await enter(waiting, mi)
    others = [(await waiting.join(entropy(each), f"other-{each}")).ticket for each in range(1, 4)]
    await waiting.leave_shop(granted(waiting, mi, entered))
    again = await waiting.join(entropy(0), "mi", held=mi)
    assert again.new
    assert again.ticket.number == 4
    await sale.later(waiting, 250)
    assert isinstance(await try_knock(waiting, mi), Spent)
    assert isinstance(await waiting.knock(others[0]), Entered)
    assert isinstance(await try_knock(waiting, again.ticket), AtDoor | NotCalled)


# ---- I9


async def test_i9_a_repeated_join_gets_the_same_ticket(sale: Sale) -> None:
    """Lost reply, double click, two tabs, at another gate, with and without the ticket it was given."""
    first, second = await sale.gate(), await sale.gate()
    answers = await asyncio.gather(*(gate.join(entropy(1)) for gate in (first, second) for _ in range(10)))
    assert Counter(answer.new for answer in answers) == {True: 1, False: 19}
    (ticket,) = {answer.ticket for answer in answers}
    assert (await second.join(entropy(2), held=ticket)).ticket == ticket
    assert sale.redis.hget(first.keys.line, "issued") == b"1"


async def test_i9_one_identity_holds_one_ticket(sale: Sale) -> None:
    """From as many browsers as it likes, at once."""
    waiting = await sale.gate(identity=True)
    answers = await asyncio.gather(*(waiting.join(entropy(each), "mi") for each in range(20)))
    assert len({answer.ticket for answer in answers}) == 1
    assert sale.redis.hget(waiting.keys.line, "issued") == b"1"


async def test_i9_a_repeated_knock_gets_the_same_pass(sale: Sale) -> None:
    """One visit, at whatever gate and time it is asked for, while the visit lasts; paused and sold out, too."""
    first, second = await sale.gate(), await sale.gate()
    (ticket,) = await crowd(first, 1)
    await sale.later(first, 250)
    entered = await enter(first, ticket)
    sale.clock.advance(1_000)
    assert await second.knock(ticket) == entered
    for action in (Hold.PAUSE, Hold.SOLD_OUT, Hold.CLOSE):
        await first.hold(action, by="olga")
        assert await second.knock(ticket) == entered
    assert sale.redis.zcard(first.keys.visits) == 1


# ---- I10


async def test_i10_nobody_joins_or_enters_once_the_last_unit_is_sold(sale: Sale) -> None:
    """The shop says so once, and every gate's next answer is that it is sold out."""
    first, second = await sale.gate(rate=6000, burst=9), await sale.gate(rate=6000, burst=9)
    tickets = await crowd(first, 4)
    await sale.later(first, 250)
    await enter(first, tickets[0])
    await first.tell_units(0, 0)
    assert first.phase() is Phase.SOLD_OUT
    with pytest.raises(NotOpen, match="sold_out"):
        await second.knock(tickets[1])
    with pytest.raises(NotJoinable, match="sold_out"):
        await second.join(entropy(9))
    await second.tick()
    assert second.phase() is Phase.SOLD_OUT


async def test_i10_nobody_is_called_for_units_that_lie_in_baskets(sale: Sale) -> None:
    """They may come back: then calling goes on."""
    waiting = await sale.gate(rate=60)
    await waiting.tell_units(0, 2)
    await crowd(waiting, 5)
    await sale.later(waiting, 250)
    assert (waiting.line.called, waiting.phase()) == (0, Phase.OPEN)
    await waiting.tell_units(1, 1)
    await sale.later(waiting, 250)
    assert waiting.line.called == 5


# ---- I11


async def test_i11_a_ticket_that_was_never_issued_gets_nothing(sale: Sale) -> None:
    """A number beyond all that were called is not called; one that somebody else holds by identity is spent."""
    waiting = await sale.gate(identity=True)
    mine = (await waiting.join(entropy(0), "mi")).ticket
    await sale.later(waiting, 250)
    for number in (1, 1_000_000):
        assert isinstance(await try_knock(waiting, sale.take_ticket(number, identity="evil")), NotCalled)
    assert isinstance(await try_knock(waiting, sale.take_ticket(1, identity="mi")), Spent)
    assert isinstance(await waiting.knock(mine), Entered)


async def test_i11_a_ticket_of_somebody_else_makes_no_ticket_of_ones_own(sale: Sale) -> None:
    """Brought to a join, it is looked through: the identity gets its own number."""
    waiting = await sale.gate(identity=True)
    theirs = (await waiting.join(entropy(0), "them")).ticket
    mine = await waiting.join(entropy(1), "me", held=theirs)
    assert (mine.new, mine.ticket.number, mine.ticket.identity) == (True, 1, "me")


async def test_i11_a_pass_is_worth_nothing_once_its_visit_was_ended(sale: Sale) -> None:
    """At the gate that ended it at once, at every other with its next look at the line."""
    first, second = await sale.gate(), await sale.gate()
    (ticket,) = await crowd(first, 1)
    await sale.later(first, 250)
    pass_ = granted(first, ticket, await enter(first, ticket))
    assert first.visits.admits(pass_)
    await first.leave_shop(pass_)
    assert not first.visits.admits(pass_)
    await second.tick()
    assert not second.visits.admits(pass_)
