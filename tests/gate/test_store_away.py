"""The store goes away in mid-sale: who waits keeps waiting, who shops keeps shopping, and all goes on by itself."""

from collections.abc import AsyncIterator
from contextlib import suppress

import aiohttp
import pytest
from redis import Redis

from tests.conftest import ROOM
from tests.gate.conftest import OpenFront
from tests.gate.front import BASE, HTML, Front
from waitroom.embedded import Store as OwnStore
from waitroom.errors import StoreAway


async def test_those_who_wait_keep_their_page_and_their_place(lonely: Front, own_store: OwnStore) -> None:
    """The last state is served, marked as old; positions are arithmetic and go on."""
    shopper = await lonely.in_line()
    await lonely.later(1000)
    own_store.kill()
    await lonely.later(250)
    state = (await shopper.get(f"{BASE}/state")).document
    assert (state["store_away"], state["issued"]) == (True, 1)
    assert (await shopper.stand()).document["place"] == 0
    assert (await shopper.get(BASE)).status == 200


async def test_those_in_the_shop_keep_shopping(lonely: Front, own_store: OwnStore) -> None:
    """Passes are checked without the store; what the shop says meanwhile is heard later."""
    shopper = await lonely.in_shop()
    own_store.kill()
    await lonely.later(250)
    lonely.shop.says = {"Waitroom-Command": "leave", "Waitroom-Units-Left": "3"}
    answer = await shopper.get("/sale")
    assert answer.document == {"shop": "/sale"}
    assert answer.set_cookies() == {}
    assert not [name for name in answer.headers if name.startswith("Waitroom")]


@pytest.mark.parametrize(
    "method,address", [("POST", "ticket"), ("DELETE", "ticket"), ("POST", "pass"), ("DELETE", "pass")]
)
async def test_nobody_joins_enters_or_leaves_meanwhile(
    lonely: Front, own_store: OwnStore, method: str, address: str
) -> None:
    """503 with ``Retry-After``; cookies stay."""
    shopper = await lonely.in_shop()
    held = dict(shopper.cookies)
    own_store.kill()
    answer = await shopper.send(method, f"{BASE}/{address}", json={})
    assert answer.problem == (503, "store-away")
    assert answer.headers["Retry-After"] == "2"
    assert shopper.cookies == held


async def test_the_record_is_away_with_the_store(lonely: Front, own_store: OwnStore) -> None:
    """What is read from the store answers 503 as well."""
    own_store.kill()
    assert (await lonely.shopper().get(f"{BASE}/log")).problem == (503, "store-away")


async def test_a_browser_that_comes_meanwhile_gets_the_waiting_page(
    lonely: Front, own_store: OwnStore
) -> None:
    """Nobody goes straight in; the page holds them until the store is back."""
    own_store.kill()
    answer = await lonely.shopper().browse("/sale")
    assert (answer.status, answer.headers["Location"]) == (303, f"{BASE}?next=%2Fsale")


async def test_without_scripts_the_page_says_so_and_asks_again(lonely: Front, own_store: OwnStore) -> None:
    """Forms lead back to the page, which refreshes itself; nothing is an error."""
    shopper = await lonely.in_line()
    await lonely.later(250)
    own_store.kill()
    await lonely.later(250)
    assert "We cannot reach the waiting room" in (await shopper.get(f"{BASE}?plain=1")).text
    knocking = await shopper.get(f"{BASE}?plain=1&knock=1")
    assert (knocking.status, "refresh" in knocking.text) == (200, True)
    for form in ({}, {"do": "leave"}):
        back = await shopper.submit("ticket", **form)
        assert (back.status, back.headers["Location"]) == (303, f"{BASE}?plain=1")
    assert (await lonely.shopper().submit("ticket")).headers["Location"] == f"{BASE}?plain=1"
    assert shopper.cookies


async def test_all_goes_on_when_the_store_is_back(lonely: Front, own_store: OwnStore) -> None:
    """Same places, same visits, and the next ticket has the next number, without anyone doing anything."""
    inside, waiting = await lonely.in_shop(), await lonely.in_line()
    own_store.kill()
    await lonely.later(250)
    own_store.start()
    await lonely.later(250)
    assert (await lonely.shopper().join(77)).problem == (503, "store-away")  # while the counters heal
    await lonely.later(1000)
    assert (await lonely.shopper().get(f"{BASE}/state")).document["store_away"] is False
    assert (await lonely.shopper().join(77)).document["number"] == 2
    assert (await waiting.knock()).document["place"] == 1
    assert (await inside.get("/sale")).status == 200


async def test_a_store_that_lost_everything_is_founded_again(front: Front, redis: Redis) -> None:
    """Until then it is out of reach, which is no fault of the gate."""
    shopper = await front.in_line()
    redis.flushall()
    assert (await front.shopper().join(5)).problem == (503, "store-away")
    await front.later(250)
    await front.later(1250)
    assert (await front.shopper().join(5)).document["number"] == 1
    assert (await shopper.stand()).document["number"] == 0


async def test_half_a_roll_never_looks_whole(front_with: OpenFront, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the store goes in the middle, the connection is cut; if it is away before, the answer is 503."""
    front = await front_with(opens_in=60, presale=True)
    for _ in range(2):
        await front.in_line()
    await front.later(60_000)
    there = [bytes(32), bytes(16)]

    async def read_bytes(_key: str, _piece: int) -> AsyncIterator[bytes]:
        for piece in there:
            yield piece
        raise StoreAway("gone")

    monkeypatch.setattr(front.gate.store, "read_bytes", read_bytes)
    with suppress(aiohttp.ClientError):
        pytest.fail(f"{await front.shopper().get(f'{BASE}/roll')} looks whole")
    there.clear()
    assert (await front.shopper().get(f"{BASE}/roll")).problem == (503, "store-away")


async def test_a_page_on_a_shops_path_is_for_browsers(lonely: Front, own_store: OwnStore) -> None:
    """An application without a pass hears where to wait, store or no store."""
    own_store.kill()
    answer = await lonely.shopper().get("/sale")
    assert answer.problem == (429, "waiting-room")
    assert answer.document["waiting_room"] == f"/waitroom/{ROOM}"
    assert HTML["Accept"] not in answer.headers.values()
