"""Previews: every face of the waiting page, in every language, in a real browser."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from babel.messages.pofile import read_po, write_po
from playwright.async_api import Browser, BrowserContext, Page, expect
from redis import Redis

from gate.look import TEMPLATES, our_look
from gate.operator.scenes import make_scenes
from tests.gate.operator.conftest import HTML, Desk, open_desk
from waitroom.clock import Clock
from waitroom.room import Pace, Room, Schedule

pytestmark = pytest.mark.asyncio(loop_scope="module")

FACES = list(make_scenes(Room("tea", "", Schedule(0), Pace(60, 20, 5, 600_000, 600_000))))
SHOWN = {
    "away": "waiting",
    "slim": "waiting",
    "next": "waiting",
    "ended": "sold_out",
    "holding": "joining",
    "crowded": "joining",
    "expired": "claim",
}
PRESSED = {"left": ("waiting", ["#leave summary", "#give-up"]), "later": ("door", ["#defer"])}
"""Faces that come when something is pressed: the face before, and what."""
BRINGS = {"expired": "#move=preview"}
LANGUAGES = our_look().languages
PSEUDO = "ar"
"""A language that we do not have, with six plural forms, written from right to left."""


def invent_language(folder: Path) -> Path:
    """A folder of templates with one language more, in which each text is ours in brackets."""
    with (TEMPLATES / "locale" / "waitroom.pot").open("rb") as lines:
        catalogue = read_po(lines, locale=PSEUDO)
    for message in catalogue:
        if message.pluralizable:
            message.string = tuple(f"⟦{message.id[1]}⟧" for _ in range(catalogue.num_plurals))
        elif message.id:
            message.string = f"⟦{message.id}⟧"
    catalogue.fuzzy = False
    file = folder / "locale" / PSEUDO / "LC_MESSAGES" / "waitroom.po"
    file.parent.mkdir(parents=True)
    with file.open("wb") as lines:
        write_po(lines, catalogue)
    return folder


@pytest_asyncio.fixture(loop_scope="module")
async def desk(redis: Redis, store_url: str, tmp_path: Path) -> AsyncIterator[Desk]:
    """A desk at which Anna has signed in, with a language more."""
    redis.ping()
    own = invent_language(tmp_path / "own")
    async with open_desk(store_url, tmp_path, Clock(), templates=own) as opened:
        await opened.sign_in()
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def context(desk: Desk, browser: Browser) -> AsyncIterator[BrowserContext]:
    """Anna's browser: a small phone."""
    context = await browser.new_context(locale="en-GB", viewport={"width": 320, "height": 640})
    await context.add_cookies([{"name": "waitroom_operator", "value": desk.token, "url": desk.url}])
    yield context
    await context.close()


@pytest_asyncio.fixture(loop_scope="module")
async def page(context: BrowserContext) -> AsyncIterator[Page]:
    """A page; any fault in it, and code that its policy blocks, fails the test."""
    page = await context.new_page()
    found: list[str] = []
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("console", lambda message: found.append(message.text) if "Policy" in message.text else None)
    yield page
    assert found == []


async def show(page: Page, desk: Desk, face: str, language: str) -> None:
    """Open a face; who has left or lets others by has pressed the button for it."""
    start, buttons = PRESSED.get(face, (face, []))
    await page.goto(f"{desk.url}/preview/mi-launch/{start}?lang={language}{BRINGS.get(face, '')}")
    await expect(page.locator("body")).to_have_attribute("data-face", SHOWN.get(start, start))
    for button in buttons:
        await page.locator(button).click()
    if buttons:
        await expect(page.locator("body")).to_have_attribute("data-face", face)


async def faults(page: Page) -> list[Any]:
    """What axe finds, and whether anything is wider than the page."""
    found = (await Axe().run(page)).response["violations"]
    wide = await page.evaluate("document.documentElement.scrollWidth > innerWidth")
    return [*found, *(["too wide"] if wide else [])]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("language", [*LANGUAGES, PSEUDO])
async def test_every_face_can_be_used_in_every_language(page: Page, desk: Desk, language: str) -> None:
    """Each shows itself in its language, axe finds nothing in it, and it fits 320 pixels, in both directions."""
    for face in FACES:
        await show(page, desk, face, language)
        html = page.locator("html")
        await expect(html).to_have_attribute("lang", language)
        await expect(html).to_have_attribute("dir", "rtl" if language == PSEUDO else "ltr")
        assert (face, await faults(page)) == (face, [])


def untranslated(text: str) -> list[str]:
    """Words of ours outside the brackets."""
    while (rest := re.sub("⟦[^⟦⟧]*⟧", "", text)) != text:
        text = rest
    return [word for word in re.findall(r"[A-Za-z{}⟦⟧]+", text) if word != "UTC"]


TEXTS = """() => {
  const page = document.documentElement.cloneNode(true); // the script goes on painting the page itself
  page.querySelectorAll("script, style, noscript, header, nav").forEach((each) => {
    if (each.tagName === "NAV") each.textContent = ""; else each.remove();
  });
  const spoken = ["alt", "aria-label", "aria-description", "placeholder", "title"];
  const attributes = [...page.querySelectorAll("*")]
    .flatMap((each) => spoken.map((name) => each.getAttribute(name)));
  return [page.querySelector("body").textContent, ...attributes].filter(Boolean).join(" | ");
}"""


