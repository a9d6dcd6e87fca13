"""The life of an order: held, then paid, cancelled or expired."""

from tests.shop_backend.conftest import ROOM, Client, Shop
from waitroom.tickets import pass_cookie

TEN_MINUTES = 600_000


async def test_an_order_holds_its_units_and_answers_what_it_holds(shop: Shop) -> None:
    """The answer names the lines, the total in cents, and until when the units are held."""
    buyer = await shop.buyer()
    answer = await buyer.order({"mi-headphones": 1, "mi-band": 2})
    order = answer.document
    assert answer.status == 201
    assert answer.headers["Location"] == f"/orders/{order['id']}"
    assert {line["product"]: line["quantity"] for line in order["lines"]} == {
        "mi-headphones": 1,
        "mi-band": 2,
    }
    assert (order["state"], order["total_cents"]) == ("held", 7999 + 2 * 1499)
    assert order["held_until"] == shop.clock.now_ms() + TEN_MINUTES


async def test_every_answer_of_the_sale_tells_the_gate_what_is_left_and_held(shop: Shop) -> None:
    """Also a refused one does; the payment that ends the visit says so."""
    buyer = await shop.buyer()
    placed = await buyer.order({"mi-band": 2})
    refused = await buyer.order({"mi-band": 1})
    declined = await buyer.pay(placed.document["id"], "4000 0000 0000 0002")
    for answer in (placed, refused, declined):
        assert (answer.headers["Waitroom-Units-Left"], answer.headers["Waitroom-Units-Held"]) == ("38", "2")
        assert answer.headers["Waitroom-Room"] == ROOM
        assert "Waitroom-Command" not in answer.headers
    paid = await buyer.pay(placed.document["id"])
    assert (paid.headers["Waitroom-Units-Left"], paid.headers["Waitroom-Units-Held"]) == ("38", "0")
    assert paid.headers["Waitroom-Command"] == "leave"


async def test_a_cancelled_order_tells_the_gate_its_units_and_keeps_the_visit(shop: Shop) -> None:
    """The buyer may order something else; looking at orders changes nothing, and tells nothing."""
    buyer = await shop.buyer()
    order = (await buyer.order({"mi-band": 2})).document["id"]
    cancelled = await buyer.post(f"/orders/{order}/cancel", json={})
    assert (cancelled.headers["Waitroom-Units-Left"], cancelled.headers["Waitroom-Units-Held"]) == ("40", "0")
    assert cancelled.headers["Location"] == f"/orders/{order}"
    assert "Waitroom-Command" not in cancelled.headers
    for path in ("/orders", f"/orders/{order}"):
        assert not [name for name in (await buyer.get(path)).headers if name.startswith("Waitroom")]


async def test_i9_a_payment_sent_again_after_the_visit_is_the_same_paid_order(shop: Shop) -> None:
    """The answer was lost, the pass is taken back: the repeat says the same, and nothing is charged twice."""
    buyer = await shop.buyer()
    order = (await buyer.order({"mi-band": 1})).document["id"]
    first = await buyer.pay(order)
    await _lose_pass(shop, buyer)
    repeated = await buyer.pay(order)
    assert (repeated.status, repeated.document) == (first.status, first.document)
    assert repeated.headers["Waitroom-Command"] == "leave"
    assert (await shop.stock())["mi-band"].sold == 1


async def test_a_live_hold_is_honoured_after_the_visit(shop: Shop) -> None:
    """Whose time ends on the way to paying still sees the order, may try another card, and pays."""
    buyer = await shop.buyer()
    order = (await buyer.order({"mi-band": 1})).document["id"]
    other = (await buyer.order({"mi-headphones": 1})).document["id"]
    await _lose_pass(shop, buyer)
    page = await buyer.get(f"/orders/{order}", headers={"Accept": "text/html"})
    assert f'action="/orders/{order}/payment"' in page.text
    assert (await buyer.pay(order, "4000 0000 0000 0002")).status == 402
    assert (await buyer.pay(order)).document["state"] == "paid"
    assert (await buyer.post(f"/orders/{other}/cancel", json={})).document["state"] == "cancelled"


async def _lose_pass(shop: Shop, buyer: Client) -> None:
    """Let the time of a buyer's visit end."""
    buyer.cookies[pass_cookie(ROOM)] = shop.sign_pass(expires_in=1)
    shop.clock.advance(1)
    assert (await buyer.get("/sale")).status == 403
    assert (await buyer.order({"mi-band": 1})).status == 403


async def test_units_are_told_without_a_pass_as_their_holds_end(shop: Shop) -> None:
    """When everybody has gone home, the gate can still ask whether held units came back."""
    await (await shop.buyer()).order({"mi-band": 2})
    assert (await shop.visitor().get("/units")).document == {"left": 38, "held": 2}
    shop.clock.advance(TEN_MINUTES)
    assert (await shop.visitor().get("/units")).document == {"left": 40, "held": 0}


