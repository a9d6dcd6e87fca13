"""The gate as a whole: how it opens, what it does by itself, how it starts and stops."""

import asyncio
import gc
import os
import signal
import socket
from collections.abc import Iterator
from typing import Literal

import aiohttp
import pytest
import structlog
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from redis import Redis
from structlog.testing import capture_logs

from gate import __main__ as program
from gate import app as application
from gate.app import open_gate
from tests.conftest import ROOM, SECRETS
from tests.gate.front import BASE, OPEN, Front, open_front, pass_of
from waitroom.clock import ManualClock
from waitroom.embedded import Store as OwnStore
from waitroom.errors import BadSettings, StoreAway
from waitroom.room import Phase
from waitroom.settings import Settings
from waitroom.store import Store


class Stop(asyncio.Event):
    """Tells when the program has come to where it waits for its end."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = asyncio.Event()

    async def wait(self) -> Literal[True]:
        """Wait for the end."""
        self.reached.set()
        return await super().wait()


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    gc.unfreeze()
    structlog.reset_defaults()


@pytest.fixture
def ports() -> list[int]:
    """Two ports that nobody listens on."""
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in (one, other)]


def settings_for(store_url: str, **others: object) -> Settings:
    """The settings of a gate."""
    secrets = tuple(map(SecretStr, SECRETS))
    return Settings.model_validate(
        {"redis_url": store_url, "secrets": secrets, "rooms": {ROOM: OPEN}, "opens_in": 0, **others}
    )


# ---- Opening


async def test_a_gate_waits_for_a_store_that_is_still_starting(
    redis: Redis, store_url: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asks again until the store answers, and then finds its rooms open."""
    redis.ping()
    answers: list[Exception] = [StoreAway("loading")]
    check = Store.check

    async def check_at_last(store: Store) -> list[str]:
        if answers:
            raise answers.pop()
        return await check(store)

    monkeypatch.setattr(Store, "check", check_at_last)
    gate = await open_gate(settings_for(store_url), clock=clock, registry=CollectorRegistry())
    assert gate.rooms[ROOM].waiting.phase() is Phase.OPEN
    await gate.store.aclose()


