"""The shop dies in mid-sale: nobody is let in to it, nobody loses a place or a visit, and all goes on by itself."""

from functools import partial
from typing import Any

from tests.whole_sale.conftest import Begin
from tests.whole_sale.processes import WholeSale, eventually
from tests.whole_sale.shoppers import Crowd


async def test_admission_stands_still_while_the_shop_is_dead_whatever_happens_to_the_gates(
    begin: Begin,
) -> None:
    """Every gate says why; gates that are killed meanwhile leave the room with nobody to tell, and it recovers."""
    sale = await begin(shop=True, gates=2, stock="/units", capacity=2)
    inside, waiting = await Crowd(sale).come(2)
    await eventually(inside.is_called)
    await eventually(inside.knock)
    sale.shop.kill()
    for gate in (0, 1):
        state = await eventually(partial(_state, sale, gate, shop_trouble=True))
        assert state["phase"] == "paused"
    assert (await waiting.ask("POST", "/waitroom/mi-launch/pass", {})).status == 409
    for each in sale.gates:
        each.kill()
    await sale.shop.start(sale.session)
    await sale.gates[0].start(sale.session)
    state = await eventually(partial(_state, sale, 0, shop_trouble=False))
    assert (state["phase"], state["visits"]) == ("open", 1)
    assert (await inside.ask("GET", "/sale")).status == 200
    await eventually(waiting.is_called)
    assert await eventually(waiting.knock)


async def _state(sale: WholeSale, gate: int, *, shop_trouble: bool) -> dict[str, Any] | None:
    state: dict[str, Any] = await sale.read("state", gate)
    return state if state["shop_trouble"] is shop_trouble else None
