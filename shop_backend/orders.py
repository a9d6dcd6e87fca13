"""Orders: placed, which holds their units; then paid, cancelled, or expired when the hold ends.

No timer releases a hold. Whatever looks at the stock first lets go of what is overdue, so that a number is
right whenever somebody reads it.
"""

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, exists, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from shop_backend import stock
from shop_backend.card import Card
from shop_backend.database import Database
from shop_backend.errors import BadInput, CardDeclined, KeyReused, OrderOver, OrderUnknown
from shop_backend.stock import Stock
from shop_backend.tables import order_lines, orders, payments, products
from waitroom.clock import Clock


@dataclass(frozen=True, slots=True)
class OrderLine:
    """So many units of one product at the price of the moment."""

    product: str
    name: str
    quantity: int
    price_cents: int


@dataclass(frozen=True, slots=True)
class Order:
    """An order as it stands; times are epoch ms."""

    id: str
    state: str
    placed_at: int
    held_until: int
    closed_at: int | None
    lines: tuple[OrderLine, ...]

    @property
    def total_cents(self) -> int:
        """The price of the goods, without shipping and duties."""
        return sum(line.quantity * line.price_cents for line in self.lines)

    @property
    def items(self) -> dict[str, int]:
        """Units of each product."""
        return {line.product: line.quantity for line in self.lines}

    def payable(self, now: int) -> bool:
        """Whether its units are still held."""
        return self.state == "held" and now < self.held_until


class Orders:
    """The buyers' orders. ``hold_ms`` is how long units are kept for an order that is not paid."""

    def __init__(self, database: Database, clock: Clock, hold_ms: int) -> None:
        self._database = database
        self._clock = clock
        self._hold_ms = hold_ms

    async def stock(self) -> list[Stock]:
        """All products with their units at this moment."""
        await self._release()
        async with self._database.read() as connection:
            return await stock.read_stock(connection)

    async def ordered(self, account: str) -> dict[str, int]:
        """Units of each product that count towards a buyer's limit."""
        await self._release()
        async with self._database.read() as connection:
            return await stock.read_allowances(connection, account)

    async def of_account(self, account: str) -> list[Order]:
        """A buyer's orders, newest first."""
        await self._release()
        async with self._database.read() as connection:
            return await _read(connection, orders.c.account_id == account)

    async def find(self, account: str, order_id: str) -> Order:
        """A buyer's order.

        Raises:
            OrderUnknown: when it is not this buyer's, or nobody's.
        """
        await self._release()
        async with self._database.read() as connection:
            return await _find(connection, account, order_id)

    async def place(self, account: str, key: str, items: Mapping[str, int]) -> tuple[Order, bool]:
        """Hold the units of a new order; the same ``key`` again is the same order, and not a new one.

        Raises:
            KeyReused: when the key came with other items before.
            LimitReached: when the buyer would have more than two of a product.
            NotEnough: when not all units are free; then none is held.
            BadInput: when there is no such product.
        """
        await self._release()
        now = self._clock.now_ms()
        order_id = uuid.uuid4().hex
        insert = self._database.insert(orders).values(
            id=order_id,
            account_id=account,
            key=key,
            state="held",
            placed_at=now,
            held_until=now + self._hold_ms,
        )
        async with self._database.write() as connection:
            prices = await _prices(connection, items)
            done = await connection.execute(
                insert.on_conflict_do_nothing(index_elements=["account_id", "key"])
            )
            if done.rowcount != 1:
                return await _repeated(connection, account, key, items), False
            await stock.allow(self._database, connection, account, items)
            await stock.hold(connection, items)
            for product, price in prices.items():
                line = {"product_id": product, "quantity": items[product], "price_cents": price}
                await connection.execute(order_lines.insert().values(order_id=order_id, **line))
            return await _find(connection, account, order_id), True

    async def pay(self, account: str, order_id: str, card: Card) -> tuple[Order, bool]:
        """The order, paid, and whether it was paid now: paying again changes nothing.

        Raises:
            OrderUnknown: when this buyer has no such order.
            OrderOver: when its hold has ended; nothing is charged.
            CardDeclined: when the card is; the units stay held.
        """
        await self._release()
        async with self._database.write() as connection:
            closed = card.accepted and await self._close(connection, account, order_id, "paid")
            order = await _find(connection, account, order_id)
            if not closed and order.state == "paid":
                return order, False
            if not closed and not order.payable(self._clock.now_ms()):
                raise OrderOver("This order is over and its units have gone back.", state=order.state)
            await connection.execute(
                payments.insert().values(
                    id=uuid.uuid4().hex,
                    order_id=order_id,
                    state="accepted" if closed else "declined",
                    amount_cents=order.total_cents,
                    card_ending=card.ending,
                    created_at=self._clock.now_ms(),
                )
            )
            if closed:
                await stock.sell(connection, order.items)
        if not closed:
            raise CardDeclined("The card was declined. Your units are still held: try another card.")
        return order, True

    async def cancel(self, account: str, order_id: str) -> Order:
        """The order, cancelled, its units free again; cancelling twice is the same.

        Raises:
            OrderUnknown: when this buyer has no such order.
            OrderOver: when it is paid.
        """
        await self._release()
        async with self._database.write() as connection:
            closed = await self._close(connection, account, order_id, "cancelled")
            order = await _find(connection, account, order_id)
            if closed:
                await stock.disallow(connection, account, order.items)
                await stock.free(connection, order.items)
        if not closed and order.state not in {"cancelled", "expired"}:
            raise OrderOver(
                f"This order is {order.state} and can't be cancelled any more.", state=order.state
            )
        return order

    async def _close(self, connection: AsyncConnection, account: str, order_id: str, state: str) -> bool:
        """Whether this call was the one that ended the hold."""
        now = self._clock.now_ms()
        done = await connection.execute(
            update(orders)
            .where(
                orders.c.id == order_id,
                orders.c.account_id == account,
                orders.c.state == "held",
                orders.c.held_until > now,
            )
            .values(state=state, closed_at=now)
        )
        return done.rowcount == 1

    async def _release(self) -> None:
        """Let go of the units whose hold is over."""
        overdue = and_(orders.c.state == "held", orders.c.held_until <= self._clock.now_ms())
        async with self._database.read() as connection:
            if not await connection.scalar(select(exists().where(overdue))):
                return
        async with self._database.write() as connection:
            # What another transaction is releasing or closing right now is left to it.
            found = select(orders.c.id).where(overdue).order_by(orders.c.id)
            ids = (await connection.scalars(found.with_for_update(skip_locked=True))).all()
            await connection.execute(
                update(orders)
                .where(orders.c.id.in_(ids))
                .values(state="expired", closed_at=orders.c.held_until)
            )
            await _give_back(connection, ids)


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
    await stock.free(connection, of_all)


