"""The life of an order: held, then paid, cancelled or expired."""

import pytest

from shop_backend import tables
from shop_backend.accounts import Account
from shop_backend.database import Database
from shop_backend.orders import Orders
from tests.shop_backend.conftest import DECLINED_CARD, HTML, ROOM, Client, Shop, add_account
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
    declined = await buyer.pay(placed.document["id"], DECLINED_CARD)
    for answer in (placed, refused, declined):
        assert (answer.headers["Waitroom-Units-Left"], answer.headers["Waitroom-Units-Held"]) == ("38", "2")
        assert answer.headers["Waitroom-Room"] == ROOM
        assert "Waitroom-Command" not in answer.headers
    paid = await buyer.pay(placed.document["id"])
    assert (paid.headers["Waitroom-Units-Left"], paid.headers["Waitroom-Units-Held"]) == ("38", "0")
    assert paid.headers["Waitroom-Command"] == "leave"


async def test_a_cancelled_order_tells_the_gate_its_units_and_ends_the_visit(shop: Shop) -> None:
    """The spot is for the next in line; looking at orders changes nothing, and tells nothing."""
    buyer = await shop.buyer()
    order = (await buyer.order({"mi-band": 2})).document["id"]
    cancelled = await buyer.post(f"/orders/{order}/cancel", json={})
    assert (cancelled.headers["Waitroom-Units-Left"], cancelled.headers["Waitroom-Units-Held"]) == ("40", "0")
    assert cancelled.headers["Location"] == f"/orders/{order}"
    assert cancelled.headers["Waitroom-Command"] == "leave"
    for path in ("/orders", f"/orders/{order}"):
        assert not [name for name in (await buyer.get(path)).headers if name.startswith("Waitroom")]


async def test_who_goes_back_to_the_choice_gives_the_units_back_and_keeps_the_visit(shop: Shop) -> None:
    """They come to the sale with what they had chosen, and may hold it again."""
    buyer = await shop.buyer()
    order = (await buyer.order({"mi-band": 2, "mi-headphones": 1})).document["id"]
    page = await buyer.get("/sale", headers=HTML)
    form = {
        "form_token": page.text.partition('name="form_token" value="')[2].partition('"')[0],
        "then": "sale",
    }
    back = await buyer.post(f"/orders/{order}/cancel", data=form, headers=HTML)
    assert (back.status, back.headers["Location"]) == (303, "/sale?items.mi-headphones=1&items.mi-band=2")
    assert "Waitroom-Command" not in back.headers
    assert (await buyer.order({"mi-band": 2})).status == 201


async def test_who_leaves_the_checkout_is_told_that_they_have_left_the_sale(shop: Shop) -> None:
    """The order's page says so, that once, and that nothing was charged."""
    buyer = await shop.buyer()
    order = f"/orders/{(await buyer.order({'mi-band': 1})).document['id']}"
    page = await buyer.get(order, headers=HTML)
    form = {"form_token": page.text.partition('name="form_token" value="')[2].partition('"')[0]}
    left = await buyer.post(f"{order}/cancel", data=form, headers=HTML)
    assert left.headers["Waitroom-Command"] == "leave"
    said = "You have left the sale"
    assert said in (await buyer.get(left.headers["Location"], headers=HTML)).text
    assert said not in (await buyer.get(order, headers=HTML)).text


@pytest.mark.parametrize(
    "answer, said", [("slow", "not confirmed yet"), ("cancelled", "You went back without paying")]
)
async def test_who_comes_back_without_having_paid_hears_so_before_anything_else(
    shop: Shop, answer: str, said: str
) -> None:
    """And is offered to pay again below; while the first payment is open, only when they ask for it."""
    buyer = await shop.buyer()
    order = (await buyer.order({"mi-band": 1})).document["id"]
    await buyer.ship(order)
    agreed = await buyer.agree(await buyer.begin(order, "paypal"), answer)
    await buyer.get(agreed.document["return_to"])
    page = (await buyer.get(f"/orders/{order}", headers=HTML)).text
    above, _, below = page.partition(said)
    assert "/payments" not in above
    assert "<table>" not in above
    assert "/payments" in below
    assert ("<summary>I did not agree to that payment</summary>" in below) == (answer == "slow")


async def test_a_paid_order_is_not_cancelled_without_asking(shop: Shop) -> None:
    """The button stands behind a summary to open, with what it means and what is given back."""
    buyer = await shop.buyer()
    order = (await buyer.order({"mi-band": 1})).document["id"]
    total = (await buyer.pay(order)).document["total_cents"]
    page = (await buyer.get(f"/orders/{order}", headers=HTML)).text
    before, _, question = page.partition("<summary>Cancel the order</summary>")
    assert "/cancel" not in before
    assert f"Yes, cancel it and refund ${total / 100:.2f}" in question.partition("</details>")[0]


async def test_the_hold_is_extended_once_on_request(shop: Shop) -> None:
    """Two minutes more, however often it is asked for; when the time is over there is nothing to extend."""
    buyer = await shop.buyer()
    order = (await buyer.order({"mi-band": 1})).document
    longer = [await buyer.post(f"/orders/{order['id']}/extension", json={}) for _ in range(3)]
    assert [answer.document["held_until"] - order["held_until"] for answer in longer] == [120_000] * 3
    shop.clock.advance(TEN_MINUTES + 119_999)
    assert (await shop.stock())["mi-band"].held == 1
    shop.clock.advance(1)
    assert (await shop.stock())["mi-band"].held == 0
    late = await buyer.post(f"/orders/{order['id']}/extension", json={})
    assert (late.status, late.document["type"]) == (409, "/problems/order-over")


