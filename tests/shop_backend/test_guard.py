"""I11: passes, sessions and forms that are forged, foreign, or out of time get nothing."""

import re
from collections.abc import Callable

import pytest
from yarl import URL

from shop_backend.guard import SESSION_COOKIE
from tests.shop_backend.conftest import ROOM, Answer, Client, Shop
from waitroom.tickets import IDENTITY_COOKIE, Pass, Ticket, Tokens, pass_cookie

HTML = {"Accept": "text/html,application/xhtml+xml"}


def flip(text: str) -> str:
    """The same text with another last letter."""
    return text[:-1] + ("A" if text[-1] != "A" else "B")


BAD_PASSES: dict[str, Callable[[Shop], str]] = {
    "none": lambda _: "",
    "forged": lambda _: Tokens(["a secret of somebody else"]).sign_pass(Pass(ROOM, 0, 0, 0, 2**50)),
    "edited": lambda shop: flip(shop.sign_pass()),
    "foreign": lambda shop: shop.sign_pass(room="another-room"),
    "expired": lambda shop: shop.sign_pass(enter_in=-2000, expires_in=0),
    "too early": lambda shop: shop.sign_pass(enter_in=1),
    "a ticket": lambda shop: shop.tokens.sign_ticket(Ticket(ROOM, 7, bytes(16))),
    "no token": lambda _: "%ff.\xff.é",
}


@pytest.mark.parametrize("kind", BAD_PASSES)
async def test_i11_without_a_good_pass_the_sale_is_closed(shop: Shop, kind: str) -> None:
    """A script hears where the waiting room is; a browser is taken there, with the way back."""
    buyer = await shop.buyer()
    buyer.cookies[pass_cookie(ROOM)] = BAD_PASSES[kind](shop)
    for answer in (await buyer.get("/sale"), await buyer.order({"mi-band": 1})):
        assert (answer.status, answer.document["waiting_room"]) == (403, "/waitroom/mi-launch")
        assert "Waitroom-Units-Left" not in answer.headers
    browser = await buyer.get("/sale?from=mail&n=2", headers=HTML)
    assert browser.status == 303
    location = URL(browser.headers["Location"])
    assert (location.path, dict(location.query)) == ("/waitroom/mi-launch", {"next": "/sale?from=mail&n=2"})
    assert (await shop.stock())["mi-band"].held == 0


async def test_one_pass_shared_by_twelve_accounts_buys_for_its_own_alone(shop: Shop) -> None:
    """A pass is its holder's: who else is signed in is sent to the waiting room as if there were none."""
    holder = await shop.buyer()
    cookie, granted = pass_cookie(ROOM), shop.sign_pass(identity=holder.account)
    for _ in range(12):
        other = await shop.buyer()
        other.cookies[cookie] = granted
        answer = await other.order({"mi-band": 1})
        assert (answer.status, answer.document["type"]) == (403, "/problems/pass-needed")
        browser = await other.get("/sale", headers=HTML)
        assert browser.headers["Location"] == f"/waitroom/{ROOM}?next=/sale"
    assert (await shop.stock())["mi-band"].held == 0
    holder.cookies[cookie] = granted
    assert (await holder.order({"mi-band": 1})).status == 201


async def test_whose_pass_it_is_does_not_matter_until_somebody_signs_in(shop: Shop) -> None:
    """The sale shows; to order one signs in, and several passes are tried for one's own."""
    visitor, holder = shop.visitor(), await shop.buyer()
    visitor.cookies[pass_cookie(ROOM)] = shop.sign_pass(identity=holder.account)
    assert (await visitor.get("/sale")).status == 200
    assert (await visitor.order({"mi-band": 1})).document["type"] == "/problems/sign-in-needed"
    holder.cookies[pass_cookie(ROOM)] = shop.sign_pass(identity="somebody-else")
    own = {"Authorization": f"Waitroom {shop.sign_pass(identity=holder.account)}"}
    assert (await holder.get("/sale", headers=own)).status == 200


@pytest.mark.parametrize("template", ["Waitroom {}", "waitroom {}", "Waitroom identity.token, {}"])
async def test_an_app_without_cookies_carries_its_pass_in_authorization(shop: Shop, template: str) -> None:
    """Alone, or in a list with its identity."""
    app = shop.visitor()
    answer = await app.get("/sale", headers={"Authorization": template.format(shop.sign_pass())})
    assert answer.status == 200


async def test_a_pass_signed_with_an_older_secret_is_still_good(shop: Shop) -> None:
    """Secrets rotate in mid-sale and nobody is thrown out."""
    shop.tokens = Tokens(["an older secret of the tests"])
    assert (await (await shop.buyer()).get("/sale")).status == 200


async def test_orders_need_a_sign_in(shop: Shop) -> None:
    """A pass alone buys nothing; a browser is asked to sign in and led back."""
    visitor = shop.visitor()
    visitor.cookies[pass_cookie(ROOM)] = shop.sign_pass()
    assert (await visitor.order({"mi-band": 1})).document["type"] == "/problems/sign-in-needed"
    assert (await visitor.get("/orders")).status == 401
    browser = await visitor.get("/orders", headers=HTML)
    assert browser.headers["Location"] == "/account/sign-in?next=/orders"


async def test_who_signs_in_to_send_a_form_comes_back_to_its_page(shop: Shop) -> None:
    """The session ended meanwhile: to the sale for an order, to the order for its payment, without a pass."""
    visitor = shop.visitor()
    visitor.cookies[pass_cookie(ROOM)] = shop.sign_pass()
    data = {"form_token": form_token(await visitor.get("/account/register", headers=HTML))}
    order = f"/orders/{'0' * 32}"
    for form, back in (("/sale/orders", "/sale"), (f"{order}/payments", order), (f"{order}/cancel", order)):
        answer = await visitor.post(form, data=data, headers=HTML)
        assert answer.headers["Location"] == f"/account/sign-in?next={back}"
        visitor.cookies.pop(pass_cookie(ROOM), None)


