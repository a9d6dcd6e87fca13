"""The store's client: what it runs, what it refuses, and what it says when the server is away."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from redis import Redis
from redis.exceptions import ResponseError

import waitroom.store
from tests.conftest import NOON, Sale, entropy
from waitroom.clock import Clock, ManualClock
from waitroom.embedded import Store as Server
from waitroom.embedded import running_store
from waitroom.errors import StoreAway, StoreUnfit
from waitroom.events import ScriptRan, StoreBack, StoreLost
from waitroom.room import Phase
from waitroom.store import Store, Unfounded


@pytest.fixture
def server() -> Iterator[Server]:
    """A store of its own, which a test may harm."""
    with tempfile.TemporaryDirectory(prefix="wr") as folder:
        socket = Path(folder) / "sock"
        with running_store(Path(folder) / "data", unixsocket=socket) as server:
            yield server


@pytest.fixture
def admin(server: Server) -> Iterator[Redis]:
    """Its administrator."""
    with Redis.from_url(server.url) as client:
        yield client


@pytest_asyncio.fixture
async def frail(server: Server, clock: ManualClock) -> AsyncIterator[Sale]:
    """A sale on it."""
    sale = Sale(clock, Store(server.url, clock), Redis.from_url(server.url))
    async with aclosing(sale.store):
        yield sale
    sale.redis.close()


# ---- Scripts


async def test_a_script_is_loaded_when_the_server_does_not_know_it(sale: Sale) -> None:
    """After a restart the first call brings it along."""
    waiting = await sale.gate()
    sale.redis.script_flush()
    assert (await waiting.join(entropy(1))).ticket.number == 0


async def test_each_call_of_a_script_is_told(sale: Sale) -> None:
    """With its verb, its time and whether the store answered."""
    waiting = await sale.gate()
    sale.events.clear()
    await waiting.join(entropy(1))
    assert sale.told(ScriptRan) == [ScriptRan("join", 0.0, ok=True)]


async def test_a_room_that_was_never_founded_is_known_by_its_error(sale: Sale) -> None:
    """Every verb says so, and it counts as away: a gate's next tick founds the room."""
    with pytest.raises(Unfounded, match="this room is not in the store"):
        await sale.store.run("units", ["line", "settings", "log"], [NOON, 1, 0])


async def test_a_mistake_of_our_own_is_no_absence_of_the_store(sale: Sale) -> None:
    """A wrong type of key is a bug, and must be seen as one."""
    await sale.gate()
    sale.redis.set("waitroom:{mi-launch}:line", "no hash")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await sale.store.run("units", ["waitroom:{mi-launch}:line", "s", "l"], [NOON, 1, 0])


# ---- Connections


async def test_a_connection_that_died_idle_is_replaced_at_once(frail: Sale, admin: Redis) -> None:
    """A firewall may cut what lies idle; the next call opens another and nobody notices."""
    waiting = await frail.gate()
    for _ in range(3):
        admin.client_kill_filter(_type="normal", skipme=True)
        assert (await waiting.join(entropy(1))).ticket.number == 0


