"""A gate with a million tickets behind it: founded, filled and started for the benchmark."""

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.request import urlopen

from redis import Redis

from tests.bench.load import Target, free_port, running
from waitroom.clock import Clock
from waitroom.embedded import running_store
from waitroom.keys import Keys
from waitroom.line import WaitingRoom
from waitroom.settings import Settings, load_secrets, load_settings
from waitroom.store import Store
from waitroom.tickets import Pass, Ticket, Tokens, pass_cookie, ticket_cookie

MILLION = 1_000_000
SIZES = {"big": MILLION, "small": 1000}
"""Tickets issued in the rooms that are polled; half of them took part in a presale."""

JOINED, GUARDED = "joined", "guarded"
DRAWN_IN_S = 15

ROOM = """
[rooms.{name}]
opens_at = {opens_at}
rate = 1
protect = ["/{name}"]
"""

JOIN_SCRIPT = """
local function hex()
  local t = {}
  for i = 1, 32 do t[i] = string.format("%02x", math.random(0, 255)) end
  return table.concat(t)
end
function init() math.randomseed(os.time() + os.clock() * 1e6) end
function request()
  return wrk.format("POST", nil, {["Content-Type"] = "application/json"}, '{"entropy":"' .. hex() .. '"}')
end
"""

POLL_SCRIPT = """
local lines
function init() lines = io.lines("%s") end
function request()
  local token = lines()
  if not token then lines = io.lines("%s"); token = lines() end
  return wrk.format("GET", nil, {["Cookie"] = "%s=" .. token})
end
"""


@dataclass(frozen=True)
class System:
    """A running gate, its store and what is needed to speak to them."""

    pid: int
    gate: str
    operator: str
    bare: str
    folder: Path
    tokens: Tokens
    redis: Redis

    def ticket(self, room: str) -> dict[str, str]:
        """The headers of a shopper who waits in a room."""
        token = self.tokens.sign_ticket(Ticket(room, SIZES[room] * 3 // 4, os.urandom(16)))
        return {"Cookie": f"{ticket_cookie(room)}={token}"}

    def visitor(self) -> dict[str, str]:
        """The headers of a visitor with a pass."""
        now = Clock().now_ms()
        token = self.tokens.sign_pass(Pass(GUARDED, 0, 0, now - 1000, now + 3_600_000))
        return {"Cookie": f"{pass_cookie(GUARDED)}={token}"}

    def joins(self) -> Target:
        """Shoppers who join, each with entropy of their own."""
        script = self.folder / "join.lua"
        script.write_text(JOIN_SCRIPT)
        return Target(f"{self.gate}/waitroom/{JOINED}/ticket", script=script)

    def polls(self, tickets: int) -> Target:
        """Polls of so many different tickets."""
        tokens, script = self.folder / f"tokens-{tickets}", self.folder / f"poll-{tickets}.lua"
        draw = random.Random(tickets)  # noqa: S311 - ids of a benchmark
        with tokens.open("w") as file:
            for number in range(tickets):
                file.write(self.tokens.sign_ticket(Ticket("big", number, draw.randbytes(16))) + "\n")
        script.write_text(POLL_SCRIPT % (tokens, tokens, ticket_cookie("big")))
        return Target(f"{self.gate}/waitroom/big/ticket", script=script)

    def metric(self, name: str) -> float:
        """The sum of a metric over all its labels, as the gate shows it now."""
        lines = (line.rsplit(" ", 1) for line in _get(f"{self.operator}/metrics").decode().splitlines())
        return sum(float(value) for key, value in lines if key.partition("{")[0] == name)


@contextmanager
def system(folder: Path) -> Iterator[System]:
    """Start the yardstick, a store and a gate whose line is a million long."""
    ports = {name: free_port() for name in ("GATE_PORT", "OPERATOR_PORT", "SHOP_PORT")}
    environ = {name: str(port) for name, port in ports.items()}
    environ |= {"WAITROOM_DATA": str(folder), "WAITROOM_CONFIG": str(folder / "waitroom.toml")}
    gate, operator, bare = (f"http://127.0.0.1:{port}" for port in ports.values())
    with running_store(folder / "store", unixsocket=folder / "store.sock") as store:
        environ["REDIS_URL"] = store.url
        _write_config(folder / "waitroom.toml")
        settings = load_settings(environ)
        redis = Redis.from_url(store.url)
        asyncio.run(_fill(settings, redis))
        shop = [sys.executable, str(Path(__file__).parent / "bare.py"), str(ports["SHOP_PORT"])]
        with (
            running(shop, ready=f"{bare}/bare", environ={}),
            running([sys.executable, "-m", "gate"], ready=f"{operator}/readyz", environ=environ) as process,
        ):
            _wait_for_draw(gate)
            _issue_the_rest(redis)
            tokens = Tokens(load_secrets(settings))
            yield System(process.pid, gate, operator, bare, folder, tokens, redis)


def _write_config(path: Path) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=DRAWN_IN_S)
    later = soon + timedelta(hours=2)
    times = {"big": soon, "small": soon, GUARDED: later, JOINED: later}
    path.write_text("".join(ROOM.format(name=name, opens_at=at.isoformat()) for name, at in times.items()))


async def _fill(settings: Settings, redis: Redis) -> None:
    """Found the rooms, and give out their tickets the short way: leaves on the roll, a number in the counter."""
    clock = Clock()
    store = Store(settings.store_url, clock)
    tokens = Tokens(load_secrets(settings))
    for name, size in SIZES.items():
        room = WaitingRoom(name, settings.rooms[name], 0, store=store, tokens=tokens, clock=clock)
        await room.found()
        keys = Keys(name)
        redis.append(keys.roll, os.urandom(32 * (size // 2)))
        redis.hset(keys.line, "issued", size // 2)
    await store.aclose()


def _wait_for_draw(gate: str) -> None:
    for name in SIZES:
        while json.loads(_get(f"{gate}/waitroom/{name}/state"))["draw"]["seed"] is None:
            time.sleep(0.2)


def _issue_the_rest(redis: Redis) -> None:
    """Those who came after the presale leave nothing in the store but the count."""
    for name, size in SIZES.items():
        redis.hset(Keys(name).line, "issued", size)


def _get(url: str) -> bytes:
    with urlopen(url) as answer:  # noqa: S310 - loopback
        body: bytes = answer.read()
        return body
