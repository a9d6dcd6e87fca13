"""The public record and its seals."""

import asyncio
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ROOM, Sale, crowd, enter
from waitroom import record
from waitroom.line import WaitingRoom
from waitroom.room import Hold

entries = st.tuples(
    st.text(max_size=9), st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=3)
)


async def log_of(waiting: WaitingRoom) -> list[record.Entry]:
    """The whole record."""
    return [(each, fields) for each, fields in await waiting._store.read_stream(waiting.keys.log, "0", 1000)]


def kinds(log: list[record.Entry]) -> list[str]:
    """What was recorded, in order."""
    return [fields["kind"] for _, fields in log]


# ---- The format


def test_an_entry_is_hashed_as_the_docs_say() -> None:
    """Id, number of fields, names and values in order of name, each text with its length before it."""
    entry = ("1-0", {"kind": "pause", "at": "7"})
    expected = (
        b"\0\0\0\x031-0" + b"\0\0\0\x02" + b"\0\0\0\x02at" + b"\0\0\0\x017" + b"\0\0\0\x04kind\0\0\0\x05pause"
    )
    assert record.entry_bytes(entry) == expected
    first = sha256(b"log/v1\x00mi-launch").digest()
    assert record.first_link("mi-launch") == first
    assert record.seal(first, [entry, entry]) == sha256(first + expected * 2).digest()


@given(st.lists(entries, max_size=4), st.lists(entries, max_size=4))
def test_different_entries_have_different_seals(one: list[record.Entry], other: list[record.Entry]) -> None:
    """Nothing can be moved from a name to a value or from an entry to the next."""
    last = bytes(32)
    assert (record.seal(last, one) == record.seal(last, other)) == (one == other)


# ---- On the store


async def test_the_record_tells_a_whole_sale(sale: Sale) -> None:
    """Founded with its schedule and pace, phases, draw, calls, entries, changes with reasons; no name, no ticket."""
    waiting = await sale.gate(opens_in=60, identity=True, rate=6000)
    for each in range(3):
        await waiting.join(bytes([each]) * 32, f"shopper-{each}")
    await sale.later(waiting, 55_000)
    await waiting.advance_draw()
    await sale.later(waiting, 5_000)
    place = next(number for number in range(3) if waiting.draw and waiting.draw.places[number] == 0)
    ticket = (await waiting.join(bytes([place]) * 32, f"shopper-{place}")).ticket
    entered = await enter(waiting, ticket)
    await waiting.hold(Hold.PAUSE, by="olga", reason="the till is down")
    log = await log_of(waiting)
    told = ["found", "phase", "phase", "freeze", "roll", "draw", "phase", "call", "enter", "pause", "phase"]
    assert kinds(log) == told
    found, draw, enters, pause = (log[told.index(kind)][1] for kind in ("found", "draw", "enter", "pause"))
    assert found["commit"].encode() == waiting.commitment.document
    assert (int(found["opens_at"]), float(found["rate"])) == (waiting.room.schedule.opens_at, 6000)
    assert (draw["seed"], draw["signature"]) == ((waiting.line.seed or b"").hex(), "")
    assert enters == {"kind": "enter", "at": enters["at"], "place": "0", "enter_at": str(entered.enter_at)}
    assert pause["reason"] == "the till is down"
    text = repr(log)
    assert not [secret for secret in ("olga", "shopper-", ticket.id.hex()) if secret in text]


async def test_seals_chain_the_whole_record(sale: Sale) -> None:
    """Each covers the one before it and all since; nothing is sealed where nothing happened."""
    waiting = await sale.gate()
    for _ in range(3):
        await crowd(waiting, 1, first=sale.clock.now_ms() % 1000)
        await sale.later(waiting, 5_001)
        await waiting.seal_record()
        await waiting.tick()
        await waiting.seal_record()
    log = await log_of(waiting)
    assert kinds(log).count("seal") == 3
    last, at = record.first_link(ROOM), 0
    for entry_id, fields in log:
        if fields["kind"] != record.SEAL:
            continue
        to = [each for each, _ in log].index(fields["to"]) + 1
        last, at = record.seal(last, log[at:to]), to
        assert (fields["seal"], fields["issued"]) == (last.hex(), fields["called"])
        assert entry_id > fields["to"]
    await sale.later(waiting, 5_000)
    assert (waiting.line.seal, waiting.line.sealed_to) == (last, log[at - 1][0])
    before = len(log)
    await waiting.seal_record()
    assert len(await log_of(waiting)) == before


async def test_joins_alone_are_sealed_too(sale: Sale) -> None:
    """In a presale nothing is recorded but how many tickets were issued when: a lump of them would be seen."""
    waiting = await sale.gate(opens_in=600)
    for size in (2, 3):
        await crowd(waiting, size, first=10 * size)
        await sale.later(waiting, 5_000)
        await waiting.seal_record()
    seals = [fields for _, fields in await log_of(waiting) if fields["kind"] == "seal"]
    assert [fields["issued"] for fields in seals] == ["2", "5"]


async def test_many_gates_never_fork_the_chain(sale: Sale) -> None:
    """Whoever is first within two seconds seals; the others' seals are not taken."""
    gates = [await sale.gate() for _ in range(5)]
    for turn in range(4):
        await crowd(gates[0], 1, first=turn)
        sale.clock.advance(1_500)
        for gate in gates:
            await gate.tick(force=True)
        await asyncio.gather(*(gate.seal_record() for gate in gates))
    log = await log_of(gates[0])
    assert 2 <= kinds(log).count("seal") <= 4
    last, at, ids = record.first_link(ROOM), 0, [each for each, _ in log]
    for _, fields in log:
        if fields["kind"] == record.SEAL:
            to = ids.index(fields["to"]) + 1
            last, at = record.seal(last, log[at:to]), to
            assert fields["seal"] == last.hex()


async def test_a_loss_stands_in_the_record(sale: Sale) -> None:
    """What the gates gave back to a store that had lost it is told, so that a gap has its reason."""
    waiting = await sale.gate(opens_in=60)
    await crowd(waiting, 4)
    sale.redis.hset(waiting.keys.line, "issued", 1)
    sale.redis.set(waiting.keys.roll, b"\x01" * 32)
    await waiting.tick()
    await waiting.tick()
    heals = [fields for _, fields in await log_of(waiting) if fields["kind"] == "heal"]
    assert [(fields["issued"], fields["called"], fields["size"]) for fields in heals] == [("4", "0", "")]


@pytest.mark.parametrize("phases", [["open"], ["open", "paused", "open"]])
async def test_each_phase_is_recorded_once(sale: Sale, phases: list[str]) -> None:
    """When any gate's tick first sees it."""
    gates = [await sale.gate() for _ in range(2)]
    for hold in [Hold.PAUSE, Hold.RESUME][: len(phases) - 1]:
        await gates[0].hold(hold, by="olga")
        for gate in gates:
            await gate.tick()
    assert [fields["to"] for _, fields in await log_of(gates[0]) if fields["kind"] == "phase"] == phases
