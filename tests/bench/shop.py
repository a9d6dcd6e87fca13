"""The shop alone, on one core: 64 buyers who all want the hot product, on SQLite and on PostgreSQL.

The load comes from the other core, as everywhere here; PostgreSQL has no core of its own, and syncs to the disk.
"""

import asyncio
import json
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from shop_backend.accounts import SESSION_MS, hash_token
from shop_backend.database import Database
from shop_backend.guard import SESSION_COOKIE
from shop_backend.settings import normalise_url
from shop_backend.tables import accounts, sessions
from tests.bench.load import free_port, running
from tests.postgresql import find_postgres, running_postgresql
from waitroom.clock import Clock

BUYERS, SECONDS, MOST = 64, 6.0, 6000
HOT = "mi-band"
ADDRESS = {"market": "de", "name": "A", "street": "Lange Gasse 1", "city": "Berlin", "postcode": "10115"}


@dataclass(frozen=True)
class Pace:
    """How often something was done a second, and how long it took at the 95th percentile."""

    per_second: float
    p95_ms: float


@dataclass(frozen=True)
class Sales:
    """What a shop can do: orders that hold their units, and purchases from the order to its being paid."""

    orders: Pace
    purchases: Pace


def measure() -> Iterator[tuple[str, Sales]]:
    """The shop on each database."""
    with tempfile.TemporaryDirectory(prefix="shop") as folder:
        yield "SQLite", _measure(Path(folder), f"sqlite:///{folder}/shop.db")
    postgres = find_postgres()
    if postgres:
        with tempfile.TemporaryDirectory(prefix="shop") as folder, running_postgresql(postgres) as socket:
            yield "PostgreSQL", _measure(Path(folder), f"postgresql://shop@/postgres?host={socket}")


def _measure(folder: Path, url: str) -> Sales:
    port = free_port()
    environ = {
        "SHOP_PORT": str(port),
        "DATABASE_URL": url,
        "WAITROOM_DATA": str(folder),
        "WAITROOM_REQUIRED": "0",
        "SHOP_STOCK": "1000000",
    }
    with ExitStack() as stack:
        shop = f"http://127.0.0.1:{port}"
        stack.enter_context(
            running([sys.executable, "-m", "shop_backend"], ready=f"{shop}/healthz", environ=environ)
        )
        return asyncio.run(_load(shop, url))


async def _load(shop: str, url: str) -> Sales:
    tokens = iter(await _make_buyers(url))
    connector = aiohttp.TCPConnector(limit=BUYERS)
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(shop, connector=connector, cookie_jar=jar) as session:
        ask = _Ask(session)
        await _many(lambda: ask.order(next(tokens)), 1.0)  # to warm up
        orders = await _many(lambda: ask.order(next(tokens)), SECONDS)
        return Sales(orders, await _many(lambda: ask.buy(next(tokens)), SECONDS))


async def _make_buyers(url: str) -> list[str]:
    """Accounts with a session each, made without the cost of a password; the sessions' tokens."""
    tokens = [uuid.uuid4().hex for _ in range(3 * MOST)]
    expires = Clock().now_ms() + SESSION_MS
    database = Database(normalise_url(url))
    row = {"password_hash": "none", "created_at": 0}
    async with database.write() as connection:
        await connection.execute(
            accounts.insert(), [{"id": each, "email": f"{each}@example.org", **row} for each in tokens]
        )
        known = [
            {"token_hash": hash_token(each), "account_id": each, "expires_at": expires} for each in tokens
        ]
        await connection.execute(sessions.insert(), known)
    await database.close()
    return tokens


class _Ask:
    """The requests of buyers who know what they want."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def order(self, token: str) -> str:
        """Hold one unit; the order's path."""
        body = {"key": uuid.uuid4().hex, "items": {HOT: 1}}
        return f"/orders/{(await self._post(token, '/sale/orders', body))['id']}"

    async def buy(self, token: str) -> None:
        """Hold one unit, say where to, pay with PayPal and come back."""
        order = await self.order(token)
        await self._post(token, f"{order}/address", ADDRESS)
        payment = await self._post(
            token, f"{order}/payments", {"provider": "paypal", "key": uuid.uuid4().hex}
        )
        await self._post(token, payment["confirm_at"], {"answer": "agree"})
        headers = {"Cookie": f"{SESSION_COOKIE}={token}"}
        async with self._session.get(payment["return_to"], headers=headers) as answer:
            assert (await answer.json())["state"] == "paid"

    async def _post(self, token: str, path: str, body: object) -> dict[str, str]:
        headers = {"Cookie": f"{SESSION_COOKIE}={token}", "Content-Type": "application/json"}
        async with self._session.post(path, data=json.dumps(body), headers=headers) as answer:
            assert answer.status in {200, 201}, await answer.text()
            found: dict[str, str] = await answer.json()
            return found


async def _many(work: Callable[[], Awaitable[object]], seconds: float) -> Pace:
    """Do it with all buyers at once for a time."""
    took: list[float] = []
    begun = time.perf_counter()

    async def repeat() -> None:
        while (at := time.perf_counter()) < begun + seconds:
            await work()
            took.append(time.perf_counter() - at)

    await asyncio.gather(*(repeat() for _ in range(BUYERS)))
    per_second = len(took) / (time.perf_counter() - begun)
    return Pace(per_second, 1000 * statistics.quantiles(took, n=20)[-1])