async def test_a_gate_gives_up_when_the_store_does_not_come(
    own_store: OwnStore, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while the reason is told."""
    own_store.kill()
    monkeypatch.setattr(application, "STORE_PATIENCE_S", 0)
    with pytest.raises(StoreAway, match="does not answer"):
        await open_gate(settings_for(own_store.url), clock=clock, registry=CollectorRegistry())


async def test_a_store_that_may_forget_is_warned_of(own_store: OwnStore, clock: ManualClock) -> None:
    """The gate opens, and its operator reads why that store is a risk."""
    with Redis.from_url(own_store.url) as redis:
        redis.config_set("maxmemory-policy", "allkeys-lru")
    with capture_logs() as logs:
        gate = await open_gate(settings_for(own_store.url), clock=clock, registry=CollectorRegistry())
    await gate.store.aclose()
    warnings = [log["warning"] for log in logs if log["log_level"] == "warning"]
    assert len(warnings) == 1
    assert "noeviction" in warnings[0]


async def test_a_second_gate_takes_the_room_over_as_it_is(front: Front, clock: ManualClock) -> None:
    """Same line, same tickets, same draw: there is nothing in a gate that another could miss."""
    shopper = await front.in_line()
    settings = front.gate.settings
    async with open_front(settings.store_url, clock) as second:
        other = second.shopper(**shopper.cookies)
        assert (await other.stand()).document == (await shopper.stand()).document
        await second.later(250)
        assert (await other.knock()).status == 201
        assert (await shopper.knock()).document["token"] == pass_of(other)


# ---- By itself


async def test_the_rooms_run_by_themselves(
    redis: Redis, store_url: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The presale is drawn, the sale opens, places are called, and the shop is asked for its stock."""
    redis.ping()
    monkeypatch.setattr(application, "TICK_S", 0)
    monkeypatch.setattr(application, "ASK_S", 0)
    rooms = {ROOM: OPEN.model_copy(update={"presale": True, "stock": "/units"})}
    async with open_front(store_url, clock, rooms, opens_in=60, by_itself=True) as front:
        front.shop.says = {"Waitroom-Units-Left": "5"}
        shopper = await front.in_line()
        clock.advance(60_000)
        async with asyncio.timeout(20):
            while not (await shopper.stand()).document["called"]:
                clock.advance(250)
        line = front.room.waiting.line
        assert (line.presale_size, line.units_left) == (1, 5)
        assert (await shopper.get(f"{BASE}/state")).document["phase"] == "open"


async def test_a_fault_in_one_round_does_not_stop_the_rounds() -> None:
    """A store that is away is no news; any other fault is logged; the work goes on."""
    faults = iter([StoreAway("gone"), ValueError("a mistake")])
    done = asyncio.Event()

    async def work() -> None:
        for fault in faults:
            raise fault
        done.set()

    with capture_logs() as logs:
        rounds = asyncio.create_task(application._often(work, every_s=0))
        await done.wait()
        rounds.cancel()
    assert [log["log_level"] for log in logs] == ["error"]
    assert isinstance(logs[0]["exc_info"], bool)
    assert "work" in logs[0]["work"]


async def test_the_rounds_end_though_the_store_swallows_the_word() -> None:
    """A cancellation that turns into another error on its way is kept in mind."""
    started = asyncio.Event()

    async def work() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise StoreAway("cancelled while connecting") from None

    rounds = asyncio.create_task(application._often(work, every_s=0))
    await started.wait()
    rounds.cancel()
    await rounds


# ---- The program


async def test_the_program_listens_on_two_ports_until_it_is_told_to_stop(
    redis: Redis, store_url: str, ports: list[int]
) -> None:
    """Public and operator's addresses never meet; after the end nobody listens."""
    redis.ping()
    settings = settings_for(store_url, gate_port=ports[0], operator_port=ports[1])
    public, operator = (f"http://127.0.0.1:{port}" for port in ports)
    stop = Stop()
    running = asyncio.create_task(program.serve(settings, stop))
    async with aiohttp.ClientSession() as session:
        await asyncio.wait(
            {running, asyncio.ensure_future(stop.reached.wait())}, return_when="FIRST_COMPLETED"
        )
        for address, status in (
            (f"{public}{BASE}/state", 200),
            (f"{operator}/healthz", 200),
            (f"{public}/healthz", 404),
            (f"{public}/metrics", 404),
            (f"{operator}{BASE}/state", 404),
        ):
            async with session.get(address) as answer:
                assert (address, answer.status) == (address, status)
        stop.set()
        await running
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(public)


@pytest.mark.parametrize("taken,variable", [(0, "GATE_PORT"), (1, "OPERATOR_PORT")])
async def test_a_taken_port_is_one_clear_line(
    redis: Redis, store_url: str, ports: list[int], taken: int, variable: str
) -> None:
    """It names the setting and the port."""
    redis.ping()
    settings = settings_for(store_url, gate_port=ports[0], operator_port=ports[1])
    with socket.create_server(("127.0.0.1", ports[taken])), pytest.raises(BadSettings) as caught:
        await program.serve(settings, asyncio.Event())
    assert str(caught.value).startswith(f"{variable}: port {ports[taken]} of 127.0.0.1 cannot be used")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_stop_the_program(number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    """Either one ends it in order."""
    stopped = []

    async def serve(_settings: Settings, stop: asyncio.Event) -> None:
        os.kill(os.getpid(), number)
        await stop.wait()
        stopped.append(number)

    monkeypatch.setattr(program, "serve", serve)
    program.main()
    assert stopped == [number]


def test_a_bad_setting_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit status 1 and the reason, without a traceback."""
    monkeypatch.setenv("GATE_PORT", "none")
    with pytest.raises(SystemExit) as caught:
        program.main()
    assert str(caught.value.code).startswith("gate: GATE_PORT = 'none': ")
