"""The shop in trouble: when a gate believes it, and what it does to door and visits."""

from typing import Any

import pytest

from tests.conftest import NOON, Sale, crowd, enter, open_wide, try_knock
from waitroom.answers import AtDoor
from waitroom.errors import NotOpen
from waitroom.room import Hold, Phase
from waitroom.state import build_state
from waitroom.tickets import Pass, Ticket
from waitroom.trouble import MOST_VOICES, OWN_ASKS, WINDOW_S, Threshold, Voices

VISIT = 60_000


# ---- When a gate believes it


@pytest.fixture
def voices() -> Voices:
    """Half of at least five visitors."""
    return Voices(Threshold())


def say(voices: Voices, *failed: bool, now: int = NOON, first: int = 0) -> None:
    """As many visitors as there are answers get one each."""
    for place, each in enumerate(failed, first):
        voices.hear(now, place, failed=each)


@pytest.mark.parametrize(
    "failed,trouble",
    [
        ([True] * 5, True),
        ([True] * 4, False),
        ([True] * 3 + [False] * 3, True),
        ([True] * 4 + [False] * 5, False),
        ([False] * 40, False),
        ([], False),
    ],
)
def test_it_takes_enough_visitors_and_enough_failures(
    voices: Voices, failed: list[bool], *, trouble: bool
) -> None:
    """Half of at least five, by default."""
    say(voices, *failed)
    assert voices.judge(NOON) is trouble


def test_one_visitor_has_one_voice(voices: Voices) -> None:
    """Whoever asks for a broken page a thousand times says no more than by asking once."""
    say(voices, *[False] * 5)
    for _ in range(1000):
        voices.hear(NOON, 99, failed=True)
    assert not voices.judge(NOON)


def test_a_voice_is_divided_among_its_answers(voices: Voices) -> None:
    """A shop whose pages open and whose orders all fail is in trouble; one failure among many answers is none."""
    for failed in (True, False):
        say(voices, *[failed] * 5)
    assert voices.judge(NOON)
    say(voices, *[False] * 5)
    voices.hear_own(failed=False)
    assert not voices.judge(NOON)


def test_what_is_past_is_forgotten(voices: Voices) -> None:
    """Failures count for ten seconds, and those spread over more than that never add up."""
    say(voices, *[True] * 4)
    say(voices, True, now=NOON + 1000 * WINDOW_S, first=4)
    assert not voices.judge(NOON + 1000 * WINDOW_S)
    say(voices, *[True] * 4, now=NOON + 1000 * WINDOW_S - 1, first=5)
    assert voices.judge(NOON + 1000 * WINDOW_S)


def test_what_was_heard_before_the_clock_was_set_back_is_forgotten(voices: Voices) -> None:
    """Failures at times that are still to come do not keep the trouble up until then."""
    say(voices, *[True] * 5, now=NOON + 3_600_000)
    assert voices.judge(NOON + 3_600_000)
    voices.hear_own(failed=False)
    voices.hear(NOON, 9, failed=True)
    assert not voices.judge(NOON)
    say(voices, *[True] * 4)
    assert voices.judge(NOON), "and is heard again"


def test_the_gates_own_requests_tell_of_a_shop_that_nobody_is_in(voices: Voices) -> None:
    """Three that fail in a row; and one answer says that it is over."""
    for each in range(OWN_ASKS):
        assert not voices.judge(NOON), each
        voices.hear_own(failed=True)
    assert voices.judge(NOON)
    assert voices.judge(NOON), "until the shop is asked again"
    voices.hear_own(failed=True)
    assert voices.judge(NOON)
    voices.hear_own(failed=False)
    assert not voices.judge(NOON)


def test_trouble_lasts_while_visitors_tell_of_it_or_the_shop_does_not_answer(voices: Voices) -> None:
    """The gate's own request decides once too few visitors are left to tell."""
    say(voices, *[True] * 5)
    assert voices.judge(NOON)
    voices.hear_own(failed=False)
    assert voices.judge(NOON)
    later = NOON + 1000 * WINDOW_S
    voices.hear_own(failed=True)
    assert voices.judge(later)
    voices.hear_own(failed=False)
    voices.hear(later, 1, failed=True)
    assert not voices.judge(later), "one visitor does not keep the trouble up"