def form_token(page: Answer) -> str:
    """The token in the last form of a page."""
    return str(re.findall(r'name="form_token" value="(\w+)"', page.text)[-1])


async def order_form(buyer: Client, form_token: str, **headers: str) -> Answer:
    """Send the order form as a browser does."""
    data = {
        "form_token": form_token,
        "key": "one-order-key",
        "items.mi-band": "1",
        "items.mi-headphones": "0",
    }
    return await buyer.post("/sale/orders", data=data, headers={**HTML, **headers})


async def test_a_form_of_our_page_orders_and_goes_on_to_payment(shop: Shop) -> None:
    """The form of the sale page works without any script, with the headers that browsers add."""
    buyer = await shop.buyer()
    token = form_token(await buyer.get("/sale", headers=HTML))
    sent = {"Origin": shop.base, "Sec-Fetch-Site": "same-origin"}
    answer = await order_form(buyer, token, **sent)
    assert answer.status == 303
    assert re.fullmatch(r"/orders/[0-9a-f]{32}", answer.headers["Location"])


@pytest.mark.parametrize("token", ["", "0" * 64, "stranger's", "é"])
async def test_a_form_without_the_token_of_this_browser_is_refused(shop: Shop, token: str) -> None:
    """Also with the token that another buyer was given."""
    buyer, stranger = await shop.buyer(), await shop.buyer()
    if token == "stranger's":
        token = form_token(await stranger.get("/sale", headers=HTML))
    assert (await order_form(buyer, token)).status == 403
    assert (await shop.stock())["mi-band"].held == 0


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}],
    ids=["origin", "null", "fetch-metadata"],
)
async def test_what_comes_from_another_site_is_refused(shop: Shop, headers: dict[str, str]) -> None:
    """Even with a good token, and as JSON too."""
    buyer = await shop.buyer()
    token = form_token(await buyer.get("/sale", headers=HTML))
    assert (await order_form(buyer, token, **headers)).status == 403
    json = {"key": "one-order-key", "items": {"mi-band": 1}}
    assert (await buyer.post("/sale/orders", json=json, headers=headers)).status == 403
    assert (await shop.stock())["mi-band"].held == 0


@pytest.mark.parametrize("path", ["/account/sign-in", "/account/register", "/account/sign-out", "/nowhere"])
@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}],
    ids=["origin", "metadata"],
)
async def test_a_form_of_another_site_leaves_the_session_alone(
    shop: Shop, path: str, headers: dict[str, str]
) -> None:
    """It comes without the session cookie (SameSite), so an answer must not set a new one over it."""
    refused = await shop.visitor().post(path, data={"email": "ann@example.org"}, headers={**HTML, **headers})
    assert refused.status in {403, 404}
    assert "Set-Cookie" not in refused.headers
    linked = await shop.visitor().get("/account/sign-in", headers={**HTML, **headers})
    assert SESSION_COOKIE in linked.headers["Set-Cookie"]


async def test_json_that_another_site_could_send_unasked_is_not_read(shop: Shop) -> None:
    """Browsers send plain text across sites without asking; it is never taken for JSON."""
    buyer = await shop.buyer()
    body = b'{"key": "one-order-key", "items": {"mi-band": 1}}'
    answer = await buyer.post("/sale/orders", data=body, headers={"Content-Type": "text/plain"})
    assert (answer.status, answer.document["type"]) == (415, "/problems/unknown-body")


async def test_signing_in_never_goes_on_with_a_session_that_was_there(shop: Shop) -> None:
    """A session that somebody planted in the browser is worth nothing after the sign-in."""
    planted = "a-session-that-an-attacker-knows"
    victim, attacker = shop.visitor(), shop.visitor()
    victim.cookies[SESSION_COOKIE] = attacker.cookies[SESSION_COOKIE] = planted
    assert (await victim.enter("ann@example.org")).status == 200
    assert victim.cookies[SESSION_COOKIE] != planted
    assert (await attacker.get("/orders")).status == 401


async def test_the_cookies_are_out_of_reach_of_scripts_and_other_sites(shop: Shop) -> None:
    """HttpOnly and SameSite always, Secure when the gate says that the shopper's side is encrypted."""
    await shop.visitor().enter("ann@example.org")
    sent = {"email": "ann@example.org", "password": "correct horse"}
    for scheme in ("http", "https"):
        visitor, headers = shop.visitor(), {"X-Forwarded-Proto": scheme}
        answer = await visitor.post("/account/sign-in", json=sent, headers=headers)
        cookies = answer.headers.getall("Set-Cookie")  # type: ignore[attr-defined]
        assert {cookie.partition("=")[0] for cookie in cookies} == {SESSION_COOKIE, IDENTITY_COOKIE}
        for cookie in cookies:
            assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
            assert ("Secure" in cookie.split("; ")) == (scheme == "https")


async def test_every_answer_carries_the_careful_headers(shop: Shop, subtests: pytest.Subtests) -> None:
    """No inline script or style, no framing, no sniffing; nothing but static files is kept."""
    for path in ["/", "/account/sign-in", "/sale", "/nowhere", "/static/shop.css", "/metrics"]:
        with subtests.test(path=path):
            answer = await (await shop.buyer()).get(path, headers=HTML)
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            assert "unsafe" not in answer.headers["Content-Security-Policy"]
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert ("no-store" in answer.headers["Cache-Control"]) == (path != "/static/shop.css")
            assert not re.search(r"<script(?! src)|<style| style=| on\w+=", answer.text)
