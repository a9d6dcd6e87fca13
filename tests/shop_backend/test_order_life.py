"""I9 and I10 as a state machine: whatever buyers and providers do in whatever order, units and money add up."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete, func, select

from shop_backend.accounts import Account
from shop_backend.addresses import Address
from shop_backend.catalogue import LIMIT, PRODUCTS
from shop_backend.database import Database
from shop_backend.errors import KeyReused, LimitReached, NotEnough, ShopError
from shop_backend.markets import MARKETS
from shop_backend.orders import Order, Orders
from shop_backend.payments import Payments
from shop_backend.sandbox import ANSWERS, Sandbox
from shop_backend.settings import normalise_url
from shop_backend.tables import allowances, metadata, sandbox
from tests.shop_backend.conftest import NOON, SECRETS, add_account
from waitroom.clock import ManualClock

UNITS, HOLD_MS = 3, 600_000
BUYERS, NAMES = ("ann", "ben", "cleo"), [product.id for product in PRODUCTS[:2]]
PROVIDERS = ("card", "paypal")

buyers, keys = st.sampled_from(BUYERS), st.sampled_from(["first-key", "second-key", "third-key"])
baskets = st.dictionaries(st.sampled_from(NAMES), st.integers(1, 2), min_size=1)
waits = st.sampled_from([1, 15_000, 30_000, 60_000, HOLD_MS])

Placed = tuple[str, str]
Begun = tuple[str, str]
T = TypeVar("T")


class OrderLife(RuleBasedStateMachine):
    """Three buyers, three units of two products, two providers; every refusal is fine, no book may be wrong."""

    placed = Bundle("placed")
    begun = Bundle("begun")
    url = ""

    @initialize()
    def open_shop(self) -> None:
        """Everything as before the first order."""
        self.runner = asyncio.Runner()
        self.clock = ManualClock(NOON)
        self.database = Database(normalise_url(self.url))
        self.orders = Orders(self.database, self.clock, HOLD_MS)
        self.banks = {
            name: Sandbox(name, self.database, self.clock, SECRETS, captures=name == "paypal")
            for name in PROVIDERS
        }
        self.payments = Payments(self.database, self.clock, self.orders, self.banks)
        self.run(self.refill())

    def run(self, step: Coroutine[Any, Any, T]) -> T | None:
        """Take a step; None when the shop refuses it."""
        try:
            return self.runner.run(step)
        except ShopError as refusal:
            self.refusal = refusal
            return None

    async def refill(self) -> None:
        """Empty tables, the stock, the buyers."""
        await self.database.migrate()
        async with self.database.write() as connection:
            for table in reversed(metadata.sorted_tables):
                await connection.execute(delete(table))
        await self.database.stock(PRODUCTS, UNITS)
        for buyer in BUYERS:
            await add_account(self.database, Account(buyer, buyer, "none"))

    # ---- What people do

    @rule(target=placed, buyer=buyers, key=keys, items=baskets)
    def place(self, buyer: str, key: str, items: dict[str, int]) -> Placed | MultipleResults[Placed]:
        """Begin a checkout: refused only for a reason that the orders bear out."""
        before = self.all_orders()
        done = self.run(self.orders.place(buyer, key, items))
        same = [each for each in before if each.account_id == buyer and each.items == items]
        if done is None:
            used = units(before, "held") + units(before, "paid")
            mine = [each for each in before if each.account_id == buyer]
            mine_used = units(mine, "held") + units(mine, "paid")
            assert {
                NotEnough: any(used[name] + n > UNITS for name, n in items.items()),
                LimitReached: any(mine_used[name] + n > LIMIT for name, n in items.items()),
                KeyReused: bool(mine),
            }[type(self.refusal)]
            return multiple()
        order, new = done
        assert new is (order.id not in {each.id for each in before})
        assert new or order.id in {each.id for each in same}
        if new:
            self.ship((buyer, order.id), "de")
        return buyer, order.id

    @rule(order=placed, market=st.sampled_from(sorted(MARKETS)))
    def move(self, order: Placed, market: str) -> None:
        """Say that it goes elsewhere, which is another total."""
        self.ship(order, market)

    def ship(self, order: Placed, market: str) -> None:
        """Say where it goes."""
        address = Address("Ann", "Street 1", "", "City", "", "10115", MARKETS[market].country)
        self.run(self.orders.ship_to(*order, MARKETS[market], address))

    @rule(target=begun, order=placed, provider=st.sampled_from(PROVIDERS), key=keys)
    def begin(self, order: Placed, provider: str, key: str) -> Begun | MultipleResults[Begun]:
        """Begin to pay."""
        done = self.run(self.payments.begin(*order, provider, key))
        return (done[0].provider, done[0].id) if done else multiple()

    @rule(target=begun, order=placed, provider=st.sampled_from(PROVIDERS), key=keys)
    def begin_and_agree(self, order: Placed, provider: str, key: str) -> Begun | MultipleResults[Begun]:
        """As most buyers do."""
        done = self.run(self.payments.begin(*order, provider, key))
        if done is None:
            return multiple()
        payment = done[0].provider, done[0].id
        self.answer_with(payment, "agree")
        return payment

    @rule(payment=begun, answer=st.sampled_from([*ANSWERS, "agree", "agree", "cancelled"]))
    def answer(self, payment: Begun, answer: str) -> None:
        """Agree at the provider, or not."""
        self.answer_with(payment, answer)

    def answer_with(self, payment: Begun, answer: str) -> None:
        """What the provider hears, the first time."""
        self.run(self.banks[payment[0]].hear(payment[1], answer))

    @rule(payment=begun)
    def hear_news(self, payment: Begun) -> None:
        """An event comes, or the buyer comes back, perhaps again."""
        self.run(self.payments.settle(payment[1]))

    @rule(order=placed)
    def extend(self, order: Placed) -> None:
        """Ask for more time."""
        self.run(self.orders.extend(*order))

    @rule(order=consumes(placed))
    def cancel(self, order: Placed) -> None:
        """Cancel, and let its payments be settled."""
        if self.run(self.orders.cancel(*order)):
            self.run(self.payments.settle_order(order[1]))

    @rule(buyer=buyers)
    def leave(self, buyer: str) -> None:
        """Go for good."""
        self.run(self.orders.leave(buyer))

    @rule(ms=waits)
    def wait(self, ms: int) -> None:
        """Time passes."""
        self.clock.advance(ms)

    @rule()
    def recover(self) -> None:
        """The shop asks for what it has not heard of."""
        self.run(self.payments.recover())

    # ---- What always holds

    @invariant()
    def units_add_up(self) -> None:
        """Free, held and sold are what the orders say; so is each buyer's count, which never passes the limit."""
        if not hasattr(self, "runner"):
            return
        stock = self.runner.run(self.orders.stock())
        everything = self.all_orders()
        held, sold = units(everything, "held"), units(everything, "paid")
        for product in stock[:2]:
            assert (product.held, product.sold) == (held[product.id], sold[product.id])
            assert product.free == UNITS - product.held - product.sold >= 0
        for buyer in BUYERS:
            mine = [order for order in everything if order.account_id == buyer]
            counted = units(mine, "held") + units(mine, "paid")
            assert max(counted.values(), default=0) <= LIMIT
            assert counted == +Counter(self.rows(select(allowances).where(allowances.c.account_id == buyer)))

    @invariant()
    def a_paid_order_has_one_payment_of_its_total(self) -> None:
        """And no other order has kept any money."""
        if hasattr(self, "runner"):
            for order in self.all_orders():
                kept = [each.amount_cents for each in order.payments if each.state == "charged"]
                assert kept == ([order.total_cents] if order.state == "paid" else [])

    def teardown(self) -> None:
        """In the end everything is settled, and the money charged is what the paid orders come to."""
        if not hasattr(self, "runner"):
            return
        self.clock.advance(3_600_000)
        for _ in range(2):
            self.run(self.payments.recover())
        self.units_add_up()
        everything = self.all_orders()
        assert {payment.state for order in everything for payment in order.payments} <= {
            "charged",
            "failed",
            "refunded",
        }
        taken = select(func.sum(sandbox.c.amount_cents)).where(sandbox.c.charged_at.is_not(None))
        charged = self.runner.run(self.read(taken.where(sandbox.c.refunded_at.is_(None))))[0][0] or 0
        assert charged == sum(order.total_cents for order in everything if order.state == "paid")
        self.runner.run(self.database.close())
        self.runner.close()

    # ---- Within

    async def read(self, query: Any) -> list[Any]:  # noqa: ANN401 - a select
        """All rows of a query."""
        async with self.database.read() as connection:
            return list((await connection.execute(query)).all())

    def rows(self, query: Any) -> dict[str, int]:  # noqa: ANN401 - a select
        """Product and quantity of each row."""
        return {row.product_id: row.quantity for row in self.runner.run(self.read(query))}

    def all_orders(self) -> list[Order]:
        """Every order there is, as the shop reads it, after overdue holds are released."""
        return self.runner.run(self.orders.of_all())


def units(found: list[Order], state: str) -> Counter[str]:
    """Units of each product in orders of this state."""
    counted: Counter[str] = Counter()
    for order in found:
        if order.state == state:
            counted.update(order.items)
    return counted


def test_i9_i10_units_and_money_add_up_over_an_orders_life(database_url: str) -> None:
    """Placed, shipped, paid, refused, extended, cancelled, late, lost: after each step all books agree."""
    OrderLife.url = database_url
    run_state_machine_as_test(
        OrderLife,
        settings=settings(
            max_examples=40,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