def test_memory_is_bounded(voices: Voices) -> None:
    """I13: in a second so many visitors are heard, and those go on being heard."""
    say(voices, *[False] * (MOST_VOICES + 500))
    say(voices, *[True] * MOST_VOICES)
    say(voices, *[True] * MOST_VOICES)
    assert voices.judge(NOON)
    assert sum(len(heard) for _, heard in voices._seconds) == MOST_VOICES


# ---- What it does to the door


async def test_nobody_is_called_or_enters_until_no_gate_tells_of_trouble(sale: Sale) -> None:
    """The mark of any gate halts all of them for five seconds; a gate that dies in trouble leaves nobody stuck."""
    first, other = await sale.gate(capacity=9, burst=9), await sale.gate(capacity=9, burst=9)
    tickets = await crowd(first, 30)
    await first.tick(force=True)
    called = first.line.called
    await first.tell_trouble()
    await other.tick()
    for waiting in (first, other):
        assert (waiting.phase(), waiting.line.in_trouble) == (Phase.PAUSED, True)
        assert isinstance(await try_knock(waiting, tickets[0]), NotOpen)
    await sale.later(other, 4_000)
    await first.tell_trouble()
    await sale.later(other, 4_999)
    assert (other.phase(), other.line.called) == (Phase.PAUSED, called)
    await sale.later(other, 1)
    assert (other.phase(), other.line.trouble_ms) == (Phase.OPEN, 9_000)
    await enter(other, tickets[0])


async def test_the_door_keeps_its_order_and_everyone_has_time_to_return(sale: Sale) -> None:
    """As after a pause: who was at the door or on the way lapses no sooner than the lead time after it."""
    waiting = await sale.gate(capacity=1, burst=9, rate=6000)
    tickets = await crowd(waiting, 5)
    await waiting.tick(force=True)
    await enter(waiting, tickets[0])
    assert isinstance(await waiting.knock(tickets[1]), AtDoor)
    await open_wide(waiting, capacity=2)
    assert (waiting.line.at_door, waiting.line.coming) == (1, 1)
    await waiting.tell_trouble()
    for _ in range(20):
        await sale.later(waiting, 1_000)
        await waiting.tell_trouble()
    await sale.later(waiting, 5_000)
    assert waiting.phase() is Phase.OPEN
    for ms, still_there in ((5_999, True), (1, False)):
        await sale.later(waiting, ms)
        coming: Any = sale.redis.zrange(waiting.keys.coming, 0, -1)
        assert (waiting.line.at_door, b"2" in coming) == (int(still_there), still_there)


async def test_the_public_record_and_the_state_tell_of_it(sale: Sale) -> None:
    """When it began and ended; who only looks at the state sees a room that is paused, and why."""
    waiting = await sale.gate()
    await waiting.tell_trouble()
    assert b'"phase":"paused","joinable":true' in build_state(waiting, NOON).body
    assert b'"shop_trouble":true' in build_state(waiting, NOON).body
    await waiting.hold(Hold.PAUSE, by="olga", reason="wait")
    assert b'"shop_trouble":false' in build_state(waiting, NOON).body
    await waiting.hold(Hold.RESUME, by="olga")
    assert waiting.phase() is Phase.PAUSED
    await sale.later(waiting, 5_250)
    told = [fields for _, fields in await sale.store.read_stream(waiting.keys.log, "0", 99)]
    kinds = [fields["kind"] for fields in told]
    assert kinds == ["found", "phase", "trouble", "phase", "pause", "resume", "recovered", "phase"]
    assert (told[-2]["from"], told[-2]["to"]) == (str(NOON), str(NOON + 5_000))


