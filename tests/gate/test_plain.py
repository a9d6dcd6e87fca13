"""The waiting page without JavaScript."""

import re
from dataclasses import replace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Browser, expect

from gate.look import our_look
from gate.page import plain_headers, render_page
from gate.plain import Offer, Scene, render_plain
from waitroom.answers import AtDoor, Entered, Position
from waitroom.room import Line, Pace, Room, Schedule

NOW = 1_432_033_200_000
MINUTE = 60_000
SCHEDULE = Schedule(
    opens_at=NOW - MINUTE, presale_opens_at=NOW - 9 * MINUTE, presale_closes_at=NOW - 2 * MINUTE
)
ROOM = Room(
    "mi-launch",
    "Mi Launch",
    SCHEDULE,
    Pace(60, 20, 5, 600_000, 600_000),
    identity=True,
    sign_in="/account/sign-in",
)
LINE = Line(issued=900, called=3, presale_size=7, seed=bytes(32), units_left=12)
SCENE = Scene(ROOM, LINE, NOW, "/sale?x=1&y", Position(800, 800, 797, called=False), wait=(700, 900))
CALLED = replace(SCENE, position=Position(2, 0, 0, called=True))
BEFORE = replace(
    ROOM,
    schedule=Schedule(NOW + 9 * MINUTE, presale_opens_at=NOW + MINUTE, presale_closes_at=NOW + 4 * MINUTE),
)
DURING = replace(
    ROOM,
    schedule=Schedule(NOW + 9 * MINUTE, presale_opens_at=NOW - MINUTE, presale_closes_at=NOW + 4 * MINUTE),
)
AFTER = replace(
    ROOM,
    schedule=Schedule(NOW + 9 * MINUTE, presale_opens_at=NOW - 2 * MINUTE, presale_closes_at=NOW - MINUTE),
)
UNDRAWN = replace(
    SCENE, position=Position(3, None, None, called=False), line=replace(LINE, seed=None), wait=None
)

FACES = {
    "scheduled": (
        replace(SCENE, room=BEFORE, position=None),
        ["The line opens soon", "01:00", "UTC", "Sign in"],
    ),
    "join": (replace(SCENE, position=None), ["Join the line", "Take my place"]),
    "signin": (
        replace(SCENE, position=None, hurdle="signin"),
        ["Please sign in first", "/account/sign-in?next="],
    ),
    "presale": (replace(UNDRAWN, room=DURING), ["You are in the draw", "04:00", "Taking part"]),
    "drawing": (UNDRAWN, ["The draw is being made"]),
    "placed": (
        replace(SCENE, room=AFTER, position=Position(3, 0, 0, called=False)),
        ["Your place is drawn", "<dd>1</dd>"],
    ),
    "behind": (replace(SCENE, room=AFTER), ["You have a place in line", "in order of arrival", "801"]),
    "waiting": (
        SCENE,
        ["You are in line", "797", "people ahead of you", "in about 11\u2060–\u206015 minutes", "801"],  # noqa: RUF001 - a range
    ),
    "at the door": (replace(SCENE, line=replace(LINE, at_door=2)), ["799", "people ahead of you"]),
    "next": (replace(SCENE, position=Position(3, 3, 0, called=False)), ["<h1>You are next</h1>"]),
    "chance": (replace(SCENE, chance=0.4449), ["left at your turn is about 40%"]),
    "good chance": (replace(SCENE, chance=0.95), ["very likely that something is left"]),
    "slim chance": (replace(SCENE, chance=0.049), ["very unlikely that anything is left"]),
    "soon": (replace(SCENE, wait=(3, 40)), ["Your turn comes in less than a minute"]),
    "hours": (replace(SCENE, wait=(7_000, 11_000)), ["1\u2060–\u20604 hours"]),  # noqa: RUF001 - a range
    "unknown": (replace(SCENE, wait=None), ["once people are going in"]),
    "held": (replace(SCENE, line=replace(LINE, units_left=0, units_held=2)), ["basket"]),
    "called": (CALLED, ["It is your turn", "Go in now"]),
    "door": (
        replace(CALLED, answer=AtDoor(0, 1, NOW + 4_000)),
        ["person before you", "as soon as there is room", "knock=1"],
    ),
    "entering": (
        replace(CALLED, answer=Entered(0, NOW + 1_500, NOW), location="/sale"),
        ["2; url=/sale", "Come in"],
    ),
    "trouble": (
        replace(SCENE, line=replace(LINE, trouble_since=NOW)),
        ["The shop needs a moment", "it goes on by itself"],
    ),
    "paused": (
        replace(SCENE, line=replace(LINE, paused_at=NOW, reason="<Card>")),
        ["paused", "&lt;Card&gt;"],
    ),
    "first": (replace(CALLED, answer=AtDoor(0, 0, NOW + 4_000)), ["You are at the door", "You are next"]),
    "sold_out": (
        replace(SCENE, line=replace(LINE, sold_out=True, reason="Rain")),
        ["Everything is sold", "The organiser says: Rain", 'href="/">Go to the shop'],
    ),
    "closed": (replace(SCENE, line=replace(LINE, closed=True)), ["The sale is over"]),
    "spent": (replace(SCENE, hurdle="spent"), ["Your visit is over", "Join again"]),
    "once": (replace(SCENE, hurdle="once"), ["everyone goes in once"]),
    "left": (replace(SCENE, hurdle="left"), ["You have left the line", "Join again"]),
    "later": (
        replace(CALLED, hurdle="later"),
        ["You are letting others go first", "Place 1 is kept", "Go in now"],
    ),
    "moved": (replace(CALLED, hurdle="moved"), ["Your place has moved", "Join again"]),
    "expired": (
        replace(SCENE, position=None, hurdle="expired"),
        ["This link no longer works", "Take my place"],
    ),
    "in-shop": (
        replace(SCENE, hurdle="in-shop"),
        [
            "This place is in the shop already",
            'href="/waitroom/mi-launch?plain=1&amp;next=%2Fsale%3Fx%3D1%26y">Back to my place',
        ],
    ),
    "instead": (
        replace(SCENE, handed="mi-launch.7", instead=True),
        ["Take this place instead of yours?", 'name="move" value="mi-launch.7"', "Keep my own place"],
    ),
    "move": (
        replace(SCENE, offer=Offer("https://mi.example/?plain=1&move=a", "<svg/>", NOW + 600_000)),
        ["600; url=/", "https://mi.example/?plain=1&amp;move=a", "%3Csvg/%3E", "The link works once"],
    ),
    "claim": (
        replace(SCENE, position=None, handed="mi-launch.7"),
        ["A place for this device", 'name="move" value="mi-launch.7"', "Take this place"],
    ),
    "holding": (
        replace(SCENE, position=None, joins_at=NOW + 25_000),
        ["Almost in line", "00:25", "until you join", "25; url=/"],
    ),
    "crowded": (replace(SCENE, position=None, hurdle="crowded"), ["Please wait a moment", "Take my place"]),
    "unable": (replace(SCENE, position=None, hurdle="unable"), ["One more step", "Take my place"]),
    "away": (replace(SCENE, store_away=True), ["Your place is kept"]),
    "notice": (replace(SCENE, room=replace(ROOM, notice="Shipping is slow")), ["Shipping is slow"]),
}


