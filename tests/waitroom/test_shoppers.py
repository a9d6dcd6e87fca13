"""What holders of a ticket or a pass may ask beyond waiting and knocking: to come later."""

import asyncio

import pytest

from tests.conftest import Sale, crowd, enter, try_knock
from waitroom import events
from waitroom.answers import AtDoor, Entered
from waitroom.errors import InShop, NotCalled, NotOpen, Spent
from waitroom.tickets import Pass

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
