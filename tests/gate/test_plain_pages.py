"""The whole way through a sale without a line of JavaScript: links, forms and pages that refresh themselves."""

import re
from html import unescape
from urllib.parse import unquote, urlencode

import pytest

from tests.conftest import ROOM
from tests.gate.conftest import OpenFront
from tests.gate.front import BASE, Answer, Front, Shopper, token_of
from waitroom.room import Hold

PLAIN = f"{BASE}?plain=1"


def heading(page: Answer) -> str:
    """What the page says first."""
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["Cache-Control"] == "no-store"
    found = re.search(r"<h1>(.*?)</h1>", page.text)
    assert found
    return unescape(found[1])


def refresh(page: Answer) -> tuple[int, str]:
    """After how many seconds the page loads which address."""
    found = re.search(r'http-equiv="refresh" content="(\d+); url=([^"]*)"', page.text)
    assert found
    return int(found[1]), unescape(found[2])


async def look(shopper: Shopper, query: str = "") -> str:
    """The heading of the page as it is now."""
    return heading(await shopper.browse(PLAIN + query))


async def submit(shopper: Shopper, address: str, **fields: str) -> str:
    """Send a form; where it leads to."""
    answer = await shopper.submit(address, **fields)
    assert (answer.status, answer.headers["Cache-Control"]) == (303, "no-store")
    return answer.headers["Location"]


async def test_from_the_presale_into_the_shop_by_forms_alone(front_with: OpenFront) -> None:
    """Join, wait for the draw, be called, knock, shop: every phase has its page."""
    front = await front_with(opens_in=60, presale=True)
    shopper = front.shopper()
    assert await look(shopper) == "Join the line"
    back = await submit(shopper, "ticket", next="/sale/redmi")
    assert back == f"{PLAIN}&next=%2Fsale%2Fredmi"
    assert heading(await shopper.browse(back)) == "You are in the draw"
    await front.later(55_000)
    assert await look(shopper) == "Your place is drawn"
    await front.later(5_000)
    await front.later(250)
    page = await shopper.browse(back)
    assert heading(page) == "It is your turn"
    assert 'name="next" value="/sale/redmi"' in page.text
    knocking = await submit(shopper, "pass", next="/sale/redmi")
    assert knocking == f"{PLAIN}&knock=1&next=%2Fsale%2Fredmi"
    entered = await shopper.browse(knocking)
    assert (entered.status, entered.headers["Location"]) == (303, "/sale/redmi")
    assert (await shopper.browse(entered.headers["Location"])).document == {"shop": "/sale/redmi"}


async def test_before_the_line_opens_the_page_counts_down(front_with: OpenFront) -> None:
    """Nobody can join yet; a form that is sent all the same leads back."""
    front = await front_with(opens_in=3600)
    shopper = front.shopper()
    assert await look(shopper) == "The line opens soon"
    assert await submit(shopper, "ticket") == PLAIN
    assert shopper.cookies == {}


async def test_at_the_door_the_page_knocks_again_by_itself(front_with: OpenFront) -> None:
    """It refreshes to an address that knocks, when the knock is due, until the shop has room."""
    front = await front_with(capacity=1)
    inside, shopper = await front.in_shop(), await front.in_line()
    await front.later(1000)
    page = await shopper.browse(f"{PLAIN}&knock=1&next=/sale/redmi")
    assert heading(page) == "You are at the door"
    seconds, address = refresh(page)
    assert address == f"{PLAIN}&knock=1&next=%2Fsale%2Fredmi"
    assert 1 <= seconds <= 20
    await inside.send("DELETE", f"{BASE}/pass")
    await front.later(1000 * seconds)
    entered = await shopper.browse(address)
    assert (entered.status, entered.headers["Location"]) == (303, "/sale/redmi")


async def test_who_may_go_in_a_moment_from_now_sees_so(front_with: OpenFront) -> None:
    """A pass that begins later comes with a page that goes on by itself at that time."""
    front = await front_with(rate=60, burst=1)
    await front.in_shop()
    shopper = await front.in_line()
    await front.later(250)
    page = await shopper.browse(f"{PLAIN}&knock=1")
    assert heading(page) == "Come in"
    assert refresh(page) == (1, "/sale")
    assert f"waitroom_pass_{ROOM}" in shopper.cookies


