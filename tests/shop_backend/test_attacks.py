"""Attacks on the checkout: other sites' forms, strangers' orders, prices and quantities of one's own, injections."""

import uuid
from typing import Any

import pytest

from tests.shop_backend.conftest import ADDRESSES, HTML, Shop

CHANGES: dict[str, dict[str, str]] = {
    "/sale/orders": {"key": "a-key-of-mine", "items.mi-band": "1"},
    "/orders/{order}/address": {"market": "de", **ADDRESSES["de"]},
    "/orders/{order}/extension": {},
    "/orders/{order}/cancel": {},
    "/orders/{order}/payments": {"provider": "card", "key": "a-key-of-mine"},
    "/sandbox/card/{payment}": {"answer": "agree"},
}


@pytest.mark.parametrize("path", CHANGES)
async def test_no_other_site_can_change_anything(shop: Shop, path: str) -> None:
    """Without the form's token, with another's, or from another site: refused, and everything stays as it was."""
    buyer, other = await shop.buyer(), await shop.buyer()
    order = (await buyer.order({"mi-band": 1})).document["id"]
    await buyer.ship(order, "us")
    payment = (await buyer.begin(order)).document["id"]
    before = (await buyer.get(f"/orders/{order}")).document
    page = (await other.get("/sale", headers=HTML)).text
    foreign = page.partition('name="form_token" value="')[2].partition('"')[0]
    address, form = path.format(order=order, payment=payment), CHANGES[path]
    for fields, headers in (
        (form, HTML),
        ({**form, "form_token": foreign}, HTML),
        ({**form, "form_token": ""}, {**HTML, "Origin": "https://evil.example"}),
        (form, {**HTML, "Sec-Fetch-Site": "cross-site"}),
    ):
        answer = await buyer.post(address, data=fields, headers=headers)
        assert answer.status == 403
    assert (await buyer.get(f"/orders/{order}")).document == before
    assert len((await buyer.get("/orders")).document["orders"]) == 1


QUANTITIES = [3, -1, 1.5, "1", True, None, 10**30]
PRODUCTS = ["mi-phone", "' OR 1=1 --", ""]
BASKETS = [{"mi-band": each} for each in QUANTITIES] + [{each: 1} for each in PRODUCTS]


@pytest.mark.parametrize("items", [*BASKETS, {}, [], "mi-band", None], ids=str)
async def test_i10_quantities_of_ones_own_hold_nothing(shop: Shop, items: Any) -> None:  # noqa: ANN401 - anything
    """Too many, less than one, no number, no product: refused with what would be right."""
    buyer = await shop.buyer()
    answer = await buyer.order(items)
    assert (answer.status, answer.document["type"]) == (400, "/problems/bad-input")
    assert {each.held for each in (await shop.stock()).values()} == {0}


async def test_prices_of_ones_own_are_not_heard(shop: Shop) -> None:
    """What is sent beside what is asked for changes no price, fee, amount or state."""
    buyer, cheap = (
        await shop.buyer(),
        {"price_cents": 1, "total_cents": 1, "amount_cents": 1, "state": "paid"},
    )
    body = {"key": uuid.uuid4().hex, "items": {"mi-headphones": 1}, **cheap}
    order = (await buyer.post("/sale/orders", json=body)).document
    assert (order["state"], order["goods_cents"]) == ("held", 7999)
    path = f"/orders/{order['id']}"
    fees = {"shipping_cents": 0, "duty_cents": -7999}
    shipped = await buyer.post(f"{path}/address", json={"market": "de", **ADDRESSES["de"], **fees, **cheap})
    total = shipped.document["total_cents"]
    assert total > 7999
    begun = await buyer.post(f"{path}/payments", json={"provider": "card", "key": "a-key-of-mine", **cheap})
    await buyer.agree(begun)
    paid = (await buyer.get(begun.document["return_to"])).document
    assert [(each["state"], each["amount_cents"]) for each in paid["payments"]] == [("charged", total)]


async def test_a_payment_of_another_order_pays_nothing(shop: Shop) -> None:
    """Neither on the way back with one's own order and a stranger's payment, nor with two orders of one's own."""
    ann, ben = await shop.buyer(), await shop.buyer()
    orders = []
    for buyer in (ann, ben, ben):
        orders.append((await buyer.order({"mi-band": 1})).document["id"])
        await buyer.ship(orders[-1])
    begun = await ann.begin(orders[0])
    await shop.bank().hear(begun.document["id"], "agree")
    payment = begun.document["id"]
    for order in orders[1:]:
        assert (await ben.get(f"/orders/{order}/payments/{payment}")).status == 404
        assert (await ben.get(f"/orders/{order}")).document["state"] == "held"
    assert (await ben.get(f"/orders/{orders[0]}/payments/{payment}")).status == 404
    assert (await ann.get(begun.document["return_to"])).document["state"] == "paid"


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "'; DROP TABLE orders; --", "{{ 7 * 7 }}", "{name}"]
)
async def test_an_address_is_text_and_nothing_else(shop: Shop, text: str) -> None:
    """It is kept as it was written, and shown as text."""
    buyer = await shop.buyer()
    order = (await buyer.order({"mi-band": 1})).document["id"]
    shipped = await buyer.ship(order, street=text)
    assert shipped.document["address"]["street"] == text
    for path in (f"/orders/{order}", f"/orders/{order}?market=de"):
        page = (await buyer.get(path, headers=HTML)).text
        assert "<script>alert" not in page
        assert text in page.replace("&lt;", "<").replace("&gt;", ">").replace("&#39;", "'")
    assert (await buyer.pay(order)).document["state"] == "paid"


async def test_a_refused_address_comes_back_with_what_was_written(shop: Shop) -> None:
    """With the field that is wrong, in words, and the units still held."""
    buyer = await shop.buyer()
    order = (await buyer.order({"mi-band": 1})).document["id"]
    page = (await buyer.get(f"/orders/{order}?market=de", headers=HTML)).text
    token = page.partition('name="form_token" value="')[2].partition('"')[0]
    form = {"form_token": token, "market": "de", **ADDRESSES["de"], "postcode": "1011"}
    answer = await buyer.post(f"/orders/{order}/address?market=de", data=form, headers=HTML)
    assert answer.status == 400
    assert 'value="Lange Gasse 1"' in answer.text
    assert "A postcode has five digits" in answer.text
    assert 'aria-invalid="true"' in answer.text
