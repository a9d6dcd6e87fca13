"""I9 and I10 over crashes: the shop is killed between any two steps of a purchase, and what it left is recovered."""

import asyncio
import multiprocessing
import signal

import pytest

from shop_backend.accounts import Account
from shop_backend.catalogue import PRODUCTS
from shop_backend.context import DATABASE
from tests.shop_backend import dying
from tests.shop_backend.conftest import Shop, add_account, charged, due, forget_orders, read_all

STEPS = 30

# Each purchase runs in a fork of a process that has everything imported and no loop running.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.shop_backend.dying"])


@pytest.mark.parametrize("late", [False, True], ids=["at once", "after the hold"])
@pytest.mark.parametrize("provider, after", [("card", "keep"), ("paypal", "cancel")])
@pytest.mark.timeout(180)
async def test_i9_i10_a_shop_killed_between_any_two_steps_recovers_units_and_money(
    shop: Shop, database_url: str, provider: str, after: str, *, late: bool
) -> None:
    """After each crash, once recovered: sold + held + free is the stock, and money charged is what was paid for."""
    database = shop.app[DATABASE]
    await add_account(database, Account("ann", "ann@example.org", "none"))
    ends: list[str] = []
    for step in range(STEPS):
        buyer = PROCESSES.Process(target=dying.buy, args=(database_url, step, provider, after))
        buyer.start()
        await asyncio.to_thread(buyer.join)
        passed = 660_000 if late else 20_000
        shop.clock.advance(passed)
        await shop.payments.recover()
        band = (await shop.stock())["mi-band"]
        orders = await read_all(shop)
        states = {
            name: sum(o.items["mi-band"] for o in orders if o.state == name) for name in ("held", "paid")
        }
        assert (band.held, band.sold, band.free) == (
            states["held"],
            states["paid"],
            10 - sum(states.values()),
        )
        assert await charged(shop) == await due(shop)
        assert all(payment.state != "refund_due" for order in orders for payment in order.payments)
        ends.append(orders[0].state if orders else "none")
        if buyer.exitcode == 0:
            break
        assert buyer.exitcode == -signal.SIGKILL
        await forget_orders(shop)
        shop.clock.advance(-passed)
    else:
        pytest.fail("the purchase never came to its end")
    assert len(ends) > len(PRODUCTS)
    assert ends[0] == "none"
    assert {"paid"} <= set(ends) if after == "keep" else ends[-1] == "cancelled"