async def test_in_line_the_page_shows_who_is_ahead(front_with: OpenFront) -> None:
    """Whoever is not called waits; knocking too soon changes nothing."""
    front = await front_with(capacity=1)
    await front.in_shop()
    await front.in_line()
    shopper = await front.in_line()
    for query in ("", "&knock=1"):
        page = await shopper.browse(PLAIN + query)
        assert heading(page) == "You are in line"
        assert "person ahead of you" in page.text


async def test_a_pause_and_the_end_are_told(front: Front) -> None:
    """With the operator's reason; a knock meanwhile shows the same page."""
    shopper = await front.in_line()
    await front.later(250)
    for action, title in (
        (Hold.PAUSE, "The line is paused"),
        (Hold.SOLD_OUT, "Everything is sold"),
        (Hold.CLOSE, "The sale is over"),
    ):
        await front.room.waiting.hold(action, by="test", reason="a moment")
        assert await look(shopper) == title
        assert await look(shopper, "&knock=1") == title
        assert await look(front.shopper()) == (title if action is not Hold.PAUSE else "Join the line")
    assert await submit(front.shopper(), "ticket") == PLAIN


async def test_a_spent_ticket_may_join_again(front: Front) -> None:
    """The page says that the visit is over, and its form takes a new place."""
    shopper = await front.in_shop()
    await front.later(600_000)
    assert await look(shopper, "&knock=1") == "Your visit is over"
    held = token_of(shopper)
    await submit(shopper, "ticket")
    assert token_of(shopper) != held


async def test_leaving_the_line_by_a_form(front: Front) -> None:
    """The ticket is given up and the page says so; without a ticket there is nothing to give up."""
    shopper = await front.in_line()
    copy = front.shopper(**shopper.cookies)
    for _ in range(2):
        back = await submit(shopper, "ticket", do="leave", next="/sale")
        assert back == f"{PLAIN}&hurdle=left&next=%2Fsale"
        assert shopper.cookies == {}
    assert heading(await shopper.browse(back)) == "You have left the line"
    await front.later(250)
    assert await look(copy, "&knock=1") == "Your visit is over"


async def test_letting_others_by_by_a_form(front_with: OpenFront) -> None:
    """The page says that the place is kept, and its button knocks; without a turn to put off it is as it was."""
    front = await front_with(capacity=1)
    await front.in_shop()
    shopper = await front.in_line()
    await front.later(1000)
    assert await look(shopper, "&knock=1") == "You are at the door"
    back = await submit(shopper, "ticket", do="defer", next="/sale")
    assert back == f"{PLAIN}&hurdle=later&next=%2Fsale"
    page = await shopper.browse(back)
    assert heading(page) == "You are letting others go first"
    assert refresh(page) == (60, f"{PLAIN}&next=%2Fsale")
    await front.later(250)
    assert front.room.waiting.line.at_door == 0
    assert await look(shopper, "&knock=1") == "You are at the door"
    assert await submit(front.shopper(), "ticket", do="defer") == PLAIN
    assert await submit(await front.in_line(), "ticket", do="defer") == PLAIN


async def make_link(shopper: Shopper) -> str:
    """The address that the page shows to whoever moves their place; without the host."""
    page = await shopper.submit("ticket", do="move", next="/sale")
    assert heading(page) == "Move my place to another device"
    assert 'src="data:image/svg+xml,%3Csvg' in page.text
    found = re.search(r'<a href="http://[^/]*([^"]*)"', page.text)
    assert found
    return unescape(found[1])


