"""The way into the shop: who is let through, who is sent to wait, and what the shop tells the gate."""

import re
from dataclasses import replace

import pytest
from redis import Redis

from gate.door import Door
from gate.proxy import Upstream
from tests.conftest import ROOM
from tests.gate.conftest import OpenFront
from tests.gate.front import BASE, HTML, OPEN, Front, Shopper, open_front, pass_of, token_of
from waitroom.clock import ManualClock
from waitroom.tickets import Pass, Tokens, pass_cookie

WAIT = (303, f"{BASE}?next=%2Fsale%2Fredmi")


async def browse(shopper: Shopper, path: str = "/sale/redmi") -> tuple[int, str | None]:
    """Status and where to go, for a browser."""
    answer = await shopper.browse(path)
    return answer.status, answer.headers.get("Location")


def holding(front: Front, granted: Pass, tokens: Tokens | None = None) -> Shopper:
    """A shopper with this pass."""
    return front.shopper(**{pass_cookie(ROOM): (tokens or front.tokens).sign_pass(granted)})


# ---- Unprotected


async def test_paths_that_no_room_protects_go_straight_to_the_shop(full: Front) -> None:
    """With their method, query and body, whether anyone waits or not."""
    answer = await full.shopper().send("PUT", "/account/name?a=%20b", data=b"Anna")
    assert answer.document == {"shop": "/account/name?a=%20b"}
    assert full.shop.asked[-1].method == "PUT"
    assert full.shop.bodies == [b"Anna"]


@pytest.mark.parametrize(
    "path",
    (
        "/metrics /METRICS //metrics /healthz /%68ealthz?x /x/../metrics /metrics/x /waitroom /waitroom/ "
        "/waitroom/none /waitroom/none/state /WAITROOM/x //waitroom/x /api/../waitroom/none "
        f"{BASE}/ {BASE}/none {BASE}//state {BASE}/state/"
    ).split(),
)
async def test_the_gates_own_paths_and_the_shops_affairs_are_not_proxied(front: Front, path: str) -> None:
    """Unknown rooms and addresses, and the shop's metrics and health, are 404 in every spelling."""
    assert (await front.shopper().get(path)).problem == (404, "not-found")
    assert front.shop.asked == []


# ---- With and without a pass


async def test_a_pass_opens_the_protected_paths(front: Front) -> None:
    """The shop gets the request with the pass, to check it itself."""
    shopper = await front.in_shop()
    answer = await shopper.send("POST", "/sale/order?unit=1", data=b"one")
    assert answer.document == {"shop": "/sale/order?unit=1"}
    assert pass_of(shopper) in front.shop.asked[-1].headers["Cookie"]


async def test_without_a_pass_a_browser_goes_to_the_waiting_page(full: Front) -> None:
    """303, and ``next`` brings it back; the shop hears nothing of it."""
    answer = await full.shopper().browse("/sale/redmi?colour=red&a=%26")
    assert answer.status == 303
    assert answer.headers["Location"] == f"{BASE}?next=%2Fsale%2Fredmi%3Fcolour%3Dred%26a%3D%2526"
    assert answer.headers["Cache-Control"] == "no-store"
    assert full.shop.asked == []


async def test_without_a_pass_an_application_hears_where_to_wait(front: Front) -> None:
    """429 with the waiting room's address, even while nobody waits: an application cannot see the page."""
    answer = await front.shopper().get("/sale")
    assert answer.problem == (429, "waiting-room")
    assert answer.document["waiting_room"] == BASE
    assert answer.headers["Retry-After"] == "2"


async def test_a_pass_counts_from_its_first_to_its_last_instant(full: Front) -> None:
    """Too early, in time, expired: to the millisecond."""
    now = full.clock.now_ms()
    for enter_at, expires_at, expected in (
        (now + 1, now + 10, WAIT),
        (now, now + 1, (200, None)),
        (now - 10, now, WAIT),
    ):
        assert await browse(holding(full, Pass(ROOM, 7, 7, enter_at, expires_at))) == expected


