"""I10 as a property: whatever buyers do in whatever order, the units add up and no limit is passed."""

from collections import Counter
from typing import NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select

from shop_backend.accounts import Account
from shop_backend.card import DECLINED, Card
from shop_backend.catalogue import PRODUCTS
from shop_backend.database import Database
from shop_backend.errors import CardDeclined, KeyReused, LimitReached, NotEnough, OrderOver
from shop_backend.orders import Orders
from shop_backend.tables import metadata, payments
from tests.shop_backend.conftest import add_account
from waitroom.clock import ManualClock

UNITS, HOLD_MS = 3, 600_000
BUYERS, NAMES = ("ann", "ben", "cleo"), [product.id for product in PRODUCTS[:2]]
GOOD, BAD = Card("4242424242424242"), Card(min(DECLINED))


class Place(NamedTuple):
    """A buyer orders under a key."""

    buyer: str
    key: str
    items: dict[str, int]


class Pay(NamedTuple):
    """A buyer pays the order of a key."""

    buyer: str
    key: str
    card: Card


class Cancel(NamedTuple):
    """A buyer cancels the order of a key."""

    buyer: str
    key: str


class Wait(NamedTuple):
    """Time passes."""

    ms: int


Step = Place | Pay | Cancel | Wait
buyers, keys = st.sampled_from(BUYERS), st.sampled_from(["first-key", "second-key", "third-key"])
baskets = st.dictionaries(st.sampled_from(NAMES), st.integers(1, 2), min_size=1)
steps = st.one_of(
    st.builds(Place, buyers, keys, baskets),
    st.builds(Pay, buyers, keys, st.sampled_from([GOOD, GOOD, BAD])),
    st.builds(Cancel, buyers, keys),
    st.builds(Wait, st.sampled_from([1, HOLD_MS - 1, HOLD_MS])),
)


class Held:
    """An order of the model."""

    def __init__(self, items: dict[str, int], until: int) -> None:
        self.items, self.until, self.state = items, until, "held"


class Model:
    """The rules in plain Python: what each step must answer, and the units after it."""

    def __init__(self) -> None:
        self.now = 0
        self.orders: dict[tuple[str, str], Held] = {}

    def units(self, state: str, buyer: str = "") -> Counter[str]:
        """Units of each product in orders of this state."""
        found: Counter[str] = Counter()
        for (owner, _), order in self.orders.items():
            if order.state == state and buyer in {"", owner}:
                found.update(order.items)
        return found

    def take(self, step: Step) -> str:
        """What the step leads to: the order's state, or the name of the refusal."""
        if isinstance(step, Wait):
            self.now += step.ms
            for held in self.orders.values():
                if held.state == "held" and held.until <= self.now:
                    held.state = "expired"
            return "waited"
        order = self.orders.get((step.buyer, step.key))
        if isinstance(step, Place):
            return self.place(step, order)
        if order is None:
            return "skipped"
        return pay(order, step.card) if isinstance(step, Pay) else cancel(order)

    def place(self, step: Place, same: Held | None) -> str:
        """Place an order, or find the same one."""
        if same:
            return same.state if same.items == step.items else "KeyReused"
        mine = self.units("held", step.buyer) + self.units("paid", step.buyer) + Counter(step.items)
        if any(mine[product] > 2 for product in step.items):
            return "LimitReached"
        used = self.units("held") + self.units("paid") + Counter(step.items)
        if any(used[product] > UNITS for product in step.items):
            return "NotEnough"
        self.orders[step.buyer, step.key] = Held(step.items, self.now + HOLD_MS)
        return "held"


def pay(order: Held, card: Card) -> str:
    """Pay an order of the model."""
    if order.state == "held" and card is BAD:
        return "CardDeclined"
    if order.state == "held":
        order.state = "paid"
    return order.state if order.state == "paid" else "OrderOver"


def cancel(order: Held) -> str:
    """Cancel an order of the model."""
    if order.state == "held":
        order.state = "cancelled"
    return "OrderOver" if order.state == "paid" else order.state


class Reality:
    """The same steps on the real database."""

    def __init__(self, orders: Orders, clock: ManualClock) -> None:
        self.orders, self.clock = orders, clock
        self.ids: dict[tuple[str, str], str] = {}

    async def take(self, step: Step) -> str:
        """What the step leads to, in the words of the model."""
        try:
            return await self.attempt(step)
        except (CardDeclined, KeyReused, LimitReached, NotEnough, OrderOver) as refusal:
            return type(refusal).__name__

    async def attempt(self, step: Step) -> str:
        """Take the step."""
        if isinstance(step, Wait):
            self.clock.advance(step.ms)
            return "waited"
        if isinstance(step, Place):
            order, _ = await self.orders.place(step.buyer, step.key, step.items)
            self.ids[step.buyer, step.key] = order.id
            return order.state
        order_id = self.ids.get((step.buyer, step.key))
        if order_id is None:
            return "skipped"
        if isinstance(step, Pay):
            return (await self.orders.pay(step.buyer, order_id, step.card))[0].state
        return (await self.orders.cancel(step.buyer, order_id)).state


async def refill(database: Database) -> None:
    """Everything as before the first order."""
    async with database.write() as connection:
        for table in reversed(metadata.sorted_tables):
            await connection.execute(delete(table))
    await database.stock(PRODUCTS, UNITS)
    for buyer in BUYERS:
        await add_account(database, Account(buyer, buyer, "none"))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(journey=st.lists(steps, min_size=4, max_size=25))
async def test_i10_units_always_add_up(
    database: Database, orders: Orders, clock: ManualClock, journey: list[Step]
) -> None:
    """After each step the stock, the answer and the money are those of the model."""
    await refill(database)
    model, reality = Model(), Reality(orders, clock)
    for step in journey:
        assert await reality.take(step) == model.take(step)
        held, sold = model.units("held"), model.units("paid")
        for product in (await orders.stock())[:2]:
            assert (product.held, product.sold) == (held[product.id], sold[product.id])
            assert product.free == UNITS - product.held - product.sold >= 0
    prices = {product.id: product.price_cents for product in PRODUCTS}
    accepted = select(func.sum(payments.c.amount_cents)).where(payments.c.state == "accepted")
    async with database.read() as connection:
        charged = await connection.scalar(accepted)
    assert (charged or 0) == sum(prices[name] * units for name, units in model.units("paid").items())
