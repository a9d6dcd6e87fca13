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

from gate.page import render_more, render_page
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
    """How many joins or claims are done but not answered."""
    knocks: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    """Answers to knocks, in order; the last one repeats."""
    seen: list[tuple[str, Any]] = field(default_factory=list)
    down: bool = False
    leaf: str | None = "cd" * 32
    moved: bool = False
    handed: str = "ab" * 16
    """The ticket that a link hands on."""
    refuses: str = ""
    """Why a claim is refused."""
    language: str = "en"
    visit_ms: int = 0
    """How much of a visit is left."""
    extensions: int = 1
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
                web.post(f"{BASE}/ticket/defer", self._defer),
                web.post(f"{BASE}/ticket/move", self._move),
                web.post(f"{BASE}/ticket/claim", self._claim),
                web.get(f"{BASE}/pass", self._visit),
                web.post(f"{BASE}/pass", self._knock),
                web.post(f"{BASE}/pass/extend", self._extend),
                web.get(f"{BASE}/more.js", self._more),
                web.get("/sale", self._shop),
            ]
        )
        return app

    def asked(self, what: str) -> list[Any]:
        """The bodies of all requests of a kind."""
        return [body for kind, body in self.seen if kind == what]

    async def _page(self, _: web.Request) -> web.Response:
        page = render_page(ROOM, self.language)
        return web.Response(body=page.gzip_body, headers={**page.headers, "Content-Encoding": "gzip"})

    async def _more(self, _: web.Request) -> web.Response:
        more = render_more(self.language)
        return web.Response(body=more.body, headers=more.headers)

    async def _defer(self, request: web.Request) -> web.Response:
        self.seen.append(("defer", await request.json()))
        return web.Response(status=204)

    async def _move(self, request: web.Request) -> web.Response:
        receipt = (await request.json())["receipt"]
        self.seen.append(("move", receipt))
        link = f"{request.scheme}://{request.host}{BASE}#move={self.move}&receipt={receipt}"
        qr = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9v9H0z"/></svg>'
        return web.json_response({"link": link, "qr": qr, "expires_at": self.clock() + 600_000})

    async def _claim(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.seen.append(("claim", body))
        if self.refuses:
            return web.json_response({"type": f"/waitroom/problems/{self.refuses}"}, status=409)
        self.moved = True
        if self.lose_replies and request.transport is not None:
            self.lose_replies -= 1
            request.transport.close()
        response = web.json_response({"number": self.number, "ticket": self.handed, "token": "new"})
        response.set_cookie(COOKIE, "moved", httponly=True)
        return response

    @property
    def move(self) -> str:
        """The token in a link."""
        return f"{ROOM.name}.{self.number}.{self.handed}..0.1432033200000.signed"

    async def _visit(self, _: web.Request) -> web.Response:
        if self.visit_ms <= 0:
            return web.json_response({"type": "/waitroom/problems/token-expired"}, status=401)
        more_time = {"seconds": 300, "left": self.extensions}
        return web.json_response(
            {"place": 0, "expires_at": self.clock() + self.visit_ms, "more_time": more_time}
        )

    async def _extend(self, _: web.Request) -> web.Response:
        self.visit_ms += 300_000
        self.extensions -= 1
        return web.json_response({})

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
            {"number": self.number, "ticket": "ab" * 16, "leaf": self.leaf}, status=201
        )
        response.set_cookie(COOKIE, "signed", httponly=True)
        return response

    async def _ticket(self, request: web.Request) -> web.Response:
        if self.moved and request.cookies.get(COOKIE) != "moved":
            return web.json_response({"type": "/waitroom/problems/moved"}, status=409)
        if COOKIE not in request.cookies:
            return web.json_response({"type": "/waitroom/problems/no-ticket"}, status=401)
        moved = request.cookies[COOKIE] == "moved"
        return web.json_response({"number": self.number, "ticket": self.handed if moved else "ab" * 16})

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
    "behind": ({}, {"phase": "drawing", "called": 0, "opens_at": MINUTE}, "You have a place in line"),
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
    "moved": (knocking(409, type="/waitroom/problems/moved"), {}, "Your place has moved"),
    "away": ({"down": True}, {}, "The waiting room is out of reach"),
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