async def _prices(connection: AsyncConnection, items: Mapping[str, int]) -> dict[str, int]:
    query = select(products.c.id, products.c.price_cents).where(products.c.id.in_(items))
    prices: dict[str, int] = dict((await connection.execute(query)).all())
    if len(prices) < len(items):
        raise BadInput("items", "There is no such product.")
    return prices


async def _repeated(connection: AsyncConnection, account: str, key: str, items: Mapping[str, int]) -> Order:
    [order] = await _read(connection, and_(orders.c.account_id == account, orders.c.key == key))
    if order.items != dict(items):
        raise KeyReused("This key belongs to an order of other products.", order=order.id)
    return order


async def _find(connection: AsyncConnection, account: str, order_id: str) -> Order:
    found = await _read(connection, and_(orders.c.account_id == account, orders.c.id == order_id))
    if not found:
        raise OrderUnknown("You have no such order.")
    return found[0]


async def _read(connection: AsyncConnection, which: ColumnElement[bool]) -> list[Order]:
    columns = orders.c
    query = select(columns.id, columns.state, columns.placed_at, columns.held_until, columns.closed_at)
    heads = (
        await connection.execute(query.where(which).order_by(columns.placed_at.desc(), columns.id))
    ).all()
    details = (
        select(order_lines.c.order_id, products.c.id, products.c.name)
        .add_columns(order_lines.c.quantity, order_lines.c.price_cents)
        .join_from(order_lines, products)
        .where(order_lines.c.order_id.in_([head.id for head in heads]))
        .order_by(products.c.position)
    )
    lines: dict[str, list[OrderLine]] = defaultdict(list)
    for order_id, *line in (await connection.execute(details)).all():
        lines[order_id].append(OrderLine(*line))
    return [Order(*head, tuple(lines[head.id])) for head in heads]
