"""The shop is slow or failing: admission stops by itself, visits are extended, and all goes on by itself."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from redis import Redis

from gate import app as application
from tests.conftest import ROOM
from tests.gate.conftest import OpenFront
from tests.gate.front import BASE, OPEN, Front, Shopper, open_front, pass_of
from waitroom.clock import ManualClock
from waitroom.room import Phase
from waitroom.tickets import pass_cookie

UNREACHABLE = "http://127.0.0.1:9"


async def visitors(front: Front, count: int = 5) -> list[Shopper]:
    """So many shoppers in the shop."""
    return [await front.in_shop() for _ in range(count)]


async def seconds(front: Front, count: int) -> None:
    """So many seconds go by, with all that the gate does in them by itself."""
    for _ in range(count):
        await front.door.ask_shop(front.room)
        await front.door.tell_trouble(front.room)
        await front.later(1_000)


def answers(front: Front) -> dict[str, int]:
    """How the shop answered, as counted."""
    return {result: count for (_, result), count in front.gate.metrics._shop.items()}


async def until(true: Callable[[], bool], doing: Callable[[], Awaitable[object]] | None = None) -> None:
    """Wait for something that comes by itself, or by doing something again and again."""
    async with asyncio.timeout(20):
        while not true():
            await (doing() if doing else asyncio.sleep(0))


async def test_a_failing_shop_stops_admission_until_it_answers_again(front_with: OpenFront) -> None:
    """Its answers pass through; the door stands still and says why; when it has recovered the next one enters."""
    front = await front_with(stock="/units")
    inside, waiting = await visitors(front), await front.in_line()
    await front.later(0, force=True)
    front.shop.broken = "/sale"
    for shopper in inside:
        answer = await shopper.get("/sale")
        assert (answer.status, answer.document) == (500, {"shop": "/sale"})
    await seconds(front, 1)
    state = (await waiting.get(f"{BASE}/state")).document
    assert (state["phase"], state["shop_trouble"]) == ("paused", True)
    assert (await waiting.knock()).problem == (409, "not-open")
    assert (await waiting.browse("/sale")).status == 303
    await seconds(front, 5)
    assert (await inside[0].get("/sale")).status == 500, "who is inside stays inside"
    front.shop.broken = None
    await seconds(front, 15)
    state = (await waiting.get(f"{BASE}/state")).document
    assert (state["phase"], state["shop_trouble"]) == ("open", False)
    assert (await waiting.knock()).status == 201
    assert answers(front) == {"failed": 6}


async def test_a_shop_that_cannot_be_reached_is_in_trouble(
    redis: Redis, store_url: str, clock: ManualClock
) -> None:
    """Visitors get the gate's 502, and each is a failure."""
    redis.ping()
    async with open_front(store_url, clock, upstream=UNREACHABLE) as front:
        for shopper in await visitors(front):
            assert (await shopper.get("/sale")).problem == (502, "shop-unreachable")
        await seconds(front, 1)
        assert (front.room.waiting.phase(), answers(front)) == (Phase.PAUSED, {"failed": 5})


async def test_a_shop_that_nobody_is_in_is_watched_too(front_with: OpenFront) -> None:
    """The gate's own requests for the stock fail three times: nobody is let in to a shop that is down."""
    front = await front_with(stock="/units")
    front.shop.broken = "/units"
    await seconds(front, 2)
    assert front.room.waiting.phase() is Phase.OPEN
    await seconds(front, 1)
    assert front.room.waiting.phase() is Phase.PAUSED
    front.shop.broken = None
    await seconds(front, 5)
    assert front.room.waiting.phase() is Phase.OPEN


async def test_a_shop_that_tells_no_stock_is_asked_only_in_trouble(front: Front) -> None:
    """Then the gate asks for a page that needs a pass: an answer of any kind says that the shop is back."""
    inside = await visitors(front)
    front.shop.broken = "/"
    for shopper in inside:
        await shopper.get("/sale/tea")
    await seconds(front, 1)
    assert front.shop.paths == ["/sale/tea"] * 5
    await seconds(front, 12)
    assert set(front.shop.paths[5:]) == {"/sale"}
    assert front.room.waiting.phase() is Phase.PAUSED
    front.shop.broken = None
    await seconds(front, 6)
    assert front.room.waiting.phase() is Phase.OPEN


async def test_a_room_that_protects_nothing_asks_for_nothing(front_with: OpenFront) -> None:
    """There is nothing to keep anyone from."""
    front = await front_with(protect=())
    await seconds(front, 1)
    assert front.shop.paths == []


async def test_odd_requests_cannot_pause_the_sale(front: Front) -> None:
    """A shop that says that it knows no such method is well."""
    inside = await visitors(front)
    front.shop.broken, front.shop.failure = "/sale", 501
    for shopper in inside:
        assert (await shopper.get("/sale")).status == 501
    await seconds(front, 1)
    assert (front.room.waiting.phase(), answers(front)) == (Phase.OPEN, {"fine": 5})