async def test_a_call_is_tried_twice_and_no_more(clock: ManualClock, tmp_path: Path) -> None:
    """Whoever asks knows what else to do meanwhile: a store that cuts each connection is away."""
    cuts: list[None] = []

    async def cut(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        cuts.append(None)
        writer.close()

    server = await asyncio.start_unix_server(cut, tmp_path / "sock")
    async with server, aclosing(Store(f"unix://{tmp_path}/sock", clock)) as store:
        with pytest.raises(StoreAway, match="the store does not answer"):
            await store.run("units", ["line", "settings", "log"], [NOON, 1, 0])
    assert len(cuts) == 2


# ---- A server that may be used


async def test_the_store_that_comes_along_is_fit_without_a_warning(frail: Sale) -> None:
    """New enough, writable, persistent, and it never evicts."""
    assert await frail.store.check() == []


async def test_a_server_that_may_forget_is_warned_about(frail: Sale, admin: Redis) -> None:
    """By evicting keys, or at its next restart."""
    admin.config_set("maxmemory-policy", "allkeys-lru")
    admin.config_set("appendonly", "no")
    admin.config_set("save", "")
    assert await frail.store.check() == [
        "maxmemory-policy is not noeviction: the store may forget places in the line",
        "persistence is off: a restart of the store loses the line",
    ]
    admin.config_set("save", "3600 1")
    assert len(await frail.store.check()) == 1


async def test_a_server_that_is_too_old_is_refused(frail: Sale, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what runs and what is needed."""
    monkeypatch.setattr(waitroom.store, "OLDEST", (99, 0))
    with pytest.raises(StoreUnfit, match=r"the store runs version \d+\.\d+\.\d+; it must be"):
        await frail.store.check()


async def test_a_replica_is_refused(frail: Sale, admin: Redis) -> None:
    """It cannot be written to: neither at the start, nor when it becomes one in mid-sale."""
    waiting = await frail.gate()
    admin.replicaof("127.0.0.1", 1)
    with pytest.raises(StoreUnfit, match="REDIS_URL must name the primary"):
        await frail.store.check()
    with pytest.raises(StoreAway, match="the store cannot serve now"):
        await waiting.join(entropy(1))
    admin.replicaof("NO", "ONE")
    assert (await waiting.join(entropy(1))).ticket.number == 0


# ---- A server that cannot serve now


async def test_a_store_that_is_full_is_away_until_it_is_not(frail: Sale, admin: Redis) -> None:
    """With noeviction it refuses to write: nobody joins, nothing is lost, all goes on afterwards."""
    waiting = await frail.gate()
    admin.config_set("maxmemory", 1)
    with pytest.raises(StoreAway, match="the store cannot serve now"):
        await waiting.join(entropy(1))
    admin.config_set("maxmemory", 0)
    assert (await waiting.join(entropy(1))).ticket.number == 0


REPLIES = [
    "MISCONF Errors writing to the AOF file: No space left on device",
    "OOM command not allowed when used memory > 'maxmemory'.",
    "READONLY You can't write against a read only replica.",
    "LOADING Valkey is loading the dataset in memory",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "CLUSTERDOWN The cluster is down",
    "NOREPLICAS Not enough good replicas to write.",
    "BUSY Valkey is busy running a script.",
    "NOAUTH Authentication required.",
]


@pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: reply.partition(" ")[0])
async def test_a_server_that_cannot_serve_now_is_away(sale: Sale, reply: str) -> None:
    """Whatever its reason; the error repeats it for whoever reads the logs."""
    script = sale.store._redis.register_script("return redis.error_reply(ARGV[1])")
    sale.store._scripts["join"] = script
    with pytest.raises(StoreAway) as caught:
        await sale.store.run("join", [], [reply])
    assert reply.partition(" ")[2] in str(caught.value)


READS: dict[str, Callable[[Store], Coroutine[Any, Any, object]]] = {
    "check": lambda store: store.check(),
    "correct_clock": lambda store: store.correct_clock(),
    "read_stream": lambda store: store.read_stream("log", "0", 10),
    "claim": lambda store: store.claim("name", 1),
    "is claimed": lambda store: store.is_claimed("name"),
    "read_bytes": lambda store: anext(store.read_bytes("roll")),  # type: ignore[arg-type]
    "run": lambda store: store.run("found", ["a", "b", "c"], [NOON, "", ""]),
}


@pytest.mark.parametrize("read", READS)
async def test_everything_that_asks_a_store_that_is_away_says_so(read: str, tmp_path: Path) -> None:
    """One error for all, and a failed script call is told as failed."""
    told: list[object] = []
    async with aclosing(Store(f"unix://{tmp_path}/nobody", ManualClock(NOON), told.append)) as store:
        with pytest.raises(StoreAway, match="the store does not answer"):
            await READS[read](store)
    assert told == ([ScriptRan("found", 0.0, ok=False)] if read == "run" else [])


async def test_a_killed_store_is_missed_and_found_again(frail: Sale, server: Server) -> None:
    """Nothing that it acknowledged is lost; those who hold a place keep it; joins wait for the healing, then go on."""
    waiting = await frail.gate(rate=6000)
    tickets = [(await waiting.join(entropy(each))).ticket for each in range(3)]
    await frail.later(waiting, 250)
    called = waiting.line.called

    server.kill()
    for _ in range(2):
        await waiting.tick()
    assert waiting.store_away
    assert len(frail.told(StoreLost)) == 1
    assert waiting.phase() is Phase.OPEN
    assert waiting.position(tickets[2]).place == 2
    with pytest.raises(StoreAway, match="the store does not answer"):
        await waiting.join(entropy(9))
    with pytest.raises(StoreAway):
        await waiting.knock(tickets[0])

    server.start()
    with pytest.raises(StoreAway, match="tickets are issued again in 1000 ms"):
        await waiting.join(entropy(9))
    await waiting.tick()
    assert not waiting.store_away
    assert len(frail.told(StoreBack)) == 1
    assert (waiting.line.issued, waiting.line.called) == (3, called)
    frail.clock.advance(999)
    with pytest.raises(StoreAway, match="tickets are issued again in 1 ms"):
        await waiting.join(entropy(9))
    frail.clock.advance(1)
    assert [(await waiting.join(entropy(each))).ticket.number for each in (2, 9)] == [2, 3]


# ---- Time, bytes, streams, names


async def test_the_clock_is_set_by_the_stores(store_url: str) -> None:
    """All machines share the store's time, to the millisecond that the way there takes."""
    clock = Clock()
    clock.offset_ms = 3_600_000
    async with aclosing(Store(store_url, clock)) as store:
        await store.correct_clock()
    assert abs(clock.offset_ms) < 2_000


async def test_a_long_roll_is_read_in_pieces(sale: Sale) -> None:
    """Never held whole; what is not there reads as nothing."""
    sale.redis.set("roll", b"0123456789")
    assert [piece async for piece in sale.store.read_bytes("roll", chunk=4)] == [b"0123", b"4567", b"89"]
    assert [piece async for piece in sale.store.read_bytes("none")] == []


async def test_a_stream_is_read_from_where_one_left_off(sale: Sale) -> None:
    """Oldest first, not more than asked for."""
    for each in "abc":
        sale.redis.xadd("log", {"kind": each})
    (first, fields), (second, _) = await sale.store.read_stream("log", "0", 2)
    assert fields == {"kind": "a"}
    assert [fields for _, fields in await sale.store.read_stream("log", first, 10)] == [
        {"kind": "b"},
        {"kind": "c"},
    ]
    assert [fields["kind"] for _, fields in await sale.store.read_stream("log", second, 10)] == ["c"]


async def test_a_name_is_claimed_once_at_a_time(sale: Sale) -> None:
    """By whoever is first; it lapses by itself."""
    assert [await sale.store.claim("sealing", 60) for _ in range(2)] == [True, False]
    assert 0 < sale.redis.ttl("sealing") <= 60
