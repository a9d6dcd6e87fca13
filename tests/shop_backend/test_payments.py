"""Payments at providers that are slow, silent or forged: an order is charged once or not at all."""

import asyncio

import pytest
from sqlalchemy import delete

from shop_backend.context import DATABASE, ORDERS
from shop_backend.payments import Payments
from shop_backend.sandbox import SIGNATURE
from shop_backend.tables import sandbox
from tests.shop_backend.conftest import (
    DECLINED_CARD,
    GOOD_CARD,
    HTML,
    Answer,
    Client,
    Shop,
    charged,
    due,
)

TEN_MINUTES = 600_000
SILENT_CARD, SLOW_CARD = "4000 0000 0000 0069", "4000 0000 0000 0077"


async def begin(buyer: Client, provider: str = "card") -> tuple[str, Answer]:
    """An order of one band with its address, and a payment of it that was begun."""
    order = str((await buyer.order({"mi-band": 1})).document["id"])
    await buyer.ship(order)
    return order, await buyer.begin(order, provider)


async def send_event(
    shop: Shop, payment: str, provider: str = "card", signature: str | None = None
) -> Answer:
    """News of a payment, as its provider sends them, from somebody without any cookie."""
    body, signed = shop.bank(provider).sign_event(payment)
    headers = {SIGNATURE: signed if signature is None else signature}
    return await shop.visitor().post(f"/payments/{provider}/events", data=body, headers=headers)


async def states(buyer: Client, order: str) -> tuple[str, list[str]]:
    """The order's state and those of its payments."""
    document = (await buyer.get(f"/orders/{order}")).document
    return document["state"], [payment["state"] for payment in document["payments"]]


async def check_books(shop: Shop) -> None:
    """The money that was charged is what the paid orders come to."""
    assert await charged(shop) == await due(shop)


@pytest.mark.parametrize(
    "card, reason",
    [
        (DECLINED_CARD, "declined"),
        ("4000 0000 0000 0036", "not-international"),
        ("4000 0000 0000 0044", "not-online"),
        ("cancelled", "cancelled"),
    ],
)
async def test_a_refused_payment_says_why_and_keeps_the_units(shop: Shop, card: str, reason: str) -> None:
    """Nothing is charged, the order's page names the reason, and another way of paying is open."""
    buyer = await shop.buyer()
    order, begun = await begin(buyer)
    back = (await buyer.agree(begun, card)).document["return_to"]
    answer = await buyer.get(back)
    assert answer.document["state"] == "held"
    assert [(each["state"], each["reason"]) for each in answer.document["payments"]] == [("failed", reason)]
    page = (await buyer.get(f"/orders/{order}", headers=HTML)).text
    words = {"declined": "was declined", "cancelled": "Pay your order"}
    assert words.get(reason, "is not enabled for") in page
    assert (await buyer.pay(order, "agree", "paypal")).document["state"] == "paid"
    await check_books(shop)


async def test_after_three_refusals_the_units_go_back(shop: Shop) -> None:
    """Whoever tries stolen cards holds no units; who cancels at PayPal is not counted."""
    buyer = await shop.buyer()
    order = (await buyer.order({"mi-band": 1})).document["id"]
    for card, state in (
        (DECLINED_CARD, "held"),
        ("cancelled", "held"),
        (DECLINED_CARD, "held"),
        (DECLINED_CARD, "cancelled"),
    ):
        assert (await buyer.pay(order, card)).document["state"] == state
    assert (await shop.stock())["mi-band"].free == 10
    assert "payments were refused" in (await buyer.get(f"/orders/{order}", headers=HTML)).text


async def test_who_cancels_after_a_refusal_is_not_told_that_it_was_the_refusal(shop: Shop) -> None:
    """Only the third one takes the units."""
    buyer = await shop.buyer()
    order = (await buyer.order({"mi-band": 1})).document["id"]
    await buyer.pay(order, DECLINED_CARD)
    await buyer.post(f"/orders/{order}/cancel", json={})
    page = (await buyer.get(f"/orders/{order}", headers=HTML)).text
    assert "payments were refused" not in page
    assert "units went back" in page


