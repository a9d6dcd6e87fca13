"""A room's draw as it happens on the store."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import DRAW, NOON, Sale, crowd, entropy
from waitroom import beacon, draw
from waitroom.answers import Entered
from waitroom.errors import BeaconInvalid, BeaconNotAwaited, NotOpen, Spent
from waitroom.events import Drawn, PhaseChanged
from waitroom.line import WaitingRoom
from waitroom.presale import Commitment, commit
from waitroom.room import Hold, Phase, Schedule
from waitroom.settings import RoomSettings
from waitroom.state import describe_draw

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
    sale.redis.hdel(waiting.keys.line, "seed", "root", "signature")
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


async def test_settling_needs_the_published_root(sale: Sale) -> None:
    """A draw over another list than the published one is not recorded."""
    waiting = await sale.gate(opens_in=OPENS_IN)
    await crowd(waiting, 2)
    await sale.later(waiting, CLOSES_MS)
    await waiting.advance_draw()
    sale.redis.hdel(waiting.keys.line, "seed", "root", "signature")
    assert waiting.draw is not None
    await waiting._drawing._settle(replace(waiting.draw, root=b"\x03" * 32))
    assert not sale.redis.hexists(waiting.keys.line, "seed")


async def test_the_phases_are_told_as_they_come(sale: Sale) -> None:
    """One event for each change, as this gate sees it."""
    waiting = await sale.gate(opens_in=OPENS_IN)
    for ms in (CLOSES_MS, 4_000, 1_000):
        await sale.later(waiting, ms)
        await waiting.advance_draw()
    await waiting.tick()
    assert [event.after for event in sale.told(PhaseChanged)] == [Phase.DRAWING, Phase.OPEN]


async def test_a_list_that_lost_tickets_is_healed_before_it_is_frozen(sale: Sale) -> None:
    """A store that falls back at the very end of the presale shortens nobody's list."""
    waiting = await sale.gate(opens_in=OPENS_IN)
    tickets = await crowd(waiting, 4)
    sale.redis.hset(waiting.keys.line, mapping={"issued": 1, "run": "the one before"})
    sale.redis.set(waiting.keys.roll, sale.redis.getrange(waiting.keys.roll, 0, 31))
    sale.clock.advance(CLOSES_MS)
    assert not await waiting.advance_draw()
    await waiting.tick()
    assert not await waiting.advance_draw()
    sale.clock.advance(1_000)
    assert await waiting.advance_draw()
    assert waiting.line.presale_size == 4
    assert all(waiting.position(ticket).place in range(4) for ticket in tickets)


# ---- By beacon

FOUNDED = beacon.time_of(657_413) - 115_000
VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "drand.json").read_text())
SIGNATURES = {each["round"]: bytes.fromhex(each["signature"]) for each in VECTORS["beacons"]}
BY_DRAND: dict[str, Any] = {"opens_in": 130, "draw": "drand", "drawing_seconds": 75}


async def published(sale: Sale, size: int = 5) -> WaitingRoom:
    """A room whose list is public, and which waits for round 657413."""
    sale.clock.at_ms = FOUNDED
    waiting = await sale.gate(**BY_DRAND)
    await crowd(waiting, size)
    await sale.later(waiting, 55_000)
    assert not await waiting.advance_draw()
    await waiting.tick()
    return waiting


async def test_the_round_is_fixed_in_the_commitment() -> None:
    """A minute or a little more after the presale's end."""
    schedule = Schedule(FOUNDED + 130_000, FOUNDED, FOUNDED + 55_000)
    assert commit("mi-launch", schedule, drand=True).round == 657_413
    assert commit("mi-launch", schedule).round is None


