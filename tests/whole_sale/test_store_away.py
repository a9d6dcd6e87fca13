"""While the store is away: who waits keeps waiting, who shops keeps shopping, and all goes on by itself."""

from typing import Any

from tests.whole_sale.conftest import Begin
from tests.whole_sale.processes import BASE, WholeSale, eventually
from tests.whole_sale.shoppers import Answer, Crowd, Shopper


async def test_those_who_wait_keep_their_state_and_place(begin: Begin) -> None:
    """The last state is served, marked as old, with each place; nobody new joins or enters until it is back."""
    sale = await begin(capacity=1)
    crowd = Crowd(sale)
    inside, waiting = await crowd.come(2)
    for step in (inside.is_called, inside.knock):
        await eventually(step)
    before = await _position(waiting)
    sale.store.kill()
    state = await eventually(lambda: _state_marked(sale, store_away=True))
    assert (state["issued"], state["phase"]) == (2, "open")
    assert await _position(waiting) == before
    for refused in (await _join(crowd.newcomer()), await waiting.ask("POST", f"{BASE}/pass", {})):
        assert refused.status == 503
        assert int(refused.headers["Retry-After"]) > 0
    await sale.start_store()
    await eventually(lambda: _state_marked(sale, store_away=False))
    await eventually(inside.leave)
    assert await eventually(waiting.knock)


async def test_those_who_shop_keep_shopping(begin: Begin) -> None:
    """A pass is checked offline, so a visitor sees the sale all along."""
    sale = await begin(shop=True)
    (visitor,) = await Crowd(sale).come(1)
    await eventually(visitor.is_called)
    await eventually(visitor.knock)
    sale.store.kill()
    await eventually(lambda: _state_marked(sale, store_away=True))
    seen = await visitor.ask("GET", "/sale")
    assert seen.status == 200
    assert seen.document["products"]


async def _position(shopper: Shopper) -> object:
    answer = await shopper.ask("GET", f"{BASE}/ticket")
    assert answer.status == 200
    return answer.document["place"], answer.document["ahead"]


async def _join(shopper: Shopper) -> Answer:
    return await shopper.ask("POST", f"{BASE}/ticket", {"entropy": "ab" * 32})


async def _state_marked(sale: WholeSale, *, store_away: bool) -> dict[str, Any] | None:
    state = await sale.read("state")
    return state if state["store_away"] is store_away else None
