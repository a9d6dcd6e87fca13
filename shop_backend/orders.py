"""Orders: placed, which holds their units; then paid, cancelled, or expired when the hold ends.

No timer releases a hold. Whatever looks at the stock first lets go of what is overdue, so that a number is
right whenever somebody reads it. Whatever changes an order first locks its row, then reads it, then decides.
"""

import json
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, fields

from sqlalchemy import ColumnElement, RowMapping, and_, exists, select, text, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from shop_backend import stock
from shop_backend.addresses import Address
from shop_backend.database import Database
from shop_backend.errors import BadInput, KeyReused, OrderOver, OrderUnknown
from shop_backend.markets import Market, totals
from shop_backend.stock import Stock
from shop_backend.tables import order_lines, orders, payments, products
from shop_backend.texts import _
from waitroom.clock import Clock

EXTENSION_MS = 120_000
"""How much longer units are held when the buyer asks for it, once."""

CANCEL_MS = 1_800_000
"""So long after it was paid an order can still be cancelled; then it is packed, and can be returned."""

RELEASED_AT_ONCE = 200
"""So many overdue orders are let go in one transaction: after an outage there may be thousands."""


@dataclass(frozen=True, slots=True)
class OrderLine:
    """So many units of one product at the price of the moment."""

    product: str
    name: str
    quantity: int
    price_cents: int


@dataclass(frozen=True, slots=True)
class Payment:
    """One attempt to pay: begun, then charged, or failed for a reason; or refund_due, then refunded."""

    id: str
    order_id: str
    key: str
    provider: str
    state: str
    reason: str
    amount_cents: int
    begun_at: int


@dataclass(frozen=True, slots=True)
class Order:
    """An order as it stands; times are epoch ms. Market, address and fees are there once the buyer gave them."""

    id: str
    account_id: str
    state: str
    placed_at: int
    held_until: int
    closed_at: int | None = None
    extended: bool = False
    market: str | None = None
    address: Address | None = None
    shipping_cents: int = 0
    duty_cents: int = 0
    lines: tuple[OrderLine, ...] = ()
    payments: tuple[Payment, ...] = ()

    @property
    def goods_cents(self) -> int:
        """The price of the goods."""
        return sum(line.quantity * line.price_cents for line in self.lines)

    @property
    def total_cents(self) -> int:
        """Goods, shipping and the duty estimate: what is charged."""
        return self.goods_cents + self.shipping_cents + self.duty_cents

    @property
    def items(self) -> dict[str, int]:
        """Units of each product."""
        return {line.product: line.quantity for line in self.lines}

    def payable(self, now: int) -> bool:
        """Whether its units are still held."""
        return self.state == "held" and now < self.held_until

    @property
    def cancellable_until(self) -> int:
        """Until when a paid order can be cancelled."""
        return (self.closed_at or 0) + CANCEL_MS

    def cancellable(self, now: int) -> bool:
        """Whether it is held, or paid so lately that nobody has packed it."""
        return self.payable(now) or (self.state == "paid" and now < self.cancellable_until)


