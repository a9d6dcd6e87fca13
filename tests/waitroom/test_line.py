"""A live room: its verbs, as they are told and recorded, and what a gate remembers between them."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.conftest import NOON, Sale, crowd, enter, entropy, open_wide, try_knock
from waitroom import draw, events
from waitroom.answers import AtDoor, Entered
from waitroom.errors import Conflict, NotJoinable, NotOpen, OneVisitOnly, Spent, StoreAway
from waitroom.room import Hold, Phase
from waitroom.tickets import Pass


async def record(sale: Sale, key: str) -> list[dict[str, str]]:
    """The entries of a stream."""
    return [fields for _, fields in await sale.store.read_stream(key, "0", 1000)]


# ---- Founding


async def test_whoever_comes_later_takes_what_is_there(sale: Sale) -> None:
    """The schedule is fixed when the room is founded, and the pace is the operator's; other settings are local."""
    first = await sale.gate(rate=60)
    await open_wide(first, rate=90.0)
    sale.clock.advance(5_000)
    second = await sale.gate(opens_in=60, rate=1, title="Another")
    assert second.room.schedule == first.room.schedule
    assert second.room.pace == first.room.pace
    assert second.room.title == "Another"
    assert [entry["kind"] for entry in await record(sale, first.keys.log)] == ["found", "phase", "pace"]


async def test_what_a_gate_sees_first_is_no_change_of_phase(sale: Sale) -> None:
    """A gate that starts while the sale is under way tells of the changes that it sees, and of no other."""
    first = await sale.gate(opens_in=60)
    await sale.later(first, 55_000)
    second = await sale.gate(opens_in=60)
    assert sale.told(events.PhaseChanged) == [events.PhaseChanged("mi-launch", Phase.PRESALE, Phase.DRAWING)]
    await second.hold(Hold.CLOSE, by="olga")
    assert sale.told(events.PhaseChanged)[1:] == [
        events.PhaseChanged("mi-launch", Phase.DRAWING, Phase.CLOSED)
    ]


async def test_rooms_on_one_store_do_not_know_each_other(sale: Sale) -> None:
    """Each has its own numbers, its own limits and its own phase."""
    tea, mi = await sale.gate("tea"), await sale.gate("mi-launch")
    await tea.hold(Hold.PAUSE, by="olga")
    for waiting in (tea, mi):
        assert [ticket.number for ticket in await crowd(waiting, 2)] == [0, 1]
        await sale.later(waiting, 250)
    assert (tea.phase(), mi.phase()) == (Phase.PAUSED, Phase.OPEN)
    assert (tea.line.called, mi.line.called) == (0, 2)


async def test_a_gate_that_cannot_reach_the_store_keeps_what_it_knows(sale: Sale) -> None:
    """A tick never raises."""
    waiting = await sale.gate()
    await crowd(waiting, 2)
    await waiting.tick()
    line = waiting.line

    async def away(*_args: Any) -> None:  # noqa: ANN401 - as the store's
        raise StoreAway("gone")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sale.store, "run", away)
        await waiting.tick()
    assert waiting.store_away
    assert waiting.line == line
    assert sale.told(events.StoreLost) == [events.StoreLost("gone")]


async def test_an_answer_that_is_overtaken_takes_nothing_back(sale: Sale) -> None:
    """I3: two ticks are under way, and the earlier one's answer arrives last."""
    waiting = await sale.gate(rate=60)
    await crowd(waiting, 3)
    ran, arrived, run = asyncio.Event(), asyncio.Event(), sale.store.run

    async def slow(*args: Any) -> Any:  # noqa: ANN401 - as the store's
        answer = await run(*args)
        ran.set()
        await arrived.wait()
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sale.store, "run", slow)
        overtaken = asyncio.create_task(waiting.tick())
        await ran.wait()
    await crowd(waiting, 2, first=3)
    await sale.later(waiting, 7_000)
    later = waiting.line
    arrived.set()
    await overtaken
    assert (waiting.line.issued, waiting.line.called) == (later.issued, later.called) == (5, 5)


# ---- Joining


