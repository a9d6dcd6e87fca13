"""The store's clock is set back by minutes, and every gate's with it: the sale goes on."""

from copy import deepcopy
from dataclasses import asdict, replace

from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import Sale, crowd, enter, entropy, try_knock
from waitroom import answers
from waitroom.model import AtDoor, Entered, Model
from waitroom.pace import CLOCK_FELL_MS, LEAD_MS
from waitroom.room import Pace
from waitroom.tickets import Pass

NOW = 1_432_033_200_000
MINUTES = 10 * 60_000


@given(
    rate=st.integers(6, 6000),
    burst=st.integers(1, 20),
    before=st.integers(0, 40),
    fell=st.integers(CLOCK_FELL_MS + 1, MINUTES),
)
def test_the_door_goes_on_where_it_was(rate: int, burst: int, before: int, fell: int) -> None:
    """Whoever had to wait so long for the next slot waits exactly as long after the clock fell, and no longer."""
    model = Model(Pace(rate, None, burst, 60_000, 60_000))
    model.call(NOW)
    model.heal(before + 1, before + 1)
    for place in range(before):
        model.knock(NOW, place, place)
    untouched = deepcopy(model)
    model.call(NOW - fell)
    expected = untouched.knock(NOW, before, before)
    assert isinstance(expected, Entered | AtDoor)
    times = {name: at - fell for name, at in asdict(expected).items() if name != "before"}
    assert model.knock(NOW - fell, before, before) == replace(expected, **times)


async def test_the_next_in_line_enters_although_the_clock_was_set_back(sale: Sale) -> None:
    """Slots booked and people called by the clock that was ahead keep the door shut for seconds, not minutes."""
    waiting = await sale.gate(rate=60, burst=1)
    await sale.later(waiting, MINUTES)
    tickets = await crowd(waiting, 30)
    await waiting.tick(force=True)
    await enter(waiting, tickets[0])
    called = waiting.line.called
    sale.clock.advance(-MINUTES)
    await waiting.tick()
    await sale.later(waiting, 1000)
    assert isinstance(await try_knock(waiting, tickets[1]), answers.Entered)
    await sale.later(waiting, LEAD_MS)
    assert waiting.line.called > called


async def test_a_store_that_started_with_a_wrong_clock_gives_numbers_once_it_is_right(sale: Sale) -> None:
    """Joins wait a second for the gates to heal the counters, not until the wrong time comes."""
    waiting = await sale.gate(opens_in=3600)
    sale.clock.advance(MINUTES)
    sale.redis.hset(waiting.keys.line, "run", "the one before")
    await waiting.tick()
    sale.clock.advance(-MINUTES)
    assert (await waiting.join(entropy(1))).new


async def test_early_ends_of_visits_are_still_heard_of(sale: Sale) -> None:
    """A pass whose visit another gate has ended is refused by this one, whatever the clock was before."""
    here, there = await sale.gate(burst=9), await sale.gate(burst=9)
    await sale.later(here, MINUTES)
    tickets = await crowd(here, 2)
    await here.tick(force=True)
    visits = [await enter(here, ticket) for ticket in tickets]
    passes = [Pass("mi-launch", each.place, each.place, each.enter_at, each.expires_at) for each in visits]
    await there.leave_shop(passes[0])
    await here.tick()
    sale.clock.advance(-MINUTES)
    await there.leave_shop(passes[1])
    await here.tick()
    assert not here.visits.admits(passes[1])
