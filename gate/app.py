"""Two applications of one gate: the public listener, and the operator's on a port of its own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from functools import partial

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry

from gate.api import RoomApi
from gate.bodies import MOST_BYTES
from gate.door import Door
from gate.friction import Friction
from gate.gate import GATE, Gate, LiveRoom
from gate.logs import log_events
from gate.look import Look
from gate.proxy import Upstream
from gate.relays import Relays
from waitroom.clock import Clock
from waitroom.errors import StoreAway
from waitroom.events import fan_out
from waitroom.line import WaitingRoom
from waitroom.metrics import LineMetrics
from waitroom.settings import Settings, load_secrets
from waitroom.store import Store
from waitroom.tickets import Tokens

TICK_S = 0.25
ASK_S = 2
TROUBLE_S = 1
SEAL_S = 5
BEACON_S = 1
STORE_PATIENCE_S = 30

_log = structlog.get_logger()


async def open_gate(settings: Settings, *, clock: Clock, registry: CollectorRegistry) -> Gate:
    """Connect to the store, check it and found the rooms; waits for a store that is still starting.

    Raises:
        StoreAway: it does not come up in time. StoreUnfit: it must not be used.
        BadSettings: no secrets, or pages that cannot be made as the operator wants them.
    """
    for oddity in settings.oddities():
        _log.warning("settings", warning=oddity)
    look = Look(folder=settings.templates)
    looks = {name: Look(name, room, settings.templates) for name, room in settings.rooms.items()}
    observe = fan_out(LineMetrics(registry), log_events)
    store = Store(settings.store_url, clock, observe)
    tokens = Tokens(load_secrets(settings))
    for warning in await _patiently(store.check):
        _log.warning("store", warning=warning)
    await store.correct_clock()
    rooms = {}
    for name, room_settings in settings.rooms.items():
        waiting = WaitingRoom(
            name, room_settings, settings.opens_in, store=store, tokens=tokens, clock=clock, observe=observe
        )
        await waiting.found()
        rooms[name] = LiveRoom(waiting, clock)
        await rooms[name].tick()
        await rooms[name].advance_draw()
    gate = Gate(settings, clock, store, tokens, rooms, registry, look, looks)
    for name, room in rooms.items():
        room.friction = _friction(gate, name)
    return gate


def _friction(gate: Gate, room: str) -> Friction | None:
    """What a room asks of whoever joins; None: nothing."""
    asked = gate.settings.rooms[room].friction
    if not asked.asks:
        return None
    return Friction(
        room,
        asked,
        tokens=gate.tokens,
        clock=gate.clock,
        trusted=gate.settings.trusted_proxies,
        refused=partial(gate.metrics.refused, room),
    )


def build_public_app(gate: Gate) -> web.Application:
    """The public listener: the waiting rooms' addresses, and the shop behind the gate; add `run_rooms` to it."""
    app = web.Application(client_max_size=MOST_BYTES)
    app[GATE] = gate
    for room in gate.rooms.values():
        RoomApi(gate, room).add_routes(app)
    app.cleanup_ctx.append(_open_door)
    return app


DOOR = web.AppKey("DOOR", Door)


async def _open_door(app: web.Application) -> AsyncIterator[None]:
    gate = app[GATE]
    shop = partial(Upstream, gate.settings.upstream_url, trusted=gate.settings.trusted_proxies)
    # Two ways to the shop, so that a crowd at its open pages never takes the connections of those who are let in.
    async with shop() as visitors_way, shop() as open_way:
        door = Door(gate, visitors_way, open_way)
        app.router.add_route("*", "/{path:(?s:.*)}", gate.endpoint("shop", {"*": door.handle}))
        app[DOOR] = door
        yield


async def run_rooms(app: web.Application) -> AsyncIterator[None]:
    """A clean-up context that keeps the rooms going: line and state, the draw, once a second clock and visits."""
    gate = app[GATE]
    loops = [_often(gate.store.correct_clock, every_s=1)]
    closing = AsyncExitStack()
    for room in gate.rooms.values():
        loops.append(_often(room.waiting.seal_record, every_s=SEAL_S))
        if room.waiting.commitment.round is not None:
            relays = Relays.open(gate.settings.rooms[room.name].drand_relays)
            loops.append(
                _often(partial((await closing.enter_async_context(relays)).bring, room), every_s=BEACON_S)
            )
        loops.append(_often(room.tick, every_s=TICK_S))
        loops.append(_often(room.advance_draw, every_s=TICK_S))
        loops.append(_often(room.waiting.visits.extend, every_s=1))
        loops.append(_often(partial(app[DOOR].ask_shop, room), every_s=ASK_S))
        if gate.settings.rooms[room.name].watch_shop:
            loops.append(_often(partial(app[DOOR].tell_trouble, room), every_s=TROUBLE_S))
    tasks = [asyncio.create_task(loop) for loop in loops]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await closing.aclose()


async def _often(work: Callable[[], Awaitable[None]], *, every_s: float) -> None:
    task = asyncio.current_task()
    # The client of the store may swallow a cancellation that meets it while it connects.
    while task is not None and not task.cancelling():
        try:
            await work()
        except StoreAway:
            pass  # the room says so in its state; the next round tries again
        except Exception:  # noqa: BLE001 - a fault in one round must not stop the line
            _log.exception("fault", work=getattr(work, "__qualname__", repr(work)))
        await asyncio.sleep(every_s)


async def _patiently(check: Callable[[], Awaitable[list[str]]]) -> list[str]:
    with suppress(TimeoutError):
        async with asyncio.timeout(STORE_PATIENCE_S):
            while True:
                try:
                    return await check()
                except StoreAway:
                    await asyncio.sleep(0.1)
    return await check()