async def test_a_declined_card_charges_nothing_and_keeps_the_units(shop: Shop) -> None:
    """The buyer may try another card."""
    buyer = await shop.buyer()
    order = (await buyer.order({"mi-band": 1})).document["id"]
    declined = await buyer.pay(order, "4000 0000 0000 0002")
    assert (declined.status, declined.document["type"]) == (402, "/problems/card-declined")
    assert (await buyer.get(f"/orders/{order}")).document["state"] == "held"
    assert (await buyer.pay(order)).document["state"] == "paid"


async def test_a_hold_ends_by_itself_and_its_units_are_sold_to_others(shop: Shop) -> None:
    """Until its last millisecond an order can be paid; from then on its units are free."""
    ann, ben = await shop.buyer(), await shop.buyer()
    first, second = await ann.order({"mi-band": 1}), await ben.order({"mi-band": 1})
    shop.clock.advance(TEN_MINUTES - 1)
    assert (await ann.pay(first.document["id"])).status == 200
    shop.clock.advance(1)
    late = await ben.pay(second.document["id"])
    assert (late.status, late.document["type"]) == (409, "/problems/order-over")
    band = (await shop.stock())["mi-band"]
    assert (band.free, band.held, band.sold) == (9, 0, 1)
    assert (await ben.get("/orders")).document["orders"][0]["state"] == "expired"


async def test_an_expired_or_cancelled_order_does_not_count_towards_the_limit(shop: Shop) -> None:
    """The limit is about units held or bought, not about attempts."""
    buyer = await shop.buyer()
    await buyer.order({"mi-band": 2})
    shop.clock.advance(TEN_MINUTES)
    second = (await buyer.order({"mi-band": 2})).document["id"]
    assert (await buyer.post(f"/orders/{second}/cancel", json={})).document["state"] == "cancelled"
    assert (await buyer.order({"mi-band": 2})).status == 201


async def test_a_bought_unit_counts_towards_the_limit_for_good(shop: Shop) -> None:
    """Two units of a product over all orders, also after paying."""
    buyer = await shop.buyer()
    await buyer.pay((await buyer.order({"mi-band": 2})).document["id"])
    refused = await buyer.order({"mi-band": 1})
    assert (refused.status, refused.document["product"]) == (409, "mi-band")


async def test_a_refused_order_holds_nothing_at_all(shop: Shop) -> None:
    """When one of two products is gone, the other is not held, and the limit is as before."""
    for _ in range(5):
        await (await shop.buyer()).order({"mi-band": 2})
    buyer = await shop.buyer()
    refused = await buyer.order({"mi-headphones": 2, "mi-band": 1})
    assert (refused.status, refused.document["product"]) == (409, "mi-band")
    assert (await shop.stock())["mi-headphones"].held == 0
    assert (await buyer.order({"mi-headphones": 2})).status == 201


async def test_a_shortage_names_its_product(shop: Shop) -> None:
    """Some left, none but those in baskets, or sold out."""
    buyers, last = [await shop.buyer() for _ in range(5)], await shop.buyer()
    ids = [(await buyer.order({"mi-band": 2})).document["id"] for buyer in buyers[:4]]
    ids.append((await buyers[4].order({"mi-band": 1})).document["id"])

    async def refusal(quantity: int) -> tuple[str, int]:
        document = (await last.order({"mi-headphones": 1, "mi-band": quantity})).document
        return document["detail"], document["left"]

    assert await refusal(2) == ("Mi Band: only 1 left.", 1)
    ids.append((await buyers[4].order({"mi-band": 1})).document["id"])
    assert await refusal(1) == ("Mi Band: none free, but some in other baskets may come back.", 0)
    for buyer, order in zip([*buyers, buyers[4]], ids, strict=True):
        await buyer.pay(order)
    assert await refusal(1) == ("Mi Band is sold out.", 0)


async def test_cancelling_twice_gives_the_units_back_once(shop: Shop) -> None:
    """And what is paid can't be cancelled here."""
    buyer = await shop.buyer()
    order = (await buyer.order({"mi-band": 1})).document["id"]
    for _ in range(2):
        assert (await buyer.post(f"/orders/{order}/cancel", json={})).document["state"] == "cancelled"
    assert (await shop.stock())["mi-band"].free == 10
    paid = (await buyer.order({"mi-band": 1})).document["id"]
    await buyer.pay(paid)
    assert (await buyer.post(f"/orders/{paid}/cancel", json={})).status == 409


async def test_other_peoples_orders_do_not_exist(shop: Shop) -> None:
    """Seeing, paying and cancelling a stranger's order answers the same as for one that nobody placed."""
    ann, ben = await shop.buyer(), await shop.buyer()
    order = (await ann.order({"mi-band": 1})).document["id"]
    tries = [
        await ben.get(f"/orders/{order}"),
        await ben.pay(order),
        await ben.pay(order, "4000 0000 0000 0002"),
        await ben.post(f"/orders/{order}/cancel", json={}),
    ]
    assert {answer.status for answer in tries} == {404}
    assert (await ben.get("/orders")).document == {"orders": []}
    assert (await ann.get(f"/orders/{order}")).document["state"] == "held"
