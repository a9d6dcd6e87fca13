"""What holders of a ticket or a pass may ask beyond waiting and knocking: to come later, elsewhere, to stay longer."""

import asyncio
import contextlib
from dataclasses import replace

import pytest

from tests.conftest import Sale, crowd, enter, entropy, try_knock
from waitroom import draw, events
from waitroom.answers import AtDoor, Entered
from waitroom.errors import InShop, LinkUsed, Moved, NoMoreTime, NotCalled, NotOpen, Spent, VisitOver
from waitroom.line import WaitingRoom
from waitroom.tickets import Pass, Ticket


async def let_in(sale: Sale, waiting: WaitingRoom) -> tuple[Ticket, Pass]:
    """One shopper, and the pass of a visit that begins now."""
    (ticket,) = await crowd(waiting, 1)
    await sale.later(waiting, 250)
    entered = await enter(waiting, ticket)
    return ticket, Pass("mi-launch", 0, 0, entered.enter_at, entered.expires_at)


# ---- Not now


async def test_whoever_lets_others_by_comes_back_before_every_later_place(sale: Sale) -> None:
    """The door goes on without them at once; when they knock again only lower places go first."""
    waiting = await sale.gate(rate=6000, capacity=1)
    first, later, third, fourth = await crowd(waiting, 4)
    sale.redis.hset(waiting.keys.line, "called", 4)
    entered = await enter(waiting, first)
    assert await waiting.knock(later) == AtDoor(1, 0, sale.clock.now_ms() + 1_000)
    await waiting.defer(later)
    assert isinstance(await waiting.knock(third), AtDoor)
    await waiting.leave_shop(Pass("mi-launch", 0, 0, entered.enter_at, entered.expires_at))
    sale.clock.advance(10)
    entered = await enter(waiting, third)
    assert isinstance(await waiting.knock(fourth), AtDoor)
    assert isinstance(await waiting.knock(later), AtDoor)
    await waiting.leave_shop(Pass("mi-launch", 2, 2, entered.enter_at, entered.expires_at))
    sale.clock.advance(10)
    assert isinstance(await waiting.knock(fourth), AtDoor)
    assert isinstance(await waiting.knock(later), Entered)


async def test_one_who_lets_others_by_is_not_waited_for(sale: Sale) -> None:
    """The place is neither on its way nor at the door, another is called for it; told twice, it counts once."""
    waiting = await sale.gate(rate=60, capacity=1)
    tickets = await crowd(waiting, 9)
    await sale.later(waiting, 250)
    called, coming = waiting.line.called, waiting.line.coming
    for _ in range(2):
        await waiting.defer(tickets[0])
    await sale.later(waiting, 250)
    assert waiting.line.called > called
    assert waiting.line.coming - coming == waiting.line.called - called - 1
    assert waiting.line.show_rate < 1, "of those called, one has not come"
    assert sale.told(events.Deferred) == [events.Deferred("mi-launch", 0)]


async def test_only_a_turn_that_has_come_can_be_put_off(sale: Sale) -> None:
    """Neither one that is still to come or to be drawn, nor a visit under way, nor a ticket that is spent."""
    waiting = await sale.gate(rate=6000, capacity=1, visit_seconds=10)
    tickets = await crowd(waiting, 20)
    await sale.later(waiting, 250)
    with pytest.raises(NotCalled) as caught:
        await waiting.defer(tickets[19])
    assert caught.value.ahead == 19 - waiting.line.called
    await enter(waiting, tickets[0])
    with pytest.raises(InShop):
        await waiting.defer(tickets[0])
    sale.clock.advance(10_000)
    with pytest.raises(Spent):
        await waiting.defer(tickets[0])
    drawing = await sale.gate("tea", opens_in=60)
    with pytest.raises(NotOpen):
        await drawing.defer(sale.take_ticket(0, "tea"))


