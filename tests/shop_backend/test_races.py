"""I9 and I10 under attack: many requests at the same moment, on both databases."""

import asyncio
import random
import uuid
from collections import Counter
from contextlib import suppress

from shop_backend import stock
from shop_backend.context import DATABASE
from tests.shop_backend.conftest import ADDRESSES, GOOD_CARD, Answer, Client, Shop, charged, due


async def test_i10_five_hundred_buyers_at_once_buy_twenty_five_units(shop: Shop) -> None:
    """Each of them orders one unit and pays: twenty-five orders are paid, and the others are told."""
    async with shop.app[DATABASE].write() as connection:
        await stock.restock(connection, "mi-band", 15)
    buyers = [await shop.buyer() for _ in range(500)]

    async def buy(buyer: Client) -> str:
        placed = await buyer.order({"mi-band": 1})
        if placed.status == 201:
            return str((await buyer.pay(placed.document["id"])).document["state"])
        assert (placed.document["product"], placed.document["left"]) == ("mi-band", 0)
        return str(placed.document["type"])

    ends = await asyncio.gather(*(buy(buyer) for buyer in buyers))
    assert Counter(ends) == {"paid": 25, "/problems/not-enough": 475}
    band = (await shop.stock())["mi-band"]
    assert (band.free, band.held, band.sold) == (0, 0, 25)
    assert await charged(shop) == await due(shop)


async def test_i9_requests_whose_connections_are_cut_are_sent_again_and_count_once(shop: Shop) -> None:
    """Twenty buyers lose the answer to every step at random moments: each buys one unit, once."""
    chance = random.Random(7)  # noqa: S311 - a play, no secret

    async def insist(buyer: Client, path: str, body: dict[str, object]) -> Answer:
        for patience_s in (chance.uniform(0, 0.05), chance.uniform(0, 0.2)):
            with suppress(TimeoutError):
                async with asyncio.timeout(patience_s):
                    await buyer.post(path, json=body)
        return await buyer.post(path, json=body)

    async def buy(buyer: Client) -> None:
        key = uuid.uuid4().hex
        order = await insist(buyer, "/sale/orders", {"key": key, "items": {"mi-headphones": 1}})
        if order.status >= 400:
            return
        path = f"/orders/{order.document['id']}"
        await insist(buyer, f"{path}/address", {"market": "de", **ADDRESSES["de"]})
        begun = await insist(buyer, f"{path}/payments", {"key": key, "provider": "card"})
        agreed = await insist(buyer, begun.document["confirm_at"], {"answer": "card", "card": GOOD_CARD})
        assert (await buyer.get(agreed.document["return_to"])).document["state"] == "paid"

    buyers = [await shop.buyer() for _ in range(20)]
    await asyncio.gather(*(buy(buyer) for buyer in buyers))
    mine = [(await buyer.get("/orders")).document["orders"] for buyer in buyers]
    assert sorted(len(orders) for orders in mine) == [0] * 10 + [1] * 10
    assert (await shop.stock())["mi-headphones"].sold == 10
    assert await charged(shop) == await due(shop)


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
    """Twenty payments at once, by card and PayPal, all agreed to: one is kept, and the others go back."""
    buyer = await shop.buyer()
    order = (await buyer.order({"mi-band": 2})).document["id"]
    await buyer.ship(order)
    begun = await asyncio.gather(*(buyer.begin(order, ("card", "paypal")[i % 2]) for i in range(20)))
    agreed = await asyncio.gather(*(buyer.agree(each, "agree") for each in begun))
    answers = await asyncio.gather(*(buyer.get(each.document["return_to"]) for each in agreed))
    assert {(answer.status, answer.document["state"]) for answer in answers} == {(200, "paid")}
    await shop.payments.settle_order(order)
    states = Counter(each["state"] for each in (await buyer.get(f"/orders/{order}")).document["payments"])
    assert states["charged"] == 1
    assert set(states) <= {"charged", "refunded", "failed"}
    assert await charged(shop) == await due(shop) == answers[0].document["total_cents"]
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
    await shop.payments.recover()
    assert await charged(shop) == await due(shop)
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
    units = await shop.stock()
    assert units["mi-band"].held == sum(answer.status == 201 for answer in answers) == 10
    assert units["mi-headphones"].free == 10
