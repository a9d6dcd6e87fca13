"""The database itself: its constraints, its migrations, two starters at once, and its address."""

import asyncio
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, Connection, Table, insert, inspect, literal, select, text
from sqlalchemy.exc import IntegrityError

from shop_backend.accounts import Account
from shop_backend.catalogue import PRODUCTS
from shop_backend.database import Database
from shop_backend.settings import ShopSettings, load_shop_settings, normalise_url
from shop_backend.tables import allowances, metadata, order_lines, orders, payments, products
from tests.shop_backend.conftest import NOON, add_account
from waitroom.errors import BadSettings

ORDER = {"account_id": "ann", "state": "held", "placed_at": NOON, "held_until": NOON}
PAYMENT = {"order_id": "one", "provider": "card", "reason": "", "amount_cents": 1, "begun_at": NOON}


async def add(database: Database, table: Table, **row: Any) -> None:  # noqa: ANN401 - a row
    """Add a row."""
    async with database.write() as connection:
        await connection.execute(table.insert().values(**row))


@pytest.fixture
async def filled(database: Database) -> Database:
    """Two units of each product, one buyer with one order."""
    await database.stock(PRODUCTS, 2)
    await add_account(database, Account("ann", "ann@example.org", "none"))
    await add(database, orders, id="one", key="key", **ORDER)
    await add(database, payments, id="paid", key="first", state="charged", **PAYMENT)
    return database


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE products SET held = 3",
        "UPDATE products SET held = 1, sold = 2",
        "UPDATE products SET held = -1",
        "UPDATE products SET units = -1",
        "UPDATE products SET price_cents = 0",
        "UPDATE orders SET state = 'lost'",
        "UPDATE payments SET state = 'lost'",
    ],
)
async def test_i10_the_database_refuses_impossible_numbers(filled: Database, change: str) -> None:
    """Even if the code were wrong, stock, prices and states stay possible."""
    with pytest.raises(IntegrityError):
        async with filled.write() as connection:
            await connection.execute(text(change))


@pytest.mark.parametrize(
    "table, row",
    [
        (allowances, {"account_id": "ann", "product_id": "mi-band", "quantity": 3}),
        (order_lines, {"order_id": "one", "product_id": "mi-band", "quantity": 3, "price_cents": 1}),
        (order_lines, {"order_id": "none", "product_id": "mi-band", "quantity": 1, "price_cents": 1}),
        (orders, {"id": "two", "key": "key", **ORDER}),
        (payments, {"id": "again", "key": "second", "state": "charged", **PAYMENT}),
        (payments, {"id": "again", "key": "first", "state": "begun", **PAYMENT}),
    ],
    ids=["limit", "line", "foreign key", "same key", "paid twice", "same payment"],
)
async def test_i10_the_database_refuses_impossible_rows(
    filled: Database, table: Table, row: dict[str, Any]
) -> None:
    """A third unit, an order placed twice, a second payment: none can be written."""
    with pytest.raises(IntegrityError):
        await add(filled, table, **row)


async def test_the_migrations_make_exactly_the_tables_of_the_code(database: Database) -> None:
    """Nothing is missing, nothing is too much."""

    def compare(connection: Connection) -> object:
        return compare_metadata(MigrationContext.configure(connection), metadata)

    def checks(connection: Connection) -> set[str | None]:
        inspector = inspect(connection)
        return {
            check["name"] for table in metadata.tables for check in inspector.get_check_constraints(table)
        }

    named = {
        str(constraint.name)
        for table in metadata.tables.values()
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint)
    }
    async with database.read() as connection:
        assert await connection.run_sync(compare) == []
        assert await connection.run_sync(checks) == named


