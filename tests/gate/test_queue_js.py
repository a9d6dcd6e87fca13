"""The waiting page in a real browser, against a sale that the test scripts."""

import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Literal, Self
from urllib.parse import quote, urlsplit

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Browser, Page, Request, expect

from gate.page import render_page
from waitroom.forecast import Flow, wait
from waitroom.room import Pace, Room, Schedule

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOM = Room("mi-launch", "Mi Launch", Schedule(0), Pace(60, 20, 5, 600_000, 600_000), identity=True)
SEED = "845bf5009f97de852a293ae6d61f7773a89043e88f2539a8180cd656843d14d5"
"""In a draw of seven it gives number 0 place 1, and number 3 place 0."""
BASE = "/waitroom/mi-launch"
COOKIE = "waitroom_ticket_mi-launch"


def _state(now: int) -> dict[str, Any]:
    """A sale that is open, whose presale had seven entrants."""
    return {
        "room": "mi-launch",
        "title": "Mi Launch",
        "phase": "open",
        "presale_opens_at": now - 3_600_000,
        "presale_closes_at": now - 60_000,
        "opens_at": now - 30_000,
        "closes_at": None,
        "issued": 4_000,
        "called": 3,
        "entries": 600,
        "visits": 20,
        "called_per_minute": 60.0,
        "entering_per_minute": 60.0,
        "rate": 60.0,
        "sustained_per_minute": 60.0,
        "show_rate": 1.0,
        "units_left": 240,
        "units_held": 3,
        "units_taken": 300,
        "draw": {"mode": "local", "size": 7, "seed": SEED},
        "notice": "",
        "reason": "",
        "poll": {"near_s": 0.05, "far_s": 0.1},
        "shop_trouble": False,
        "store_away": False,
        "identity": True,
        "sign_in": "/account/sign-in",
    }


