"""Whatever is sent, the answer is a clear problem and never a fault of ours."""

import asyncio
import json
import logging
from typing import Any

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given
from hypothesis import settings as limits
from hypothesis import strategies as st

from shop_backend.app import build_app
from shop_backend.settings import ShopSettings
from tests.shop_backend.conftest import Shop
from waitroom.clock import ManualClock

FUZZ = limits(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
JSON = {"Content-Type": "application/json"}
KEY = "one-order-key"
NAMES = st.sampled_from(["key", "items", "mi-band", "email", "password", "card"])
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner),
)
BAD_ORDERS: list[Any] = [
    [],
    None,
    "text",
    {},
    {"key": KEY},
    {"items": {"mi-band": 1}},
    {"key": 7, "items": {"mi-band": 1}},
    {"key": "short", "items": {"mi-band": 1}},
    {"key": "k" * 65, "items": {"mi-band": 1}},
    {"key": "'; DROP TABLE orders; --", "items": {"mi-band": 1}},
    {"key": KEY, "items": {}},
    {"key": KEY, "items": []},
    {"key": KEY, "items": "mi-band"},
    {"key": KEY, "items": {"mi-band": 0}},
    {"key": KEY, "items": {"mi-band": -1}},
    {"key": KEY, "items": {"mi-band": 3}},
    {"key": KEY, "items": {"mi-band": 10**30}},
    {"key": KEY, "items": {"mi-band": 1.0}},
    {"key": KEY, "items": {"mi-band": True}},
    {"key": KEY, "items": {"mi-band": "1"}},
    {"key": KEY, "items": {"mi-band": None}},
    {"key": KEY, "items": {"mi-phone": 1}},
    {"key": KEY, "items": {"mi-band": 1, "\0": 1}},
    {"key": KEY, "items": {"mi-band": 1, "\ud800": 1}},
    {"key": KEY, "items": {"' OR 1=1 --": 1}},
]


async def test_a_bad_order_is_refused_with_a_problem_document(shop: Shop, subtests: pytest.Subtests) -> None:
    """The document names the field, and nothing is held."""
    buyer = await shop.buyer()
    for body in BAD_ORDERS:
        with subtests.test(body=body):
            answer = await buyer.post("/sale/orders", data=json.dumps(body), headers=JSON)
            assert answer.status == 400
            assert answer.headers["Content-Type"].startswith("application/problem+json")
            assert answer.document["type"] == "/problems/bad-input"
            assert answer.document["detail"].endswith(".")
            assert answer.document["field"] in {"body", "key", "items"}
    assert all(product.held == 0 for product in (await shop.stock()).values())


async def test_prices_and_totals_of_the_buyer_are_ignored(shop: Shop) -> None:
    """What it costs is the shop's to say."""
    cheap = {"key": KEY, "items": {"mi-band": 1}, "price_cents": 1, "total_cents": 1, "state": "paid"}
    answer = await (await shop.buyer()).post("/sale/orders", json=cheap)
    assert (answer.document["total_cents"], answer.document["state"]) == (1499, "held")


async def test_what_is_no_address_is_refused_with_the_field(shop: Shop, subtests: pytest.Subtests) -> None:
    """By each market's own rules; the order stays without an address."""
    for market, field, value in [
        ("de", "postcode", "1011"),
        ("fr", "postcode", "97110"),
        ("uk", "postcode", "95110"),
        ("us", "region", "XX"),
        ("de", "name", ""),
        ("de", "city", "x" * 81),
    ]:
        with subtests.test(market=market, field=field):
            buyer = await shop.buyer()
            order = (await buyer.order({"mi-band": 1})).document["id"]
            answer = await buyer.ship(order, market, **{field: value})
            assert (answer.status, answer.document["field"]) == (400, field)
            assert (await buyer.get(f"/orders/{order}")).document["address"] is None


async def test_bodies_that_cannot_be_read_are_refused(shop: Shop, subtests: pytest.Subtests) -> None:
    """Malformed, in another encoding, of another type, or too large."""
    for body, content_type, status in [
        (b"{", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"[" * 16_000, "application/json", 400),
        (b'{"key": ' + b"9" * 5000 + b"}", "application/json", 400),
        (b"{}", "application/json; charset=no-such", 400),
        (b"key=%ff&items=\xff", "application/x-www-form-urlencoded", 400),
        (b"&".join([b"a=1"] * 100), "application/x-www-form-urlencoded", 400),
        (b"x", "multipart/form-data; boundary=x", 415),
        (b"x", "nonsense", 415),
        (b"x" * 17_000, "application/json", 413),
    ]:
        with subtests.test(body=body, content_type=content_type):
            buyer = await shop.buyer()
            for path in ("/sale/orders", "/account/register", "/account/sign-in"):
                answer = await buyer.post(path, data=body, headers={"Content-Type": content_type})
                assert (answer.status, answer.document["status"]) == (status, status)


