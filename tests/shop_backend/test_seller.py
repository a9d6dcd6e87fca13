"""The seller's command: stock, orders as CSV, restock."""

import asyncio
import csv
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from shop_backend.seller import app
from tests.shop_backend.conftest import Shop


@pytest.fixture
def environ(database_url: str, tmp_path: Path) -> dict[str, str]:
    """What the command finds in its environment; no gate listens on its operator's port."""
    data = {
        "WAITROOM_DATA": str(tmp_path),
        "WAITROOM_SECRETS": "a secret of these tests",
        "OPERATOR_PORT": "9",
    }
    return {"DATABASE_URL": database_url, **data}


async def run(environ: dict[str, str], *arguments: str) -> Result:
    """Give the command; it has a loop of its own."""
    return await asyncio.to_thread(CliRunner().invoke, app, list(arguments), env=environ)


async def test_the_stock_tells_free_held_and_sold(shop: Shop, environ: dict[str, str]) -> None:
    """One line a product."""
    buyer = await shop.buyer()
    await buyer.order({"mi-band": 2})
    shown = (await run(environ, "stock")).stdout.splitlines()
    assert len(shown) == 4
    assert shown[0].split() == ["mi-headphones", "free", "10", "held", "0", "sold", "0"]


async def test_orders_come_as_csv_that_no_spreadsheet_runs(shop: Shop, environ: dict[str, str]) -> None:
    """A line for each product, with address, sums and the promised day; a formula as a name stays text.

    An order whose hold is over has expired, though nobody looked: the command has the machine's clock.
    """
    buyer = await shop.buyer()
    order = (await buyer.order({"mi-band": 2, "mi-headphones": 1})).document["id"]
    await buyer.ship(order, "de", name='=HYPERLINK("http://evil")')
    paid = (await buyer.pay(order)).document
    await buyer.order({"power-bank-5000": 1})
    rows = list(csv.DictReader((await run(environ, "orders")).stdout.splitlines()))
    mine = [row for row in rows if row["order"] == order]
    assert [(row["product"], row["units"]) for row in mine] == [("mi-headphones", "1"), ("mi-band", "2")]
    assert {row["name"] for row in mine} == {'\'=HYPERLINK("http://evil")'}
    assert {row["total_cents"] for row in mine} == {str(paid["total_cents"])}
    assert mine[0]["paid_at"] == "2015-05-19T11:00:00+00:00"
    assert mine[0]["deliver_by"] == "2015-05-29"
    assert [row["state"] for row in rows if row["order"] != order] == ["expired"]


@pytest.mark.parametrize(
    "text, shown",
    [
        ("Ann;=1+1", "Ann;'=1+1"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("Ann; @SUM(A1)", "Ann;' @SUM(A1)"),
        ("A-1 + B", "A-1 + B"),
    ],
)
async def test_no_part_of_a_cell_is_run_where_semicolons_part_cells(
    shop: Shop, environ: dict[str, str], text: str, shown: str
) -> None:
    """As in a German spreadsheet; nor what begins with a wide sign, as in a Japanese one."""
    buyer = await shop.buyer()
    await buyer.ship((await buyer.order({"mi-band": 1})).document["id"], name=text)
    [row] = csv.DictReader((await run(environ, "orders")).stdout.splitlines())
    assert row["name"] == shown


async def test_a_restock_puts_more_units_on_sale(shop: Shop, environ: dict[str, str]) -> None:
    """When no gate answers it says how to open the room; a product that there is not is refused."""
    result = await run(environ, "restock", "mi-band", "5")
    assert (await shop.stock())["mi-band"].free == 15
    assert (result.exit_code, "operator's console" in result.stderr) == (1, True)
    unknown = await run(environ, "restock", "mi-phone", "5")
    assert (unknown.exit_code, "no product" in unknown.stderr) == (1, True)
    assert (await run(environ, "restock", "mi-band", "some")).exit_code == 2