@pytest.mark.parametrize("action, phase", [(Hold.SOLD_OUT, "sold_out"), (Hold.CLOSE, "closed")])
async def test_no_ticket_is_issued_when_the_sale_is_over(sale: Sale, action: Hold, phase: str) -> None:
    """Whoever holds one is told it again; nobody gets a new one."""
    waiting = await sale.gate()
    (ticket,) = await crowd(waiting, 1)
    await waiting.hold(action, by="olga")
    assert (await waiting.join(entropy(0))).ticket == ticket
    with pytest.raises(NotJoinable, match=phase) as caught:
        await waiting.join(entropy(1))
    assert caught.value.phase == phase


async def test_no_ticket_is_issued_before_the_sale(sale: Sale) -> None:
    """The page counts down."""
    waiting = await sale.gate(opens_in=60, presale=False)
    with pytest.raises(NotJoinable, match="scheduled"):
        await waiting.join(entropy(0))


async def test_a_room_may_let_everyone_in_just_once(sale: Sale) -> None:
    """An identity that has entered gets no second ticket; one that only left the line does."""
    waiting = await sale.gate(identity=True, once=True, visit_seconds=10)
    mi = (await waiting.join(entropy(0), "mi")).ticket
    await sale.later(waiting, 250)
    await enter(waiting, mi)
    assert (await waiting.join(entropy(0), "mi")).ticket == mi
    sale.clock.advance(10_000)
    with pytest.raises(OneVisitOnly, match="lets everyone in once"):
        await waiting.join(entropy(1), "mi")
    fan = (await waiting.join(entropy(2), "fan")).ticket
    await waiting.leave_line(fan)
    assert (await waiting.join(entropy(2), "fan")).new


async def test_a_room_may_let_in_again_who_left_before_the_store_forgot_them(sale: Sale) -> None:
    """Leaving the line is no visit, whatever the store has lost meanwhile."""
    waiting = await sale.gate(identity=True, once=True)
    mi = (await waiting.join(entropy(0), "mi")).ticket
    sale.redis.delete(waiting.keys.holders)
    await waiting.leave_line(mi)
    assert (await waiting.join(entropy(0), "mi", held=mi)).ticket.number == 1


async def test_an_identity_keeps_the_ticket_that_the_store_has_lost(sale: Sale) -> None:
    """The signed ticket itself is proof enough; from then on the store knows it again."""
    waiting = await sale.gate(identity=True)
    mi = (await waiting.join(entropy(0), "mi")).ticket
    sale.redis.delete(waiting.keys.holders)
    assert (await waiting.join(entropy(1), "mi", held=mi)).ticket == mi
    assert (await waiting.join(entropy(2), "mi")).ticket == mi


async def test_a_join_is_answered_with_its_leaf_on_the_roll(sale: Sale) -> None:
    """A repeat too; but not where another browser's entropy asks, which the leaf was not made of."""
    waiting = await sale.gate(opens_in=60, identity=True)
    first, again = [await waiting.join(entropy(0), "mi") for _ in range(2)]
    assert first.leaf == again.leaf == draw.leaf(first.ticket.id, entropy(0))
    assert sale.redis.get(waiting.keys.roll) == first.leaf
    assert (await waiting.join(entropy(1), "mi")).leaf is None


async def test_joins_are_told_in_batches(sale: Sale) -> None:
    """How many tickets were new, and how many requests had one."""
    waiting = await sale.gate()
    await crowd(waiting, 1)
    await crowd(waiting, 1)
    assert sale.told(events.Joined) == [
        events.Joined("mi-launch", new=1, known=0),
        events.Joined("mi-launch", new=0, known=1),
    ]


# ---- Straight in


async def test_when_nobody_waits_a_shopper_goes_straight_in(sale: Sale) -> None:
    """Join, call and knock in one go, even right after another call."""
    waiting = await sale.gate()
    assert waiting.nobody_waits
    ticket, entered = await waiting.go_straight_in(entropy(0))
    assert (ticket.number, entered) == (0, Entered(0, NOON, NOON + waiting.room.pace.visit_ms))


