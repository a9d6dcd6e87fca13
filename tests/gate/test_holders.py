"""What the holder of a ticket may ask beyond waiting and knocking: to come later, elsewhere, to stay longer."""

import re
from ipaddress import ip_network
from typing import Any

import pytest

from gate.handover import picture
from tests.conftest import ROOM, entropy
from tests.gate.conftest import OpenFront
from tests.gate.front import BASE, FORM, Answer, Front, Shopper, pass_of, token_of


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
    assert "Max-Age=3680;" in answer.set_cookies()[f"waitroom_pass_{ROOM}"]
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


# ---- To another device


async def make_link(shopper: Shopper) -> dict[str, Any]:
    """The link by which a shopper hands the place on."""
    answer = await shopper.send("POST", f"{BASE}/ticket/move")
    assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
    return answer.document


def token_in(link: dict[str, Any]) -> str:
    """What the other device sends."""
    return str(link["link"]).partition("#move=")[2]


async def claim(shopper: Shopper, link: dict[str, Any], seed: int = 77) -> Answer:
    """The other device takes the place."""
    body = {"move": token_in(link), "entropy": entropy(seed).hex()}
    return await shopper.send("POST", f"{BASE}/ticket/claim", json=body)


async def test_a_link_hands_the_place_to_another_device(front: Front) -> None:
    """It is this site's page with a token that no server sees; a claim is answered as a join is."""
    old, phone = await front.in_line(), front.shopper()
    before = (await old.stand()).document
    link = await make_link(old)
    assert link["link"].startswith(f"{front.url}{BASE}#move={ROOM}.0.")
    assert link["expires_at"] == front.clock.now_ms() + 600_000
    answer = await claim(phone, link)
    document = answer.document
    assert (answer.status, document.pop("token")) == (200, token_of(phone))
    assert document.pop("leaf") is None
    assert document == before == (await phone.stand()).document
    assert "Max-Age=2592000; HttpOnly" in answer.set_cookies()[f"waitroom_ticket_{ROOM}"]
    await front.later(250)
    assert (await phone.knock()).status == 201


async def test_behind_a_proxy_the_link_names_the_address_that_shoppers_use(front_with: OpenFront) -> None:
    """As the proxy says, where it is trusted; a request that names no host gets no link."""
    front = await front_with()
    shopper = await front.in_line()
    front.gate.settings = front.gate.settings.model_copy(
        update={"trusted_proxies": (ip_network("127.0.0.0/8"),)}
    )
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "shop.example"}
    answer = await shopper.send("POST", f"{BASE}/ticket/move", headers)
    assert answer.document["link"].startswith(f"https://shop.example{BASE}#move=")
    cookie = f"Cookie: waitroom_ticket_{ROOM}={token_of(shopper)}"
    nameless = await front.ask(
        f"POST {BASE}/ticket/move HTTP/1.0\r\n{cookie}\r\nContent-Length: 0\r\n\r\n".encode()
    )
    assert nameless.problem == (400, "bad-request")


async def test_the_picture_of_a_link_may_stand_anywhere(front: Front) -> None:
    """A QR code as an SVG with white ground, without style and script, as large as the page makes it."""
    link = await make_link(await front.in_line())
    start = '<svg xmlns="http://www.w3.org/2000/svg" '
    assert re.fullmatch(
        start + r'[^>]*viewBox="[^>]*><path fill="#fff" [^>]*/><path [^>]*/></svg>', link["qr"]
    )
    assert link["qr"] == picture(link["link"]) != picture(link["link"] + "x")


async def test_the_receipt_goes_along_in_the_link(front: Front) -> None:
    """As the page writes it, into the fragment that no server sees; nothing else gets into the link."""
    shopper = await front.in_line()
    receipt = ".".join(["ab" * 32, "cd" * 16, "ef" * 32])
    link = (await shopper.send("POST", f"{BASE}/ticket/move", json={"receipt": receipt})).document["link"]
    assert link.endswith(f"&receipt={receipt}")
    assert "&receipt=" not in (await make_link(shopper))["link"]
    for wrong in ("x", "ab&move=cd", "a" * 261, 7):
        answer = await shopper.send("POST", f"{BASE}/ticket/move", json={"receipt": wrong})
        assert answer.problem == (400, "bad-request")