def fields_of(page: Answer) -> dict[str, str]:
    """What the page's form sends."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text))


async def test_moving_a_place_by_links_and_forms_alone(front: Front) -> None:
    """The other device opens the link and takes the place; the old one is told, and may join again."""
    old, phone = await front.in_line(), front.shopper()
    address = await make_link(old)
    page = await phone.browse(address)
    assert heading(page) == "A place for this device"
    assert refresh(page)[1].startswith(f"{PLAIN}&move={ROOM}.0.")
    sent = fields_of(page)
    for _ in range(2):
        assert await submit(phone, "ticket", **sent) == f"{PLAIN}&next=%2Fsale"
    assert await look(phone) != "A place for this device"
    assert await look(old) == await look(old, "&knock=1") == "Your place has moved"
    assert await submit(old, "ticket", do="move") == f"{PLAIN}&hurdle=moved"
    copy = front.shopper(**old.cookies)
    await submit(copy, "ticket", do="leave")
    await submit(old, "ticket")
    assert (await old.stand()).document["number"] == 1
    assert copy.cookies == {}
    assert (await phone.stand()).document["number"] == 0


async def test_a_link_that_hands_nothing_over_says_why_without_scripts(front_with: OpenFront) -> None:
    """Used by another device, the place in the shop or out of line, of another account, too old or broken."""
    front = await front_with(identity=True)
    anna, phone, address = front.shopper("anna"), front.shopper("anna"), ""

    async def told(shopper: Shopper) -> str:
        back = await submit(shopper, "ticket", **fields_of(await shopper.browse(address)))
        return heading(await shopper.browse(back))

    await anna.join()
    await front.later(0, force=True)
    address = await make_link(anna)
    assert await told(front.shopper("bert")) == "This place belongs to another account"
    await submit(phone, "ticket", **fields_of(await phone.browse(address)))
    assert await told(front.shopper("anna")) == "This link was used already"
    address = await make_link(phone)
    await phone.knock()
    assert await told(front.shopper("anna")) == "This place is in the shop already"
    await phone.send("DELETE", f"{BASE}/pass")
    assert await told(front.shopper("anna")) == "This place is no longer in line"
    await front.later(600_000)
    assert await told(front.shopper("anna")) == "This link no longer works"
    address = f"{PLAIN}&move=%22%3E%3Cscript%3E"
    assert await told(front.shopper("anna")) == "This link no longer works"


async def test_a_link_costs_nobody_their_own_place_unasked_without_scripts(front: Front) -> None:
    """Whoever has a place is asked in words that say so; whoever opens a link to that very place is not."""
    old, other = await front.in_line(), await front.in_line()
    address = await make_link(old)
    page = await other.browse(address)
    assert heading(page) == "Take this place instead of yours?"
    keep = re.search(r'href="([^"]*)">Keep my own place', page.text)
    assert keep
    assert heading(await other.browse(unescape(keep[1]))) == await look(other)
    assert (await other.stand()).document["number"] == 1
    await submit(other, "ticket", **fields_of(page))
    assert (await other.stand()).document["number"] == 0
    assert heading(await other.browse(address)) == "A place for this device"


async def test_a_place_of_an_account_is_taken_after_the_sign_in(front_with: OpenFront) -> None:
    """The way to the sign-in and back keeps the link."""
    front = await front_with(identity=True)
    anna = front.shopper("anna")
    await submit(anna, "ticket")
    address = await make_link(anna)
    phone = front.shopper()
    asked = await submit(phone, "ticket", **fields_of(await phone.browse(address)))
    page = await phone.browse(asked)
    assert heading(page) == "Please sign in first"
    link = re.search(r'href="/account/sign-in\?next=([^"]*)"', page.text)
    assert link
    back = unquote(link[1])
    signed_in = front.shopper("anna")
    await submit(signed_in, "ticket", **fields_of(await signed_in.browse(back)))
    assert (await signed_in.stand()).document["number"] == 0
    signed_out = front.shopper(**{f"waitroom_ticket_{ROOM}": token_of(anna)})
    assert await submit(signed_out, "ticket", do="move") == f"{PLAIN}&hurdle=signin"
    assert await submit(front.shopper(), "ticket", do="move") == PLAIN


async def test_a_room_with_sign_in_leads_to_it_and_back(front_with: OpenFront) -> None:
    """Not signed in: a link to the shop's sign-in. Another account's ticket is none."""
    front = await front_with(identity=True)
    shopper = front.shopper()
    back = await submit(shopper, "ticket", next="/sale")
    assert back == f"{PLAIN}&hurdle=signin&next=%2Fsale"
    page = await shopper.browse(back)
    assert heading(page) == "Please sign in first"
    link = re.search(r'class="button" href="([^"]*)"', page.text)
    assert link
    assert unescape(link[1]).startswith("/account/sign-in?next=/waitroom/")
    anna = front.shopper("anna")
    await submit(anna, "ticket")
    await front.later(250)
    signed_out = front.shopper(**{f"waitroom_ticket_{ROOM}": token_of(anna)})
    assert await look(signed_out, "&knock=1") == "Please sign in first"
    bert = front.shopper("bert", **{f"waitroom_ticket_{ROOM}": token_of(anna)})
    assert await look(bert, "&knock=1") == "It is your turn"
    assert f"waitroom_pass_{ROOM}" not in bert.cookies


async def test_where_one_visit_is_all_the_page_says_so(front_with: OpenFront) -> None:
    """Joining again leads to the page that explains it."""
    front = await front_with(identity=True, once=True)
    anna = front.shopper("anna")
    await submit(anna, "ticket")
    await front.later(250)
    await anna.browse(f"{PLAIN}&knock=1")
    await anna.send("DELETE", f"{BASE}/pass")
    back = await submit(anna, "ticket")
    assert back == f"{PLAIN}&hurdle=once"
    assert "In this sale everyone goes in once." in (await anna.browse(back)).text


@pytest.mark.parametrize("address", ["ticket", "pass"])
@pytest.mark.parametrize("fields", [{}, {"do": "leave"}])
async def test_a_form_of_another_site_changes_nothing(
    front: Front, address: str, fields: dict[str, str]
) -> None:
    """Browsers take an answer's cookies even where they kept ours from the request: so there is none."""
    shopper = await front.in_line()
    foreign = {"Sec-Fetch-Site": "cross-site", "Content-Type": "application/x-www-form-urlencoded"}
    answer = await shopper.send("POST", f"{BASE}/{address}", data=urlencode(fields).encode(), headers=foreign)
    assert answer.problem == (403, "forbidden")
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "wanted", ["//evil.example", "https://evil.example", "/\\evil.example", "/\r\nX: 1", "/%0d%0aX:1", "evil"]
)
async def test_forms_and_pages_lead_to_this_site_only(front: Front, wanted: str) -> None:
    """A ``next`` that is no path on this site is dropped from every form, page and address."""
    shopper = front.shopper()
    assert await submit(shopper, "ticket", next=wanted) == PLAIN
    assert await submit(shopper, "pass", next=wanted) == f"{PLAIN}&knock=1"
    assert await submit(front.shopper(), "ticket", do="leave", next=wanted) == f"{PLAIN}&hurdle=left"
    await front.later(250)
    query = wanted.replace("\r", "%0d").replace("\n", "%0a").replace(" ", "%20")
    page = await shopper.browse(f"{PLAIN}&next={query}")
    assert "evil" not in page.text
    assert 'name="next" value="/sale"' in page.text
    entered = await shopper.browse(f"{PLAIN}&knock=1&next={query}")
    assert entered.headers["Location"] == "/sale"