async def test_who_hangs_up_in_mid_body_is_no_trouble_of_the_database(
    settings: ShopSettings, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The request, which nobody hears the answer to, was bad; the shop is not busy and nothing is logged."""
    app, answers = build_app(settings, clock=clock), asyncio.Queue[int]()

    async def note(_request: web.Request, response: web.StreamResponse) -> None:
        answers.put_nowait(response.status)

    app.on_response_prepare.append(note)
    runner = web.AppRunner(app)  # as the shop runs: a handler goes on when its client has gone
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    reader, writer = await asyncio.open_connection(*runner.addresses[0])
    fields = {**JSON, "Host": "shop", "Content-Length": "100", "Expect": "100-continue"}
    lines = ["POST /account/register HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    writer.write("\r\n".join([*lines, "", "{"]).encode())
    assert b"100" in await reader.readline()
    writer.close()
    assert await asyncio.wait_for(answers.get(), 10) == 400
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    await runner.cleanup()


async def test_a_compressed_body_is_measured_unpacked(shop: Shop) -> None:
    """A small body that unpacks to a large one is too large; one that doesn't unpack is refused."""
    buyer = await shop.buyer()
    large = await buyer.post("/account/register", json={"email": "x" * 10**6}, compress="deflate")
    assert large.status == 413
    headers = {"Content-Encoding": "deflate", "Content-Type": "application/json"}
    broken = await buyer.post("/account/register", data=b"not deflated", headers=headers)
    assert broken.status == 400


async def test_unknown_paths_and_methods_are_problems_too(shop: Shop, subtests: pytest.Subtests) -> None:
    """As documents for scripts, as pages for browsers."""
    for method, path, status in [
        ("GET", "/nowhere", 404),
        ("GET", "/orders/1", 404),
        ("GET", f"/sale/orders/{'0' * 32}", 404),
        ("POST", f"/sale/orders/{'0' * 32}/payments", 404),
        ("GET", "/orders/../../etc/passwd", 404),
        ("GET", "/static/../app.py", 404),
        ("GET", "/static/%2e%2e/app.py", 404),
        ("GET", "/static/", 403),
        ("DELETE", "/sale", 405),
        ("GET", "/sale/orders", 405),
        ("PUT", "/account/register", 405),
    ]:
        with subtests.test(method=method, path=path):
            buyer = await shop.buyer()
            answer = await buyer.send(method, path)
            assert (answer.status, answer.document["status"]) == (status, status)
            assert ("Allow" in answer.headers) == (status == 405)
            page = await buyer.send(method, path, headers={"Accept": "text/html"})
            assert page.status == status
            assert "<h1>" in page.text


BAD_NEXT = [
    "//evil.example",
    "/\\evil.example",
    "https://evil.example",
    "javascript:alert(1)",
    "sale",
    "/\t/evil.example",
    "/sale\r\nSet-Cookie: a=b",
    "/sälé",
    "/ sale",
]


async def test_the_way_on_after_signing_in_never_leaves_the_site(
    shop: Shop, subtests: pytest.Subtests
) -> None:
    """What is no path on this site is refused, in the form and in what the form sends."""
    for path in BAD_NEXT:
        with subtests.test(path=path):
            visitor = shop.visitor()
            for address in ("/account/sign-in", "/account/register"):
                shown = await visitor.get(address, params={"next": path}, headers={"Accept": "text/html"})
                assert shown.status == 400
                sent = {"email": "ann@example.org", "password": "correct horse"}
                answer = await visitor.post(address, params={"next": path}, json=sent)
                assert (answer.status, answer.document["field"]) == (400, "next")
                assert "Location" not in answer.headers


@FUZZ
@given(body=DOCUMENTS)
async def test_no_json_at_all_makes_the_shop_fail(shop: Shop, body: object) -> None:
    """Whatever the value, the answer is not 500."""
    buyer = await shop.buyer()
    for path in ("/sale/orders", "/account/register", f"/orders/{'0' * 32}/payments"):
        answer = await buyer.post(path, data=json.dumps(body), headers=JSON)
        assert 400 <= answer.status < 500


@FUZZ
@given(value=st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=60))
async def test_no_cookie_or_header_makes_the_shop_fail(shop: Shop, value: str) -> None:
    """Sessions, passes and origins of any text are simply not good."""
    visitor = shop.visitor()
    headers = {"Cookie": f"shop_session={value}; waitroom_pass_mi-launch={value}", "Origin": value}
    assert (await visitor.get("/orders", headers=headers)).status == 401
    assert (await visitor.post("/account/sign-out", json={}, headers=headers)).status in {204, 403}
    headers["Authorization"] = f"Waitroom {value}"
    assert (await visitor.get("/sale", headers=headers)).status == 403
