"""A shopper's own addresses: the ticket and the pass."""

from ipaddress import ip_network

import pytest

from tests.conftest import ROOM, entropy
from tests.gate.conftest import OpenFront
from tests.gate.front import BASE, Front, Shopper, pass_of, token_of
from waitroom import draw
from waitroom.room import Hold


async def hold(front: Front, action: Hold, reason: str = "") -> None:
    """What an operator does."""
    await front.room.waiting.hold(action, by="test", reason=reason)


def bearer(*tokens: str) -> dict[str, str]:
    """How an application without cookies shows what it has."""
    return {"Authorization": f"Waitroom {', '.join(tokens)}"}


# ---- Join


async def test_joining_gives_a_ticket_and_a_cookie_that_scripts_cannot_read(front: Front) -> None:
    """A new ticket is 201; it comes as JSON and as a cookie, for this shopper alone."""
    answer = await front.shopper().join(7)
    document = answer.document
    assert answer.status == 201
    assert answer.headers["Cache-Control"] == "no-store"
    assert (document["room"], document["number"], document["place"]) == (ROOM, 0, 0)
    assert document["leaf"] == draw.leaf(bytes.fromhex(document["ticket"]), entropy(7)).hex()
    cookie = answer.set_cookies()[f"waitroom_ticket_{ROOM}"]
    assert cookie == (
        f"waitroom_ticket_{ROOM}={document['token']}; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"
    )
    assert front.tokens.read_ticket(document["token"], ROOM).number == 0


async def test_whoever_holds_a_ticket_gets_the_same_one_again(front: Front) -> None:
    """Joining with a ticket in hand is 200 with that ticket, whatever entropy comes with it."""
    shopper = front.shopper()
    first, again = await shopper.join(1), await shopper.join(2)
    assert again.status == 200
    assert again.document["token"] == first.document["token"]
    assert again.set_cookies() == first.set_cookies()


async def test_a_join_retried_after_a_lost_reply_gets_the_same_ticket(front: Front) -> None:
    """The same entropy is the same request, though the cookie never arrived."""
    first, again = await front.shopper().join(3), await front.shopper().join(3)
    assert (first.status, again.status) == (201, 200)
    assert again.document == first.document


async def test_a_join_needs_no_body(front: Front) -> None:
    """Without entropy of the shopper's own the gate thinks some up."""
    first = await front.shopper().send("POST", f"{BASE}/ticket")
    second = await front.shopper().join()
    assert [first.document["number"], second.document["number"]] == [0, 1]


async def test_an_application_without_cookies_carries_its_tokens_itself(front: Front) -> None:
    """``Authorization: Waitroom <token>`` does what the cookies do, on every address."""
    app = front.shopper()
    joined = await app.join(1)
    app.cookies.clear()
    token = joined.document["token"]
    ticket = bearer(token)
    assert (await app.send("POST", f"{BASE}/ticket", ticket, json={})).document["number"] == 0
    app.cookies.clear()
    assert (await app.get(f"{BASE}/ticket", ticket)).document["number"] == 0
    await front.later(0, force=True)
    entered = await app.send("POST", f"{BASE}/pass", {"authorization": f"waitroom {token}"})
    app.cookies.clear()
    granted = bearer(token, entered.document["token"])
    assert (await app.get("/sale", granted)).document == {"shop": "/sale"}
    assert (await app.send("DELETE", f"{BASE}/pass", granted)).status == 204
    assert (await app.get("/sale", granted)).status == 429


async def test_one_account_holds_one_place(front_with: OpenFront) -> None:
    """In a room with sign-in, nobody joins without it, and two browsers of one account share a ticket."""
    front = await front_with(identity=True)
    assert (await front.shopper().join(1)).problem == (401, "sign-in-needed")
    anna, again, bert = front.shopper("anna"), front.shopper("anna"), front.shopper("bert")
    tickets = [await each.join(seed) for seed, each in enumerate((anna, again, bert))]
    assert [each.status for each in tickets] == [201, 200, 201]
    assert [each.document["number"] for each in tickets] == [0, 0, 1]
    app = front.shopper()
    bearing = bearer(token_of(anna), front.identity("anna"))
    assert (await app.send("POST", f"{BASE}/ticket", bearing, json={})).document["number"] == 0