async def test_what_an_address_claims_is_shown_only_if_it_is_one_of_ours(front: Front) -> None:
    """A made-up hurdle is passed over, and markup in a path is text."""
    shopper = await front.in_line()
    assert await look(shopper, "&hurdle=<script>") == "You are next"
    page = await shopper.browse(f'{PLAIN}&next=/sale?"><script>alert(1)</script>'.replace(" ", "%20"))
    assert "<script" not in page.text


@pytest.mark.parametrize(
    "referer,wanted",
    [
        (f"https://shop.example{BASE}?next=%2Fsale%2Fredmi", "/sale/redmi"),
        (f"https://shop.example{BASE}?next=//evil.example", "/sale"),
        (f"https://shop.example{BASE}", "/sale"),
        ("http://[", "/sale"),
        ("http://shop.example:port/?next=/a", "/sale"),
        ("\u00e9", "/sale"),
        ("", "/sale"),
    ],
)
async def test_the_page_without_scripts_remembers_where_one_came_from(
    front: Front, referer: str, wanted: str
) -> None:
    """The waiting page is the same for everyone, so the way on stands in its address alone; nonsense is none."""
    shopper = await front.in_line()
    await front.later(250)
    page = await shopper.get(PLAIN, {"Referer": referer})
    assert f'name="next" value="{wanted}"' in page.text
