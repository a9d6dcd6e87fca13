"""A real shop on a real port, once on SQLite and once on a real PostgreSQL, with a clock that stands still."""

import os
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg  # type: ignore[import-untyped]  # it has no types
import pytest
from aiohttp import web
from sqlalchemy import delete, func, select, update

from shop_backend import tables
from shop_backend.accounts import Account
from shop_backend.app import build_app
from shop_backend.context import ACCOUNTS, DATABASE, ORDERS, PAYMENTS
from shop_backend.database import Database
from shop_backend.guard import SESSION_COOKIE
from shop_backend.orders import Order, Orders
from shop_backend.payments import Payments
from shop_backend.sandbox import SANDBOXES, Sandbox
from shop_backend.settings import ShopSettings, normalise_url
from shop_backend.stock import Stock
from tests.postgresql import find_postgres, running_postgresql
from waitroom.clock import ManualClock
from waitroom.tickets import Pass, Tokens, pass_cookie

ROOT = Path(__file__).parents[2]
ROOM = "mi-launch"
SECRETS = ("an older secret of the tests", "the secret of the tests")
NOON = 1_432_033_200_000
JSON = {"Accept": "application/json"}
HTML = {"Accept": "text/html,application/xhtml+xml"}
GOOD_CARD = "4242 4242 4242 4242"
DECLINED_CARD = "4000 0000 0000 0002"
ADDRESSES = {
    "us": {"name": "Ann", "street": "1 Main St", "city": "Oakland", "region": "CA", "postcode": "94607"},
    "uk": {"name": "Ann", "street": "1 High Street", "city": "London", "postcode": "SW1A 1AA"},
    "fr": {"name": "Ann", "street": "1 rue Haute", "city": "Paris", "postcode": "75001"},
    "de": {"name": "Ann", "street": "Lange Gasse 1", "city": "Berlin", "postcode": "10115"},
}


@dataclass(frozen=True)
class Answer:
    """What the shop said."""

    status: int
    headers: Mapping[str, str]
    text: str
    document: Any


@dataclass
class Client:
    """Somebody with a cookie jar: a script, unless the request says that it reads HTML."""

    session: aiohttp.ClientSession
    base: str
    account: str = ""
    cookies: dict[str, str] = field(default_factory=dict)

    async def send(self, method: str, path: str, **request: Any) -> Answer:  # noqa: ANN401 - aiohttp's own
        """One request, redirects not followed, cookies kept."""
        headers = {**JSON, **request.pop("headers", {})}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        request |= {"headers": headers, "allow_redirects": False}
        async with self.session.request(method, self.base + path, **request) as response:
            self.cookies |= {name: cookie.value for name, cookie in response.cookies.items()}
            is_json = response.content_type.endswith("json")
            document = await response.json(content_type=None) if is_json else None
            return Answer(response.status, response.headers, await response.text(), document)

    async def get(self, path: str, **request: Any) -> Answer:  # noqa: ANN401 - aiohttp's own
        """Read."""
        return await self.send("GET", path, **request)

    async def post(self, path: str, **request: Any) -> Answer:  # noqa: ANN401 - aiohttp's own
        """Change something."""
        return await self.send("POST", path, **request)

    async def enter(self, email: str) -> Answer:
        """Make an account and sign in to it."""
        body = {"email": email, "password": "correct horse"}
        await self.post("/account/register", json=body)
        return await self.post("/account/sign-in", json=body)

    async def order(self, items: Mapping[str, int], key: str = "") -> Answer:
        """Place an order, by default one never placed before."""
        return await self.post("/sale/orders", json={"key": key or uuid.uuid4().hex, "items": items})

    async def ship(self, order_id: str, market: str = "de", **changes: str) -> Answer:
        """Say where an order goes."""
        body = {"market": market, **ADDRESSES[market], **changes}
        return await self.post(f"/orders/{order_id}/address", json=body)

    async def begin(self, order_id: str, provider: str = "card", key: str = "") -> Answer:
        """Begin to pay an order, by default with a payment never begun before."""
        body = {"provider": provider, "key": key or uuid.uuid4().hex}
        return await self.post(f"/orders/{order_id}/payments", json=body)

    async def agree(self, begun: Answer, card: str = GOOD_CARD) -> Answer:
        """Answer at the provider: with a card, or with the word of a button."""
        answer = {"answer": "card", "card": card} if card[0].isdecimal() else {"answer": card}
        return await self.post(begun.document["confirm_at"], json=answer)

    async def pay(self, order_id: str, card: str = GOOD_CARD, provider: str = "card") -> Answer:
        """Give the address, pay, and come back; the answer is the order then, or the first refusal."""
        answer = await self.get(f"/orders/{order_id}")
        if answer.status == 200 and answer.document["market"] is None:
            answer = await self.ship(order_id)
        begun = await self.begin(order_id, provider)
        if begun.status >= 400:
            return begun
        agreed = await self.agree(begun, card)
        return await self.get(agreed.document["return_to"])


