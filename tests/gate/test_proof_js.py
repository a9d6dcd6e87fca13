"""The proof of the draw: what a shopper's browser finds in the public documents of a real gate, whole and edited."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Browser, Page, Route, expect
from redis import Redis
from typer.testing import CliRunner

from tests.conftest import ROOM
from tests.gate.front import BASE, OPEN, Front, open_front
from tests.gate.test_verify import ROUND, SIGNATURE, seal
from waitroom import beacon
from waitroom.cli import app
from waitroom.clock import ManualClock
from waitroom.room import Hold

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]

STATIC = Path(__file__).parents[2] / "gate" / "static"
OTHERS = 6
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


@dataclass
class Watched:
    """A sale, and the browser of somebody who took part in its draw."""

    front: Front
    page: Page

    async def document(self, name: str) -> Any:  # noqa: ANN401 - any JSON
        """A public document, as it was sent."""
        return (await self.front.shopper().get(f"{BASE}/{name}")).document

    async def open_proof(self) -> None:
        """Come back to the page, and ask how the place was drawn."""
        await self.page.reload()
        await self.page.locator("#proof > summary").click()

    async def edit(self, name: str, change: Callable[[str], str]) -> None:
        """Let a document arrive changed."""

        async def answer(route: Route) -> None:
            response = await route.fetch()
            await route.fulfill(response=response, body=change(await response.text()))

        await self.page.route(f"**{BASE}/{name}", answer)


Open = Callable[..., Awaitable[Watched]]


@pytest_asyncio.fixture(loop_scope="module")
async def watch(redis: Redis, store_url: str, browser: Browser, clock: ManualClock) -> AsyncIterator[Open]:
    """Opens a sale in whose presale a browser has joined among others; it stays at the door until asked in."""
    redis.ping()
    async with AsyncExitStack() as stack:

        async def open_one(opens_in: float = 60, **room: Any) -> Watched:  # noqa: ANN401 - a room's settings
            rooms = {ROOM: OPEN.model_validate(OPEN.model_dump() | {"presale": True} | room)}
            front = await stack.enter_async_context(open_front(store_url, clock, rooms, opens_in=opens_in))
            for _ in range(OTHERS // 2):
                await front.in_line()
            context = await browser.new_context(locale="en-GB", viewport={"width": 320, "height": 640})
            stack.push_async_callback(context.close)
            await context.add_init_script('localStorage["waitroom-calls"] ??= \'{"enter": false}\'')
            page = await context.new_page()
            await page.route(
                f"**{BASE}/state", Route.continue_
            )  # past the browser's cache: the clock is ours
            await page.goto(front.url + BASE)
            await expect(page.locator("body")).to_have_attribute("data-face", "presale")
            for _ in range(OTHERS // 2):
                await front.in_line()
            return Watched(front, page)

        yield open_one


async def held(watched: Watched) -> Watched:
    """The same sale when it is drawn and under way, with a pause in it."""
    front = watched.front
    await seal(front)
    closes_at = front.room.waiting.room.schedule.presale_closes_at or 0
    await front.later(closes_at - front.clock.now_ms())
    await seal(front)
    if front.room.waiting.commitment.round is not None:
        await front.later(beacon.time_of(ROUND) - front.clock.now_ms())
        await front.room.waiting.deliver_beacon(SIGNATURE)
    await front.later(60_000)
    for _ in range(3):
        await seal(front)
    await front.room.waiting.hold(Hold.PAUSE, by="olga", reason="Die Kasse hält")
    await seal(front)
    await front.room.waiting.hold(Hold.RESUME, by="olga")
    await seal(front)
    await front.later(1_000)
    return watched


@pytest_asyncio.fixture(loop_scope="module")
async def drawn(watch: Open) -> Watched:
    """A sale that was drawn in local mode."""
    return await held(await watch())


async def by_beacon(watch: Open, clock: ManualClock) -> Watched:
    """A sale that was drawn by drand's round 657413."""
    clock.at_ms = beacon.time_of(ROUND) - 115_000
    return await held(await watch(opens_in=130, draw="drand", drawing_seconds=75))


# ---- The panel


async def test_shopper_sees_each_step_checked_by_their_own_browser(drawn: Watched) -> None:
    """Entry, commitment, list, seed, place and record each carry a mark; the place is the one that the line has."""
    await drawn.open_proof()
    page = drawn.page
    await expect(page.locator("#proof .verdict")).to_have_text(
        "Everything fits: your browser made 6 checks, and all of them hold."
    )
    steps = page.locator("#proof li")
    assert await steps.evaluate_all(
        "(all) => all.map((each) => `${each.dataset.step} ${each.className}`)"
    ) == [
        "entry good",
        "commit good",
        "list good",
        "local open",
        "seed good",
        "place good",
        "record good",
    ]
    place = (await drawn.document(f"draw/{OTHERS // 2}"))["place"]
    await expect(page.locator("[data-step=place]")).to_contain_text(f"you have place {place + 1}")
    told = {"You were called": r"\d\d:\d\d:\d\d", "You went in": "not yet", "Paused": "Die Kasse hält"}
    for name, said in told.items():
        row = page.locator("[data-step=record] dl div").filter(has_text=name)
        await expect(row).to_contain_text(re.compile(said))