async def test_an_identity_whose_time_is_up_must_sign_in_again(front_with: OpenFront) -> None:
    """An old identity is none."""
    front = await front_with(identity=True)
    anna = front.shopper(waitroom_identity=front.identity("anna", good_for_ms=1))
    front.clock.advance(1)
    assert (await anna.join(1)).problem == (401, "sign-in-needed")


async def test_a_ticket_bound_to_an_account_is_worth_nothing_to_another(front_with: OpenFront) -> None:
    """A copied ticket does not let another account in, nor anyone who is not signed in."""
    front = await front_with(identity=True)
    anna = front.shopper("anna")
    await anna.join(1)
    await front.later(0, force=True)
    thief = front.shopper("thief", **{f"waitroom_ticket_{ROOM}": token_of(anna)})
    assert (await thief.knock()).problem == (401, "token-invalid")
    nobody = front.shopper(**{f"waitroom_ticket_{ROOM}": token_of(anna)})
    assert (await nobody.knock()).problem == (401, "sign-in-needed")
    assert (await thief.join(2)).document["number"] == 1
    assert (await anna.knock()).status == 201


async def test_a_room_may_let_everyone_in_once(front_with: OpenFront) -> None:
    """Where a visit is all there is, joining after it is refused."""
    front = await front_with(identity=True, once=True)
    anna = front.shopper("anna")
    await anna.join(1)
    await front.later(0, force=True)
    await anna.knock()
    await anna.send("DELETE", f"{BASE}/pass")
    assert (await anna.join(2)).problem == (409, "one-visit-only")


async def test_no_tickets_before_the_line_opens(front_with: OpenFront) -> None:
    """A join in the wrong phase is 409 and names the phase."""
    front = await front_with(opens_in=60)
    answer = await front.shopper().join(1)
    assert answer.problem == (409, "no-tickets")
    assert answer.document["phase"] == "scheduled"


@pytest.mark.parametrize("last", [Hold.SOLD_OUT, Hold.CLOSE])
async def test_no_tickets_when_the_sale_is_over(front: Front, last: Hold) -> None:
    """Once it is sold out or closed nobody joins, and those in line are told to go."""
    shopper = await front.in_line()
    await hold(front, last)
    answer = await front.shopper().join(1)
    assert answer.problem == (409, "no-tickets")
    assert answer.document["phase"] in {"sold_out", "closed"}
    assert (await shopper.stand()).document["next"] == "leave"
    assert (await shopper.knock()).problem == (409, "not-open")


async def test_the_cookie_is_secure_behind_https(front: Front) -> None:
    """Only a proxy that is trusted may say that the shopper speaks https."""
    https = {"X-Forwarded-Proto": "https"}
    believed = front.gate.settings.model_copy(update={"trusted_proxies": [ip_network("127.0.0.0/8")]})
    plain = await front.shopper().send("POST", f"{BASE}/ticket", https)
    assert "Secure" not in plain.headers["Set-Cookie"]
    front.gate.settings = believed
    secure = await front.shopper().send("POST", f"{BASE}/ticket", https)
    assert secure.headers["Set-Cookie"].endswith("; HttpOnly; SameSite=Lax; Secure")


# ---- Position


