"""A whole sale of real processes for each test, and a real browser."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Browser, async_playwright

from tests.whole_sale.processes import WholeSale

CHROMIUM_ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]

Begin = Callable[..., Awaitable[WholeSale]]


@pytest.fixture
async def begin() -> AsyncIterator[Begin]:
    """Begins a sale: ``begin(shop=False, gates=1, environ={}, **room)``; it ends with the test."""
    folder = Path(tempfile.mkdtemp(prefix="whole-sale-"))
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=10)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        async with aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), timeout=timeout
        ) as session:

            async def begin(*, shop: bool = False, **settings: Any) -> WholeSale:  # noqa: ANN401 - WholeSale's
                sale = WholeSale(folder, session, **settings)
                stack.callback(sale.end)
                await sale.start(shop=shop)
                return sale

            yield begin


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium as the system has it, without a window."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGS)
        yield browser
        await browser.close()
