"""A real browser for the tests of pages and scripts; fronts of a sale for those of the gate."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright
from redis import Redis

from tests.conftest import ROOM
from tests.gate.front import OPEN, Front, open_front
from tests.gate.street import Street
from waitroom.clock import ManualClock
from waitroom.embedded import Store as OwnStore
from waitroom.embedded import running_store

OpenFront = Callable[..., Awaitable[Front]]

_ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Chromium as the system has it, without a window."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=_ARGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture
async def front_with(redis: Redis, store_url: str, clock: ManualClock) -> AsyncIterator[OpenFront]:
    """Opens a front whose default room differs from the usual one in some settings."""
    redis.ping()
    async with AsyncExitStack() as closing:

        async def open_one(opens_in: float = 0, **room: Any) -> Front:  # noqa: ANN401 - a room's settings
            rooms = {ROOM: OPEN.model_validate(OPEN.model_dump() | room)}
            return await closing.enter_async_context(open_front(store_url, clock, rooms, opens_in=opens_in))

        yield open_one


@pytest_asyncio.fixture
async def front(front_with: OpenFront) -> Front:
    """A gate with one room: open, first come, first served, no sign-in; it protects /sale."""
    return await front_with()


@pytest_asyncio.fixture
async def full(front_with: OpenFront) -> Front:
    """A front whose shop is full, so that nobody goes straight in."""
    front = await front_with(capacity=1)
    await front.in_shop()
    await front.later(250)
    return front


@pytest.fixture
def own_store(tmp_path: Path) -> Iterator[OwnStore]:
    """A store that this test may kill and start again."""
    with running_store(tmp_path / "store", unixsocket=tmp_path / "sock") as store:
        yield store


@pytest_asyncio.fixture
async def lonely(own_store: OwnStore, clock: ManualClock) -> AsyncIterator[Front]:
    """The same front on a store of its own."""
    async with open_front(own_store.url, clock) as opened:
        yield opened


@pytest_asyncio.fixture
async def street() -> AsyncIterator[Street]:
    """A street on which shops and gates can be opened."""
    async with AsyncExitStack() as closing:
        yield Street(closing)


@pytest_asyncio.fixture
async def shopper() -> AsyncIterator[aiohttp.ClientSession]:
    """A shopper who neither unpacks nor remembers anything."""
    async with aiohttp.ClientSession(auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session