async def test_a_pass_is_good_for_the_account_it_was_given_to(front_with: OpenFront) -> None:
    """One place in line lets one person in: signed out, or signed in as another, the same pass opens nothing."""
    front = await front_with(identity=True, capacity=1)
    now = front.clock.now_ms()
    token = front.tokens.sign_pass(Pass(ROOM, 7, 7, now, now + 1000, "anna"))
    for subject, status in (("anna", 200), ("bert", 429), ("", 429)):
        shopper = front.shopper(subject, **{pass_cookie(ROOM): token})
        assert (await shopper.get("/sale")).status == status


async def test_forged_and_foreign_passes_open_nothing(full: Front) -> None:
    """Signed by somebody else, for another room, for another purpose, or edited: the waiting page."""
    now = full.clock.now_ms()
    good = Pass(ROOM, 7, 7, now, now + 1000)
    token = full.tokens.sign_pass(good)
    assert await browse(full.shopper(**{pass_cookie(ROOM): token})) == (200, None)
    assert await browse(holding(full, good, Tokens(["another site's secret"]))) == WAIT
    ticket = await full.in_line()
    for other in (
        full.tokens.sign_pass(replace(good, room="outlet")),
        token.replace(str(now + 1000), str(now + 2000)),
        token[:-1] + ("A" if token[-1] != "A" else "E"),
        token_of(ticket),
        full.identity("anna"),
        "",
    ):
        assert await browse(full.shopper(**{pass_cookie(ROOM): other})) == WAIT


async def test_a_pass_of_a_visit_that_ended_is_refused_at_once(front: Front, redis: Redis) -> None:
    """Also by a gate that hears of it with its next look at the line."""
    shopper, other = await front.in_shop(), await front.in_shop()
    copies = [front.shopper(**each.cookies) for each in (shopper, other)]
    await shopper.send("DELETE", f"{BASE}/pass")
    assert (await copies[0].get("/sale")).problem == (429, "waiting-room")
    keys = front.room.waiting.keys
    redis.zadd(keys.ended, {"1": front.clock.now_ms()})
    assert (await copies[1].get("/sale")).status == 200
    await front.later(250)
    assert (await copies[1].get("/sale")).problem == (429, "waiting-room")


async def test_a_post_without_a_pass_is_not_swallowed_by_the_way_in(front: Front) -> None:
    """Only a look goes straight in; a form is sent again by its owner, after waiting."""
    answer = await front.shopper().send("POST", "/sale/redmi", HTML, data=b"order")
    assert (answer.status, answer.headers["Location"]) == WAIT
    assert front.shop.asked == []


# ---- Straight in


async def test_when_nobody_waits_a_shopper_goes_straight_through(front: Front) -> None:
    """One request: ticket, pass, and the shop's answer, which knows the pass; the queue is never seen."""
    shopper = front.shopper(shop="kept", **{pass_cookie(ROOM): "old"})
    answer = await shopper.browse("/sale/redmi")
    assert answer.document == {"shop": "/sale/redmi"}
    assert set(answer.set_cookies()) == {f"waitroom_ticket_{ROOM}", f"waitroom_pass_{ROOM}"}
    sent = front.shop.asked[-1].headers["Cookie"]
    assert re.findall(r"waitroom_pass_[^;]*", sent) == [f"waitroom_pass_{ROOM}={pass_of(shopper)}"]
    assert "shop=kept" in sent
    assert (await shopper.stand()).document["number"] == 0


async def test_straight_in_keeps_to_the_limits(front_with: OpenFront) -> None:
    """Who would be one too many gets a ticket and the waiting page."""
    front = await front_with(rate=60, burst=1, capacity=2)
    answers = [await front.shopper().browse("/sale/redmi") for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 303, 303]
    assert set(answers[1].set_cookies()) == {f"waitroom_ticket_{ROOM}"}
    await front.later(0)
    assert front.room.waiting.line.visits == 2


async def test_straight_in_asks_for_a_sign_in_where_the_room_does(front_with: OpenFront) -> None:
    """Not signed in: the waiting page, which leads to the sign-in. Signed in: in."""
    front = await front_with(identity=True)
    assert await browse(front.shopper()) == WAIT
    anna = front.shopper("anna")
    assert await browse(anna) == (200, None)
    assert front.tokens.read_ticket(token_of(anna), ROOM).identity == "anna"