async def test_a_shopper_who_cannot_go_straight_in_has_a_ticket_all_the_same(sale: Sale) -> None:
    """At the door because the shop is full, not called, paused, or spent: the line it is."""
    waiting = await sale.gate(rate=6000, capacity=1)
    await waiting.go_straight_in(entropy(0))
    assert [await waiting.go_straight_in(entropy(each)) for each in range(1, 5)] == [
        (sale.take_ticket(each), None) for each in range(1, 5)
    ]
    assert not waiting.nobody_waits
    await waiting.hold(Hold.PAUSE, by="olga")
    assert (await waiting.go_straight_in(entropy(5)))[1] is None
    assert not waiting.nobody_waits
    left = (await waiting.join(entropy(6))).ticket
    await waiting.leave_line(left)
    assert await waiting.go_straight_in(entropy(6)) == (left, None)


async def test_whoever_is_at_the_door_goes_before_who_comes_now(sale: Sale) -> None:
    """Then nobody goes straight in, though everyone who has joined is called."""
    waiting = await sale.gate(rate=6, burst=1)
    first, second = await crowd(waiting, 2)
    await sale.later(waiting, 250)
    await enter(waiting, first)
    assert waiting.nobody_waits
    assert isinstance(await waiting.knock(second), AtDoor)
    await waiting.tick()
    assert not waiting.nobody_waits


async def test_only_the_first_at_the_door_is_booked_ahead(sale: Sale) -> None:
    """I7: whoever stands behind somebody enters when the own slot is due, and not a moment sooner."""
    waiting = await sale.gate(rate=60)
    tickets = await crowd(waiting, 5)
    await waiting.tick(force=True)
    answers = [await waiting.knock(ticket) for ticket in tickets]
    enter_times = [answer.enter_at - NOON for answer in answers if isinstance(answer, Entered)]
    assert enter_times == [0, 1_000, 2_000]
    assert answers[3:] == [AtDoor(3, 0, NOON + 2_000), AtDoor(4, 1, NOON + 3_000)]
    sale.clock.advance(2_500)
    assert await waiting.knock(tickets[4]) == AtDoor(4, 1, NOON + 3_500)
    assert (await enter(waiting, tickets[3])).enter_at == NOON + 3_000


# ---- Leaving


async def test_whoever_leaves_the_line_holds_nobody_up(sale: Sale) -> None:
    """Neither at the door nor on the way to it; the ticket is spent."""
    waiting = await sale.gate(rate=6000, capacity=1)
    first, second, third = await crowd(waiting, 3)
    await sale.later(waiting, 250)
    assert waiting.line.coming == 2
    await waiting.leave_line(first)
    assert isinstance(await try_knock(waiting, first), Spent)
    await waiting.leave_line(second)
    await sale.later(waiting, 250)
    assert isinstance(await waiting.knock(third), Entered)
    assert sale.told(events.Left) == []


async def test_leaving_the_line_from_the_shop_ends_the_visit(sale: Sale) -> None:
    """Once; the spot is free."""
    waiting = await sale.gate(capacity=1)
    (ticket,) = await crowd(waiting, 1)
    await sale.later(waiting, 250)
    await enter(waiting, ticket)
    for _ in range(2):
        await waiting.leave_line(ticket)
    assert sale.told(events.Left) == [events.Left("mi-launch", 0)]
    await waiting.tick()
    assert waiting.line.visits == 0


# ---- Visits


async def test_activity_shortens_no_visit(sale: Sale) -> None:
    """Whoever entered for a minute has it, also when the operator has made visits shorter since."""
    waiting = await sale.gate(visit_seconds=60, visit_longest_seconds=120)
    (ticket,) = await crowd(waiting, 1)
    await sale.later(waiting, 250)
    entered = await enter(waiting, ticket)
    pace = replace(waiting.room.pace, visit_ms=5_000, visit_longest_ms=10_000)
    await waiting.tune(pace, by="olga")
    waiting.visits.touch(Pass("mi-launch", 0, 0, entered.enter_at, entered.expires_at))
    await waiting.visits.extend()
    assert await waiting.knock(ticket) == entered