@pytest.mark.parametrize("name", FACES)
def test_every_phase_works_without_javascript(name: str) -> None:
    """Each face says what it has to say, loads itself again, and holds no script."""
    scene, texts = FACES[name]
    html = render_plain(scene)
    assert not [text for text in texts if text not in html]
    assert re.search(r'<meta http-equiv="refresh" content="\d+; url=/', html)
    assert "<script" not in html
    assert "{" not in html.partition("<main>")[2]


def test_wish_where_to_go_stays_through_every_step() -> None:
    """The refresh and the forms carry ``next``, escaped."""
    html = render_plain(CALLED)
    assert "url=/waitroom/mi-launch?plain=1&amp;next=%2Fsale%3Fx%3D1%26y" in html
    assert html.count('name="next" value="/sale?x=1&amp;y"') == 4  # go in, not now, move, and leave


def test_next_cannot_become_markup() -> None:
    """A hostile ``next`` stays a value."""
    assert "<script" not in render_plain(replace(CALLED, next_path='/"><script>'))


def test_plain_page_is_kept_by_no_cache() -> None:
    """It is one shopper's page, and it allows no script at all."""
    headers = plain_headers(our_look())
    assert headers["Cache-Control"] == "no-store"
    assert "script-src" not in headers["Content-Security-Policy"]


@pytest.mark.asyncio(loop_scope="module")
async def test_browser_without_javascript_is_led_through_the_line(browser: Browser) -> None:
    """The common page leads on to the plain one, whose button joins with ``next``."""
    posted: list[dict[str, str]] = []
    scene = replace(SCENE, next_path="/sale", position=None)

    async def page(request: web.Request) -> web.Response:
        if "plain" not in request.query:
            answer = render_page(ROOM)
            return web.Response(body=answer.body, headers=answer.headers)
        shown = replace(scene, position=SCENE.position) if posted else scene
        return web.Response(text=render_plain(shown), headers=plain_headers(our_look()))

    async def join(request: web.Request) -> web.Response:
        posted.append({name: str(value) for name, value in (await request.post()).items()})
        raise web.HTTPSeeOther("/waitroom/mi-launch?plain=1")

    app = web.Application()
    app.add_routes([web.get("/waitroom/mi-launch", page), web.post("/waitroom/mi-launch/ticket", join)])
    context = await browser.new_context(java_script_enabled=False)
    async with TestServer(app) as server:
        tab = await context.new_page()
        await tab.goto(str(server.make_url("/waitroom/mi-launch?next=/sale")))
        await tab.get_by_role("button", name="Take my place").click()
        await expect(tab.locator("#number")).to_have_text("797")
        await context.close()
    assert posted == [{"next": "/sale"}]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", ["join", "holding", "crowded", "waiting", "called", "door", "move", "claim"])
async def test_plain_pages_can_be_used_by_anyone(browser: Browser, name: str) -> None:
    """Axe finds nothing but the refresh itself, which is what the page is for, and 320 pixels suffice."""
    page = await browser.new_page(viewport={"width": 320, "height": 640})
    html = re.sub(r'<meta http-equiv="refresh"[^>]*>', "", render_plain(FACES[name][0]))
    await page.set_content(html)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320
    found = await Axe().run(page)
    await page.close()
    assert not found.response["violations"], found.generate_report()