async def test_a_place_in_line_is_used_for_going_straight_in(front: Front) -> None:
    """A ticket in hand is not thrown away for a new one."""
    shopper = await front.in_line()
    await front.later(250)
    held = token_of(shopper)
    assert await browse(shopper) == (200, None)
    assert token_of(shopper) == held


async def test_what_was_earned_on_the_way_survives_the_shops_trouble(
    redis: Redis, store_url: str, clock: ManualClock
) -> None:
    """The shop is down: a decent page for the browser, and still ticket and pass."""
    redis.ping()
    async with open_front(store_url, clock, upstream="http://127.0.0.1:9") as front:
        shopper = front.shopper()
        answer = await shopper.browse("/sale")
        assert answer.status == 502
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert answer.headers["Retry-After"] == "5"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert set(shopper.cookies) == {f"waitroom_ticket_{ROOM}", f"waitroom_pass_{ROOM}"}
        assert (await shopper.get("/sale")).problem == (502, "shop-unreachable")


# ---- Sliding visits


async def test_a_visit_slides_while_the_visitor_is_active(front_with: OpenFront) -> None:
    """Each second's visitors are extended together, and the cookie follows, up to the longest visit."""
    front = await front_with(visit_seconds=60, visit_longest_seconds=90)
    shopper = await front.in_shop()
    start, visits = front.clock.now_ms(), front.room.waiting.visits
    front.clock.advance(20_000)
    assert (await shopper.get("/sale")).set_cookies() == {}
    await visits.extend()
    renewed = (await shopper.get("/sale")).set_cookies()[f"waitroom_pass_{ROOM}"]
    assert "; Max-Age=3660;" in renewed
    front.clock.advance(50_000)
    assert (await shopper.get("/sale")).status == 200
    await visits.extend()
    await shopper.get("/sale")
    last = front.tokens.read_pass(pass_of(shopper), ROOM, front.clock.now_ms())
    assert last.expires_at == start + 90_000
    front.clock.advance(20_000)
    assert (await shopper.get("/sale")).problem == (429, "waiting-room")


async def test_a_visit_that_does_not_slide_ends_on_time(front: Front) -> None:
    """Being active changes nothing; the store is not even asked."""
    shopper = await front.in_shop()
    await shopper.get("/sale")
    await front.room.waiting.visits.extend()
    front.clock.advance(600_000)
    assert (await shopper.get("/sale")).problem == (429, "waiting-room")


# ---- The shop's words


async def test_an_order_done_ends_the_visit(front: Front) -> None:
    """``Waitroom-Command: leave`` frees the spot and takes the pass back; no shopper sees the word."""
    shopper = await front.in_shop()
    copy = front.shopper(**shopper.cookies)
    front.shop.says = {"Waitroom-Command": "leave", "Waitroom-Secret": "x", "X-Other": "kept"}
    answer = await shopper.get("/sale/done")
    assert "Max-Age=0" in answer.set_cookies()[f"waitroom_pass_{ROOM}"]
    assert not [name for name in answer.headers if name.lower().startswith("waitroom")]
    assert answer.headers["X-Other"] == "kept"
    assert (await copy.get("/sale")).problem == (429, "waiting-room")
    await front.later(250)
    assert front.room.waiting.line.visits == 0


async def test_an_order_done_outside_the_protected_paths_ends_the_visit_too(front: Front) -> None:
    """I9: paid where no pass is needed, so that a repeat after a lost answer is answered like the first."""
    shopper = await front.in_shop()
    copy = front.shopper(**shopper.cookies)
    front.shop.says = {"Waitroom-Command": "leave", "Waitroom-Units-Left": "7", "Waitroom-Units-Held": "1"}
    first = await shopper.send("POST", "/orders/1/payment", data=b"card")
    assert "Max-Age=0" in first.set_cookies()[f"waitroom_pass_{ROOM}"]
    assert not [name for name in first.headers if name.lower().startswith("waitroom")]
    assert (await copy.get("/sale")).problem == (429, "waiting-room")
    repeated = await copy.send("POST", "/orders/1/payment", data=b"card")
    assert (repeated.status, repeated.body) == (first.status, first.body)
    assert front.shop.bodies == [b"card", b"card"]
    await front.later(250)
    line = front.room.waiting.line
    assert (line.visits, line.units_left, line.units_held) == (0, 7, 1)