async def test_anyone_can_use_the_proof(drawn: Watched) -> None:
    """With all values shown axe finds nothing, light and dark, and it fits 320 pixels."""
    await drawn.open_proof()
    page = drawn.page
    await expect(page.locator("#proof .verdict")).to_be_visible()
    await page.evaluate(
        "document.querySelectorAll('#proof details').forEach((each) => { each.open = true; })"
    )
    for scheme in SCHEMES:
        await page.emulate_media(color_scheme=scheme)
        found = await Axe().run(page)
        assert not found.response["violations"], found.generate_report()
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320


async def test_before_the_draw_the_proof_says_what_is_fixed_already(watch: Open) -> None:
    """In the presale the entry and the commitment are there; all else follows by itself when it is public."""
    watched = await watch()
    await watched.open_proof()
    await expect(watched.page.locator("#proof > summary")).to_have_text("How will my place be drawn?")
    await expect(watched.page.locator("#proof .verdict")).to_contain_text(
        "Everything that is public so far fits."
    )
    assert await watched.page.locator("#proof li.later").count() == 5
    await held(watched)
    await watched.page.evaluate("dispatchEvent(new Event('online'))")
    await expect(watched.page.locator("#proof > summary")).to_have_text("How was my place drawn?")
    await expect(watched.page.locator("#proof .verdict")).to_contain_text("all of them hold")


async def test_beacons_round_is_linked_and_its_signature_left_to_the_command(
    watch: Open, clock: ManualClock
) -> None:
    """The page says plainly what it does not check, and where to look."""
    watched = await by_beacon(watch, clock)
    await watched.open_proof()
    step = watched.page.locator("[data-step=beacon]")
    await expect(step).to_have_class("open")
    await expect(step).to_contain_text("own signature; the command below does.")
    link = await step.get_by_role("link").get_attribute("href")
    assert link == f"https://api.drand.sh/{beacon.CHAIN.hex()}/public/{ROUND}"
    await expect(watched.page.locator("#proof .verdict")).to_contain_text("all of them hold")


async def test_saved_receipt_is_what_the_command_takes(drawn: Watched, tmp_path: Path) -> None:
    """The file that the page saves is found on the roll by `waitroom verify --receipt`."""
    await drawn.open_proof()
    async with drawn.page.expect_download() as download:
        await drawn.page.get_by_role("button", name="Save my receipt").click()
    saved = await download.value
    assert saved.suggested_filename == f"receipt-{ROOM}-{OTHERS // 2}.json"
    file = tmp_path / "receipt.json"
    await saved.save_as(file)
    assert set(json.loads(file.read_text())) == {
        "entropy",
        "number",
        "ticket",
        "leaf",
        "room",
        "commit_sha256",
    }
    arguments = ["verify", drawn.front.url + BASE, "--receipt", str(file)]
    result = await asyncio.to_thread(CliRunner().invoke, app, arguments)
    assert "its leaf is line 3 of the roll" in result.output
    assert "Everything holds." in result.output
    assert result.exit_code == 0


async def test_a_moved_place_still_proves_its_draw(watch: Open, browser: Browser) -> None:
    """The other device has place and receipt, and checks all of it; this one lets go."""
    watched = await watch()
    page = watched.page
    await page.locator("#move > summary").click()
    await page.get_by_role("button", name="Make the link").click()
    link = await page.get_by_label("Link that hands over your place").input_value()
    context = await browser.new_context(locale="en-GB")
    await context.add_init_script('localStorage["waitroom-calls"] ??= \'{"enter": false}\'')
    other = Watched(watched.front, await context.new_page())
    await other.page.goto(link)
    await expect(other.page.locator("body")).to_have_attribute("data-face", "presale")
    await expect(page.locator("body")).to_have_attribute("data-face", "moved")
    await held(other)
    await other.open_proof()
    await expect(other.page.locator("#proof .verdict")).to_contain_text(
        "your browser made 6 checks, and all of them"
    )
    await context.close()