async def test_a_ticket_says_where_it_stands_and_what_to_do_next(front_with: OpenFront) -> None:
    """From waiting to called: place, ahead, the wait as a range, the next step."""
    front = await front_with(capacity=1, rate=60, burst=1)
    await front.in_shop()
    shopper, other = await front.in_line(), await front.in_line()
    waiting = (await other.stand()).document
    assert waiting | {"ticket": ""} == {
        "room": ROOM,
        "number": 2,
        "ticket": "",
        "place": 2,
        "ahead": 1,
        "called": False,
        "wait": waiting["wait"],
        "phase": "open",
        "next": "wait",
    }
    assert 0 <= waiting["wait"]["low_s"] < waiting["wait"]["high_s"]
    await front.later(1000)
    called = (await shopper.stand()).document
    assert (called["called"], called["ahead"], called["next"]) == (True, 0, "knock")
    assert called["wait"] == {"low_s": 0, "high_s": 0}


async def test_a_presale_ticket_has_no_place_until_it_is_drawn(front_with: OpenFront) -> None:
    """Before the draw nobody knows; after it the place stands, and late tickets queue behind."""
    front = await front_with(opens_in=60, presale=True)
    early = await front.in_line()
    document = (await early.stand()).document
    assert (document["place"], document["ahead"], document["wait"], document["next"]) == (
        None,
        None,
        None,
        "wait",
    )
    assert (await early.knock()).problem == (409, "not-open")
    await front.later(56_000)
    late = await front.in_line()
    assert (await early.stand()).document["place"] == 0
    assert (await late.stand()).document["phase"] == "drawing"
    assert (await late.stand()).document["place"] == 1


@pytest.mark.parametrize(
    "method,address", [("GET", "ticket"), ("DELETE", "ticket"), ("POST", "pass")], ids=str
)
async def test_without_a_ticket_there_is_no_place(front: Front, method: str, address: str) -> None:
    """Whoever has no ticket is told to join first."""
    answer = await front.shopper().send(method, f"{BASE}/{address}")
    assert answer.problem == (401, "token-invalid")
    assert answer.document["purpose"] == "ticket"


# ---- Knock


async def test_whoever_is_called_and_knocks_gets_a_pass(front: Front) -> None:
    """201 with the times of the visit, where to go, and a cookie that lasts as long as the visit."""
    shopper = await front.in_line()
    await front.later(250)
    answer = await shopper.knock(next="/sale/redmi?colour=red")
    now = front.clock.now_ms()
    assert answer.status == 201
    assert answer.document | {"token": ""} == {
        "place": 0,
        "enter_at": now,
        "expires_at": now + 600_000,
        "location": "/sale/redmi?colour=red",
        "token": "",
    }
    cookie = answer.set_cookies()[f"waitroom_pass_{ROOM}"]
    assert cookie == (
        f"waitroom_pass_{ROOM}={answer.document['token']}; Path=/; Max-Age=4200; HttpOnly; SameSite=Lax"
    )


async def test_a_repeated_knock_gets_the_same_pass(front: Front) -> None:
    """Two tabs, a double click, a lost reply: one visit, one token."""
    shopper = await front.in_line()
    await front.later(250)
    first = await shopper.knock()
    front.clock.advance(5000)
    assert (await shopper.knock()).document == first.document


@pytest.mark.parametrize(
    "wanted", [None, 7, ["/sale"], "", "//evil.example", "https://evil.example/", "/a/%5cevil"]
)
async def test_a_pass_leads_to_this_site_only(front: Front, wanted: object) -> None:
    """What is no path on this site is passed over: the way goes to the sale."""
    shopper = await front.in_line()
    await front.later(250)
    assert (await shopper.knock(next=wanted)).document["location"] == "/sale"


async def test_a_pass_may_begin_a_moment_from_now(front_with: OpenFront) -> None:
    """The first at the door is booked ahead: 201, and until ``enter_at`` the shop stays shut."""
    front = await front_with(rate=60, burst=1)
    await front.in_shop()
    second = await front.in_line()
    await front.later(250)
    answer = await second.knock()
    assert answer.status == 201
    assert answer.document["enter_at"] == front.clock.now_ms() + 750
    assert (await second.get("/sale")).problem == (429, "waiting-room")
    front.clock.advance(750)
    assert (await second.get("/sale")).status == 200


