"""What the shop says of its units, and what the gate does with it: nobody is called for units in baskets."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.whole_sale.buyers import Buyer
from tests.whole_sale.conftest import Begin
from tests.whole_sale.processes import BASE, WholeSale, eventually

FOUR = ("mi-headphones", "power-bank-10400", "power-bank-5000", "mi-band")
Come = Callable[[WholeSale], Awaitable[Buyer]]


@pytest.fixture
async def come() -> AsyncIterator[Come]:
    """Lets buyers come, who all go home in the end."""
    buyers: list[Buyer] = []

    async def come(sale: WholeSale) -> Buyer:
        buyers.append(await Buyer.come(sale))
        return buyers[-1]

    yield come
    await asyncio.gather(*(buyer.session.close() for buyer in buyers))


def told(sale: WholeSale, **expected: object) -> Callable[[], Awaitable[bool]]:
    """Whether the public state says this of the units and the phase."""

    async def look() -> bool:
        state = await sale.read("state")
        return {name: state[name] for name in expected} == expected

    return look


async def test_while_all_units_are_in_baskets_nobody_is_called_and_sold_out_is_when_all_are_sold(
    begin: Begin, come: Come
) -> None:
    """Two buyers hold all; a third waits uncalled until one of them gives up, buys that, and then it is sold out."""
    settings = {"identity": True, "capacity": 10, "rate": 600, "stock": "/units"}
    sale = await begin(shop=True, environ={"SHOP_STOCK": "2"}, **settings)
    ann, ben, eve, late = [await come(sale) for _ in range(4)]
    await asyncio.gather(ann.enter(), ben.enter())
    of_ann = await ann.hold(dict.fromkeys(FOUR, 1))
    of_ben = await ben.hold(dict.fromkeys(FOUR, 1))
    await eventually(told(sale, phase="open", units_left=0, units_held=8))
    await eve.join()
    await eventually(told(sale, issued=3, called=2))
    status, _ = await eve.post(f"{BASE}/pass")
    assert status == 425
    assert not await eve.is_called()
    page = await eve.session.get(f"{sale.url}{BASE}?plain=1", headers={"Accept": "text/html"})
    assert "If one comes back, the line moves on" in await page.text()
    assert (await ann.post(f"/orders/{of_ann}/cancel"))[0] == 200
    assert (await ann.ask("GET", "/sale"))[0] == 429, "the visit is over with the checkout"
    await eve.enter()
    assert await ben.pay(of_ben) == "paid"
    assert await eve.pay(await eve.hold(dict.fromkeys(FOUR, 1))) == "paid"
    await eventually(told(sale, phase="sold_out"))
    assert (await late.post(f"{BASE}/ticket", {"entropy": "ab" * 32}))[0] == 409


async def test_who_is_paying_when_the_visit_ends_loses_nothing(begin: Begin, come: Come) -> None:
    """The pass is gone, the sale is shut to this buyer, and the held order is paid all the same."""
    sale = await begin(shop=True, identity=True)
    ann = await come(sale)
    await ann.enter()
    order = await ann.hold({"mi-band": 1})
    assert (await ann.ask("DELETE", f"{BASE}/pass"))[0] == 204
    assert (await ann.ask("GET", "/sale"))[0] == 429
    assert await ann.pay(order) == "paid"


async def test_a_restock_opens_a_sold_out_room_again(begin: Begin, come: Come) -> None:
    """The seller's command puts units on sale and tells the gate; the next in line buys them."""
    sale = await begin(shop=True, environ={"SHOP_STOCK": "1"}, identity=True, stock="/units")
    ann, ben = [await come(sale) for _ in range(2)]
    await ann.enter()
    assert await ann.pay(await ann.hold(dict.fromkeys(FOUR, 1))) == "paid"
    await eventually(told(sale, phase="sold_out"))
    operator_port = sale.gates[0].operator_url.rpartition(":")[2]
    command = [sys.executable, "-m", "shop_backend.seller", "restock", "mi-band", "2"]
    environ = {**sale.environ, "OPERATOR_PORT": operator_port, "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    done = await asyncio.to_thread(
        subprocess.run, command, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    await eventually(told(sale, phase="open", units_left=2))
    await ben.enter()
    assert await ben.pay(await ben.hold({"mi-band": 2})) == "paid"
