"""What goes wrong in other waiting rooms, each by name, and does not go wrong here."""

import asyncio
from random import Random
from typing import Any

import pytest

from tests.conftest import Sale, crowd, enter, entropy, try_knock
from waitroom import events
from waitroom.answers import AtDoor, Entered
from waitroom.errors import NotCalled, Spent, StoreAway, TokenInvalid
from waitroom.line import WaitingRoom
from waitroom.store import Store
from waitroom.tickets import Pass, Ticket, Tokens


class LosesReplies:
    """A store whose answers get lost on the way back; what it was told, it has done."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.losing = True

    async def run(self, *args: Any) -> Any:  # noqa: ANN401 - as the store's
        """Run a verb; say nothing of it."""
        answer = await self._store.run(*args)
        if self.losing:
            raise StoreAway("the reply was lost")
        return answer


async def test_a_join_retried_after_a_lost_reply_gets_the_same_number(sale: Sale) -> None:
    """The store has issued the ticket, the gate never heard of it, the browser asks again."""
    waiting = await sale.gate()
    waiting._store = flaky = LosesReplies(sale.store)  # type: ignore[assignment]
    with pytest.raises(StoreAway, match="the reply was lost"):
        await waiting.join(entropy(1))
    flaky.losing = False
    again = await waiting.join(entropy(1))
    assert (again.ticket.number, again.new) == (0, False)
    assert (await waiting.join(entropy(2))).ticket.number == 1


async def test_a_join_retried_after_the_browser_hung_up_gets_the_same_number(sale: Sale) -> None:
    """Wherever the connection broke: before, while or after the ticket was issued."""
    waiting = await sale.gate()
    for turns in range(12):
        hasty = asyncio.create_task(waiting.join(entropy(turns)))
        for _ in range(turns):
            await asyncio.sleep(0)
        hasty.cancel()
        assert (await waiting.join(entropy(turns))).ticket.number == turns
    assert sale.redis.hget(waiting.keys.line, "issued") == b"12"


async def test_two_hundred_joins_at_once_get_unique_numbers_and_admission_stays_within_limits(
    sale: Sale,
) -> None:
    """Through two gates, and then all of them at the door at once."""
    gates = [await sale.gate(rate=6000, capacity=20, burst=5) for _ in range(2)]
    joined = await asyncio.gather(*(gates[each % 2].join(entropy(each)) for each in range(200)))
    tickets = [answer.ticket for answer in joined]
    assert sorted(ticket.number for ticket in tickets) == list(range(200))
    entered: set[int] = set()
    for _ in range(10):
        await sale.later(gates[0], 100)
        answers = await asyncio.gather(
            *(try_knock(gates[each % 2], ticket) for each, ticket in enumerate(tickets))
        )
        entered |= {answer.place for answer in answers if isinstance(answer, Entered)}
        assert len(entered) <= 20
    assert len(entered) == 20, "which of those called first is the network's affair"
    times = sorted(event.enter_at for event in sale.told(events.Entered))
    assert len(times) == 20
    assert all(last - first >= (count - 5) * 10 for first, last, count in _windows(times))


def _windows(times: list[int]) -> list[tuple[int, int, int]]:
    pairs = [(first, last) for first in range(len(times)) for last in range(first, len(times))]
    return [(times[first], times[last], last - first + 1) for first, last in pairs]


async def test_the_head_of_the_line_vanishes_and_costs_nobody_anything(sale: Sale) -> None:
    """The first three close their tabs: the fourth enters as if they had never been there."""
    waiting = await sale.gate(rate=60)
    tickets = await crowd(waiting, 6)
    await sale.later(waiting, 250)
    fourth = await waiting.knock(tickets[3])
    assert fourth == Entered(3, sale.clock.now_ms(), sale.clock.now_ms() + waiting.room.pace.visit_ms)


async def test_the_head_of_the_door_vanishes_and_is_forgotten_in_seconds(sale: Sale) -> None:
    """Whoever knocked once and went stands in nobody's way two seconds after the next knock was due."""
    waiting = await sale.gate(rate=6000, capacity=1)
    first, ghost, third = await crowd(waiting, 3)
    sale.redis.hset(waiting.keys.line, "called", 3)
    entered = await enter(waiting, first)
    told = await waiting.knock(ghost)
    assert isinstance(told, AtDoor)
    assert isinstance(await waiting.knock(third), AtDoor)
    await waiting.leave_shop(Pass("mi-launch", 0, 0, entered.enter_at, entered.expires_at))
    sale.clock.at_ms = told.knock_again_at + 1_999
    assert isinstance(await waiting.knock(third), AtDoor)
    sale.clock.advance(1)
    assert isinstance(await waiting.knock(third), Entered)


async def test_whoever_comes_late_still_goes_before_every_later_place(sale: Sale) -> None:
    """A place is kept for good: being called and absent loses nothing but time."""
    waiting = await sale.gate(rate=6000, capacity=1)
    tickets = await crowd(waiting, 9)
    for _ in range(5):
        await sale.later(waiting, 7_000)
    entered = await enter(waiting, tickets[5])
    for ticket in (tickets[6], tickets[0]):
        assert isinstance(await waiting.knock(ticket), AtDoor)
    await waiting.leave_shop(Pass("mi-launch", 5, 5, entered.enter_at, entered.expires_at))
    sale.clock.advance(10)
    assert isinstance(await waiting.knock(tickets[6]), AtDoor)
    assert isinstance(await waiting.knock(tickets[0]), Entered)