async def test_an_active_visitor_stays_up_to_the_longest_visit(sale: Sale) -> None:
    """The spot is theirs for as long as the pass says, and not a moment longer."""
    waiting = await sale.gate(visit_seconds=10, visit_longest_seconds=25)
    (ticket,) = await crowd(waiting, 1)
    await sale.later(waiting, 250)
    entered = await enter(waiting, ticket)
    pass_ = Pass("mi-launch", 0, 0, entered.enter_at, entered.expires_at)
    for wanted in (18_000, 25_000, 25_000):
        sale.clock.advance(8_000)
        waiting.visits.touch(pass_)
        await waiting.visits.extend()
        pass_ = waiting.visits.touch(pass_)
        assert pass_.expires_at - entered.enter_at == wanted
        assert await waiting.knock(ticket) == replace(entered, expires_at=pass_.expires_at)
    await sale.later(waiting, 1_000)
    assert waiting.line.visits == 0
    await waiting.visits.extend()
    assert isinstance(await try_knock(waiting, ticket), Spent)


# ---- The operator


async def test_a_hold_is_recorded_with_who_and_why(sale: Sale) -> None:
    """In public what and why; in the audit also who, and from what to what."""
    waiting = await sale.gate()
    assert await waiting.hold(Hold.PAUSE, by="olga", reason="the till is down") is Phase.PAUSED
    assert (waiting.line.reason, waiting.line.paused_at) == ("the till is down", NOON)
    assert await waiting.hold(Hold.RESUME, by="olga") is Phase.OPEN
    assert waiting.line.reason == ""
    public = (await record(sale, waiting.keys.log))[2]
    assert public == {"kind": "pause", "at": str(NOON), "reason": "the till is down"}
    audit, _ = await record(sale, waiting.keys.audit)
    assert audit == {
        "what": "pause",
        "at": str(NOON),
        "by": "olga",
        "from": "open",
        "to": "paused",
        "why": "the till is down",
    }


async def test_a_pause_repeated_keeps_its_beginning_and_takes_the_new_reason(sale: Sale) -> None:
    """Repeating what already holds is no error."""
    waiting = await sale.gate()
    await waiting.hold(Hold.PAUSE, by="olga", reason="one")
    sale.clock.advance(1_000)
    await waiting.hold(Hold.PAUSE, by="olga", reason="two")
    assert (waiting.line.paused_at, waiting.line.reason) == (NOON, "two")


async def test_a_pause_keeps_the_door_and_gives_everyone_time_to_come_back(sale: Sale) -> None:
    """An hour later those at the door and on the way are still in their places, for the lead time."""
    waiting = await sale.gate(rate=6000, capacity=1)
    first, second, _ = await crowd(waiting, 3)
    await sale.later(waiting, 250)
    await enter(waiting, first)
    assert isinstance(await waiting.knock(second), AtDoor)
    await sale.later(waiting, 250)
    assert (waiting.line.at_door, waiting.line.coming) == (1, 0)
    await waiting.hold(Hold.PAUSE, by="olga")
    with pytest.raises(NotOpen, match="paused"):
        await waiting.knock(second)
    await sale.later(waiting, 3_600_000)
    assert waiting.line.at_door == 1
    await waiting.hold(Hold.RESUME, by="olga")
    sale.clock.advance(5_999)
    await waiting.tick()
    assert waiting.line.at_door == 1
    sale.clock.advance(1)
    await waiting.tick()
    assert waiting.line.at_door == 0


async def test_a_pause_keeps_those_on_their_way(sale: Sale) -> None:
    """However long it is, they do not lapse in it; when it ends they have the lead time anew, and no longer."""
    waiting = await sale.gate(rate=60, capacity=1)
    await crowd(waiting, 3)
    await sale.later(waiting, 250)
    assert waiting.line.coming == 2
    await waiting.hold(Hold.PAUSE, by="olga")
    await sale.later(waiting, 3_600_000)
    assert (waiting.line.coming, waiting.line.show_rate) == (2, 1)
    await waiting.hold(Hold.RESUME, by="olga")
    await sale.later(waiting, 5_999)
    assert (waiting.line.called, waiting.line.coming) == (2, 2)
    await sale.later(waiting, 1)
    assert waiting.line.show_rate < 1


