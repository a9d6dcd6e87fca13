"""A room's draw as it happens on the store."""

import hashlib
from dataclasses import replace

import pytest

from tests.conftest import DRAW, NOON, Sale, crowd, entropy
from waitroom import draw
from waitroom.errors import NotOpen
from waitroom.events import Drawn, PhaseChanged
from waitroom.presale import commit
from waitroom.room import Hold, Phase, Schedule

OPENS_IN = 60
CLOSES_MS = 55_000


def test_a_commitment_binds_a_fresh_secret() -> None:
    """Another one for each room that is founded; the document names its hash and no more of it."""
    schedule = Schedule(NOON, NOON - 60_000, NOON - 5_000)
    first, second = (commit("mi-launch", schedule) for _ in range(2))
    assert first.secret != second.secret
    assert first.hash == hashlib.sha256(first.secret).digest()
    assert first.hash.hex().encode() in first.document
    assert first.secret.hex().encode() not in first.document


def test_a_room_without_a_presale_commits_to_nothing() -> None:
    """There is nothing to draw."""
    assert commit("mi-launch", Schedule(NOON)).document == b""


async def test_a_draw_goes_its_way_from_the_presale_to_everyones_place(sale: Sale) -> None:
    """Frozen at its end, drawn at once, replayed from what is public; later tickets queue behind."""
    waiting = await sale.gate(opens_in=OPENS_IN)
    tickets = await crowd(waiting, 7)
    assert not await waiting.advance_draw()
    assert waiting.position(tickets[0]).place is None
    with pytest.raises(NotOpen, match="nobody enters while the room is presale"):
        await waiting.knock(tickets[0])

    await sale.later(waiting, CLOSES_MS)
    late = (await waiting.join(entropy(99))).ticket
    assert await waiting.advance_draw()
    assert await waiting.advance_draw()
    assert len(sale.told(Drawn)) == 1

    leaves = [draw.leaf(ticket.id, entropy(each)) for each, ticket in enumerate(tickets)]
    root = draw.merkle_root(b"".join(leaves))
    seed = draw.seed(waiting.commitment.document, DRAW, root, 7)
    await waiting.tick()
    assert (waiting.line.presale_size, waiting.line.root, waiting.line.seed) == (7, root, seed)
    places = [waiting.position(ticket).place for ticket in tickets]
    assert places == [draw.shuffle(number, 7, seed) for number in range(7)]
    assert waiting.position(late).place == 7


async def test_another_gate_makes_the_same_draw(sale: Sale) -> None:
    """From the store alone, also when the roll has lost leaves since: the settled seed stands."""
    waiting = await sale.gate(opens_in=OPENS_IN)
    tickets = await crowd(waiting, 5)
    await sale.later(waiting, CLOSES_MS)
    await waiting.advance_draw()
    sale.redis.delete(waiting.keys.roll)
    other = await sale.gate(opens_in=OPENS_IN)
    assert await other.advance_draw()
    assert [other.position(ticket) for ticket in tickets] == [waiting.position(ticket) for ticket in tickets]
    assert other.draw is not None
    assert waiting.draw is not None
    assert other.draw.seed == waiting.draw.seed


async def test_a_draw_that_the_store_has_lost_is_settled_again_as_it_was(sale: Sale) -> None:
    """Whoever knows the places keeps them, and tells the store."""
    waiting = await sale.gate(opens_in=OPENS_IN)
    tickets = await crowd(waiting, 5)
    await sale.later(waiting, CLOSES_MS)
    await waiting.advance_draw()
    before = [waiting.position(ticket).place for ticket in tickets]
    sale.redis.hdel(waiting.keys.line, "seed", "root")
    sale.redis.delete(waiting.keys.roll)
    await waiting.tick()
    assert waiting.line.seed is None
    await waiting.advance_draw()
    await waiting.tick()
    assert waiting.draw is not None
    assert waiting.line.seed == waiting.draw.seed
    assert [waiting.position(ticket).place for ticket in tickets] == before