async def test_replayed_tickets_get_no_second_place(sale: Sale) -> None:
    """Copied to a hundred browsers a ticket is one place, and one visit."""
    waiting = await sale.gate(rate=60_000, burst=100)
    (ticket,) = await crowd(waiting, 1)
    copies = await asyncio.gather(*(waiting.join(entropy(100 + each), held=ticket) for each in range(100)))
    assert {copy.ticket for copy in copies} == {ticket}
    await sale.later(waiting, 250)
    answers = await asyncio.gather(*(waiting.knock(ticket) for _ in range(100)))
    assert len(set(answers)) == 1
    assert len(sale.told(events.Entered)) == 1
    sale.clock.advance(waiting.room.pace.visit_ms)
    assert isinstance(await try_knock(waiting, ticket), Spent)


async def test_forged_tickets_get_no_place(sale: Sale) -> None:
    """Signed by another key, edited, or taken from another room."""
    forger = Tokens(["the secret of the forger"])
    token = sale.tokens.sign_ticket(Ticket("mi-launch", 500, b"\0" * 16))
    forged = [
        forger.sign_ticket(Ticket("mi-launch", 0, b"\0" * 16)),
        token.replace(".500.", ".0."),
        sale.tokens.sign_ticket(Ticket("tea", 0, b"\0" * 16)),
        sale.tokens.sign_pass(Pass("mi-launch", 0, 0, 0, 2**50)),
    ]
    assert forged[1] != token
    for each in forged:
        with pytest.raises(TokenInvalid):
            sale.tokens.read_ticket(each, "mi-launch")


async def test_a_visitor_whose_visit_ended_re_enters_behind_the_line(sale: Sale) -> None:
    """Whether by leaving or because the time was up."""
    waiting = await sale.gate(rate=6000, capacity=1, visit_seconds=10)
    hasty, idle, *others = await crowd(waiting, 4)
    await sale.later(waiting, 250)
    entered = await enter(waiting, hasty)
    await waiting.leave_shop(Pass("mi-launch", 0, 0, entered.enter_at, entered.expires_at))
    sale.clock.advance(10)
    await enter(waiting, idle)
    await sale.later(waiting, 10_000)
    back = [await waiting.join(entropy(50 + each), held=held) for each, held in enumerate((hasty, idle))]
    assert [answer.ticket.number for answer in back] == [4, 5]
    await sale.later(waiting, 250)
    await waiting.knock(others[0])
    for answer in back:
        assert isinstance(await try_knock(waiting, answer.ticket), AtDoor | NotCalled)


async def test_ghosts_neither_count_as_waiting_nor_use_up_admissions(sale: Sale) -> None:
    """Ninety of a hundred closed their tabs; the ten who are there get all entries, at the full rate."""
    waiting = await sale.gate(rate=600, capacity=10)
    tickets = await crowd(waiting, 100)
    present = Random(3).sample(tickets, 10)  # noqa: S311 - no secret
    entered: dict[int, int] = {}
    due: dict[int, int] = {}
    for _ in range(400):
        await sale.later(waiting, 100)
        now = sale.clock.now_ms()
        for ticket in present:
            if ticket.number in entered or due.get(ticket.number, 0) > now:
                continue
            if waiting.position(ticket).called:
                answer = await waiting.knock(ticket)
                if isinstance(answer, Entered):
                    entered[ticket.number] = now
                else:
                    due[ticket.number] = answer.knock_again_at
    assert sorted(entered) == sorted(ticket.number for ticket in present)
    assert (waiting.line.waiting, waiting.line.coming, waiting.line.at_door) == (0, 0, 0)
    assert waiting.line.entries == waiting.line.visits == 10
    assert waiting.nobody_waits is False, "the shop is full"
    assert max(entered.values()) - sale.told(events.LineRead)[0].room.schedule.opens_at < 30_000


async def test_memory_stays_flat(sale: Sale) -> None:
    """After a sale of a thousand visits no set of the line holds anyone any more."""
    waiting = await sale.gate(rate=60_000, capacity=None, burst=50, visit_seconds=10)
    sizes = [await _play(sale, waiting, first, 250) for first in range(0, 1_000, 250)]
    assert sizes == [sizes[0]] * 4
    assert waiting.line.entries == 1_000


async def _play(sale: Sale, waiting: WaitingRoom, first: int, size: int) -> dict[str, int]:
    """A crowd comes, enters, and goes: some leave, some let their time run out."""
    joined = await asyncio.gather(*(waiting.join(entropy(each)) for each in range(first, first + size)))
    todo = [answer.ticket for answer in joined]
    while todo:
        await sale.later(waiting, 250)
        answers = {ticket: await try_knock(waiting, ticket) for ticket in todo}
        for ticket, answer in answers.items():
            if isinstance(answer, Entered):
                todo.remove(ticket)
                if ticket.number % 2:
                    pass_ = Pass("mi-launch", answer.place, ticket.number, answer.enter_at, answer.expires_at)
                    await waiting.leave_shop(pass_)
    await sale.later(waiting, 20_000)
    keys = waiting.keys
    sets = [sale.redis.zcard(key) for key in (keys.coming, keys.door, keys.knocks, keys.visits, keys.entered)]
    assert sets == [0] * 5
    return {
        "ended": sale.redis.zcard(keys.ended),
        "line": sale.redis.hlen(keys.line),
        "remembered": len(waiting.visits._ended)
        + len(waiting.visits._extended)
        + len(waiting.visits._touched),
    }