async def test_list_and_secret_are_public_before_the_beacon_exists(sale: Sale) -> None:
    """The room is drawing and says so: size, root and secret are there, the seed is not."""
    waiting = await published(sale)
    shown = describe_draw(waiting.commitment, waiting.line)
    assert waiting.line.root is not None
    assert (shown["mode"], shown["round"], shown["round_at"]) == ("drand", 657_413, FOUNDED + 115_000)
    assert (shown["size"], shown["root"], shown["seed"]) == (5, waiting.line.root.hex(), None)
    assert shown["secret"] == DRAW.hex()
    assert waiting.phase() is Phase.DRAWING
    assert waiting.position(sale.take_ticket(0)).place is None


async def test_before_its_time_no_beacon_is_taken(sale: Sale) -> None:
    """It cannot be there, so nothing is checked."""
    waiting = await published(sale)
    sale.clock.at_ms = FOUNDED + 114_999
    assert waiting.awaited_round is None
    with pytest.raises(BeaconNotAwaited):
        await waiting.deliver_beacon(SIGNATURES[657_413])
    sale.clock.advance(1)
    assert waiting.awaited_round == 657_413


async def test_without_the_beacon_the_room_stays_in_drawing(sale: Sale) -> None:
    """There is no other randomness to fall back on, however late it is; a wrong one changes nothing."""
    waiting = await published(sale)
    await sale.later(waiting, 3_600_000)
    for number, signature in SIGNATURES.items():
        if number != 657_413:
            with pytest.raises(BeaconInvalid):
                await waiting.deliver_beacon(signature)
    assert not await waiting.advance_draw()
    assert waiting.phase() is Phase.DRAWING
    assert waiting.line.called == 0


async def test_the_beacon_settles_the_draw_for_every_gate(sale: Sale) -> None:
    """Whoever it was delivered to settles; all compute the same places, and the sale opens."""
    waiting = await published(sale)
    other = await sale.gate(**BY_DRAND)
    await sale.later(waiting, 75_000)
    await waiting.deliver_beacon(SIGNATURES[657_413])
    assert await waiting.advance_draw()
    with pytest.raises(BeaconNotAwaited):
        await waiting.deliver_beacon(SIGNATURES[657_413])
    for gate in (waiting, other):
        await gate.tick()
        assert await gate.advance_draw()
        assert gate.phase() is Phase.OPEN
    random = hashlib.sha256(SIGNATURES[657_413]).digest()
    seed = draw.seed(waiting.commitment.document, DRAW, waiting.line.root or b"", 5, random)
    places = [draw.shuffle(number, 5, seed) for number in range(5)]
    for gate in (waiting, other):
        assert gate.line.seed == seed
        assert [gate.position(sale.take_ticket(number)).place for number in range(5)] == places
    assert len(sale.told(Drawn)) == 1


async def test_a_beacon_outlives_a_loss(sale: Sale) -> None:
    """The gate that has it, or has only the root, publishes and settles again as it was."""
    waiting = await published(sale)
    root = waiting.line.root
    sale.redis.hdel(waiting.keys.line, "root")
    sale.redis.delete(waiting.keys.roll)
    await waiting.tick()
    await waiting.advance_draw()
    assert waiting.line.root == root
    sale.clock.at_ms = FOUNDED + 115_000
    await waiting.deliver_beacon(SIGNATURES[657_413])
    await waiting.advance_draw()
    seed = waiting.line.seed
    sale.redis.hdel(waiting.keys.line, "root", "seed", "signature")
    await waiting.tick()
    assert await waiting.advance_draw()
    await waiting.tick()
    assert (waiting.line.root, waiting.line.seed) == (root, seed)
    assert waiting.line.signature == SIGNATURES[657_413]