async def test_a_refusal_counts_though_the_total_has_changed(shop: Shop) -> None:
    """Whoever changes the address while a card is refused has no more tries for it."""
    buyer = await shop.buyer()
    order, _ = await begin(buyer)
    for market in ("us", "de", "us"):
        begun = await buyer.begin(order)
        await buyer.ship(order, market)
        await shop.bank().hear(begun.document["id"], "declined")
        await shop.payments.settle(begun.document["id"])
    assert (await states(buyer, order))[0] == "cancelled"
    assert (await shop.stock())["mi-band"].free == 10


async def test_a_payment_that_cant_be_settled_keeps_no_other_from_it(shop: Shop) -> None:
    """One of a provider that is gone stays open, with a word in the log; what came after it is settled."""
    ann, ben = await shop.buyer(), await shop.buyer()
    _, lost = await begin(ann, "paypal")
    order, begun = await begin(ben)
    await shop.bank().hear(begun.document["id"], "agree")
    shop.clock.advance(20_000)
    providers = {"card": shop.bank()}
    payments = Payments(shop.app[DATABASE], shop.clock, shop.app[ORDERS], providers)
    await payments.recover()
    assert (await states(ben, order)) == ("paid", ["charged"])
    assert (await shop.payments.settle(lost.document["id"])).state == "begun"


async def test_i9_events_that_come_late_twice_or_in_disorder_pay_an_order_once(shop: Shop) -> None:
    """News only make the shop ask; what it hears then is the same whatever came before."""
    buyer = await shop.buyer()
    order, first = await begin(buyer)
    second = await buyer.begin(order)
    await shop.bank().hear(second.document["id"], "declined")
    await shop.bank().hear(first.document["id"], "agree")
    news = [second, first, first, second, first]
    answers = await asyncio.gather(*(send_event(shop, each.document["id"]) for each in news))
    assert {answer.status for answer in answers} == {204}
    state, payments = await states(buyer, order)
    assert (state, sorted(payments)) == ("paid", ["charged", "failed"])
    shop.clock.advance(TEN_MINUTES)
    assert (await send_event(shop, first.document["id"])).status == 204
    assert (await states(buyer, order))[0] == "paid"
    await check_books(shop)


async def test_i11_a_forged_event_is_refused(shop: Shop) -> None:
    """Without the provider's signature, with another provider's, or for a provider that there is not."""
    buyer = await shop.buyer()
    order, begun = await begin(buyer)
    payment = begun.document["id"]
    _, foreign = shop.bank("paypal").sign_event(payment)
    for signature in ("", "forged", foreign, "é"):
        answer = await send_event(shop, payment, signature=signature)
        assert (answer.status, answer.document["type"]) == (403, "/problems/forged")
    assert (await shop.visitor().post("/payments/cash/events", data=b"{}")).status == 400
    assert (await states(buyer, order)) == ("held", ["begun"])


async def test_i11_news_of_a_payment_that_did_not_happen_pay_nothing(shop: Shop) -> None:
    """Even signed: the shop asks, and hears that nobody has agreed. Coming back without agreeing is the same."""
    buyer = await shop.buyer()
    order, begun = await begin(buyer)
    assert (await send_event(shop, begun.document["id"])).status == 204
    await buyer.get(f"/orders/{order}/payments/{begun.document['id']}")
    assert (await states(buyer, order)) == ("held", ["begun"])
    assert (await send_event(shop, "0" * 32)).status == 404


@pytest.mark.parametrize("provider", ["card", "paypal"])
async def test_a_payment_after_the_hold_is_refunded_and_the_buyer_is_told(shop: Shop, provider: str) -> None:
    """The money comes a minute late, when the units have gone back: it is returned by itself."""
    buyer = await shop.buyer()
    order, begun = await begin(buyer, provider)
    shop.clock.advance(TEN_MINUTES - 1000)
    await buyer.agree(begun, SLOW_CARD if provider == "card" else "slow")
    await shop.payments.settle(begun.document["id"])
    assert (await states(buyer, order)) == ("held", ["begun"])
    shop.clock.advance(60_000)
    await shop.payments.recover()
    assert (await states(buyer, order)) == ("expired", ["refunded"])
    assert (await shop.stock())["mi-band"].free == 10
    assert await charged(shop) == 0
    for path in (f"/orders/{order}", "/orders"):
        assert "has been refunded" in (await buyer.get(path, headers=HTML)).text