@pytest.mark.parametrize("name", ["waiting", "door", "paused"])
async def test_page_can_be_used_at_400_percent_and_in_forced_colours(visit: OpenPage, name: str) -> None:
    """A desktop of 1280 by 1024 at 400 % is 320 by 256; colours of the reader's own take nothing away."""
    sale, state, _ = FACES[name]
    small = {"width": 320, "height": 256}
    page = await visit(
        Sale(**sale).at(**state), viewport=small, forced_colors="active", reduced_motion="reduce"
    )
    await face(page, name)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320
    assert await page.evaluate("document.getAnimations().length") == 0
    found = await Axe().run(page)
    assert not found.response["violations"], found.generate_report()
    for element in await page.locator("button:visible, summary:visible, label:visible").all():
        box = await element.bounding_box()
        assert box is not None
        assert box["height"] >= 24  # WCAG 2.5.8


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


# ---- Not now, more time, another device


async def test_called_shopper_may_let_others_by_and_come_later(visit: OpenPage) -> None:
    """Not now: the gate is told, the place stays, also after a reload, and a click goes in."""
    sale = Sale(**knocking(202, before=1, knock_again_at=9_000)).at()
    page = await visit(sale)
    await face(page, "door")
    await page.get_by_role("button", name="Not now").press("Enter")
    await face(page, "later")
    await expect(page.locator("#lead")).to_contain_text("Place 2 is kept for you.")
    assert await page.evaluate("document.activeElement.id") == "title"
    assert sale.asked("defer") == [{}]
    await page.reload()
    await face(page, "later")
    knocks = len(sale.asked("knock"))
    sale.knocks = [(201, {"enter_at": 0, "location": "/sale"})]
    await page.get_by_role("button", name="Go in now").click()
    await expect(page).to_have_title("The shop")
    assert len(sale.asked("knock")) == knocks + 1


async def test_shopper_who_does_not_want_to_be_taken_in_is_asked(visit: OpenPage) -> None:
    """Without their leave the page does not knock by itself; it calls, and waits for the one button."""
    sale = Sale(number=0, knocks=[(201, {"enter_at": 0, "location": "/sale"})]).at(called=0)
    page = await visit(sale)
    await face(page, "waiting")
    await page.get_by_label("Take me in straight away").uncheck()
    sale.state["called"] = 3
    await face(page, "called")
    await expect(page.locator("#lead")).to_contain_text("Go in when you are ready")
    assert sale.asked("knock") == []
    await page.get_by_role("button", name="Go in now").click()
    await expect(page).to_have_title("The shop")


async def test_visitor_sees_what_is_left_of_the_visit_and_gets_more(visit: OpenPage) -> None:
    """Who comes back to the page without being sent on is told the time, and what may be added to it."""
    sale = Sale(number=0, visit_ms=240_000, knocks=[(201, {"enter_at": 0, "location": "/sale"})]).at()
    page = await visit(sale)
    await expect(page).to_have_title("The shop")
    await page.goto(page.url.replace("/sale", BASE))
    await face(page, "visit")
    await expect(page.locator("#number")).to_have_text(re.compile(r"^0[34]:\d\d$"))
    await expect(page.get_by_role("link", name="Go to the shop")).to_have_attribute("href", "/sale")
    await page.get_by_role("button", name="5 minutes more").click()
    await expect(page.locator("#number")).to_have_text(re.compile(r"^0[89]:\d\d$"))
    await expect(page.locator("#extend")).to_be_hidden()
    sale.visit_ms = 0
    await page.reload()
    await face(page, "spent")
    await expect(page.get_by_role("button", name="Join again")).to_be_visible()


async def test_visitor_whose_visit_the_shop_has_ended_is_not_put_in_line_again_unasked(
    visit: OpenPage,
) -> None:
    """The ticket is gone with the visit: the page says that it is over, and leaves it to the shopper."""
    sale = Sale(number=0, knocks=[(201, {"enter_at": 0, "location": "/sale"})]).at()
    page = await visit(sale)
    await expect(page).to_have_title("The shop")
    await page.context.clear_cookies()
    await page.goto(page.url.replace("/sale", f"{BASE}?next=/sale"))
    await face(page, "spent")
    assert len(sale.asked("join")) == 1