async def test_a_change_of_pace_is_recorded_field_by_field(sale: Sale) -> None:
    """And counts from the next knock on; no limit is an empty text."""
    waiting = await sale.gate(rate=60, capacity=5, burst=2)
    pace = await waiting.tune(
        replace(waiting.room.pace, rate=90.5, capacity=None), by="olga", reason="the shop is bored"
    )
    assert pace == waiting.room.pace
    assert (pace.rate, pace.capacity, pace.burst, pace.version) == (90.5, None, 2, 2)
    audit = await record(sale, waiting.keys.audit)
    assert [(entry["what"], entry["from"], entry["to"]) for entry in audit] == [
        ("rate", "60.0", "90.5"),
        ("capacity", "5", ""),
    ]
    assert {entry["why"] for entry in audit} == {"the shop is bored"}


async def test_of_two_changes_on_the_same_base_the_second_is_refused(sale: Sale) -> None:
    """Whoever comes second sees what the first one did before changing more."""
    first, second = await sale.gate(), await sale.gate()
    base = second.room.pace
    await first.tune(replace(base, rate=10.0), by="olga")
    with pytest.raises(Conflict, match="the pace was changed meanwhile: version 2, not 1"):
        await second.tune(replace(base, rate=20.0), by="oleg")
    await second.tick()
    assert second.room.pace.rate == 10


async def test_units_are_told_to_the_store_when_they_change(sale: Sale) -> None:
    """A shop that repeats itself costs no call; a restock forgets what it said."""
    waiting = await sale.gate()
    for units in ((3, 1), (3, 1), (0, 1)):
        await waiting.tell_units(*units)
    calls = [event for event in sale.told(events.ScriptRan) if event.verb == "units"]
    assert len(calls) == 2
    assert (waiting.line.units_left, waiting.line.units_held) == (0, 1)
    await waiting.tell_units(0, 0)
    assert await waiting.hold(Hold.RESTOCK, by="olga") is Phase.OPEN
    assert (waiting.line.units_left, waiting.line.units_held) == (None, None)


async def test_stock_alone_neither_ends_a_sale_before_it_opens_nor_reopens_it(sale: Sale) -> None:
    """The shop's answers may arrive late; an operator's restock is what counts."""
    waiting = await sale.gate(opens_in=60)
    await waiting.tell_units(0, 0)
    assert waiting.phase() is Phase.PRESALE
    await sale.later(waiting, 60_000)
    await waiting.advance_draw()
    await waiting.tick()
    await waiting.tell_units(0, 0)
    assert waiting.phase() is Phase.SOLD_OUT, "told again once it is open, it counts"
    sold = await sale.gate("tea")
    await sold.tell_units(0, 0)
    await sold.tell_units(5, 0)
    assert sold.phase() is Phase.SOLD_OUT


async def test_an_ended_visit_stays_ended_when_visits_are_shortened(sale: Sale) -> None:
    """Its pass was signed when visits were longer, so every gate refuses it for as long as that."""
    waiting, other = [await sale.gate(visit_seconds=600) for _ in range(2)]
    (ticket,) = await crowd(waiting, 1)
    await open_wide(waiting)
    entered = await enter(waiting, ticket)
    granted = Pass("mi-launch", entered.place, ticket.number, entered.enter_at, entered.expires_at)
    await waiting.leave_shop(granted)
    short = replace(waiting.room.pace, visit_ms=2_000, visit_longest_ms=2_000)
    await waiting.tune(short, by="test")
    for ms in (1_000, 4_000, 500_000):
        await sale.later(waiting, ms)
        await other.tick()
        assert [gate.visits.admits(granted) for gate in (waiting, other)] == [False, False]
    await sale.later(waiting, 200_000)
    assert waiting.visits.admits(granted)
