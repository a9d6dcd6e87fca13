"""The console in a real browser, on a real gate and store."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Browser, Page, expect
from redis import Redis

from tests.gate.operator.conftest import Desk, open_desk
from waitroom.clock import Clock
from waitroom.room import Hold

pytestmark = pytest.mark.asyncio(loop_scope="module")

REASON = "the payment provider has trouble"


@pytest_asyncio.fixture(loop_scope="module")
async def desk(redis: Redis, store_url: str, tmp_path: Path) -> AsyncIterator[Desk]:
    """A desk whose clock runs, as the browser's does."""
    redis.ping()
    async with open_desk(store_url, tmp_path, Clock()) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def page(desk: Desk, browser: Browser) -> AsyncIterator[Page]:
    """A browser in which Anna has signed in by her link; any fault or blocked code fails the test."""
    context = await browser.new_context()
    opened = await context.new_page()
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("console", lambda message: faults.append(message.text) if "Policy" in message.text else None)
    await opened.goto(f"{desk.url}/sign-in?code={desk.link()}")
    await opened.get_by_label("Your name").fill("Anna")
    await opened.get_by_role("button", name="Sign in").click()
    await expect(opened.locator("#phase")).to_have_text("Open")
    yield opened
    await context.close()
    assert faults == []


async def _check_access(page: Page) -> None:
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        results = await Axe().run(page)
        assert results.violations_count == 0, results.generate_report()


async def test_the_figures_are_live(desk: Desk, page: Page) -> None:
    """The console shows the line as it is, and follows it without a reload."""
    waiting = desk.gate.rooms["mi-launch"].waiting
    for number in range(3):
        await waiting.join(number.to_bytes(32, "big"))
    await waiting.tick()
    await expect(page.locator("[data-note=waiting]")).to_have_text(re.compile("of 3 called"))
    await expect(page.locator("[data-note=visits]")).to_have_text("of 40")
    await _check_access(page)


async def test_the_pace_is_changed_in_the_form(desk: Desk, page: Page) -> None:
    """A changed field is sent, the answer is said, and the change stands in the list with its author and reason."""
    await page.get_by_label("Rate", exact=True).fill("90")
    await page.get_by_label("Capacity").fill("")
    await page.locator("#pace-reason").fill("the shop is slow")
    await page.get_by_role("button", name="Change the pace").click()
    await expect(page.locator("#pace-answer")).to_have_text("The pace is changed.")
    pace = desk.gate.rooms["mi-launch"].waiting.room.pace
    assert (pace.rate, pace.capacity, pace.burst) == (90, None, 5)
    await expect(page.locator("#audit tr").first).to_contain_text(
        re.compile("capacity40no limitAnna .*the shop is slow")
    )


async def test_what_went_well_is_said_for_a_while(page: Page) -> None:
    """Minutes later it would be taken for news."""
    await page.clock.install()
    await page.get_by_label("Rate", exact=True).fill("90")
    await page.get_by_role("button", name="Change the pace").click()
    await expect(page.locator("#pace-answer")).to_have_text("The pace is changed.")
    await page.clock.fast_forward(10_000)
    await expect(page.locator("#pace-answer")).to_have_text("")


async def test_two_operators_do_not_overwrite_each_other(desk: Desk, page: Page) -> None:
    """Whoever types while somebody else changes the pace is told, keeps the typed text, and can take over theirs."""
    await page.get_by_label("Burst").fill("9")
    await desk.sign_in("Ben")
    await desk.send("PATCH", "/api/rooms/mi-launch/pace", json={"rate": 60, "version": 1})
    await expect(page.locator("#pace-moved")).to_be_visible()
    await page.get_by_role("button", name="Change the pace").click()
    await expect(page.locator("#pace-answer")).to_contain_text("the pace was changed meanwhile")
    await expect(page.get_by_label("Burst")).to_have_value("9")
    await page.get_by_role("button", name="Show the current pace").click()
    await expect(page.get_by_label("Rate", exact=True)).to_have_value("60")
    await expect(page.locator("#pace-moved")).to_be_hidden()


async def test_the_door_is_paused_and_resumed(desk: Desk, page: Page) -> None:
    """A hold asks for a reason first, can be called off, and shows what it did."""
    await page.get_by_role("button", name="Pause…").click()
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.locator("#phase")).to_have_text("Open")
    await page.get_by_role("button", name="Pause…").click()
    await expect(page.get_by_role("dialog")).to_contain_text("Shoppers read it on the waiting page")
    await page.locator("#hold-reason").fill(REASON)
    await _check_access(page)
    await page.get_by_role("button", name="Pause", exact=True).click()
    await expect(page.locator("#phase")).to_have_text("Paused")
    await expect(page.locator("#paused")).to_contain_text(REASON)
    assert desk.gate.rooms["mi-launch"].waiting.line.reason == REASON
    await page.get_by_role("button", name="Resume…").click()
    await page.get_by_role("button", name="Resume", exact=True).click()
    await expect(page.locator("#phase")).to_have_text("Open")


async def test_closing_needs_a_reason(page: Page) -> None:
    """What many would take for the end is not done by a stray key; it can be taken back, with a reason as well."""
    await page.get_by_role("button", name="Close…").click()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.locator("#hold-reason").fill("the sale is over")
    await page.get_by_role("button", name="Close the room").click()
    await expect(page.locator("#phase")).to_have_text("Closed")
    await page.get_by_role("button", name="Reopen…").click()
    await page.locator("#hold-reason").fill("not quite yet")
    await page.get_by_role("button", name="Reopen", exact=True).click()
    await expect(page.locator("#phase")).to_have_text("Open")
    await expect(page.locator("#audit")).to_contain_text("not quite yet")


async def test_a_hold_that_came_too_late_is_explained(desk: Desk, page: Page) -> None:
    """Where somebody else closed the room meanwhile, the refusal says so in words."""
    await page.get_by_role("button", name="Pause…").click()
    await desk.gate.rooms["mi-launch"].waiting.hold(Hold.CLOSE, by="Ben")
    await page.get_by_role("button", name="Pause", exact=True).click()
    await expect(page.locator("#hold-answer")).to_contain_text(
        "pause is not possible while the room is closed"
    )


async def test_trouble_is_said(desk: Desk, page: Page) -> None:
    """The console says when the store is away, and when the gate itself does not answer."""
    desk.gate.rooms["mi-launch"].waiting.store_away = True
    await expect(page.locator("#trouble")).to_contain_text("The store does not answer.")
    await page.route("**/api/rooms", lambda route: route.abort())
    await expect(page.locator("#trouble")).to_contain_text("The gate does not answer. These figures are from")


async def test_each_room_has_its_console(page: Page) -> None:
    """Where there are several rooms, links lead from one console to the other."""
    await page.get_by_role("link", name="Mi Outlet").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Mi Outlet")
    await expect(page.locator("[data-note=visits]")).to_have_text("no limit")
    await expect(page.get_by_label("Capacity")).to_have_value("")


async def test_signing_out_ends_it(page: Page) -> None:
    """After signing out the console asks for a fresh link."""
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Sign in to operate")
    await _check_access(page)