@dataclass
class Sale:
    """The gate's side of the addresses, as the test wants it."""

    now: int = field(default_factory=lambda: time.time_ns() // 1_000_000)
    number: int = 2_000
    signed_in: bool = True
    lose_replies: int = 0
    """How many joins are done but not answered."""
    knocks: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    """Answers to knocks, in order; the last one repeats."""
    seen: list[tuple[str, Any]] = field(default_factory=list)
    down: bool = False
    state: dict[str, Any] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    def at(self, **state: object) -> Self:
        """The sale with another state; times in it are milliseconds from now."""
        times = {
            key: self.now + value
            for key, value in state.items()
            if key.endswith("_at") and isinstance(value, int)
        }
        self.state = {**_state(self.now), **state, **times}
        return self

    def clock(self) -> int:
        """The sale's own time, which need not be the device's."""
        return self.now + int(1000 * (time.monotonic() - self.started))

    def app(self) -> web.Application:
        """The addresses that the page uses, and a shop."""
        app = web.Application()
        app.add_routes(
            [
                web.get(BASE, self._page),
                web.get(f"{BASE}/state", self._look),
                web.post(f"{BASE}/ticket", self._join),
                web.get(f"{BASE}/ticket", self._ticket),
                web.delete(f"{BASE}/ticket", self._leave),
                web.post(f"{BASE}/pass", self._knock),
                web.get("/sale", self._shop),
            ]
        )
        return app

    def asked(self, what: str) -> list[Any]:
        """The bodies of all requests of a kind."""
        return [body for kind, body in self.seen if kind == what]

    async def _page(self, _: web.Request) -> web.Response:
        page = render_page(ROOM)
        return web.Response(body=page.gzip_body, headers={**page.headers, "Content-Encoding": "gzip"})

    async def _look(self, _: web.Request) -> web.Response:
        if self.down:
            return web.Response(status=503)
        return web.json_response({**self.state, "now": self.clock()})

    async def _join(self, request: web.Request) -> web.Response:
        self.seen.append(("join", (await request.json())["entropy"]))
        if not self.signed_in:
            return web.json_response({"type": "/waitroom/problems/identity-needed"}, status=401)
        if self.lose_replies and request.transport is not None:
            self.lose_replies -= 1
            request.transport.close()
        response = web.json_response(
            {"number": self.number, "ticket": "ab" * 16, "leaf": "cd" * 32}, status=201
        )
        response.set_cookie(COOKIE, "signed", httponly=True)
        return response

    async def _ticket(self, request: web.Request) -> web.Response:
        if COOKIE not in request.cookies:
            return web.json_response({"type": "/waitroom/problems/no-ticket"}, status=401)
        return web.json_response({"number": self.number, "ticket": "ab" * 16})

    async def _leave(self, _: web.Request) -> web.Response:
        self.seen.append(("leave", None))
        response = web.Response(status=204)
        response.del_cookie(COOKIE)
        return response

    async def _knock(self, request: web.Request) -> web.Response:
        self.seen.append(("knock", await request.json()))
        status, answer = self.knocks.pop(0) if len(self.knocks) > 1 else self.knocks[0]
        times = {key: self.clock() + after for key, after in answer.items() if key.endswith("_at")}
        return web.json_response({**answer, **times}, status=status)

    async def _shop(self, _: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><title>The shop</title>", content_type="text/html")


OpenPage = Callable[..., Awaitable[Page]]


@pytest_asyncio.fixture(loop_scope="module")
async def visit(browser: Browser) -> AsyncIterator[OpenPage]:
    """Opens the waiting page of a sale in a browser of its own, or in one that has been there before."""
    async with AsyncExitStack() as stack:

        async def visit(sale: Sale, query: str = "?next=/sale", **options: Any) -> Page:  # noqa: ANN401
            server = await stack.enter_async_context(TestServer(sale.app()))
            context = await browser.new_context(**{"locale": "en-GB", **options})
            stack.push_async_callback(context.close)
            page = await context.new_page()
            await page.goto(str(server.make_url(BASE)) + query)
            return page

        yield visit


async def face(page: Page, name: str) -> None:
    """Wait for the page to show a face."""
    await expect(page.locator("body")).to_have_attribute("data-face", name)


def knocking(status: int, **answer: object) -> dict[str, Any]:
    """A sale in which our shopper is called and each knock gets this answer."""
    return {"number": 0, "knocks": [(status, answer)]}


SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
MINUTE = 60_000
PRESALE = {"presale_closes_at": 12 * MINUTE, "opens_at": 15 * MINUTE, "draw": None, "called": 0}
FACES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "scheduled": ({}, {"phase": "scheduled", **PRESALE, "presale_opens_at": MINUTE}, "The line opens soon"),
    "signin": ({"signed_in": False}, {}, "Please sign in first"),
    "presale": ({}, {"phase": "presale", **PRESALE}, "You are in the draw"),
    "drawing": (
        {"number": 3},
        {"phase": "drawing", "draw": {"size": 7, "seed": None}},
        "The draw is being made",
    ),
    "placed": ({"number": 0}, {"phase": "drawing", "called": 0, "opens_at": MINUTE}, "Your place is drawn"),
    "waiting": ({}, {}, "You are in line"),
    "unknown": ({}, {"sustained_per_minute": 0}, "You are in line"),
    "held": ({}, {"units_left": 0, "units_held": 2}, "You are in line"),
    "called": (knocking(425), {}, "It is your turn"),
    "door": (knocking(202, before=2, knock_again_at=9_000), {}, "You are at the door"),
    "entering": (knocking(201, enter_at=60_000, location="/sale"), {}, "Come in"),
    "paused": ({}, {"phase": "paused", "reason": "A card payment is stuck."}, "The line is paused"),
    "trouble": ({}, {"phase": "paused", "shop_trouble": True}, "The shop needs a moment"),
    "sold_out": ({}, {"phase": "sold_out", "units_left": 0}, "Everything is sold"),
    "closed": ({}, {"phase": "closed"}, "The sale is over"),
    "spent": (knocking(409, type="/waitroom/problems/spent"), {}, "Your visit is over"),
}


@pytest.mark.parametrize("name", FACES)
async def test_every_phase_has_a_face_that_anyone_can_use(visit: OpenPage, name: str) -> None:
    """Each phase shows its own face, light and dark, axe finds nothing in it, and it fits 320 pixels."""
    sale, state, title = FACES[name]
    page = await visit(Sale(**sale).at(**state), viewport={"width": 320, "height": 640})
    await face(page, name)
    await expect(page.get_by_role("heading", level=1)).to_have_text(title)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320
    for scheme in SCHEMES:
        await page.emulate_media(color_scheme=scheme)
        found = await Axe().run(page)
        assert not found.response["violations"], found.generate_report()


async def test_first_view_is_one_answer_of_at_most_14_kilobytes(browser: Browser) -> None:
    """All of the first view comes in one compressed answer; other requests are for JSON, from this host."""
    context = await browser.new_context()
    page = await context.new_page()
    seen: list[Request] = []
    page.on("request", lambda request: seen.append(request))  # noqa: PLW0108 - Playwright marks what it is given
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text))
    async with TestServer(Sale().at().app()) as server:
        await page.goto(str(server.make_url(BASE)))
        await face(page, "waiting")
        view = [request for request in seen if request.resource_type != "fetch"]
        sizes = await view[0].sizes()
        await context.close()
    assert len(view) == 1
    assert {urlsplit(request.url).netloc for request in seen} == {urlsplit(page.url).netloc}
    assert sizes["responseBodySize"] + sizes["responseHeadersSize"] <= 14 * 1024
    assert not errors


