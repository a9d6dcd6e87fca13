"""Processes that die in mid-sale: nothing is lost, nobody's place moves, and no limit is exceeded."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.whole_sale.conftest import Begin
from tests.whole_sale.processes import WholeSale, eventually
from tests.whole_sale.shoppers import (
    Crowd,
    check_called_never_falls,
    check_calls,
    check_capacity,
    check_numbers,
    check_places,
    check_rate,
)

CAPACITY, RATE, BURST = 6, 1200, 3
EARLY, LATE = 18, 12


async def _kill_gate(sale: WholeSale) -> None:
    sale.gates[0].kill()
    await sale.gates[0].start(sale.session)


async def _kill_store(sale: WholeSale) -> None:
    sale.store.kill()
    await eventually(lambda: _says_store_away(sale))
    await sale.start_store()


async def _kill_both(sale: WholeSale) -> None:
    sale.gates[0].kill()
    sale.store.kill()
    await asyncio.gather(sale.gates[0].start(sale.session), sale.start_store())


async def _kill_one_of_two(sale: WholeSale) -> None:
    sale.gates[1].kill()


async def _says_store_away(sale: WholeSale) -> bool:
    return bool((await sale.read("state"))["store_away"])


@pytest.mark.parametrize(
    "gates, strike",
    [
        pytest.param(1, _kill_gate, id="gate"),
        pytest.param(1, _kill_store, id="store"),
        pytest.param(1, _kill_both, id="both"),
        pytest.param(2, _kill_one_of_two, id="one-gate-of-two"),
        pytest.param(2, _kill_store, id="store-of-two-gates"),
    ],
)
async def test_sale_outlives(
    begin: Begin, gates: int, strike: Callable[[WholeSale], Awaitable[None]]
) -> None:
    """I1-I7, I9: a process killed in mid-sale costs nobody a number, a place or a visit, and no limit is exceeded."""
    sale = await begin(
        gates=gates,
        environ={"OPENS_IN": "3"},
        presale=True,
        drawing_seconds=1,
        identity=True,
        capacity=CAPACITY,
        rate=RATE,
        burst=BURST,
    )
    crowd = Crowd(sale)
    async with crowd.watched(), asyncio.TaskGroup() as lives:
        for shopper in await crowd.come(EARLY):
            lives.create_task(crowd.shop(shopper))
        await eventually(lambda: _full(crowd))
        crowd.trouble.set()
        latecomers = lives.create_task(crowd.come(LATE))
        await strike(sale)
        crowd.calm.set()
        for shopper in await latecomers:
            lives.create_task(crowd.shop(shopper))
    check_numbers(crowd)
    check_places(crowd, await sale.read("draw"))
    check_called_never_falls(crowd)
    check_capacity(crowd, CAPACITY)
    check_rate(crowd, RATE, BURST)
    check_calls((await sale.read("log"))["entries"], EARLY + LATE)
    assert len(crowd.visitors) == EARLY + LATE


async def _full(crowd: Crowd) -> bool:
    return len(crowd.visitors) == CAPACITY