class Orders:
    """The buyers' orders. ``hold_ms`` is how long units are kept for an order that is not paid."""

    def __init__(self, database: Database, clock: Clock, hold_ms: int) -> None:
        self._database = database
        self._clock = clock
        self._hold_ms = hold_ms

    # ---- Reading

    async def stock(self) -> list[Stock]:
        """All products with their units at this moment."""
        async with self._reading() as connection:
            return await stock.read_stock(connection)

    async def ordered(self, account: str) -> dict[str, int]:
        """Units of each product that count towards a buyer's limit."""
        async with self._reading() as connection:
            return await stock.read_allowances(connection, account)

    async def of_account(self, account: str) -> list[Order]:
        """A buyer's orders, newest first."""
        async with self._reading() as connection:
            return await read_orders(connection, _of(account))

    async def of_all(self) -> list[Order]:
        """Everybody's orders, newest first: for the seller."""
        async with self._reading() as connection:
            return await read_orders(connection, true())

    async def find(self, account: str, order_id: str) -> Order:
        """A buyer's order.

        Raises:
            OrderUnknown: when it is not this buyer's, or nobody's.
        """
        async with self._reading() as connection:
            return await find_order(connection, order_id, account)

    # ---- The buyer's steps

    async def place(self, account: str, key: str, items: Mapping[str, int]) -> tuple[Order, bool]:
        """Hold the units of a new order; the same ``key`` again is the same order, and not a new one.

        Raises:
            KeyReused: when the key came with other items before.
            LimitReached: when the buyer would have more than two of a product.
            NotEnough: when not all units are free; then none is held.
            BadInput: when there is no such product.
        """
        async with self._reading() as connection:
            lines = await _price(connection, items)
        now, order_id = self._clock.now_ms(), uuid.uuid4().hex
        head = {"state": "held", "placed_at": now, "held_until": now + self._hold_ms}
        insert = self._database.insert(orders).values(id=order_id, account_id=account, key=key, **head)
        async with self._database.write() as connection:
            done = await connection.execute(
                insert.on_conflict_do_nothing(index_elements=["account_id", "key"])
            )
            if done.rowcount != 1:
                return await _repeated(connection, account, key, items), False
            await stock.allow(self._database, connection, account, items)
            await stock.hold(connection, items)
            rows = [
                {"product_id": line.product, "quantity": line.quantity, "price_cents": line.price_cents}
                for line in lines
            ]
            await connection.execute(order_lines.insert(), [{"order_id": order_id, **row} for row in rows])
        return Order(order_id, account, "held", now, now + self._hold_ms, lines=lines), True

    async def ship_to(self, account: str, order_id: str, market: Market, address: Address) -> Order:
        """The order with its address, and with it the fees and the full total; until it is paid it may change.

        Raises:
            OrderUnknown: when this buyer has no such order. OrderOver: when its hold has ended.
        """
        async with self._changing(account, order_id) as (connection, order):
            fees = totals(market, [(line.price_cents, line.quantity) for line in order.lines])
            row = update(orders).where(orders.c.id == order_id)
            values = row.values(market=market.code, address=json.dumps(asdict(address)))
            await connection.execute(values.values(shipping_cents=fees.shipping, duty_cents=fees.duty))
            return await find_order(connection, order_id)

    async def extend(self, account: str, order_id: str) -> Order:
        """The order, held a little longer; once, however often it is asked for.

        Raises:
            OrderUnknown: when this buyer has no such order. OrderOver: when its hold has ended.
        """
        async with self._changing(account, order_id) as (connection, order):
            if not order.extended:
                values = {"extended": True, "held_until": order.held_until + EXTENSION_MS}
                await connection.execute(update(orders).where(orders.c.id == order_id).values(values))
            return await find_order(connection, order_id)

    async def cancel(self, account: str, order_id: str) -> Order:
        """The order, cancelled, its units free again, and what was charged due to be refunded; twice is the same.

        Raises:
            OrderUnknown: when this buyer has no such order.
            OrderOver: when it was paid too long ago.
        """
        async with self._reading():
            pass  # so that an order whose time is over has expired
        async with self._database.write() as connection:
            order = await lock_order(connection, order_id, account)
            if order.state in {"cancelled", "expired"}:
                return order
            if not order.cancellable(self._clock.now_ms()):
                raise OrderOver(_("This order can't be cancelled any more."), state=order.state)
            charged = and_(payments.c.order_id == order_id, payments.c.state == "charged")
            await connection.execute(update(payments).where(charged).values(state="refund_due"))
            await self.close(connection, order, "cancelled")
            return await find_order(connection, order_id)

    async def leave(self, account: str) -> None:
        """Give back all that is held for a buyer who goes for good, and forget where unsold orders would have gone."""
        for order in await self.of_account(account):
            if order.state == "held":
                await self.cancel(account, order.id)
        unsold = update(orders).where(orders.c.account_id == account, orders.c.state != "paid")
        async with self._database.write() as connection:
            await connection.execute(unsold.values(address=None))

    # ---- Within

    async def close(self, connection: AsyncConnection, order: Order, state: str) -> None:
        """Bring a locked order, held or paid, to its next state, and its units with it."""
        values = {"state": state, "closed_at": self._clock.now_ms()}
        await connection.execute(update(orders).where(orders.c.id == order.id).values(values))
        if state == "paid":
            await stock.move(connection, order.items, held=-1, sold=1)
        else:
            await stock.disallow(connection, order.account_id, order.items)
            was = "sold" if order.state == "paid" else "held"
            await stock.move(connection, order.items, **{was: -1})

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection to read from, once the units whose hold is over have been let go."""
        async with self._database.read() as connection:
            if not await connection.scalar(select(exists().where(self._overdue()))):
                yield connection
                return
        # Not while holding a connection: if all that there are were held so, nobody could get one to release with.
        await self._release()
        async with self._database.read() as connection:
            yield connection

    @asynccontextmanager
    async def _changing(self, account: str, order_id: str) -> AsyncIterator[tuple[AsyncConnection, Order]]:
        """A transaction with an order in it that is held."""
        async with self._database.write() as connection:
            order = await lock_order(connection, order_id, account)
            require_held(order, self._clock.now_ms())
            yield connection, order

    def _overdue(self) -> ColumnElement[bool]:
        # The state is written out, for no planner uses a partial index for a parameter that it can't see.
        return and_(orders.c.state == text("'held'"), orders.c.held_until <= self._clock.now_ms())

    async def _release(self) -> None:
        # What another transaction is releasing or closing right now is left to it.
        found = select(orders.c.id).where(self._overdue()).order_by(orders.c.id).limit(RELEASED_AT_ONCE)
        released = RELEASED_AT_ONCE
        while released == RELEASED_AT_ONCE:
            async with self._database.write() as connection:
                ids = (await connection.scalars(found.with_for_update(skip_locked=True))).all()
                expire = update(orders).where(orders.c.id.in_(ids))
                await connection.execute(expire.values(state="expired", closed_at=orders.c.held_until))
                await _give_back(connection, ids)
                released = len(ids)


def require_held(order: Order, now: int) -> None:
    """See that an order's units are held.

    Raises:
        OrderOver: they are not any more.
    """
    if order.state == "paid":
        raise OrderOver(_("This order is paid already."), state=order.state)
    if not order.payable(now):
        raise OrderOver(_("This order is over and its units have gone back."), state=order.state)


async def lock_order(connection: AsyncConnection, order_id: str, account: str | None = None) -> Order:
    """An order that nobody else changes until the transaction ends; this buyer's, or anybody's.

    Raises:
        OrderUnknown: when there is none.
    """
    await connection.execute(select(orders.c.id).where(orders.c.id == order_id).with_for_update())
    return await find_order(connection, order_id, account)


async def find_order(connection: AsyncConnection, order_id: str, account: str | None = None) -> Order:
    """An order, this buyer's or anybody's.

    Raises:
        OrderUnknown: when there is none.
    """
    which = orders.c.id == order_id
    found = await read_orders(connection, which if account is None else and_(which, _of(account)))
    if not found:
        raise OrderUnknown(_("You have no such order."))
    return found[0]


async def read_orders(connection: AsyncConnection, which: ColumnElement[bool]) -> list[Order]:
    """Orders with their lines and payments, newest first."""
    newest = orders.c.placed_at.desc(), orders.c.id
    heads = (await connection.execute(select(*HEAD).where(which).order_by(*newest))).mappings().all()
    wanted = select(orders.c.id).where(which)  # not their ids: a statement takes only so many parameters
    of_orders = select(order_lines.c.order_id, *LINE).join_from(order_lines, products)
    of_orders = of_orders.where(order_lines.c.order_id.in_(wanted)).order_by(products.c.position)
    lines: dict[str, list[OrderLine]] = defaultdict(list)
    for order_id, *line in (await connection.execute(of_orders)).all():
        lines[order_id].append(OrderLine(*line))
    attempts: dict[str, list[Payment]] = defaultdict(list)
    tried = select(*PAYMENT).where(payments.c.order_id.in_(wanted))
    tried = tried.order_by(payments.c.begun_at, payments.c.id)
    for attempt in (await connection.execute(tried)).all():
        attempts[attempt.order_id].append(Payment(*attempt))
    return [_order(head, lines[head["id"]], attempts[head["id"]]) for head in heads]


HEAD = [orders.c[field.name] for field in fields(Order) if field.name not in {"lines", "payments"}]
LINE = (products.c.id, products.c.name, order_lines.c.quantity, order_lines.c.price_cents)
PAYMENT = [payments.c[field.name] for field in fields(Payment)]


def _order(head: RowMapping, lines: Sequence[OrderLine], attempts: Sequence[Payment]) -> Order:
    address = Address(**json.loads(head["address"])) if head["address"] else None
    return Order(**{**head, "address": address}, lines=tuple(lines), payments=tuple(attempts))


def _of(account: str) -> ColumnElement[bool]:
    return orders.c.account_id == account


async def _price(connection: AsyncConnection, items: Mapping[str, int]) -> tuple[OrderLine, ...]:
    query = select(products.c.id, products.c.name, products.c.price_cents).where(products.c.id.in_(items))
    found = (await connection.execute(query.order_by(products.c.position))).all()
    if len(found) < len(items):
        raise BadInput("items", _("There is no such product."))
    return tuple(OrderLine(each.id, each.name, items[each.id], each.price_cents) for each in found)


async def _repeated(connection: AsyncConnection, account: str, key: str, items: Mapping[str, int]) -> Order:
    [order] = await read_orders(connection, and_(_of(account), orders.c.key == key))
    if order.items != dict(items):
        raise KeyReused(_("This order was placed before, with other products."), order=order.id)
    return order


async def _give_back(connection: AsyncConnection, order_ids: Sequence[str]) -> None:
    columns = orders.c.account_id, order_lines.c.product_id, order_lines.c.quantity
    query = select(*columns).join_from(order_lines, orders).where(orders.c.id.in_(order_ids))
    of_account: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    of_all: dict[str, int] = defaultdict(int)
    for account, product, quantity in (await connection.execute(query)).all():
        of_account[account][product] += quantity
        of_all[product] += quantity
    for account, items in sorted(of_account.items()):
        await stock.disallow(connection, account, items)
    await stock.move(connection, of_all, held=-1)
