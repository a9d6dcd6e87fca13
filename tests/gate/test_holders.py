"""What the holder of a ticket may ask beyond waiting and knocking: to come later, to stay longer."""

from tests.conftest import ROOM
from tests.gate.conftest import OpenFront
from tests.gate.front import BASE, FORM, Answer, Front, Shopper, pass_of


async def put_off(shopper: Shopper) -> Answer:
    """Not now."""
    return await shopper.send("POST", f"{BASE}/ticket/defer")


def ticket_of(shopper: Shopper) -> dict[str, str]:
    """The cookie that holds a shopper's ticket."""
    return {name: value for name, value in shopper.cookies.items() if "ticket" in name}


# ---- Not now


async def test_whoever_lets_others_by_keeps_the_place(front_with: OpenFront) -> None:
    """204, as often as it is asked; the ticket stays called, and knocks when its holder likes."""
    front = await front_with(capacity=1)
    first, shopper = await front.in_shop(), await front.in_line()
    await front.later(1000)
    assert (await shopper.knock()).status == 202
    for _ in range(2):
        answer = await put_off(shopper)
        assert (answer.status, answer.headers["Cache-Control"], answer.body) == (204, "no-store", b"")
    await first.send("DELETE", f"{BASE}/pass")
    await front.later(60_000)
    standing = (await shopper.stand()).document
    assert (standing["place"], standing["called"], standing["next"]) == (1, True, "knock")
    assert (await shopper.knock()).status == 201


async def test_what_cannot_be_put_off_is_told_as_it_is(front_with: OpenFront) -> None:
    """425 before the turn; 409 in the shop and after it; 401 without a ticket."""
    front = await front_with(capacity=1)
    inside = await front.in_shop()
    assert (await put_off(await front.in_line())).problem == (425, "not-called")
    assert (await put_off(inside)).problem == (409, "in-shop")
    assert (await put_off(front.shopper())).problem == (401, "token-invalid")
    await front.later(600_000)
    assert (await put_off(inside)).problem == (409, "spent")


async def test_nobody_puts_off_the_turn_of_another_account(front_with: OpenFront) -> None:
    """In a room with identities the ticket's own must ask."""
    front = await front_with(identity=True)
    anna = front.shopper("anna")
    await anna.join(1)
    await front.later(250)
    assert (await put_off(front.shopper("bert", **ticket_of(anna)))).problem == (401, "token-invalid")
    assert (await put_off(front.shopper(**ticket_of(anna)))).problem == (401, "sign-in-needed")
    assert (await put_off(anna)).status == 204


# ---- More time


async def ask_for_time(shopper: Shopper) -> Answer:
    """May I stay a little longer?"""
    return await shopper.send("POST", f"{BASE}/pass/extend")


async def visit_of(shopper: Shopper) -> Answer:
    """How long the visit lasts."""
    return await shopper.get(f"{BASE}/pass")


async def test_a_visitor_asks_for_more_time_and_gets_a_longer_pass(front_with: OpenFront) -> None:
    """The document says until when, how much each time and how often still; cookie and token are the new pass."""
    front = await front_with(visit_seconds=60, more_time_seconds=20, more_times=2)
    shopper = await front.in_shop()
    before = (await visit_of(shopper)).document
    assert before == {
        "place": 0,
        "enter_at": front.clock.now_ms(),
        "expires_at": front.clock.now_ms() + 60_000,
        "more_time": {"seconds": 20, "left": 2},
    }
    answer = await ask_for_time(shopper)
    document = answer.document
    assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
    assert document.pop("token") == pass_of(shopper)
    assert "Max-Age=80;" in answer.set_cookies()[f"waitroom_pass_{ROOM}"]
    assert document == before | {
        "expires_at": before["expires_at"] + 20_000,
        "more_time": {"seconds": 20, "left": 1},
    }
    assert (await visit_of(shopper)).document == document
    front.clock.advance(79_999)
    assert (await shopper.get("/sale")).status == 200
    front.clock.advance(1)
    assert (await shopper.get("/sale")).problem == (429, "waiting-room")


async def test_a_request_for_time_whose_answer_was_lost_is_answered_as_before(front_with: OpenFront) -> None:
    """The pass it came with says what was asked; nothing of the budget is used twice."""
    front = await front_with(more_time_seconds=20, more_times=2)
    shopper = await front.in_shop()
    other_tab = front.shopper(**shopper.cookies)
    first, again = (await ask_for_time(shopper)).document, (await ask_for_time(other_tab)).document
    assert first == again
    assert first["more_time"]["left"] == 1


async def test_who_gets_no_more_time_is_told_why(front_with: OpenFront) -> None:
    """409 when it is used up or the visit was ended; 401 without a pass that is good; and the pass stays good."""
    front = await front_with(visit_seconds=60, more_time_seconds=20)
    shopper = await front.in_shop()
    await ask_for_time(shopper)
    held = {"Authorization": f"Waitroom {pass_of(shopper)}"}
    assert (await ask_for_time(shopper)).problem == (409, "no-more-time")
    assert (await visit_of(shopper)).document["more_time"]["left"] == 0
    assert (await shopper.get("/sale")).status == 200
    await shopper.send("DELETE", f"{BASE}/pass")
    for method, path in (("POST", f"{BASE}/pass/extend"), ("GET", f"{BASE}/pass")):
        assert (await shopper.send(method, path, held)).problem == (409, "visit-over")
        assert (await shopper.send(method, path)).problem == (401, "token-invalid")
    front.clock.advance(80_000)
    assert (await shopper.send("POST", f"{BASE}/pass/extend", held)).problem == (401, "token-invalid")


async def test_a_room_that_gives_no_time_says_so(front: Front) -> None:
    """Nothing left from the start, and 409."""
    shopper = await front.in_shop()
    assert (await visit_of(shopper)).document["more_time"] == {"seconds": 0, "left": 0}
    assert (await ask_for_time(shopper)).problem == (409, "no-more-time")


async def test_nobody_asks_for_time_with_the_pass_of_another_account(front_with: OpenFront) -> None:
    """In a room with identities the pass's own must ask."""
    front = await front_with(identity=True, more_time_seconds=20)
    anna = front.shopper("anna")
    await anna.join(1)
    await front.later(250)
    await anna.knock()
    held = {f"waitroom_pass_{ROOM}": pass_of(anna)}
    assert (await ask_for_time(front.shopper("bert", **held))).problem == (401, "token-invalid")
    assert (await ask_for_time(front.shopper(**held))).problem == (401, "sign-in-needed")
    assert (await ask_for_time(anna)).status == 200


async def test_a_form_asks_for_more_time_and_leads_back(front_with: OpenFront) -> None:
    """With the longer pass; without any more time to be had, back all the same; never to another site."""
    front = await front_with(more_time_seconds=20)
    shopper = await front.in_shop()
    short = pass_of(shopper)
    for wanted, path in (("/sale/redmi", "/sale/redmi"), ("//evil.example", "/sale")):
        answer = await shopper.submit("pass/extend", next=wanted)
        assert (answer.status, answer.headers["Location"]) == (303, path)
        assert pass_of(shopper) != short
    assert "Set-Cookie" not in answer.headers, "the second time there was none left"
    foreign = await shopper.send("POST", f"{BASE}/pass/extend", {"Sec-Fetch-Site": "cross-site", **FORM})
    assert foreign.problem == (403, "forbidden")
