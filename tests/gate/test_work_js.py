"""The waiting page of a room that asks for work, in a real browser, before a real gate."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Browser, Page, Route, expect

from tests.conftest import ROOM
from tests.gate.front import BASE, OPEN, Front, open_front
from waitroom.clock import Clock
from waitroom.room import Phase
from waitroom.settings import RoomSettings

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("redis")]

SHUT = {"rate": 0.01, "burst": 1, "capacity": 1}
"""Nobody but the first goes in, so that whoever has joined stays on the page."""


@asynccontextmanager
async def gate(store_url: str, friction: dict[str, Any], **room: Any) -> AsyncIterator[Front]:  # noqa: ANN401
    """A gate that runs by itself, with a room that asks this; somebody is in the shop already if it is open."""
    settings = OPEN.model_dump() | SHUT | {"friction": friction} | room
    rooms = {ROOM: RoomSettings.model_validate(settings)}
    async with open_front(store_url, Clock(), rooms, by_itself=True) as front:  # type: ignore[arg-type]
        yield front


@asynccontextmanager
async def visit(browser: Browser, front: Front, **options: Any) -> AsyncIterator[Page]:  # noqa: ANN401
    """The waiting page in a browser of its own; code that its policy blocks fails the test."""
    context = await browser.new_context(**{"locale": "en-GB", **options})
    page = await context.new_page()
    found: list[str] = []
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("console", lambda message: found.append(message.text) if "Policy" in message.text else None)
    await page.goto(front.url + BASE)
    yield page
    await context.close()
    assert found == []


async def face(page: Page, name: str) -> None:
    """Wait for the page to show a face."""
    await expect(page.locator("body")).to_have_attribute("data-face", name, timeout=20_000)


async def test_the_page_does_the_work_and_joins(browser: Browser, store_url: str) -> None:
    """A worker finds what the room asks for, and the shopper does nothing until they are in the shop."""
    async with gate(store_url, {"work": 100}) as front, visit(browser, front) as page:
        await expect(page).to_have_url(f"{front.url}/sale", timeout=20_000)
        assert front.room.waiting.line.issued == 1


async def test_the_work_is_done_while_the_page_counts_down(browser: Browser, store_url: str) -> None:
    """The challenge is asked for before the line opens, each page at a time of its own; then the page joins."""
    now = datetime.now(UTC)
    times = {
        "presale": True,
        "presale_opens_at": now + timedelta(seconds=8),
        "opens_at": now + timedelta(hours=1),
    }
    async with gate(store_url, {"work": 30}, **times) as front, visit(browser, front) as page:
        await face(page, "scheduled")
        async with page.expect_event("response", lambda answer: "/challenge" in answer.url) as asked:
            await page.reload()
        assert (await asked.value).ok
        assert front.room.waiting.phase() is Phase.SCHEDULED
        await face(page, "presale")


async def test_a_browser_that_cannot_do_it_may_wait_instead(browser: Browser, store_url: str) -> None:
    """Without WebCrypto, as on plain http, the page says so and leads to the way without JavaScript."""

    async def cripple(route: Route) -> None:
        answer = await route.fetch()
        without = "Object.defineProperty(crypto, 'subtle', { value: undefined });\n"
        await route.fulfill(response=answer, body=without + await answer.text())

    async with gate(store_url, {"work": 100, "wait_seconds": 1}) as front, visit(browser, front) as page:
        await page.context.clear_cookies()
        await page.evaluate("localStorage.clear()")
        await page.context.route("**/worker.js", cripple)
        await page.reload()
        await face(page, "unable")
        assert not (await Axe().run(page)).response["violations"]
        await page.get_by_role("link", name="Wait instead").click()
        await page.get_by_role("button", name="Take my place").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Almost in line")
        await expect(page.get_by_role("heading", level=1)).to_have_text("It is your turn", timeout=10_000)


async def test_without_javascript_the_page_joins_after_a_wait(browser: Browser, store_url: str) -> None:
    """By a form and pages that refresh themselves."""
    off = {"java_script_enabled": False}
    async with (
        gate(store_url, {"work": 100, "wait_seconds": 1}) as front,
        visit(browser, front, **off) as page,
    ):
        await page.get_by_role("button", name="Take my place").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Almost in line")
        await expect(page.get_by_role("heading", level=1)).to_have_text("It is your turn", timeout=10_000)


async def test_who_comes_from_a_crowded_network_reads_so_and_joins_later(
    browser: Browser, store_url: str
) -> None:
    """The page names the reason, comes again when it is told, and joins then."""
    async with gate(store_url, {"joins_per_minute": 20, "joins_burst": 1}) as front:
        assert (await front.shopper().join(1)).status == 201
        async with visit(browser, front) as page:
            await expect(page.locator("#notice")).to_contain_text("joining from your network")
            await expect(page.locator("#notice")).to_be_hidden(timeout=20_000)
            receipt = await page.evaluate("JSON.parse(localStorage.getItem(location.pathname))")
            assert receipt["number"] == 1