@pytest.mark.parametrize("provider", ["card", "paypal"])
async def test_a_late_capture_within_the_hold_pays_the_order(shop: Shop, provider: str) -> None:
    """Until it comes the page says that it is on its way, and asks again; the buyer may go away meanwhile."""
    buyer = await shop.buyer()
    order, begun = await begin(buyer, provider)
    back = (await buyer.agree(begun, SLOW_CARD if provider == "card" else "slow")).document["return_to"]
    assert (await buyer.get(back)).document["state"] == "held"
    assert "data-reload" in (await buyer.get(f"/orders/{order}", headers=HTML)).text
    shop.clock.advance(60_000)
    await shop.payments.recover()
    assert (await states(buyer, order)) == ("paid", ["charged"])
    await check_books(shop)


async def test_a_provider_that_does_not_answer_is_asked_again(shop: Shop) -> None:
    """The money has moved, but nobody says so for half a minute: then the order is paid by itself."""
    buyer = await shop.buyer()
    order, begun = await begin(buyer)
    back = (await buyer.agree(begun, SILENT_CARD)).document["return_to"]
    assert (await buyer.get(back)).document["state"] == "held"
    shop.clock.advance(30_000)
    await shop.payments.recover()
    assert (await states(buyer, order)) == ("paid", ["charged"])
    await check_books(shop)


async def test_an_order_over_calls_its_payment_off(shop: Shop) -> None:
    """Who finds the provider's page still open after the hold can't pay any more, so nothing need be refunded."""
    buyer = await shop.buyer()
    order, begun = await begin(buyer, "paypal")
    await buyer.post(f"/orders/{order}/cancel", json={})
    assert (await states(buyer, order)) == ("cancelled", ["failed"])
    await buyer.agree(begun, "agree")
    assert (await states(buyer, order)) == ("cancelled", ["failed"])
    assert await charged(shop) == 0


async def test_a_payment_is_for_the_total_of_its_moment(shop: Shop) -> None:
    """The address, and with it the total, changes while the provider's page is open: that payment goes back."""
    buyer = await shop.buyer()
    order, begun = await begin(buyer)
    await buyer.ship(order, "us")
    await buyer.agree(begun, GOOD_CARD)
    await shop.payments.settle(begun.document["id"])
    assert (await states(buyer, order)) == ("held", ["refunded"])
    assert (await buyer.pay(order)).document["state"] == "paid"
    await check_books(shop)


async def test_i9_the_same_key_is_the_same_payment(shop: Shop) -> None:
    """Twenty clicks begin one payment, with one page to agree on."""
    buyer = await shop.buyer()
    order = (await buyer.order({"mi-band": 1})).document["id"]
    await buyer.ship(order)
    begun = await asyncio.gather(*(buyer.begin(order, key="the-same-key") for _ in range(20)))
    assert len({(each.document["id"], each.document["confirm_at"]) for each in begun}) == 1
    assert (await states(buyer, order)) == ("held", ["begun"])


async def test_a_provider_that_there_is_not_takes_no_payment(shop: Shop) -> None:
    """Nor does an order of somebody else, at the provider's page or on the way back."""
    buyer, other = await shop.buyer(), await shop.buyer()
    order, begun = await begin(buyer)
    assert (await buyer.begin(order, "cash")).status == 400
    assert (await buyer.agree(begun, "1234")).status == 400
    payment = begun.document["id"]
    assert (await other.get(f"/orders/{order}/payments/{payment}")).status == 404
    assert (await other.get(f"/sandbox/card/{'0' * 32}")).status == 404


async def test_a_request_that_reaches_the_provider_late_costs_nobody_anything(shop: Shop) -> None:
    """The shop gave the payment up as never begun; when the buyer agrees to it all the same, it pays what is held."""
    buyer = await shop.buyer()
    order, begun = await begin(buyer)
    payment = begun.document["id"]
    async with shop.app[DATABASE].write() as connection:
        await connection.execute(delete(sandbox))
    await shop.payments.recover()
    assert (await states(buyer, order)) == ("held", ["begun"])
    shop.clock.advance(15_000)
    await shop.payments.recover()
    assert (await states(buyer, order)) == ("held", ["failed"])
    total = (await buyer.get(f"/orders/{order}")).document["total_cents"]
    await shop.bank().begin(payment, total, begun.document["return_to"])
    await shop.bank().hear(payment, "agree")
    assert (await send_event(shop, payment)).status == 204
    assert (await states(buyer, order)) == ("paid", ["charged"])
    await check_books(shop)