EDITS = {
    "draw": (
        "seed",
        lambda text: text.replace('"seed":"', '"seed":"0', 1).replace('","signature', 'x","signature'),
    ),
    f"draw/{OTHERS // 2}": ("place", lambda text: text.replace('"place":', '"place":1', 1)),
    "log?after=0": ("log", lambda text: text.replace("Die Kasse", "Die Masse", 1)),
    "draw ": ("JSON", lambda text: text[:-1]),
}


@pytest.mark.parametrize("document", EDITS)
async def test_an_edited_document_is_told_loudly(drawn: Watched, document: str) -> None:
    """An alert names the document and what in it is wrong, and no mark says that all is well."""
    what, change = EDITS[document]
    await drawn.edit(document.strip(), change)
    await drawn.open_proof()
    alert = drawn.page.get_by_role("alert")
    await expect(alert).to_contain_text("Something is wrong with this draw")
    await expect(alert).to_contain_text(f"“{document.strip().partition('?')[0]}”")
    await expect(alert).to_contain_text(what)
    others = {"draw", f"draw/{OTHERS // 2}", "log"} - {document.strip().partition("?")[0]}
    for other in others:
        await expect(alert).not_to_contain_text(f"“{other}”")
    found = await Axe().run(drawn.page)
    assert not found.response["violations"], found.generate_report()
    await expect(drawn.page.locator("#proof .verdict.good")).to_have_count(0)


# ---- Each byte

SWEEP = """async ([name, documents]) => {
    const { checkDraw } = await import("/checks.js");
    const text = JSON.stringify(documents[name]);
    const unnoticed = [];
    for (let at = 0; at < text.length; at++) {
        const other = text[at] === "7" ? "8" : "7";
        let edited;
        try { edited = JSON.parse(text.slice(0, at) + other + text.slice(at + 1)); } catch { continue; }
        const wrong = checkDraw({ ...documents, [name]: edited }).flatMap((step) => step.wrong);
        const blamed = new Set(wrong.map((each) => each.document.split("/").length === 1 ? "draw" : "path"));
        if (blamed.size !== 1 || !blamed.has(name)) unnoticed.push([text.slice(at - 20, at + 20), wrong]);
    }
    return [checkDraw(documents).flatMap((step) => step.wrong), unnoticed];
}"""
SWEEP_LOG = """async ([room, draw, entries, sealed]) => {
    const { checkSeals, checkStory } = await import("/record.js");
    const text = JSON.stringify(entries);
    const unnoticed = [];
    const wrong = (log) => [...checkSeals(room, log).wrong, ...checkStory(draw, log)];
    for (let at = 0; at < sealed; at++) {
        const other = text[at] === "7" ? "8" : "7";
        let edited;
        try { edited = JSON.parse(text.slice(0, at) + other + text.slice(at + 1)); } catch { continue; }
        if (!wrong(edited).length) unnoticed.push(text.slice(at - 20, at + 20));
    }
    return [wrong(entries), unnoticed];
}"""


@pytest_asyncio.fixture(loop_scope="module")
async def modules(browser: Browser) -> AsyncIterator[Page]:
    """A page on a server that has our modules."""
    server_app = web.Application()
    server_app.router.add_static("/", STATIC)
    async with TestServer(server_app) as server:
        page = await browser.new_page()
        await page.goto(str(server.make_url("/more.css")))
        yield page
        await page.close()


@pytest.mark.parametrize("mode", ["local", "drand"])
@pytest.mark.parametrize("name", ["draw", "path"])
async def test_no_byte_of_the_draw_can_be_changed_unnoticed(
    watch: Open, clock: ManualClock, modules: Page, mode: str, name: str
) -> None:
    """Whichever byte of the draw's document or of the audit path is another one, some check names that document."""
    watched = await by_beacon(watch, clock) if mode == "drand" else await held(await watch())
    receipt = await watched.page.evaluate("JSON.parse(localStorage[location.pathname])")
    documents = {
        "draw": await watched.document("draw"),
        "path": await watched.document(f"draw/{receipt['number']}"),
        "state": await watched.document("state"),
        "receipt": receipt,
    }
    assert await modules.evaluate(SWEEP, [name, documents]) == [[], []]


async def test_no_sealed_byte_of_the_record_can_be_changed_unnoticed(drawn: Watched, modules: Page) -> None:
    """Up to the last sealed entry every other byte breaks a seal, or contradicts the draw."""
    entries = (await drawn.document("log"))["entries"]
    last = [entry["to"] for entry in entries if entry["kind"] == "seal"][-1]
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False)
    following = entries[[entry["id"] for entry in entries].index(last) + 1]["id"]
    sealed = text.rindex("{", 0, text.index(f'"id":"{following}"'))
    arguments = [ROOM, await drawn.document("draw"), entries, sealed]
    assert await modules.evaluate(SWEEP_LOG, arguments) == [[], []]