async def test_of_two_tabs_one_that_knocks_and_one_that_puts_off_one_comes_first(sale: Sale) -> None:
    """Whichever it is: a place that has entered is not put off, and one put off has not entered."""
    waiting, other = [await sale.gate(rate=60_000, burst=100, capacity=50) for _ in range(2)]
    tickets = await crowd(waiting, 20)
    await sale.later(waiting, 250)
    for ticket in tickets:
        knocked, deferred = await asyncio.gather(
            try_knock(waiting, ticket), other.defer(ticket), return_exceptions=True
        )
        assert isinstance(knocked, Entered), "also after the other tab has put it off"
        assert deferred is None or isinstance(deferred, InShop)


# ---- More time


async def test_a_visitor_gets_as_much_time_as_the_operator_gives(sale: Sale) -> None:
    """So often, so long each time; pass and visit end at the same instant, and the spot is taken until then."""
    waiting = await sale.gate(capacity=1, visit_seconds=60, more_time_seconds=20, more_times=2)
    ticket, first = await let_in(sale, waiting)
    second = await waiting.extend(first)
    third = await waiting.extend(second)
    assert [each.expires_at - first.enter_at for each in (first, second, third)] == [60_000, 80_000, 100_000]
    pace = waiting.room.pace
    assert [pace.times_left(each.enter_at, each.expires_at) for each in (first, second, third)] == [2, 1, 0]
    with pytest.raises(NoMoreTime):
        await waiting.extend(third)
    assert await waiting.knock(ticket) == Entered(0, third.enter_at, third.expires_at)
    await sale.later(waiting, 99_999)
    assert waiting.line.visits == 1
    await sale.later(waiting, 1)
    assert waiting.line.visits == 0
    told = [event.expires_at for event in sale.told(events.Extended)]
    assert told == [second.expires_at, third.expires_at]


async def test_the_same_request_for_more_time_gets_the_same_answer(sale: Sale) -> None:
    """I9: a double click, two tabs at two gates, a lost reply; also once the visit is longer still."""
    waiting, other = [await sale.gate(more_time_seconds=20, more_times=3) for _ in range(2)]
    _, first = await let_in(sale, waiting)
    answers = await asyncio.gather(*(gate.extend(first) for gate in (waiting, other) * 10))
    assert set(answers) == {replace(first, expires_at=first.expires_at + 20_000)}
    assert len(sale.told(events.Extended)) == 1
    longer = await waiting.extend(answers[0])
    assert await waiting.extend(first) == longer, "never less than was given already"


async def test_a_room_gives_no_more_time_unless_it_is_set_to(sale: Sale) -> None:
    """Nor when the operator takes it back; whoever was given some keeps it."""
    waiting = await sale.gate()
    _, first = await let_in(sale, waiting)
    assert waiting.room.pace.times_left(first.enter_at, first.expires_at) == 0
    with pytest.raises(NoMoreTime):
        await waiting.extend(first)
    await waiting.tune(replace(waiting.room.pace, more_time_ms=9_000), by="olga")
    longer = await waiting.extend(first)
    await waiting.tune(replace(waiting.room.pace, more_time_ms=0), by="olga")
    with pytest.raises(NoMoreTime):
        await waiting.extend(longer)
    sale.clock.at_ms = longer.expires_at - 1
    await waiting.tick()
    assert waiting.line.visits == 1