async def test_trouble_that_begins_again_before_anyone_looked_is_counted_as_two(sale: Sale) -> None:
    """What lies between was no trouble; nothing is counted that no gate has told."""
    waiting = await sale.gate()
    await waiting.tell_trouble()
    sale.clock.advance(8_000)
    await waiting.tell_trouble()
    assert (waiting.line.trouble_ms, waiting.line.trouble_since) == (5_000, NOON + 8_000)


async def test_an_operator_may_let_the_door_go_on_regardless(sale: Sale) -> None:
    """What was told runs out, and nobody is heard until the operator wants it."""
    waiting = await sale.gate()
    await waiting.tell_trouble()
    assert await waiting.hold(Hold.TRUST, by="olga", reason="a false alarm") is Phase.PAUSED
    sale.clock.advance(5_000)
    await waiting.tell_trouble()
    await waiting.tick()
    assert (waiting.phase(), waiting.line.trusted) == (Phase.OPEN, True)
    await waiting.hold(Hold.WATCH, by="olga")
    await waiting.tell_trouble()
    assert (waiting.phase(), waiting.line.trusted) == (Phase.PAUSED, False)


# ---- What it does to visits


async def test_a_visit_is_extended_by_exactly_the_length_of_the_trouble(sale: Sale) -> None:
    """In the store and by its pass alike, to the millisecond; the spot is taken until then, and not a moment longer."""
    waiting = await sale.gate(capacity=1, burst=9, visit_seconds=VISIT / 1000)
    first, second = await crowd(waiting, 2)
    await waiting.tick(force=True)
    entered = await enter(waiting, first)
    granted = Pass("mi-launch", entered.place, 0, entered.enter_at, entered.expires_at)
    sale.clock.advance(VISIT - 1)
    await waiting.tell_trouble()
    trouble = 0
    for _ in range(100):
        await sale.later(waiting, 1_000)
        await waiting.tell_trouble()
        trouble += 1_000
        assert (await enter(waiting, first)).expires_at == sale.clock.now_ms() + 1
    trouble += 5_000
    await sale.later(waiting, 5_000)
    assert waiting.phase() is Phase.OPEN
    end = entered.expires_at + trouble
    assert (waiting.visits.stands(granted).expires_at, sale.clock.now_ms()) == (end, end - 1)
    assert (waiting.line.visits, isinstance(await try_knock(waiting, second), AtDoor)) == (1, True)
    await sale.later(waiting, 1)
    assert waiting.line.visits == 0
    new = await enter(waiting, second)
    assert (new.expires_at, new.trouble_ms) == (end + VISIT, trouble)


async def test_a_visit_that_was_over_is_not_revived(sale: Sale) -> None:
    """Trouble extends the visits that last when it begins."""
    waiting = await sale.gate(visit_seconds=VISIT / 1000)
    (ticket,) = await crowd(waiting, 1)
    await waiting.tick(force=True)
    entered = await enter(waiting, ticket)
    granted = Pass("mi-launch", entered.place, 0, entered.enter_at, entered.expires_at)
    sale.clock.advance(VISIT)
    await waiting.tell_trouble()
    await sale.later(waiting, 3_000)
    assert waiting.visits.stands(granted).expires_at <= sale.clock.now_ms()
    assert waiting.line.visits == 0


async def test_an_active_visit_slides_to_its_longest_and_the_trouble_on_top(sale: Sale) -> None:
    """Neither loses anything to the other."""
    waiting = await sale.gate(visit_seconds=60, visit_longest_seconds=90)
    ticket: Ticket = (await crowd(waiting, 1))[0]
    await waiting.tick(force=True)
    entered = await enter(waiting, ticket)
    granted = Pass("mi-launch", entered.place, 0, entered.enter_at, entered.expires_at)
    await waiting.tell_trouble()
    await sale.later(waiting, 5_000)
    sale.clock.advance(59_000)
    assert waiting.visits.touch(waiting.visits.stands(granted)).expires_at == entered.expires_at + 5_000
    await waiting.visits.extend()
    extended = waiting.visits.touch(waiting.visits.stands(granted))
    assert extended.expires_at == entered.enter_at + 90_000 + 5_000
    assert (await enter(waiting, ticket)).expires_at == extended.expires_at