async def test_place_moves_to_another_device_with_its_receipt(visit: OpenPage, browser: Browser) -> None:
    """The link holds the place once and takes the receipt along; the device that gave it away says so."""
    sale = Sale().at(draw={"size": 7, "seed": SEED, "commit_sha256": "aa" * 32})
    page = await visit(sale)
    await face(page, "waiting")
    await page.get_by_text("Move my place").press("Enter")
    await page.get_by_role("button", name="Make the link").click()
    link = await page.get_by_label("Link that hands over your place").input_value()
    await expect(page.get_by_role("img", name="QR code of the link")).to_be_visible()
    assert await page.locator(".qr").evaluate("(image) => image.complete && image.naturalWidth > 0")
    found = await Axe().run(page)
    assert not found.response["violations"], found.generate_report()
    receipt = await page.evaluate("JSON.parse(localStorage[location.pathname])")
    context = await browser.new_context(locale="en-GB")
    other = await context.new_page()
    await other.goto(link)
    await face(other, "waiting")
    assert "#" not in other.url
    (claimed,) = sale.asked("claim")
    assert claimed["move"] == sale.move
    assert re.fullmatch("[0-9a-f]{64}", claimed["entropy"])
    assert claimed["entropy"] != receipt["entropy"]  # which everyone with the link knows
    moved = await other.evaluate("JSON.parse(localStorage[location.pathname])")
    assert {name: moved[name] for name in ("entropy", "leaf", "number", "commit_sha256")} == {
        name: receipt[name] for name in ("entropy", "leaf", "number", "commit_sha256")
    }
    await face(page, "moved")
    await context.close()


async def test_a_link_costs_nobody_their_own_place_unasked(visit: OpenPage) -> None:
    """Whoever has a place here is asked first; until they agree they keep it, with all that proves it."""
    sale = Sale(handed="cd" * 16).at()
    page = await visit(sale)
    await face(page, "waiting")
    kept = "JSON.parse(localStorage[location.pathname])"
    mine = await page.evaluate(kept)
    link = f"{page.url.partition('?')[0]}#move={sale.move}&receipt={'12' * 32}.{sale.handed}.{'34' * 32}."
    await page.goto(link)  # in the very tab that shows the page
    await face(page, "claim")
    await expect(page.locator("#title")).to_have_text("Take this place instead of yours?")
    found = await Axe().run(page)
    assert not found.response["violations"], found.generate_report()
    await page.reload()
    await page.get_by_role("button", name="Keep my own place").click()
    await face(page, "waiting")
    assert await page.evaluate(kept) == mine
    assert sale.asked("claim") == []
    await page.goto(link)
    await page.get_by_role("button", name="Take this place").click()
    await face(page, "waiting")
    theirs = await page.evaluate(kept)
    assert (theirs["ticket"], theirs["entropy"], theirs["leaf"]) == (sale.handed, "12" * 32, "34" * 32)
    assert len(sale.asked("claim")) == 1
    await page.goto(link)
    await face(page, "waiting")
    assert await page.evaluate(kept) == theirs, "the place is here already"
    assert len(sale.asked("claim")) == 1


async def test_a_claim_whose_answer_was_lost_is_repeated_as_it_was(visit: OpenPage) -> None:
    """With the same entropy, also after the link was opened once more: to the gate it is the same device."""
    sale = Sale(lose_replies=99).at()
    page = await visit(sale, f"#move={sale.move}")
    await expect(page.locator("#notice")).to_contain_text("cannot reach the waiting room")
    sale.lose_replies = 0
    await page.goto(f"{page.url}#move={sale.move}")
    await face(page, "waiting")
    assert len(sale.asked("claim")) > 1
    assert len({claimed["entropy"] for claimed in sale.asked("claim")}) == 1


@pytest.mark.parametrize(
    "refuses,language,title",
    [
        ("link-used", "en", "This link was used already"),
        ("in-shop", "de", "Dieser Platz ist schon im Shop"),
        ("spent", "fr", re.compile("^Cette place n.est plus dans la file$")),
        ("other-account", "en", "This place belongs to another account"),
        ("token-expired", "en", "This link no longer works"),
        ("token-invalid", "en", "This link no longer works"),
    ],
)
async def test_a_link_that_hands_nothing_over_says_why(
    visit: OpenPage, refuses: str, language: str, title: str | re.Pattern[str]
) -> None:
    """Each reason has its text; whoever has no place joins if they wish, and whoever has one goes back to it."""
    sale = Sale(refuses=refuses, language=language).at()
    page = await visit(sale, f"#move={sale.move}x")
    await face(page, "claim")
    await expect(page.locator("#title")).to_have_text(title)
    await page.reload()
    await face(page, "claim")
    assert sale.asked("join") == []
    await page.locator("#no").click()
    await face(page, "waiting")
    assert len(sale.asked("join")) == 1


