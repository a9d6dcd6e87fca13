"""I9 and I10 under attack: many requests at the same moment, on both databases."""

import asyncio
import uuid
from collections import Counter

from sqlalchemy import select

from shop_backend.context import DATABASE
from shop_backend.tables import payments
from tests.shop_backend.conftest import Shop


async def test_i10_two_hundred_parallel_orders_never_sell_more_units_than_there_are(shop: Shop) -> None:
    """Of 200 buyers who order one of ten units at once, ten get one and the others are told."""
    buyers = [await shop.buyer() for _ in range(200)]
    answers = await asyncio.gather(*(buyer.order({"mi-band": 1}) for buyer in buyers))
    assert Counter(answer.status for answer in answers) == {201: 10, 409: 190}
    refused = next(answer.document for answer in answers if answer.status == 409)
    assert refused["type"] == "/problems/not-enough"
    assert (refused["product"], refused["left"]) == ("mi-band", 0)
    band = (await shop.stock())["mi-band"]
    assert (band.free, band.held, band.sold) == (0, 10, 0)


async def test_i10_orders_of_several_products_at_once_neither_deadlock_nor_oversell(shop: Shop) -> None:
    """Buyers who take the same products in different orders all get an answer."""
    names = list(await shop.stock())
    turns = [dict.fromkeys(names[turn:] + names[:turn], 1) for turn in range(4)]
    buyers = [await shop.buyer() for _ in range(40)]
    answers = await asyncio.gather(*(buyer.order(turns[i % 4]) for i, buyer in enumerate(buyers)))
    assert Counter(answer.status for answer in answers) == {201: 10, 409: 30}
    assert all((p.free, p.held) == (0, 10) for p in (await shop.stock()).values())


async def test_i10_parallel_orders_of_one_buyer_never_pass_the_limit(shop: Shop) -> None:
    """Twenty tabs of one buyer get two units between them."""
    buyer = await shop.buyer()
    answers = await asyncio.gather(*(buyer.order({"mi-band": 1}) for _ in range(20)))
    assert Counter(answer.status for answer in answers) == {201: 2, 409: 18}
    kinds = {answer.document["type"] for answer in answers if answer.status == 409}
    assert kinds == {"/problems/limit-reached"}
    assert (await shop.stock())["mi-band"].held == 2


async def test_i9_a_repeated_order_is_the_same_order(shop: Shop) -> None:
    """Twenty times the same request, at once and later, is one order that holds its units once."""
    buyer, key = await shop.buyer(), uuid.uuid4().hex
    answers = await asyncio.gather(*(buyer.order({"mi-band": 2}, key) for _ in range(20)))
    answers.append(await buyer.order({"mi-band": 2}, key))
    assert Counter(answer.status for answer in answers) == {201: 1, 200: 20}
    assert len({answer.document["id"] for answer in answers}) == 1
    assert (await shop.stock())["mi-band"].held == 2


async def test_i9_the_same_key_of_another_buyer_is_another_order(shop: Shop) -> None:
    """Keys belong to their buyer: nobody sees or blocks a stranger's order with a guessed key."""
    ann, ben = await shop.buyer(), await shop.buyer()
    first, second = (
        await ann.order({"mi-band": 1}, "the-same-key"),
        await ben.order({"mi-band": 1}, "the-same-key"),
    )
    assert (first.status, second.status) == (201, 201)
    assert first.document["id"] != second.document["id"]


async def test_i9_a_key_that_comes_back_with_other_items_is_refused(shop: Shop) -> None:
    """A key names one order; something else under it is a mistake, and nothing happens."""
    buyer, key = await shop.buyer(), uuid.uuid4().hex
    await buyer.order({"mi-band": 1}, key)
    again = await buyer.order({"mi-band": 2}, key)
    assert (again.status, again.document["type"]) == (409, "/problems/key-reused")
    assert (await shop.stock())["mi-band"].held == 1


async def test_i9_an_order_is_paid_once_however_often_it_is_paid(shop: Shop) -> None:
    """Twenty payments at once charge once, and all of them hear that it is paid."""
    buyer = await shop.buyer()
    order = (await buyer.order({"mi-band": 2})).document["id"]
    answers = await asyncio.gather(*(buyer.pay(order) for _ in range(20)))
    assert {(answer.status, answer.document["state"]) for answer in answers} == {(200, "paid")}
    async with shop.app[DATABASE].read() as connection:
        paid = (await connection.execute(select(payments.c.state, payments.c.amount_cents))).all()
    assert [tuple(row) for row in paid] == [("accepted", 2998)]
    band = (await shop.stock())["mi-band"]
    assert (band.free, band.held, band.sold) == (8, 0, 2)


async def test_i10_an_order_paid_and_cancelled_at_once_is_one_of_the_two(shop: Shop) -> None:
    """Whichever comes first wins; the units are sold or free, never both."""
    buyers = [await shop.buyer() for _ in range(10)]
    ids = [(await buyer.order({"mi-band": 1})).document["id"] for buyer in buyers]
    pairs = zip(buyers, ids, strict=True)
    steps = [(buyer.pay(i), buyer.post(f"/orders/{i}/cancel", json={})) for buyer, i in pairs]
    await asyncio.gather(*(step for pair in steps for step in pair))
    ends = [(await buyer.get("/orders")).document["orders"][0]["state"] for buyer in buyers]
    assert set(ends) <= {"paid", "cancelled"}
    band = (await shop.stock())["mi-band"]
    assert (band.held, band.sold) == (0, ends.count("paid"))


async def test_i10_holds_that_end_while_everybody_looks_are_released_once(shop: Shop) -> None:
    """Thirty requests that all find the same overdue orders give their units back exactly once."""
    buyers = [await shop.buyer() for _ in range(10)]
    for buyer in buyers:
        await buyer.order({"mi-band": 1, "mi-headphones": 1})
    shop.clock.advance(600_000)
    late = [await shop.buyer() for _ in range(30)]
    answers = await asyncio.gather(*(buyer.order({"mi-band": 1}) for buyer in late))
    stock = await shop.stock()
    assert stock["mi-band"].held == sum(answer.status == 201 for answer in answers) == 10
    assert stock["mi-headphones"].free == 10