async def test_a_visit_that_is_over_is_not_made_longer(sale: Sale) -> None:
    """Ended early, or by its time; of leaving and asking at once, one comes first and the end is the same."""
    waiting = await sale.gate(rate=60_000, burst=100, visit_seconds=60, more_time_seconds=20)
    _, first = await let_in(sale, waiting)
    await waiting.leave_shop(first)
    with pytest.raises(VisitOver):
        await waiting.extend(first)
    for number in range(1, 20):
        (ticket,) = await crowd(waiting, 1, first=number)
        await sale.later(waiting, 250)
        entered = await enter(waiting, ticket)
        granted = Pass("mi-launch", number, number, entered.enter_at, entered.expires_at)
        await asyncio.gather(waiting.extend(granted), waiting.leave_shop(granted), return_exceptions=True)
        await waiting.tick()
        assert waiting.line.visits == 0
        assert not waiting.visits.admits(granted)
    (ticket,) = await crowd(waiting, 1, first=20)
    await sale.later(waiting, 250)
    entered = await enter(waiting, ticket)
    sale.clock.at_ms = entered.expires_at
    with pytest.raises(VisitOver):
        await waiting.extend(Pass("mi-launch", 20, 20, entered.enter_at, entered.expires_at))


async def test_where_visits_slide_more_time_comes_on_top_of_the_longest(sale: Sale) -> None:
    """Whatever the visitor does and asks, in whatever order, never longer; and activity takes nothing back."""
    waiting = await sale.gate(visit_seconds=10, visit_longest_seconds=25, more_time_seconds=10, more_times=2)
    _, granted = await let_in(sale, waiting)
    ends = []
    for ask in (False, True, False, True, True, True, False):
        sale.clock.at_ms = granted.expires_at - 1
        waiting.visits.touch(granted)
        await waiting.visits.extend()
        granted = waiting.visits.touch(granted)
        if ask:
            with contextlib.suppress(NoMoreTime):
                granted = await waiting.extend(granted)
        ends.append(granted.expires_at - granted.enter_at)
    assert ends == [19_999, 35_000, 35_000, 45_000, 45_000, 45_000, 45_000]
    assert waiting.room.pace.times_left(granted.enter_at, granted.expires_at) == 0


async def test_a_store_that_lost_an_extension_throws_nobody_out(sale: Sale) -> None:
    """The pass is good for as long as it says; asking again within the budget heals the visit as well."""
    waiting = await sale.gate(capacity=1, visit_seconds=60, more_time_seconds=20, more_times=2)
    _, first = await let_in(sale, waiting)
    longer = await waiting.extend(first)
    sale.redis.zadd(waiting.keys.visits, {"0": first.expires_at})
    assert waiting.visits.admits(longer)
    longest = await waiting.extend(longer)
    assert longest.expires_at == first.expires_at + 40_000
    sale.clock.at_ms = longest.expires_at - 1
    await waiting.tick()
    assert (waiting.line.visits, waiting.visits.admits(longest)) == (1, True)


async def test_a_visit_ended_early_stays_ended_however_long_its_pass(sale: Sale) -> None:
    """Every gate refuses the pass until it runs out by itself, also where it was made longer."""
    waiting, other = [await sale.gate(visit_seconds=60, more_time_seconds=3_600) for _ in range(2)]
    _, granted = await let_in(sale, waiting)
    longer = await waiting.extend(granted)
    await waiting.leave_shop(longer)
    while sale.clock.now_ms() < longer.expires_at - 700_000:
        await sale.later(waiting, 600_000)
        await other.tick()
        assert [gate.visits.admits(longer) for gate in (waiting, other)] == [False, False]


# ---- To another device

PHONE, TABLET = entropy(1_000), entropy(1_001)


async def test_a_place_goes_to_another_device_and_only_that_one_holds_it(sale: Sale) -> None:
    """Number, place and id stay; what the old device holds gets nothing any more, at any gate."""
    waiting, other = [await sale.gate(rate=6000, capacity=1) for _ in range(2)]
    _, old = await crowd(waiting, 2)
    phone = await waiting.claim(old, PHONE)
    assert (phone.number, phone.id, phone.generation) == (old.number, old.id, 1)
    sale.redis.hset(waiting.keys.line, "called", 2)
    await waiting.tick()
    for gate in (waiting, other):
        for ask in (gate.knock, gate.defer, gate.leave_line):
            with pytest.raises(Moved):
                await ask(old)
    with pytest.raises(Moved):
        await waiting.join(entropy(1), held=old)
    assert (await waiting.join(entropy(1), held=phone)).ticket == phone
    assert isinstance(await other.knock(phone), Entered)
    assert sale.told(events.TicketMoved) == [events.TicketMoved("mi-launch", 1)]