@pytest.mark.parametrize("plain", [False, True], ids=["script", "plain"])
async def test_every_text_can_be_translated(page: Page, desk: Desk, *, plain: bool) -> None:
    """In a language in which all texts are in brackets nothing is left outside them but numbers and times."""
    for face in FACES:
        if plain:
            await page.goto(f"{desk.url}/preview/mi-launch/{face}?lang={PSEUDO}&plain=1")
        else:
            await show(page, desk, face, PSEUDO)
        text = await page.evaluate(TEXTS)
        assert "⟦" in text
        assert (face, untranslated(text)) == (face, [])
        assert untranslated((await page.title()).replace("Mi Launch", "")) == []


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_notice_moves_nothing(page: Page, desk: Desk, language: str) -> None:
    """Where a notice appears there was room for it."""
    tops = set()
    for face in ("waiting", "away"):
        await show(page, desk, face, language)
        assert await page.locator("#notice").is_visible() == (face == "away")
        box = await page.locator("#title").bounding_box()
        tops.add(box and box["y"])
    assert len(tops) == 1


SHIFTS = """() => new Promise((done) => {
  new PerformanceObserver((list) => list.getEntries().forEach((each) => { globalThis.moved += each.value; }))
    .observe({ type: "layout-shift", buffered: true });
  globalThis.moved = 0;
  requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => done(globalThis.moved), 50)));
})"""


@pytest.mark.parametrize("size", [(320, 640), (390, 844), (1280, 800)])
async def test_nothing_jumps_when_the_page_fills(page: Page, desk: Desk, size: tuple[int, int]) -> None:
    """From the first paint to the shopper's place no part of the page that was seen has moved."""
    await page.set_viewport_size({"width": size[0], "height": size[1]})
    for face in (face for face in FACES if face not in PRESSED):
        await show(page, desk, face, "de")
        assert (face, await page.evaluate(SHIFTS)) == (face, 0)


async def test_numbers_and_times_are_the_readers(page: Page, desk: Desk) -> None:
    """1,700 people in English are 1.700 in German, and the forms of a word follow the language's rules."""
    for language, number, label in (("de", "1.700", "Personen vor Ihnen"), ("fr", "1\u202f700", "personnes")):
        await show(page, desk, "waiting", language)
        await expect(page.locator("#number")).to_have_text(number)
        await expect(page.locator("#label")).to_contain_text(label)
        await page.goto(f"{desk.url}/preview/mi-launch/waiting?lang={language}&plain=1")
        await expect(page.locator("#number")).to_have_text(number)
        await expect(page.locator("#label")).to_contain_text(label)


async def test_a_language_chosen_by_hand_is_kept(page: Page, desk: Desk) -> None:
    """A click changes the language and nothing else in the address; later the page comes in it by itself."""
    await page.goto(f"{desk.url}/preview/mi-launch/waiting?next=%2Fsale")
    await expect(page.locator("html")).to_have_attribute("lang", "en")
    await page.get_by_role("link", name="Deutsch").click()
    await expect(page.locator("#title")).to_have_text("Sie stehen in der Warteschlange")
    assert page.url.endswith("/waiting?next=%2Fsale&lang=de")
    await page.goto(f"{desk.url}/preview/mi-launch/waiting?next=%2Fsale")
    await expect(page.locator("#title")).to_have_text("Sie stehen in der Warteschlange")
    assert page.url.endswith("/waiting?next=%2Fsale&lang=de")
    kept = [each for each in await page.context.cookies() if each.get("name") == "waitroom_language"]
    assert [each.get("value") for each in kept] == ["de"]


async def test_each_face_is_linked_in_each_language(page: Page, desk: Desk) -> None:
    """From the console, by way of a table that anyone can use."""
    await page.goto(f"{desk.url}/")
    await page.get_by_role("link", name="Preview the page").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("The waiting page, face by face")
    links = await page.locator("td a").evaluate_all("(all) => all.map((each) => each.getAttribute('href'))")
    assert len(links) == len(set(links)) == len(FACES) * 4 * 2
    assert await faults(page) == []


@pytest.mark.parametrize("path", ["", "/waiting", "/waiting/state", "/waiting/ticket"])
async def test_previews_are_for_operators(desk: Desk, path: str) -> None:
    """Without a session there are none: a room may not be public yet."""
    desk.token = ""
    for headers in ({}, HTML):
        answer = await desk.send("GET", f"/preview/mi-launch{path}", headers=headers)
        assert answer.status == 401
    assert ("Sign in" in answer.text) == (path in {"", "/waiting"})


@pytest.mark.parametrize("path", ["/preview/tea", "/preview/tea/waiting", "/preview/mi-launch/dancing"])
async def test_what_is_not_there_is_not_shown(desk: Desk, path: str) -> None:
    """Neither another room nor another face."""
    assert (await desk.send("GET", path)).status == 404


async def test_a_preview_touches_nobodys_place(desk: Desk, redis: Redis) -> None:
    """Joining, knocking and leaving there change nothing in the store; forms lead back."""
    before = {key: redis.dump(key) for key in redis.scan_iter()}
    base = "/preview/mi-launch/door"
    for method, path, status in (
        ("POST", "/ticket", 200),
        ("POST", "/pass", 202),
        ("DELETE", "/ticket", 204),
        ("GET", "/state", 200),
    ):
        assert (await desk.send(method, base + path)).status == status
    for path in ("/ticket", "/pass"):
        answer = await desk.send("POST", base + path, data={"next": "/sale"})
        assert (answer.status, answer.headers["Location"]) == (303, f"{base}?plain=1&knock=1&next=%2F")
    assert {key: redis.dump(key) for key in redis.scan_iter()} == before