async def test_waiting_shopper_reads_place_people_ahead_wait_and_units(visit: OpenPage) -> None:
    """The figures are plain arithmetic on the public state: place 2,001 with 3 called has 1,997 ahead."""
    page = await visit(Sale().at())
    await expect(page.locator("#number")).to_have_text("1,997")
    await expect(page.locator("#label")).to_have_text("people ahead of you")
    await expect(page.locator("#fact-place dd")).to_have_text("2,001")
    await expect(page.locator("#fact-units dd")).to_have_text("240")
    low, high = wait(1_997, Flow(60.0, 60.0, 60.0, 60.0, 1.0, 600)) or (0, 0)
    expected = f"{low // 60}\u2060–\u2060{-(-high // 60)} minutes"  # noqa: RUF001 - a range
    await expect(page.locator("#lead")).to_contain_text(expected)


@pytest.mark.parametrize(
    "left, said",
    [
        (2_000, "It is very likely that something is left at your turn."),
        (1_000, "The chance that something is left at your turn is about 40%."),
        (240, "It is very unlikely that anything is left at your turn."),
        (None, "minutes."),
    ],
)
async def test_waiting_shopper_reads_the_chance_that_something_is_left(
    visit: OpenPage, left: int | None, said: str
) -> None:
    """Who has no hope is told so plainly; where the shop tells no units, nothing is said of them."""
    page = await visit(Sale().at(units_left=left))
    await expect(page.locator("#lead")).to_contain_text(said)
    if left is None:
        await expect(page.locator("#lead")).not_to_contain_text("left at your turn")


async def test_presale_shopper_computes_their_own_place(visit: OpenPage) -> None:
    """When the seed is out the page draws the place itself: number 3 of seven gets place 0, shown as 1."""
    sale = Sale(number=3).at(phase="drawing", draw={"size": 7, "seed": None}, called=0, opens_at=MINUTE)
    page = await visit(sale)
    await face(page, "drawing")
    sale.state["draw"]["seed"] = SEED
    await face(page, "placed")
    await expect(page.locator("#number")).to_have_text("1")


async def test_join_whose_reply_was_lost_is_repeated_with_the_same_entropy(visit: OpenPage) -> None:
    """A cut connection costs no place: every repeat carries the same 32 bytes."""
    sale = Sale(lose_replies=2).at()
    page = await visit(sale)
    await face(page, "waiting")
    joins = sale.asked("join")
    assert len(joins) >= 2
    assert len(set(joins)) == 1
    assert re.fullmatch("[0-9a-f]{64}", joins[0])


async def test_shopper_who_reloads_keeps_their_place(visit: OpenPage) -> None:
    """After a reload the page asks for the ticket it holds and joins no second time."""
    sale = Sale().at()
    page = await visit(sale)
    await face(page, "waiting")
    await page.reload()
    await face(page, "waiting")
    assert len(sale.asked("join")) == 1


async def test_shopper_signs_in_first_and_comes_back(visit: OpenPage) -> None:
    """Without an identity the page leads to the sign-in with the way back, and then joins."""
    sale = Sale(signed_in=False).at()
    page = await visit(sale)
    back = quote(f"{BASE}?next=/sale", safe="")
    await expect(page.locator("#signin")).to_have_attribute("href", f"/account/sign-in?next={back}")
    sale.signed_in = True
    await page.reload()
    await face(page, "waiting")