async def test_a_single_shopper_cannot_pause_the_sale(front: Front) -> None:
    """However often they ask for a page that breaks, alone or among others."""
    hammer = await front.in_shop()
    front.shop.broken = "/sale/broken"
    for _ in range(30):
        assert (await hammer.get("/sale/broken")).status == 500
    await seconds(front, 1)
    assert front.room.waiting.phase() is Phase.OPEN
    for shopper in await visitors(front):
        await shopper.get("/sale")
    for _ in range(30):
        await hammer.get("/sale/broken")
    await seconds(front, 1)
    assert front.room.waiting.phase() is Phase.OPEN


async def test_one_slow_page_is_no_trouble_and_a_slow_shop_is(front_with: OpenFront) -> None:
    """An answer that has not begun in time counts at once, not only when it comes or nobody waits for it any more."""
    front = await front_with(slow_seconds=0.1)
    inside = await visitors(front)
    front.shop.stuck = "/sale/slow"
    pages = ["/sale/slow", "/sale", "/sale", "/sale", "/sale"]
    first = asyncio.gather(*(shopper.get(page) for shopper, page in zip(inside, pages, strict=True)))
    await until(lambda: answers(front) == {"fine": 4, "slow": 1})
    await seconds(front, 1)
    assert front.room.waiting.phase() is Phase.OPEN
    more = asyncio.gather(*(shopper.get("/sale/slow") for shopper in inside))
    await until(lambda: answers(front).get("slow") == 6)
    await seconds(front, 1)
    assert front.room.waiting.phase() is Phase.PAUSED
    front.shop.unstuck.set()
    assert {answer.status for answer in [*await first, *await more]} == {200}
    assert answers(front) == {"fine": 4, "slow": 6}, "each request is counted once"


async def test_a_shop_that_does_not_answer_the_gate_in_time_is_failing(front_with: OpenFront) -> None:
    """The gate is no more patient for itself."""
    front = await front_with(stock="/units", slow_seconds=0.1)
    front.shop.stuck = "/units"
    await seconds(front, 3)
    front.shop.unstuck.set()
    assert front.room.waiting.phase() is Phase.PAUSED


async def test_a_shoppers_own_faults_are_none_of_the_shops(front: Front) -> None:
    """What the gate refuses says nothing."""
    for shopper in await visitors(front):
        assert (await shopper.send("GET", "/sale", {"Upgrade": "websocket"})).problem == (501, "no-upgrade")
    await seconds(front, 1)
    assert (front.room.waiting.phase(), answers(front)) == (Phase.OPEN, {})


async def test_a_pass_lasts_longer_by_the_trouble_for_gate_browser_and_shop_alike(
    front_with: OpenFront,
) -> None:
    """The gate knows of the trouble; the shop and the browser are given the pass with the times it has now."""
    front = await front_with(visit_seconds=20)
    shopper = await front.in_shop()
    old = pass_of(shopper)
    for _ in range(10):
        await front.room.waiting.tell_trouble()
        await front.later(4_000)
    end = front.clock.now_ms() + 1_000 + 20_000  # the trouble lasts for another second
    await front.later(1_000)
    answer = await shopper.get("/sale")
    assert answer.status == 200
    new = pass_of(shopper)
    assert new != old
    assert front.shop.asked[-1].cookies[pass_cookie(ROOM)] == new
    assert front.tokens.read_pass(new, ROOM, front.clock.now_ms()).expires_at == end
    assert (await shopper.get("/sale")).set_cookies() == {}, "once is enough"
    front.clock.at_ms = end - 1
    assert (await shopper.get("/sale")).status == 200
    assert (await front.shopper(**{pass_cookie(ROOM): old}).get("/sale")).status == 200
    front.clock.at_ms = end
    for token in (old, new):
        assert (await front.shopper(**{pass_cookie(ROOM): token}).get("/sale")).status == 429


@pytest.mark.parametrize("watched", [True, False])
async def test_a_gate_watches_its_shop_by_itself_unless_the_room_says_not_to(
    redis: Redis, store_url: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, *, watched: bool
) -> None:
    """Nobody has to do anything, neither for the pause nor for its end."""
    redis.ping()
    for name in ("TICK_S", "ASK_S", "TROUBLE_S"):
        monkeypatch.setattr(application, name, 0)
    rooms = {ROOM: OPEN.model_copy(update={"stock": "/units", "watch_shop": watched})}
    async with open_front(store_url, clock, rooms, by_itself=True) as front:
        room = front.room.waiting
        front.shop.broken = "/units"
        asked = len(front.shop.asked)
        if watched:
            await until(lambda: room.phase() is Phase.PAUSED)
            front.shop.broken = None

            async def later() -> None:
                clock.advance(250)
                await asyncio.sleep(0)

            await until(lambda: room.phase() is Phase.OPEN, later)
        else:
            await until(lambda: len(front.shop.asked) > asked + 20)
            assert room.phase() is Phase.OPEN