async def test_leaving_is_thought_over_by_keyboard(visit: OpenPage) -> None:
    """The confirmation says what there is to lose; staying closes it and gives the focus back."""
    sale = Sale().at()
    page = await visit(sale)
    await face(page, "waiting")
    await page.locator("#leave > summary").press("Enter")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name="Keep my place")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#leave > summary")).to_be_focused()
    assert sale.asked("leave") == []


# ---- It calls


CALLS = """
globalThis.told = [];
globalThis.Notification = class extends EventTarget {
  static requestPermission() { return Promise.resolve("granted"); }
  constructor(title, options) { super(); told.push([title, options.body]); }
};
globalThis.AudioContext = class {
  state = "running"; currentTime = 0; destination = {};
  createOscillator() { return { frequency: {}, connect: (next) => next, start() { told.push("note"); }, stop() {} }; }
  createGain() {
    return { gain: { setValueAtTime() {}, exponentialRampToValueAtTime() {} }, connect: (next) => next };
  }
};
"""


async def test_page_calls_by_sound_and_notification_only_if_allowed(visit: OpenPage) -> None:
    """Both are off until they are ticked, are remembered, and tell of the turn once."""
    sale = Sale(**knocking(425)).at(called=0)
    page = await visit(sale)
    await page.add_init_script(CALLS)
    await page.reload()
    await face(page, "waiting")
    for name in ("Play a sound", "Show a notification"):
        await expect(page.get_by_label(name)).not_to_be_checked()
        await page.get_by_label(name).check()
        await expect(page.get_by_label(name)).to_be_checked()
    assert await page.evaluate("told") == ["note"] * 3  # so that one knows how it sounds
    await page.reload()
    await expect(page.get_by_label("Play a sound")).to_be_checked()
    sale.state["called"] = 3
    await face(page, "called")
    await page.wait_for_function("told.length === 4")
    assert await page.evaluate("told[0]") == [
        "It is your turn — Mi Launch",
        "We are opening the door for you.",
    ]


async def test_tab_says_how_long_it_takes_and_then_calls(visit: OpenPage) -> None:
    """The title has the wait, then the call; the icon changes with it."""
    sale = Sale(**knocking(425)).at()
    sale.number = 2_000
    page = await visit(sale)
    await face(page, "waiting")
    await expect(page).to_have_title(re.compile(r"^\d+\u2060–\u2060\d+ mins? · Mi Launch$"))  # noqa: RUF001 - a range
    icon = await page.locator("link[rel=icon]").get_attribute("href")
    sale.state["called"] = 2_001
    await expect(page).to_have_title("It is your turn — Mi Launch")
    assert await page.locator("link[rel=icon]").get_attribute("href") != icon


async def test_nobody_ahead_is_said_in_words(visit: OpenPage) -> None:
    """No figure of 0 people; who stands at the door counts as ahead."""
    sale = Sale(number=1_000).at(called=1_000, at_door=2)
    page = await visit(sale)
    await expect(page.locator("#number")).to_have_text("2")
    sale.state["at_door"] = 0
    await expect(page.get_by_role("heading", level=1)).to_have_text("You are next")
    await expect(page.locator("#figure")).to_be_hidden()


async def test_sold_out_by_hand_gives_the_reason_and_the_way_back(visit: OpenPage) -> None:
    """What the operator said stands there, and a link to the shop."""
    page = await visit(Sale().at(phase="sold_out", reason="The rest goes to the shops."))
    await expect(page.locator("#notice")).to_have_text("The organiser says: The rest goes to the shops.")
    await expect(page.get_by_role("link", name="Go to the shop")).to_have_attribute("href", "/")


async def test_no_receipt_is_made_up_for_an_older_ticket(visit: OpenPage) -> None:
    """Who holds a ticket that other entropy made gets no receipt for it."""
    sale = Sale(leaf=None).at()
    page = await visit(sale)
    await face(page, "waiting")
    receipt = await page.evaluate("JSON.parse(localStorage[location.pathname])")
    assert (receipt["number"], "entropy" in receipt, "leaf" in receipt) == (2_000, False, False)


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
