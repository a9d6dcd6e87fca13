"""The waiting page of a room that asks something of whoever joins, in a real browser, before a real gate."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Browser, Page, Route, expect

from tests.conftest import NOON, ROOM
from tests.gate.front import BASE, OPEN, Front, open_front
from waitroom.clock import ManualClock
from waitroom.room import Phase
from waitroom.settings import RoomSettings

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("redis")]


@asynccontextmanager
async def gate(store_url: str, friction: dict[str, Any], **room: Any) -> AsyncIterator[Front]:  # noqa: ANN401
    """A gate that runs by itself, with a room that asks this; its clock stands, so that whoever joins stays in line."""
    settings = RoomSettings.model_validate(OPEN.model_dump() | {"friction": friction} | room)
    async with open_front(store_url, ManualClock(NOON), {ROOM: settings}, by_itself=True) as front:
        yield front


@asynccontextmanager
async def visit(
    browser: Browser,
    front: Front,
    *,
    webcrypto: bool = True,
    **options: Any,  # noqa: ANN401 - a browser's
) -> AsyncIterator[Page]:
    """The waiting page in a browser of its own; code that its policy blocks fails the test."""
    context = await browser.new_context(**{"locale": "en-GB", **options})
    if not webcrypto:
        await context.route("**/worker.js", cripple)
    page = await context.new_page()
    found: list[str] = []
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("console", lambda message: found.append(message.text) if "Policy" in message.text else None)
    await page.goto(front.url + BASE)
    yield page
    await context.close()
    assert found == []


async def cripple(route: Route) -> None:
    """The worker as it fares without WebCrypto."""
    answer = await route.fetch()
    without = "Object.defineProperty(crypto, 'subtle', { value: undefined });\n"
    await route.fulfill(response=answer, body=without + await answer.text())


async def shows(page: Page, heading: str) -> None:
    """Wait for the page to say this first."""
    await expect(page.get_by_role("heading", level=1)).to_have_text(heading, timeout=20_000)


async def test_the_page_does_the_work_and_joins(browser: Browser, store_url: str) -> None:
    """A worker finds what the room asks for, and the shopper does nothing."""
    async with gate(store_url, {"work": 100}) as front, visit(browser, front) as page:
        await shows(page, "You are next")
        receipt = await page.evaluate("JSON.parse(localStorage.getItem(location.pathname))")
        assert receipt["number"] == 0


async def test_the_work_is_done_while_the_page_counts_down(browser: Browser, store_url: str) -> None:
    """The challenge is asked for before the line opens; when it does, the page joins with what it has found."""
    opens = {
        "presale": True,
        "presale_opens_at": datetime.fromtimestamp(NOON / 1000 + 14, UTC),
        "opens_at": datetime.fromtimestamp(NOON / 1000 + 3600, UTC),
    }
    async with gate(store_url, {"work": 30}, **opens) as front, visit(browser, front) as page:
        await shows(page, "The line opens soon")
        async with page.expect_event("response", lambda answer: "/challenge" in answer.url) as asked:
            await page.reload()
        assert (await asked.value).ok
        assert front.room.waiting.phase() is Phase.SCHEDULED
        front.clock.advance(14_000)
        await shows(page, "You are in the draw")


async def wait_instead(page: Page, front: Front) -> None:
    """Press the button, and let the time pass that the page tells."""
    await page.get_by_role("button", name="Take my place").click()
    await shows(page, "Almost in line")
    front.clock.advance(1_000)
    await shows(page, "You are next")


async def test_a_browser_that_cannot_do_it_may_wait_instead(browser: Browser, store_url: str) -> None:
    """Without WebCrypto, as on plain http, the page says so and leads to the way without JavaScript."""
    async with (
        gate(store_url, {"work": 100, "wait_seconds": 1}) as front,
        visit(browser, front, webcrypto=False) as page,
    ):
        await shows(page, "One more step")
        assert not (await Axe().run(page)).response["violations"]
        await page.get_by_role("link", name="Wait instead").click()
        await wait_instead(page, front)


async def test_without_javascript_the_page_joins_after_a_wait(browser: Browser, store_url: str) -> None:
    """By a form and pages that refresh themselves."""
    async with (
        gate(store_url, {"work": 100, "wait_seconds": 1}) as front,
        visit(browser, front, java_script_enabled=False) as page,
    ):
        await wait_instead(page, front)


async def test_who_comes_from_a_crowded_network_reads_so_and_joins_later(
    browser: Browser, store_url: str
) -> None:
    """The page names the reason, comes again when it is told, and joins then."""
    async with gate(store_url, {"joins_per_minute": 60, "joins_burst": 1}) as front:
        assert (await front.shopper().join(1)).status == 201
        async with visit(browser, front) as page:
            await expect(page.locator("#notice")).to_contain_text("joining from your network")
            front.clock.advance(1_000)
            await shows(page, "You are next")
            await expect(page.locator("#notice")).to_be_hidden()