async def test_the_worked_draw_replays_on_the_store(sale: Sale) -> None:
    """The published example by beacon: commit document, roll and signature in, its seed and places out."""
    vector = json.loads((Path(__file__).parents[1] / "vectors" / "draw.json").read_text())[1]
    terms = json.loads(vector["commit"])
    sale.clock.at_ms = terms["presale_opens_at"]
    waiting = WaitingRoom(
        terms["room"],
        RoomSettings(draw="drand", drawing_seconds=75),
        (terms["presale_closes_at"] + 75_000 - sale.clock.at_ms) / 1000,
        store=sale.store,
        tokens=sale.tokens,
        clock=sale.clock,
    )
    waiting.commitment = Commitment(bytes.fromhex(vector["secret"]), vector["commit"].encode())
    await waiting.found()
    assert waiting.room.schedule.presale_closes_at == terms["presale_closes_at"]
    await crowd(waiting, vector["size"])
    sale.redis.set(waiting.keys.roll, bytes.fromhex("".join(vector["leaves"])))
    sale.clock.at_ms = terms["presale_closes_at"]
    assert not await waiting.advance_draw()
    assert (waiting.line.root or b"").hex() == vector["root"]
    sale.clock.at_ms = beacon.time_of(terms["round"])
    await waiting.deliver_beacon(bytes.fromhex(vector["signature"]))
    assert await waiting.advance_draw()
    assert (waiting.line.seed or b"").hex() == vector["seed"]
    assert [waiting.position(sale.take_ticket(each)).place for each in range(12)] == vector["places"]


# ---- Audit paths


async def test_an_audit_path_leads_from_a_leaf_to_the_root(sale: Sale) -> None:
    """Read from the store a block at a time; the roll is read whole at most once for each root."""
    waiting = await sale.gate(opens_in=OPENS_IN)
    await crowd(waiting, 20)
    await sale.later(waiting, CLOSES_MS)
    await waiting.advance_draw()
    root = waiting.line.root or b""
    for number in range(20):
        found = await waiting.audit_path(number)
        assert found is not None
        assert draw.verify_path(found[0], number, 20, found[1], root)


async def test_a_roll_that_has_lost_a_leaf_has_no_path(sale: Sale) -> None:
    """It would not lead to the published root; whether the tree was read before or is read only now."""
    waiting = await sale.gate(opens_in=OPENS_IN)
    await crowd(waiting, 3)
    await sale.later(waiting, CLOSES_MS)
    await waiting.advance_draw()
    assert await waiting.audit_path(1) is not None
    sale.redis.setrange(waiting.keys.roll, 0, b"\0" * 32)
    assert await waiting.audit_path(1) is None
    other = await sale.gate(opens_in=OPENS_IN)
    assert await other.audit_path(1) is None


@pytest.mark.parametrize("identity", ["mi-fan", ""])
async def test_leaving_and_joining_again_makes_no_second_lot(sale: Sale, identity: str) -> None:
    """Before the draw whoever left gets the same ticket back, an identity by itself, a browser by what it holds."""
    waiting = await sale.gate(opens_in=OPENS_IN, identity=bool(identity))
    first = (await waiting.join(entropy(1), identity)).ticket
    for attempt in range(3):
        await waiting.leave_line(first)
        again = await waiting.join(entropy(2 + attempt), identity, None if identity else first)
        assert (again.ticket, again.new) == (first, False)
    await sale.later(waiting, CLOSES_MS)
    await waiting.advance_draw()
    assert waiting.line.presale_size == 1
    await sale.later(waiting, 5_000)
    await waiting.tick(force=True)
    assert isinstance(await waiting.knock(first), Entered)


async def test_a_ticket_given_back_stays_so_once_the_list_is_fixed(sale: Sale) -> None:
    """Then a new ticket's place is behind everyone, and the old one's lot is nobody's."""
    waiting = await sale.gate(opens_in=OPENS_IN, identity=True)
    first = (await waiting.join(entropy(1), "mi-fan")).ticket
    await waiting.leave_line(first)
    await sale.later(waiting, CLOSES_MS)
    again = await waiting.join(entropy(2), "mi-fan")
    assert (again.ticket.number, again.new) == (1, True)
    await waiting.advance_draw()
    with pytest.raises(Spent):
        await waiting.knock(first)