async def test_the_old_device_is_told_that_its_place_has_moved(front: Front) -> None:
    """Wherever it shows its ticket: 409 of a type of its own; the place is untouched, and it may join anew."""
    old, phone = await front.in_line(), front.shopper()
    await front.later(250)
    await claim(phone, await make_link(old))
    for method, path in (
        ("GET", "ticket"),
        ("POST", "pass"),
        ("POST", "ticket/defer"),
        ("POST", "ticket/move"),
    ):
        answer = await old.send(method, f"{BASE}/{path}")
        assert answer.problem == (409, "moved")
        assert "Set-Cookie" not in answer.headers
    copy = front.shopper(**old.cookies)
    for shopper, ask in ((old, old.join(5)), (copy, copy.send("DELETE", f"{BASE}/ticket"))):
        assert (await ask).problem == (409, "moved")
        assert shopper.cookies == {}, "it is of no use any more"
    assert (await old.join(5)).document["number"] == 1
    assert (await phone.knock()).status == 201


async def test_a_link_is_good_for_one_device_and_ten_minutes(front: Front) -> None:
    """The same claim again, after a lost answer, is answered as before; another device gets 409, and later 401."""
    old, phone, tablet = await front.in_line(), front.shopper(), front.shopper()
    link, unused = await make_link(old), await make_link(await front.in_line())
    first, again = await claim(phone, link), await claim(front.shopper(), link)
    assert (first.status, first.document) == (again.status, again.document)
    assert (await claim(tablet, link, seed=78)).problem == (409, "link-used")
    assert (await claim(tablet, {"link": "#move=" + token_in(link) + "x"})).problem == (401, "token-invalid")
    front.clock.advance(600_000)
    late = await claim(tablet, unused)
    assert late.problem == (401, "token-expired")
    assert late.document["purpose"] == "move"
    assert tablet.cookies == {}


@pytest.mark.parametrize("body", [{}, {"move": 7}, {"move": "x", "entropy": "short"}])
async def test_a_claim_that_makes_no_sense_is_refused(front: Front, body: dict[str, Any]) -> None:
    """400 says what would be right."""
    answer = await front.shopper().send("POST", f"{BASE}/ticket/claim", json=body)
    assert answer.problem == (400, "bad-request")


async def test_a_visit_under_way_is_not_handed_on(front: Front) -> None:
    """409, and the old device shops on."""
    old = await front.in_line()
    link = await make_link(old)
    await front.later(250)
    await old.knock()
    assert (await claim(front.shopper(), link)).problem == (409, "in-shop")
    assert (await old.get("/sale")).status == 200


async def test_the_place_of_an_account_is_handed_to_the_same_account(front_with: OpenFront) -> None:
    """401 for who is not signed in, 403 with a clear text for somebody else."""
    front = await front_with(identity=True)
    anna = front.shopper("anna")
    await anna.join(1)
    link = await make_link(anna)
    assert (await claim(front.shopper(), link)).problem == (401, "sign-in-needed")
    foreign = await claim(front.shopper("bert"), link)
    assert foreign.problem == (403, "other-account")
    assert "another account" in foreign.document["detail"]
    phone = front.shopper("anna")
    assert (await claim(phone, link)).status == 200
    assert (await anna.knock()).problem == (409, "moved")


@pytest.mark.parametrize("host", ["a" * 3_000, 'shop.example"><b', "sh\u00f6p.example", "shop.example/x", ""])
async def test_a_link_leads_to_no_host_that_is_none(front: Front, host: str) -> None:
    """Nor to one that is too long for the picture: the request is refused, and is no fault."""
    shopper = await front.in_line()
    answer = await shopper.send("POST", f"{BASE}/ticket/move", {"Host": host}, json={})
    assert answer.problem == (400, "bad-request")