@dataclass
class Shop:
    """The shop under test."""

    app: web.Application
    base: str
    session: aiohttp.ClientSession
    clock: ManualClock
    tokens: Tokens

    def visitor(self) -> Client:
        """Somebody without any cookie."""
        return Client(self.session, self.base)

    async def buyer(self) -> Client:
        """Somebody signed in and let into the sale; made without the cost of a password."""
        account = Account(uuid.uuid4().hex, f"{uuid.uuid4().hex}@example.org", "none")
        await add_account(self.app[DATABASE], account)
        session = await self.app[ACCOUNTS].open_session(account)
        cookies = {SESSION_COOKIE: session, **self.pass_cookies()}
        return Client(self.session, self.base, account.id, cookies)

    def pass_cookies(self) -> dict[str, str]:
        """What lets a browser into the sale."""
        return {pass_cookie(ROOM): self.sign_pass()}

    def sign_pass(
        self, room: str = ROOM, enter_in: int = 0, expires_in: int = 3_600_000, identity: str = ""
    ) -> str:
        """A pass to this room, with times relative to now in ms; anybody's, unless an identity is given."""
        now = self.clock.now_ms()
        return self.tokens.sign_pass(Pass(room, 7, 7, now + enter_in, now + expires_in, identity))

    async def stock(self) -> dict[str, Stock]:
        """The units of each product."""
        return {product.id: product for product in await self.app[ORDERS].stock()}

    @property
    def payments(self) -> Payments:
        """The payments, to settle and recover them at once."""
        return self.app[PAYMENTS]

    def bank(self, provider: str = "card") -> Sandbox:
        """A payment provider."""
        return self.app[SANDBOXES][provider]


async def add_account(database: Database, account: Account) -> None:
    """Put an account into the database that no password opens."""
    row = {**asdict(account), "created_at": NOON}
    async with database.write() as connection:
        await connection.execute(tables.accounts.insert().values(**row))


async def charged(shop: Shop) -> int:
    """US cents that the payment providers have taken and not given back."""
    books = select(func.sum(tables.sandbox.c.amount_cents))
    taken = books.where(
        tables.sandbox.c.charged_at <= shop.clock.now_ms(), tables.sandbox.c.refunded_at.is_(None)
    )
    async with shop.app[DATABASE].read() as connection:
        return await connection.scalar(taken) or 0


async def due(shop: Shop) -> int:
    """US cents that all paid orders come to."""
    return sum(order.total_cents for order in await read_all(shop) if order.state == "paid")


async def read_all(shop: Shop) -> list[Order]:
    """Everybody's orders, newest first."""
    return await shop.app[ORDERS].of_all()


async def forget_orders(shop: Shop) -> None:
    """Everything as before the first order."""
    async with shop.app[DATABASE].write() as connection:
        for table in (tables.sandbox, tables.payments, tables.order_lines, tables.orders, tables.allowances):
            await connection.execute(delete(table))
        await connection.execute(update(tables.products).values(held=0, sold=0))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Folder of the socket of a PostgreSQL started for these tests."""
    found = find_postgres()
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("PostgreSQL must be installed where CI runs")
        pytest.skip("no PostgreSQL server on this machine")
    with running_postgresql(found, "fsync=off") as folder:
        yield folder


@pytest.fixture(params=["sqlite", "postgresql"])
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """Address of an empty database, once of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/shop.db"
        return
    folder = request.getfixturevalue("postgresql")
    server = await asyncpg.connect(host=folder, user="shop", database="postgres")
    await server.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    await server.close()
    yield f"postgres://shop@/postgres?host={folder}"


@pytest.fixture
def clock() -> ManualClock:
    """A clock at noon of the sale's day."""
    return ManualClock(NOON)


@pytest.fixture
def settings(database_url: str) -> ShopSettings:
    """Ten units of each product, held for ten minutes."""
    url = normalise_url(database_url)
    return ShopSettings("127.0.0.1", 8002, url, SECRETS, ROOM, stock=10)


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[str]:
    """The base address of an application that listens as ``python -m shop_backend`` does.

    aiohttp's ``TestServer`` is no stand-in: it cancels what it is doing when the sender hangs up.
    """
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture
async def shop(settings: ShopSettings, clock: ManualClock) -> AsyncIterator[Shop]:
    """The shop, listening."""
    app, connector = build_app(settings, clock=clock), aiohttp.TCPConnector(limit=0)
    session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
    async with serving(app) as base, session:
        yield Shop(app, base, session, clock, Tokens(SECRETS))


@pytest.fixture
async def open_shop(settings: ShopSettings, clock: ManualClock) -> AsyncIterator[str]:
    """The base address of a shop that asks for no pass."""
    async with serving(build_app(replace(settings, pass_required=False), clock=clock)) as base:
        yield base


@pytest.fixture
async def database(settings: ShopSettings) -> AsyncIterator[Database]:
    """A migrated database with nothing in it."""
    database = Database(settings.database_url)
    await database.migrate()
    yield database
    await database.close()


@pytest.fixture
def orders(database: Database, clock: ManualClock) -> Orders:
    """The orders without the web around them, held for ten minutes."""
    return Orders(database, clock, 600_000)