async def test_the_full_total_stands_with_the_address_before_anyone_pays(shop: Shop) -> None:
    """Without an address nothing can be paid; with it the order says goods, shipping, duty and the sum."""
    buyer = await shop.buyer()
    order = (await buyer.order({"mi-headphones": 2})).document["id"]
    early = await buyer.begin(order)
    assert (early.status, early.document["type"]) == (409, "/problems/address-needed")
    shipped = (await buyer.ship(order, "us")).document
    assert (shipped["market"], shipped["address"]["region"]) == ("us", "CA")
    assert (shipped["goods_cents"], shipped["shipping_cents"], shipped["duty_cents"]) == (15998, 599, 0)
    moved = (await buyer.ship(order, "de")).document
    parts = ("goods_cents", "shipping_cents", "duty_cents")
    assert moved["total_cents"] == sum(moved[part] for part in parts) > shipped["total_cents"]


async def test_a_paid_order_can_be_cancelled_for_a_while_and_is_refunded(shop: Shop) -> None:
    """For half an hour; its units are free again, and count no more towards the limit."""
    buyer = await shop.buyer()
    order = (await buyer.order({"mi-band": 2})).document["id"]
    await buyer.pay(order)
    shop.clock.advance(1_799_999)
    cancelled = (await buyer.post(f"/orders/{order}/cancel", json={})).document
    assert (cancelled["state"], [each["state"] for each in cancelled["payments"]]) == (
        "cancelled",
        ["refunded"],
    )
    assert (await shop.stock())["mi-band"].free == 10
    second = (await buyer.order({"mi-band": 2})).document["id"]
    await buyer.pay(second, "agree", "paypal")
    shop.clock.advance(1_800_000)
    late = await buyer.post(f"/orders/{second}/cancel", json={})
    assert (late.status, late.document["type"]) == (409, "/problems/order-over")


async def test_i9_a_payment_sent_again_after_the_visit_is_the_same_paid_order(shop: Shop) -> None:
    """The answer was lost, the pass is taken back: the repeat says the same, and nothing is charged twice."""
    buyer, key = await shop.buyer(), "the-key-of-a-payment"
    order = (await buyer.order({"mi-band": 1})).document["id"]
    await buyer.ship(order)
    begun = await buyer.begin(order, key=key)
    back = (await buyer.agree(begun)).document["return_to"]
    first = await buyer.get(back)
    await _lose_pass(shop, buyer)
    again = await buyer.begin(order, key=key)
    assert again.document == {"id": begun.document["id"], "confirm_at": back, "return_to": back}
    repeated = await buyer.get(back)
    assert (repeated.status, repeated.document) == (first.status, first.document)
    assert repeated.headers["Waitroom-Command"] == "leave"
    assert (await shop.stock())["mi-band"].sold == 1


async def test_a_live_hold_is_honoured_after_the_visit(shop: Shop) -> None:
    """Whose time ends on the way to paying still sees the order, may try another card, and pays."""
    buyer = await shop.buyer()
    order = (await buyer.order({"mi-band": 1})).document["id"]
    other = (await buyer.order({"mi-headphones": 1})).document["id"]
    await _lose_pass(shop, buyer)
    await buyer.ship(order)
    page = await buyer.get(f"/orders/{order}", headers=HTML)
    assert f'action="/orders/{order}/payments"' in page.text
    assert (await buyer.pay(order, DECLINED_CARD)).document["state"] == "held"
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


async def test_any_number_of_holds_that_have_ended_are_let_go_at_one_look(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some at a time, until none is left."""
    monkeypatch.setattr("shop_backend.orders.RELEASED_AT_ONCE", 2)
    for _ in range(5):
        assert (await (await shop.buyer()).order({"mi-band": 2})).status == 201
    shop.clock.advance(600_000)
    assert (await shop.stock())["mi-band"].free == 10


async def test_more_orders_than_a_statement_has_parameters_are_read(
    database: Database, orders: Orders
) -> None:
    """PostgreSQL takes 32,767 of them."""
    await add_account(database, Account("ann", "ann@example.org", "none"))
    rows = [
        {
            "id": f"{n:032}",
            "key": str(n),
            "account_id": "ann",
            "state": "expired",
            "placed_at": n,
            "held_until": n,
        }
        for n in range(32_768)
    ]
    async with database.write() as connection:
        await connection.execute(tables.orders.insert(), rows)
    assert len(await orders.of_all()) == len(rows)


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
    """However often it is sent."""
    buyer = await shop.buyer()
    order = (await buyer.order({"mi-band": 1})).document["id"]
    for _ in range(2):
        assert (await buyer.post(f"/orders/{order}/cancel", json={})).document["state"] == "cancelled"
    assert (await shop.stock())["mi-band"].free == 10


async def test_other_peoples_orders_do_not_exist(shop: Shop) -> None:
    """Seeing, paying and cancelling a stranger's order answers the same as for one that nobody placed."""
    ann, ben = await shop.buyer(), await shop.buyer()
    order = (await ann.order({"mi-band": 1})).document["id"]
    tries = [
        await ben.get(f"/orders/{order}"),
        await ben.ship(order),
        await ben.begin(order),
        await ben.post(f"/orders/{order}/extension", json={}),
        await ben.post(f"/orders/{order}/cancel", json={}),
    ]
    assert {answer.status for answer in tries} == {404}
    assert (await ben.get("/orders")).document == {"orders": []}
    assert (await ann.get(f"/orders/{order}")).document["state"] == "held"