async def test_words_outside_the_protected_paths_need_a_good_pass_to_be_heard(front: Front) -> None:
    """Without one, or with one that is foreign, expired, too early or of an ended visit, nothing happens."""
    inside, gone = await front.in_shop(), await front.in_shop()
    ended = front.shopper(**gone.cookies)
    await gone.send("DELETE", f"{BASE}/pass")
    now = front.clock.now_ms()
    good = front.tokens.read_pass(pass_of(inside), ROOM, now)
    front.shop.says = {"Waitroom-Command": "leave", "Waitroom-Units-Left": "0"}
    for deaf in (
        front.shopper(),
        ended,
        holding(front, good, Tokens(["another site's secret"])),
        holding(front, replace(good, expires_at=now)),
        holding(front, replace(good, enter_at=now + 1)),
        front.shopper(**{pass_cookie(ROOM): front.tokens.sign_pass(replace(good, room="outlet"))}),
    ):
        answer = await deaf.send("POST", "/orders/1/payment")
        assert (answer.status, answer.set_cookies()) == (200, {})
    await front.later(250)
    assert (front.room.waiting.line.visits, front.room.waiting.phase()) == (1, "open")
    front.shop.says = {}
    assert (await inside.get("/sale")).status == 200


async def test_an_app_without_cookies_is_heard_outside_the_protected_paths(front: Front) -> None:
    """Its pass in ``Authorization`` counts like the cookie."""
    shopper = await front.in_shop()
    app = {"Authorization": f"Waitroom {pass_of(shopper)}"}
    front.shop.says = {"Waitroom-Command": "leave"}
    assert (await front.shopper().get("/orders/1", app)).status == 200
    assert (await shopper.get("/sale")).problem == (429, "waiting-room")


async def test_words_that_the_gate_does_not_know_change_nothing(front: Front) -> None:
    """Another command, or stock that makes no sense, is passed over."""
    shopper = await front.in_shop()
    for says in (
        {"Waitroom-Command": "LEAVE"},
        {"Waitroom-Units-Left": "-1"},
        {"Waitroom-Units-Left": "1e3", "Waitroom-Units-Held": "0"},
        {"Waitroom-Units-Left": "5", "Waitroom-Units-Held": "many"},
        {"Waitroom-Units-Left": "1" * 10},
        {"Waitroom-Units-Left": "\u0661"},
        {"Waitroom-Units-Held": "0"},
    ):
        front.shop.says = says
        answer = await shopper.get("/sale")
        assert (answer.status, answer.set_cookies()) == (200, {})
    assert front.room.waiting.line.units_left is None


async def test_the_last_unit_sold_is_told_to_everyone_at_once(front: Front) -> None:
    """Nothing left and nothing held: sold out. Those in the shop may stay to the end of their visit."""
    shopper, waiting = await front.in_shop(), await front.in_line()
    front.shop.says = {"Waitroom-Units-Left": "0", "Waitroom-Units-Held": "2"}
    await shopper.get("/sale")
    await front.later(1000)
    state = (await waiting.get(f"{BASE}/state")).document
    assert (state["phase"], state["units_left"], state["units_held"]) == ("open", 0, 2)
    front.shop.says = {"Waitroom-Units-Left": "0"}
    answer = await shopper.get("/sale")
    assert not [name for name in answer.headers if name.startswith("Waitroom")]
    await front.room.tick()
    assert (await waiting.get(f"{BASE}/state")).document["phase"] == "sold_out"
    assert (await shopper.get("/sale")).status == 200


async def test_a_shopper_cannot_speak_for_the_shop(front: Front) -> None:
    """The shop's words in a request do not reach it, and the gate does not act on them."""
    shopper = await front.in_shop()
    said = {"Waitroom-Command": "leave", "Waitroom-Units-Left": "0", "Waitroom_Units_Held": "0"}
    assert (await shopper.get("/sale", said)).status == 200
    assert not {name for name in front.shop.asked[-1].headers if name.lower().startswith("waitroom")}
    assert (await shopper.get("/sale")).status == 200


