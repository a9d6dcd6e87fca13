"""A store that comes back without its last writes: the gates that saw them put the counters right."""

import shutil
from pathlib import Path

import pytest

from tests.whole_sale.conftest import Begin
from tests.whole_sale.processes import WholeSale, eventually
from tests.whole_sale.shoppers import Crowd, check_called_never_falls, check_numbers, check_places

KEPT, LOST, NEW = 8, 12, 10


def _tail(sale: WholeSale) -> Path:
    """The file that the store appends to."""
    return max((sale.store.directory / "appendonlydir").glob("*.incr.aof"))


@pytest.mark.parametrize("loss", ["the last writes", "everything"])
async def test_no_number_is_issued_twice_after_a_loss(begin: Begin, loss: str) -> None:
    """I1-I3: a gate that saw the counters heals them before any gate gives out a new number."""
    sale = await begin(gates=2, environ={"OPENS_IN": "3"}, presale=True, drawing_seconds=1, rate=60_000)
    crowd = Crowd(sale)
    async with crowd.watched():
        kept = await crowd.come(KEPT)
        for shopper in kept:
            await eventually(shopper.is_called)
        size = _tail(sale).stat().st_size
        lost = await crowd.come(LOST)
        await eventually(lambda: _all_seen(sale, KEPT + LOST))
        sale.store.kill()
        if loss == "everything":
            shutil.rmtree(_tail(sale).parent)
        else:
            with _tail(sale).open("r+b") as file:
                file.truncate(size)
        await sale.start_store()
        await crowd.come(NEW)
        for shopper in (*kept, *lost):
            await eventually(shopper.is_called)
        for shopper in crowd.shoppers:
            await eventually(shopper.is_called)
    check_numbers(crowd)
    check_places(crowd, await sale.read("draw"))
    check_called_never_falls(crowd)


async def _all_seen(sale: WholeSale, issued: int) -> bool:
    states = [await sale.read("state", index) for index in range(len(sale.gates))]
    return all(state["issued"] == issued for state in states)
