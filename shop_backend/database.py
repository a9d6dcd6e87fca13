"""The database: SQLite or PostgreSQL behind the same two contexts, ``read`` and ``write``."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Table, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from shop_backend.catalogue import Product
from shop_backend.tables import products

MIGRATIONS = Path(__file__).parent / "migrations"
MIGRATION_LOCK = 0x5A1E
"""Number of PostgreSQL's advisory lock that a starting shop holds while it migrates."""


class Database:
    """The shop's database, reached through ``async with database.read()`` or ``.write() as connection``."""

    def __init__(self, url: URL) -> None:
        self._sqlite = url.get_backend_name() == "sqlite"
        self._engine = _sqlite_engine(url) if self._sqlite else _postgresql_engine(url)
        self._reader = self._engine.execution_options(
            **({} if self._sqlite else {"isolation_level": "AUTOCOMMIT"})
        )
        self._writer = self._engine.execution_options(begin="BEGIN IMMEDIATE")
        # SQLite has one writer at a time: whoever waits here waits in order, rather than polling the file.
        self._turn = asyncio.Lock() if self._sqlite else None

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection outside any transaction: each statement sees the data of its own moment."""
        async with self._reader.connect() as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that is committed at the end, or rolled back when an error leaves it."""
        async with AsyncExitStack() as stack:
            if self._turn:
                await stack.enter_async_context(self._turn)
            yield await stack.enter_async_context(self._writer.begin())

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """An insert that knows ``on_conflict_…``, which both databases have with the same words."""
        return sqlite.insert(table) if self._sqlite else postgresql.insert(table)

    async def migrate(self, revision: str = "head") -> None:
        """Bring the tables up to date; of several starters one does it and the others wait."""
        async with self.write() as connection:
            if not self._sqlite:
                await connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
            await connection.run_sync(_upgrade, revision)

    async def stock(self, catalogue: Iterable[Product], units: int) -> None:
        """Put the products that the database does not know yet on sale, with so many units each."""
        rows = [
            {**asdict(product), "position": position, "units": units, "held": 0, "sold": 0}
            for position, product in enumerate(catalogue)
        ]
        async with self.write() as connection:
            await connection.execute(self.insert(products).on_conflict_do_nothing(), rows)

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()


def _sqlite_engine(url: URL) -> AsyncEngine:
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(url, pool_size=4, max_overflow=0)
    event.listen(engine.sync_engine, "connect", _prepare)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _postgresql_engine(url: URL) -> AsyncEngine:
    return create_async_engine(url, pool_size=10, max_overflow=0, pool_timeout=10, pool_pre_ping=True)


def _prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own class
    # The driver must not begin transactions by itself: it would begin them as readers.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout = 10000")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin(connection: Connection) -> None:
    if statement := connection.get_execution_options().get("begin"):
        connection.exec_driver_sql(statement)


def _upgrade(connection: Connection, revision: str) -> None:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS))
    command.upgrade(config, revision)