async def test_a_gate_learns_of_moves_with_its_next_tick(sale: Sale) -> None:
    """From then on it tells the old holder without asking the store; a gate that starts afresh as well."""
    waiting, other = [await sale.gate() for _ in range(2)]
    old, still = await crowd(waiting, 2)
    phone = await waiting.claim(old, PHONE)
    assert other.moves.is_held(old)
    await other.tick()
    fresh = await sale.gate()
    for gate in (waiting, other, fresh):
        assert [gate.moves.is_held(ticket) for ticket in (old, phone, still)] == [False, True, True]
    tablet = await other.claim(phone, TABLET)
    await waiting.tick()
    assert [waiting.moves.is_held(ticket) for ticket in (old, phone, tablet)] == [False, False, True]


async def test_a_link_is_good_for_one_device(sale: Sale) -> None:
    """I9: that one may ask again, also at once and at another gate; the next one comes too late."""
    waiting, other = [await sale.gate() for _ in range(2)]
    (old,) = await crowd(waiting, 1)
    answers = await asyncio.gather(*(gate.claim(old, PHONE) for gate in (waiting, other) * 10))
    assert len(set(answers)) == 1
    for device in (TABLET, entropy(0)):
        with pytest.raises(LinkUsed):
            await waiting.claim(old, device)
    await waiting.claim(answers[0], TABLET)
    with pytest.raises(LinkUsed):
        await waiting.claim(old, PHONE)


async def test_of_many_devices_that_claim_at_once_one_gets_the_place(sale: Sale) -> None:
    """The others are told."""
    gates = [await sale.gate() for _ in range(2)]
    (old,) = await crowd(gates[0], 1)
    claims = [gates[each % 2].claim(old, entropy(each)) for each in range(40)]
    answers = await asyncio.gather(*claims, return_exceptions=True)
    assert sum(isinstance(answer, Ticket) for answer in answers) == 1
    assert sum(isinstance(answer, LinkUsed) for answer in answers) == 39


async def test_of_a_knock_and_a_claim_at_once_one_comes_first(sale: Sale) -> None:
    """Either the old device is in and the place stays with it, or the new one holds it and the old is told."""
    waiting, other = [await sale.gate(rate=60_000, burst=100, capacity=None) for _ in range(2)]
    tickets = await crowd(waiting, 20)
    await sale.later(waiting, 250)
    for each, ticket in enumerate(tickets):
        asked = [other.claim(ticket, PHONE), waiting.knock(ticket)][:: -1 if each % 2 else 1]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        kinds = {type(answer) for answer in answers}
        assert kinds in ({Entered, InShop}, {Ticket, Moved})


async def test_a_place_without_a_future_is_handed_to_nobody(sale: Sale) -> None:
    """Neither from the shop, where the pass stays where it is, nor after the visit or once the line was left."""
    waiting = await sale.gate(rate=60_000, visit_seconds=10)
    inside, left = await crowd(waiting, 2)
    await sale.later(waiting, 250)
    await enter(waiting, inside)
    await waiting.leave_line(left)
    with pytest.raises(InShop):
        await waiting.claim(inside, PHONE)
    sale.clock.advance(10_000)
    for ticket in (inside, left):
        with pytest.raises(Spent):
            await waiting.claim(ticket, PHONE)


