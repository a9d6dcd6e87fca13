"""``python -m shop_backend.seller``: what the seller asks and does: stock, orders as CSV, restock."""

import asyncio
import csv
import json
import re
import sys
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TypeVar
from urllib.request import Request, urlopen

import typer

from shop_backend import stock as units
from shop_backend.database import Database
from shop_backend.markets import MARKETS
from shop_backend.orders import Order, Orders
from shop_backend.settings import ShopSettings, load_shop_settings
from waitroom.clock import Clock
from waitroom.settings import load_settings
from waitroom.tickets import Operator, Tokens

Found = TypeVar("Found")
SESSION_MS = 60_000
ADDRESS = ["name", "street", "extra", "city", "region", "postcode"]
HEAD = ["order", "state", "placed_at", "paid_at", "deliver_by", "market"]
LINE = ["product", "units", "price_cents"]
SUMS = ["goods_cents", "shipping_cents", "duty_cents", "total_cents"]

app = typer.Typer(help="What the seller asks and does.", no_args_is_help=True, add_completion=False)


@app.command()
def stock() -> None:
    """Print the units of each product: free, held and sold."""
    for each in asyncio.run(_read(Orders.stock)):
        typer.echo(f"{each.id:<20} free {each.free:>6}   held {each.held:>6}   sold {each.sold:>6}")


@app.command()
def orders() -> None:
    """Print all orders as CSV, a line for each product in them; amounts are US cents, times UTC."""
    table = csv.writer(sys.stdout)
    table.writerow([*HEAD, *ADDRESS, *LINE, *SUMS, "payments"])
    for order in asyncio.run(_read(Orders.of_all)):
        table.writerows(_rows(order))


@app.command()
def restock(product: str, count: int = typer.Argument(min=0, max=1_000_000)) -> None:
    """Put COUNT more units of PRODUCT on sale, and open the room again; 0 only opens it, for units that came back."""
    settings = load_shop_settings()
    if not asyncio.run(_restock(settings, product, count)):
        typer.echo(f"there is no product {product!r}; `stock` lists them", err=True)
        raise typer.Exit(1)
    typer.echo(f"{count} more units of {product} are on sale")
    try:
        _reopen(settings)
    except OSError as error:
        typer.echo(f"the room was not reopened ({error}): choose Restock in the operator's console", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"the room {settings.room} is open to them")


def _rows(order: Order) -> Iterator[list[str]]:
    paid = order.closed_at if order.state == "paid" else None
    market = MARKETS.get(order.market or "")
    deliver_by = market.delivery_by(market.day_of(paid)).isoformat() if market and paid else ""
    where = [getattr(order.address, name, "") for name in ADDRESS]
    sums = [getattr(order, name) for name in SUMS]
    payments = " ".join(f"{payment.provider}:{payment.state}:{payment.id}" for payment in order.payments)
    for line in order.lines:
        head = [order.id, order.state, _utc(order.placed_at), _utc(paid), deliver_by, order.market or ""]
        row = [*head, *where, line.product, line.quantity, line.price_cents, *sums, payments]
        yield [_cell(value) for value in row]


FORMULA = re.compile(r"(^|[;,])(?=\s*[-=+@\uff0d\uff1d\uff0b\uff20])")
"""Where a formula would begin, also in a spreadsheet that parts cells at semicolons, or takes wide signs for signs."""


def _cell(value: object) -> str:
    """A value that no spreadsheet takes for a formula."""
    return FORMULA.sub(r"\1'", str(value))


def _utc(moment_ms: int | None) -> str:
    if moment_ms is None:
        return ""
    return datetime.fromtimestamp(moment_ms / 1000, UTC).isoformat(timespec="seconds")


def _reopen(settings: ShopSettings) -> None:
    """Tell the gate's operator API, with a session that lasts a minute."""
    gate = load_settings()
    by = urlsafe_b64encode(b"seller").decode().rstrip("=")
    session = Operator("session", by, Clock().now_ms() + SESSION_MS)
    address = f"http://{gate.host}:{gate.operator_port}/api/rooms/{settings.room}/hold"
    headers = {"Authorization": f"Bearer {Tokens(settings.secrets).sign_operator(session)}"}
    headers["Content-Type"] = "application/json"
    body = json.dumps({"action": "restock", "reason": "More units are here."}).encode()
    with urlopen(Request(address, body, headers), timeout=10):
        pass


@asynccontextmanager
async def _open(settings: ShopSettings) -> AsyncIterator[Database]:
    database = Database(settings.database_url)
    await database.migrate()
    try:
        yield database
    finally:
        await database.close()


async def _read(what: Callable[[Orders], Awaitable[list[Found]]]) -> list[Found]:
    settings = load_shop_settings()
    async with _open(settings) as database:
        return await what(Orders(database, Clock(), settings.hold_ms))


async def _restock(settings: ShopSettings, product: str, count: int) -> bool:
    async with _open(settings) as database, database.write() as connection:
        return await units.restock(connection, product, count)


if __name__ == "__main__":
    app()