# ---- Several rooms


async def test_several_rooms_guard_several_paths(redis: Redis, store_url: str, clock: ManualClock) -> None:
    """The longest prefix counts, and each room has its own line, limits and passes."""
    redis.ping()
    rooms = {
        ROOM: OPEN.model_copy(update={"protect": ("/sale", "/basket")}),
        "outlet": OPEN.model_copy(update={"protect": ("/sale/outlet",), "capacity": 1}),
    }
    async with open_front(store_url, clock, rooms) as front:
        launch, outlet = await front.in_shop(), await front.in_shop("outlet")
        assert [(await launch.get(path)).status for path in ("/sale", "/basket/1", "/sale/outlet")] == [
            200,
            200,
            429,
        ]
        assert [(await outlet.get(path)).status for path in ("/sale", "/sale/outlet/2")] == [429, 200]
        await front.later(250)
        browser = front.shopper()
        assert await browse(browser, "/sale/outlet") == (303, "/waitroom/outlet?next=%2Fsale%2Foutlet")
        assert await browse(browser, "/sale") == (200, None)
        outlet.cookies = {pass_cookie(ROOM): pass_of(outlet, "outlet")}
        assert (await outlet.get("/sale")).status == 429
        front.shop.says = {"Waitroom-Units-Left": "0"}
        await launch.get("/sale")
        phases = [room.waiting.phase() for room in front.gate.rooms.values()]
        assert phases == ["sold_out", "open"]


async def test_outside_all_rooms_the_shop_says_which_one_it_speaks_of(
    redis: Redis, store_url: str, clock: ManualClock
) -> None:
    """A visitor of two rooms leaves the named one alone; of several rooms none is meant that is not named."""
    redis.ping()
    rooms = {ROOM: OPEN, "outlet": OPEN.model_copy(update={"protect": ("/outlet",)})}
    async with open_front(store_url, clock, rooms) as front:
        shopper, other = await front.in_shop(), await front.in_shop("outlet")
        shopper.cookies |= other.cookies
        leave = {"Waitroom-Command": "leave", "Waitroom-Units-Left": "0"}
        for named in ({}, {"Waitroom-Room": "none"}):
            front.shop.says = leave | named
            assert (await shopper.get("/orders/1")).set_cookies() == {}
        front.shop.says = leave | {"Waitroom-Room": "outlet"}
        for _ in range(2):
            await shopper.get("/orders/1")
            assert set(shopper.cookies) >= {pass_cookie(ROOM)}
        assert pass_cookie("outlet") not in shopper.cookies
        front.shop.says = {}
        assert (await shopper.get("/sale")).status == 200
        phases = [room.waiting.phase() for room in front.gate.rooms.values()]
        assert phases == ["open", "sold_out"]


async def test_a_room_may_guard_the_whole_shop(front_with: OpenFront) -> None:
    """``/`` covers everything but the gate's own addresses."""
    front = await front_with(protect=("/",))
    for path in ("/", "/account", "/static/logo.svg"):
        assert (await front.shopper().get(path)).problem == (429, "waiting-room")
    assert (await front.shopper().get(f"{BASE}/state")).status == 200


# ---- Stock without visits


async def test_the_shop_is_asked_for_its_stock(front_with: OpenFront) -> None:
    """Units that come back while nobody is in the shop are heard; a shop that does not answer says nothing."""
    front = await front_with(stock="/units")
    room = front.room
    front.shop.says = {"Waitroom-Units-Left": "5", "Waitroom-Units-Held": "1"}
    async with Upstream(front.gate.settings.upstream_url) as shop, Upstream("http://127.0.0.1:9") as nobody:
        await Door(front.gate, shop, nobody).ask_shop(room)
        await Door(front.gate, nobody, nobody).ask_shop(room)
    assert front.shop.paths == ["/units"]
    assert (room.waiting.line.units_left, room.waiting.line.units_held) == (5, 1)