async def test_called_shopper_knocks_waits_at_the_door_and_goes_in(visit: OpenPage) -> None:
    """Called: the page knocks, obeys the time to knock again, and opens the shop when the pass says so."""
    sale = Sale(
        number=0,
        knocks=[
            (202, {"before": 1, "knock_again_at": 300}),
            (201, {"enter_at": 300, "location": "/sale"}),
        ],
    ).at(called=0)
    page = await visit(sale)
    await face(page, "waiting")
    sale.state["called"] = 3
    await face(page, "door")
    await expect(page.locator("#label")).to_have_text("person before you")
    await expect(page).to_have_title("The shop")
    assert sale.asked("knock") == [{"next": "/sale"}] * 2


@pytest.mark.parametrize(
    "path", ["//evil.example", "/\\evil.example", "https://evil.example", "/%09/evil.example", "//"]
)
async def test_a_next_on_another_site_is_dropped(visit: OpenPage, path: str) -> None:
    """The page never hands on an address of another site."""
    sale = Sale(**knocking(202, before=1, knock_again_at=9_000)).at()
    page = await visit(sale, f"?next={path}")
    await face(page, "door")
    assert sale.asked("knock") == [{}]


async def test_spent_ticket_may_join_again_at_the_end(visit: OpenPage) -> None:
    """A visit that is over is said so; only a click takes a new ticket."""
    sale = Sale(**knocking(409, type="/waitroom/problems/spent")).at()
    page = await visit(sale)
    await face(page, "spent")
    assert len(sale.asked("join")) == 1
    sale.number = 4_000
    await page.get_by_role("button", name="Join again").click()
    await face(page, "waiting")
    assert len(set(sale.asked("join"))) == 2


async def test_unreachable_waiting_room_keeps_the_page_and_goes_on_by_itself(visit: OpenPage) -> None:
    """While the gate fails, place and figures stay, the page says so, and it recovers without a click."""
    sale = Sale().at()
    page = await visit(sale)
    await face(page, "waiting")
    sale.down = True
    await expect(page.locator("#notice")).to_contain_text("Your place is kept")
    await expect(page.locator("#number")).to_have_text("1,997")
    sale.down = False
    await expect(page.locator("#notice")).to_be_hidden()


async def test_store_away_is_told(visit: OpenPage) -> None:
    """A state that is marked as old is shown as such."""
    page = await visit(Sale().at(store_away=True))
    await expect(page.locator("#notice")).to_contain_text("Your place is kept")


async def test_sold_out_is_told_at_once_to_those_who_wait(visit: OpenPage) -> None:
    """The next look at the state ends the waiting, without a false hope."""
    sale = Sale().at()
    page = await visit(sale)
    await face(page, "waiting")
    sale.state |= {"phase": "sold_out", "units_left": 0, "units_held": 0}
    await face(page, "sold_out")
    await expect(page.locator("#number")).to_be_hidden()


async def test_leaving_the_line_gives_the_ticket_up(visit: OpenPage) -> None:
    """Leaving asks once more, tells the gate, and does not join again by itself."""
    sale = Sale().at()
    page = await visit(sale)
    await face(page, "waiting")
    await page.get_by_text("Leave the line").click()
    await page.get_by_role("button", name="Leave").click()
    await face(page, "left")
    assert sale.asked("leave") == [None]
    assert len(sale.asked("join")) == 1


async def test_countdown_follows_the_sales_clock_not_the_devices(visit: OpenPage) -> None:
    """A device that is a day off counts down to the same instant."""
    sale = Sale(now=1_432_033_200_000).at(phase="presale", **PRESALE)
    page = await visit(sale)
    await expect(page.locator("#number")).to_have_text(re.compile(r"^11:5\d$|^12:00$"))


async def test_updates_are_announced_at_a_bearable_pace(visit: OpenPage) -> None:
    """A screen reader hears of a new face at once, and not of each new figure."""
    sale = Sale().at()
    page = await visit(sale)
    live = page.locator("#live")
    await expect(live).to_contain_text("You are in line. 1,997 people ahead of you")
    sale.state["called"] = 1_000
    await expect(page.locator("#number")).to_have_text("1,000")
    await expect(live).to_contain_text("1,997")
    sale.state["phase"] = "paused"
    await expect(live).to_contain_text("The line is paused")