async def test_a_gate_follows_the_draw_that_is_settled(sale: Sale) -> None:
    """Two gates never tell different places: the store's word counts."""
    waiting = await sale.gate(opens_in=OPENS_IN)
    tickets = await crowd(waiting, 5)
    await sale.later(waiting, CLOSES_MS)
    await waiting.advance_draw()
    sale.redis.hset(waiting.keys.line, "seed", b"\x09" * 32)
    await waiting.tick()
    await waiting.advance_draw()
    assert [waiting.position(ticket).place for ticket in tickets] == [
        draw.shuffle(number, 5, b"\x09" * 32) for number in range(5)
    ]


async def test_the_first_to_come_after_the_presale_fixes_its_list(sale: Sale) -> None:
    """Before a latecomer has a number the list is frozen, so no gate counts them among those who are drawn."""
    waiting = await sale.gate(opens_in=OPENS_IN)
    await crowd(waiting, 3)
    sale.clock.advance(CLOSES_MS)
    late = (await waiting.join(entropy(99))).ticket
    await waiting.tick()
    assert await waiting.advance_draw()
    assert waiting.line.presale_size == 3
    assert waiting.position(late).place == late.number == 3


async def test_a_size_that_the_store_has_lost_is_told_to_it(sale: Sale) -> None:
    """The list stays fixed as it was: a gate that saw it gives it back before anyone counts the leaves again."""
    waiting = await sale.gate(opens_in=OPENS_IN)
    await crowd(waiting, 3)
    await sale.later(waiting, CLOSES_MS)
    assert await waiting.advance_draw()
    sale.redis.hdel(waiting.keys.line, "presale_size")
    sale.redis.append(waiting.keys.roll, b"\x07" * 32)
    await waiting.tick()
    assert sale.redis.hget(waiting.keys.line, "presale_size") == b"3"


async def test_a_presale_that_nobody_came_to_is_drawn_all_the_same(sale: Sale) -> None:
    """The sale opens, and the first to come is the first in line."""
    waiting = await sale.gate(opens_in=OPENS_IN)
    await sale.later(waiting, 60_000)
    assert waiting.phase() is Phase.DRAWING
    assert await waiting.advance_draw()
    await waiting.tick()
    assert waiting.phase() is Phase.OPEN
    (ticket,) = await crowd(waiting, 1)
    assert waiting.position(ticket).place == 0


async def test_a_room_closed_in_its_presale_is_not_drawn_before_its_time(sale: Sale) -> None:
    """The list is fixed when it was said to be, not earlier."""
    waiting = await sale.gate(opens_in=OPENS_IN)
    await crowd(waiting, 2)
    await waiting.hold(Hold.CLOSE, by="olga")
    assert not await waiting.advance_draw()
    assert waiting.line.presale_size is None


async def test_settling_needs_the_frozen_size(sale: Sale) -> None:
    """A draw over another list than the frozen one is not recorded."""
    waiting = await sale.gate(opens_in=OPENS_IN)
    await crowd(waiting, 2)
    await sale.later(waiting, CLOSES_MS)
    await waiting.advance_draw()
    sale.redis.hdel(waiting.keys.line, "seed", "root")
    assert waiting.draw is not None
    await waiting._settle(replace(waiting.draw, size=3))
    assert not sale.redis.hexists(waiting.keys.line, "seed")


async def test_the_phases_are_told_as_they_come(sale: Sale) -> None:
    """One event for each change, as this gate sees it."""
    waiting = await sale.gate(opens_in=OPENS_IN)
    for ms in (CLOSES_MS, 4_000, 1_000):
        await sale.later(waiting, ms)
        await waiting.advance_draw()
    await waiting.tick()
    assert [event.after for event in sale.told(PhaseChanged)] == [Phase.DRAWING, Phase.OPEN]
