"""A purchase for a process of its own, which is killed after so many steps.

A step is a transaction of the database, before it is committed and after: the shop's own and the provider's.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection

from shop_backend.addresses import Address
from shop_backend.database import Database
from shop_backend.markets import MARKETS
from shop_backend.orders import Orders
from shop_backend.payments import Payments
from shop_backend.sandbox import Sandbox
from shop_backend.settings import normalise_url
from waitroom.clock import ManualClock

NOON, SECRET = 1_432_033_200_000, "the secret of the tests"
ADDRESS = Address("Ann", "Lange Gasse 1", "", "Berlin", "", "10115", "DE")


class DyingDatabase(Database):
    """A database whose process ends without a warning, before or after one of its commits."""

    steps_left = 0

    def step(self) -> None:
        """One step more, perhaps the last."""
        if self.steps_left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.steps_left -= 1

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction with a step at its end, and another once it is committed."""
        async with super().write() as connection:
            yield connection
            self.step()
        self.step()


def buy(url: str, steps: int, provider: str, after: str) -> None:
    """Hold, say where to, pay, and keep the order or cancel it then; dies after so many steps."""
    asyncio.run(_buy(url, steps, provider, after))


async def _buy(url: str, steps: int, provider: str, after: str) -> None:
    clock, database = ManualClock(NOON), DyingDatabase(normalise_url(url))
    database.steps_left = steps
    orders = Orders(database, clock, 600_000)
    bank = Sandbox(provider, database, clock, [SECRET], captures=provider == "paypal")
    payments = Payments(database, clock, orders, {provider: bank})
    order, _ = await orders.place("ann", "the-key-of-ann", {"mi-band": 2})
    await orders.ship_to("ann", order.id, MARKETS["de"], ADDRESS)
    payment, _ = await payments.begin("ann", order.id, provider, "the-key-of-it")
    await bank.hear(payment.id, "agree")
    await payments.settle(payment.id)
    if after == "cancel":
        await orders.cancel("ann", order.id)
        await payments.settle_order(order.id)
    await database.close()