async def test_at_the_door_one_is_told_when_to_knock_again(front_with: OpenFront) -> None:
    """202 with the places before, and the time of the next knock."""
    front = await front_with(capacity=1)
    await front.in_shop()
    shopper = await front.in_line()
    await front.later(1000)
    answer = await shopper.knock()
    document = answer.document
    assert answer.status == 202
    assert (document["place"], document["before"]) == (1, 0)
    assert document["knock_again_at"] == front.clock.now_ms() + round(document["retry_after_s"] * 1000)
    assert 1 <= document["retry_after_s"] <= 20


async def test_knocking_too_soon_is_425(front_with: OpenFront) -> None:
    """A place that is not called yet learns how many are called before it, and when to ask again."""
    front = await front_with(capacity=1)
    await front.in_shop()
    await front.in_line()
    answer = await (await front.in_line()).knock()
    assert answer.problem == (425, "not-called")
    assert answer.document["ahead"] == 1
    assert answer.headers["Retry-After"] == "2"


async def test_nobody_enters_while_the_room_is_paused(front: Front) -> None:
    """409 names the phase; the place is kept, and the visit begins when the room goes on."""
    shopper = await front.in_line()
    await front.later(250)
    await hold(front, Hold.PAUSE, "one moment")
    answer = await shopper.knock()
    assert answer.problem == (409, "not-open")
    assert answer.document["phase"] == "paused"
    assert (await shopper.stand()).document["next"] == "wait"
    await hold(front, Hold.RESUME)
    assert (await shopper.knock()).status == 201


async def test_a_visit_that_ended_does_not_begin_again(front: Front) -> None:
    """The ticket is spent: no second pass from it, and joining again is a new number behind all others."""
    shopper = await front.in_shop()
    await front.in_line()
    await front.later(600_000)
    assert (await shopper.knock()).problem == (409, "spent")
    again = await shopper.join(99)
    assert (again.status, again.document["number"]) == (201, 2)


# ---- Leave


async def test_leaving_the_line_gives_the_place_up(front: Front) -> None:
    """204, the cookie goes, and the old ticket opens nothing."""
    shopper = await front.in_line()
    held = bearer(token_of(shopper))
    answer = await shopper.send("DELETE", f"{BASE}/ticket")
    assert (answer.status, answer.headers["Cache-Control"]) == (204, "no-store")
    assert shopper.cookies == {}
    await front.later(250)
    assert (await shopper.send("POST", f"{BASE}/pass", held)).problem == (409, "spent")


async def test_a_presale_ticket_can_be_given_up_before_it_is_drawn(front_with: OpenFront) -> None:
    """It keeps its part in the draw, and opens nothing."""
    front = await front_with(opens_in=60, presale=True)
    shopper = await front.in_line()
    held = bearer(token_of(shopper))
    assert (await shopper.send("DELETE", f"{BASE}/ticket")).status == 204
    await front.later(60_000)
    await front.later(250)
    assert (await shopper.send("POST", f"{BASE}/pass", held)).problem == (409, "spent")


async def test_leaving_the_shop_frees_the_spot_at_once(front_with: OpenFront) -> None:
    """204; the copied pass is good for nothing, and the next at the door goes in."""
    front = await front_with(capacity=1)
    first, second = await front.in_shop(), await front.in_line()
    copy = bearer(pass_of(first))
    await front.later(1000)
    assert (await second.knock()).status == 202
    assert (await first.send("DELETE", f"{BASE}/pass")).status == 204
    assert (await front.shopper().get("/sale", copy)).problem == (429, "waiting-room")
    assert (await second.knock()).status == 201


async def test_whoever_is_not_in_the_shop_may_leave_it_all_the_same(front: Front) -> None:
    """Ending a visit twice, or none, is fine."""
    shopper: Shopper = front.shopper()
    assert (await shopper.send("DELETE", f"{BASE}/pass")).status == 204
