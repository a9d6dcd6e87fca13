"""The units: how many of each product are free, held and sold, and the one way each number moves.

A unit is free, then held for an order, then sold or free again. Every step is one conditional update, so
the database itself refuses what must not be, whoever else is buying at the same time. All transactions
take their locks in one order - orders, payments, allowances, products, the latter two sorted - so none can
deadlock.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from shop_backend.catalogue import LIMIT
from shop_backend.database import Database
from shop_backend.errors import LimitReached, NotEnough
from shop_backend.tables import allowances, products
from shop_backend.texts import _


@dataclass(frozen=True, slots=True)
class Stock:
    """A product and its units."""

    id: str
    name: str
    description: str
    price_cents: int
    free: int
    held: int
    sold: int


async def read_stock(connection: AsyncConnection) -> list[Stock]:
    """All products in the order of the catalogue."""
    columns = products.c
    free = (columns.units - columns.held - columns.sold).label("free")
    query = select(
        columns.id, columns.name, columns.description, columns.price_cents, free, columns.held, columns.sold
    )
    rows = (await connection.execute(query.order_by(columns.position, columns.id))).all()
    return [Stock(*row) for row in rows]


async def read_allowances(connection: AsyncConnection, account: str) -> dict[str, int]:
    """Units of each product that count towards the buyer's limit."""
    query = select(allowances.c.product_id, allowances.c.quantity).where(allowances.c.account_id == account)
    return dict((await connection.execute(query)).all())


async def allow(
    database: Database, connection: AsyncConnection, account: str, items: Mapping[str, int]
) -> None:
    """Count units towards the buyer's limit.

    Raises:
        LimitReached: when it would be passed.
    """
    for product, quantity in sorted(items.items()):
        insert = database.insert(allowances).values(account_id=account, product_id=product, quantity=quantity)
        total = allowances.c.quantity + insert.excluded.quantity
        counted = await connection.execute(
            insert.on_conflict_do_update(
                index_elements=["account_id", "product_id"],
                set_={"quantity": total},
                where=total <= LIMIT,
            )
        )
        if counted.rowcount != 1:
            text = _("At most {limit} units of a product for each buyer, over all orders.")
            raise LimitReached(text, limit=LIMIT, product=product)


async def disallow(connection: AsyncConnection, account: str, items: Mapping[str, int]) -> None:
    """Take units off the buyer's count again."""
    for product, quantity in sorted(items.items()):
        await connection.execute(
            update(allowances)
            .where(allowances.c.account_id == account, allowances.c.product_id == product)
            .values(quantity=allowances.c.quantity - quantity)
        )


async def hold(connection: AsyncConnection, items: Mapping[str, int]) -> None:
    """Hold free units.

    Raises:
        NotEnough: when fewer are free.
    """
    for product, quantity in sorted(items.items()):
        used = products.c.held + products.c.sold
        done = await connection.execute(
            update(products)
            .where(products.c.id == product, used + quantity <= products.c.units)
            .values(held=products.c.held + quantity)
        )
        if done.rowcount != 1:
            [short] = [found for found in await read_stock(connection) if found.id == product]
            raise _shortage(short)


async def move(
    connection: AsyncConnection, items: Mapping[str, int], *, held: int = 0, sold: int = 0
) -> None:
    """Sell what is held (``held=-1, sold=1``), or let held or sold units go back (-1 alone)."""
    for product, quantity in sorted(items.items()):
        await connection.execute(
            update(products)
            .where(products.c.id == product)
            .values(held=products.c.held + held * quantity, sold=products.c.sold + sold * quantity)
        )


async def restock(connection: AsyncConnection, product: str, units: int) -> bool:
    """Put more units of a product on sale; False when there is no such product."""
    more = update(products).where(products.c.id == product).values(units=products.c.units + units)
    return (await connection.execute(more)).rowcount == 1


def _shortage(short: Stock) -> NotEnough:
    facts: dict[str, Any] = {"product": short.id, "name": short.name, "left": short.free}
    if short.free:
        return NotEnough(_("{name}: only {left} left."), **facts)
    if short.held:
        return NotEnough(_("{name}: none free, but some in other baskets may come back."), **facts)
    return NotEnough(_("{name} is sold out."), **facts)