async def test_a_presale_ticket_that_was_moved_keeps_its_part_in_the_draw(sale: Sale) -> None:
    """Leaf and id are those it was issued with, so the receipt goes on proving the place."""
    waiting = await sale.gate(opens_in=60)
    joined = [await waiting.join(entropy(each)) for each in range(5)]
    phone = await waiting.claim(joined[3].ticket, PHONE)
    assert sale.redis.get(waiting.keys.roll) == b"".join(each.leaf or b"" for each in joined)
    await sale.later(waiting, 60_000)
    await waiting.advance_draw()
    assert draw.leaf(phone.id, entropy(3)) == joined[3].leaf
    assert waiting.position(phone) == waiting.position(joined[3].ticket)


async def test_the_entropy_that_joined_does_not_bring_a_place_back(sale: Sale) -> None:
    """Two minutes long it gets a browser its ticket again, but not one that was moved since."""
    waiting = await sale.gate()
    (old,) = await crowd(waiting, 1)
    await waiting.claim(old, PHONE)
    with pytest.raises(Moved):
        await waiting.join(entropy(0))


async def test_an_identity_finds_its_place_wherever_it_signs_in(sale: Sale) -> None:
    """The place is the identity's: without the old ticket it gets the one that counts."""
    waiting = await sale.gate(identity=True)
    old = (await waiting.join(entropy(0), "mi")).ticket
    phone = await waiting.claim(old, PHONE)
    with pytest.raises(Moved):
        await waiting.join(entropy(0), "mi", held=old)
    assert (await waiting.join(entropy(2), "mi")).ticket == phone


async def test_moves_that_the_store_has_lost_are_restored_from_what_is_signed_and_known(sale: Sale) -> None:
    """The new holder's ticket and any gate's memory tell; a number is never given to two who could enter."""
    waiting, other = [await sale.gate(rate=6000) for _ in range(2)]
    old, second = await crowd(waiting, 2)
    phone = await waiting.claim(old, PHONE)
    sale.redis.delete(waiting.keys.generations, waiting.keys.claims)
    sale.redis.hdel(waiting.keys.line, "generation")
    with pytest.raises(LinkUsed):
        await waiting.claim(old, TABLET)
    sale.redis.delete(waiting.keys.generations)
    await sale.later(other, 250)
    assert isinstance(await other.knock(phone), Entered)
    with pytest.raises(Moved):
        await other.knock(old)
    assert (await other.claim(second, TABLET)).generation == 2


async def test_i13_moves_cost_as_much_as_tickets_are_moved(sale: Sale) -> None:
    """However often one goes to and fro."""
    waiting = await sale.gate()
    ticket, _ = await crowd(waiting, 2)
    for each in range(50):
        ticket = await waiting.claim(ticket, entropy(each))
    await waiting.tick()
    keys = waiting.keys
    assert (sale.redis.zcard(keys.generations), sale.redis.hlen(keys.claims)) == (1, 1)
    assert len(waiting.moves._generations) == 1


async def test_more_time_and_the_shops_trouble_add_up(sale: Sale) -> None:
    """In whatever order they come, pass and visit end at the same instant, as long as both together say."""
    waiting, other = [await sale.gate(visit_seconds=60, more_time_seconds=20, more_times=2) for _ in range(2)]
    _, first = await let_in(sale, waiting)
    second = await waiting.extend(first)
    await waiting.tell_trouble()
    await sale.later(waiting, 2_000)
    during = await waiting.extend(second)
    assert (during.expires_at - first.expires_at, during.trouble_ms) == (42_000, 2_000)
    await sale.later(waiting, 10_000)
    await other.tick()
    after = other.visits.stands(during)
    assert (after.expires_at - first.expires_at, after.enter_at - first.enter_at) == (45_000, 5_000)
    assert waiting.room.pace.times_left(after.enter_at, after.expires_at) == 0
    with pytest.raises(NoMoreTime):
        await other.extend(after)
    assert await other.extend(first) == replace(after, trouble_ms=5_000)
    sale.clock.at_ms = after.expires_at - 1
    await waiting.tick()
    assert waiting.line.visits == 1
    await sale.later(waiting, 1)
    assert waiting.line.visits == 0