async def test_an_upgrade_keeps_the_orders_and_payments_that_there_are(settings: ShopSettings) -> None:
    """A database of the first release: what was accepted is charged now, what was declined has failed."""
    database = Database(settings.database_url)
    try:
        await database.migrate("0001")
        await database.stock(PRODUCTS, 2)
        await add_account(database, Account("ann", "ann@example.org", "none"))
        old = "INSERT INTO payments (id, order_id, state, amount_cents, card_ending, created_at) VALUES "
        async with database.write() as connection:
            order = {name: literal(value) for name, value in {"id": "one", "key": "key", **ORDER}.items()}
            await connection.execute(insert(orders).from_select(list(order), select(*order.values())))
            await connection.execute(text(old + "('a', 'one', 'declined', 5, '0002', 1)"))
            await connection.execute(text(old + "('b', 'one', 'accepted', 5, '4242', 2)"))
        await database.migrate()
        async with database.read() as connection:
            found = [
                (each.id, each.state, each.reason) for each in await connection.execute(select(payments))
            ]
            assert sorted(found) == [("a", "failed", "declined"), ("b", "charged", "")]
            [order_row] = (await connection.execute(select(orders))).all()
            assert (order_row.state, order_row.extended, order_row.market) == ("held", False, None)
    finally:
        await database.close()


async def test_two_shops_that_start_at_once_migrate_once(settings: ShopSettings) -> None:
    """One does the work, the other waits for it; products are put on sale once."""
    starters = [Database(settings.database_url) for _ in range(3)]
    try:
        await asyncio.gather(*(starter.migrate() for starter in starters))
        await asyncio.gather(*(starter.stock(PRODUCTS, 10) for starter in starters))
        async with starters[0].read() as connection:
            assert len((await connection.execute(products.select())).all()) == len(PRODUCTS)
    finally:
        for starter in starters:
            await starter.close()


async def test_a_second_start_leaves_the_stock_alone(database: Database) -> None:
    """What was sold stays sold, whatever the setting says by then."""
    await database.stock(PRODUCTS, 10)
    async with database.write() as connection:
        await connection.execute(products.update().values(sold=4))
    await database.migrate()
    await database.stock(PRODUCTS, 99)
    async with database.read() as connection:
        rows = (await connection.execute(products.select())).all()
    assert {(row.units, row.sold) for row in rows} == {(10, 4)}


async def test_sqlite_is_durable_and_keeps_foreign_keys(database: Database) -> None:
    """WAL, a sync for each commit, foreign keys on; PostgreSQL has all of it by itself."""
    async with database.read() as connection:
        if connection.dialect.name == "sqlite":
            found = [
                await connection.scalar(text(f"PRAGMA {name}"))
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            ]
            assert found == ["wal", 2, 1, 10_000]


@pytest.mark.parametrize(
    "given, used",
    [
        ("postgres://u:p@h:1/d", "postgresql+asyncpg://u:p@h:1/d"),
        ("postgresql://h/d?sslmode=require", "postgresql+asyncpg://h/d?ssl=require"),
        ("postgresql+psycopg2://h/d", "postgresql+asyncpg://h/d"),
        ("sqlite:///a/b.db", "sqlite+aiosqlite:///a/b.db"),
    ],
)
def test_any_usual_spelling_of_a_database_address_is_understood(given: str, used: str) -> None:
    """The driver is the shop's own choice."""
    assert normalise_url(given).render_as_string(hide_password=False) == used


@pytest.mark.parametrize(
    "environment, named",
    [
        ({"DATABASE_URL": "mysql://root:hunter2@h/d"}, "DATABASE_URL"),
        ({"DATABASE_URL": "hunter2"}, "DATABASE_URL"),
        ({"SHOP_STOCK": "many"}, "SHOP_STOCK"),
        ({"SHOP_STOCK": "-1"}, "SHOP_STOCK"),
        ({"SHOP_HOLD_SECONDS": "0"}, "SHOP_HOLD_SECONDS"),
        ({"WAITROOM_REQUIRED": "maybe"}, "WAITROOM_REQUIRED"),
    ],
)
def test_a_bad_setting_is_named_in_one_line_without_secrets(environment: dict[str, str], named: str) -> None:
    """The line names the variable, and what would be right."""
    with pytest.raises(BadSettings, match="must be") as caught:
        load_shop_settings({"WAITROOM_SECRETS": "a secret of these tests", **environment})
    assert str(caught.value).startswith(named)
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_the_settings_show_no_secret() -> None:
    """Neither the signing secrets nor the database's password are in the settings' text."""
    environment = {"WAITROOM_SECRETS": "a secret of these tests", "DATABASE_URL": "postgres://u:hunter2@h/d"}
    shown = repr(load_shop_settings(environment))
    assert "a secret" not in shown
    assert "hunter2" not in shown
