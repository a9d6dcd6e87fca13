"""One visitor cannot take all the connections to the shop."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from gate import turns
from gate.turns import AT_ONCE, TooManyAtOnce, Turns
from tests.gate.conftest import OpenFront
from tests.gate.front import Front


@pytest.mark.parametrize("page", ["/sale/slow", "/account/slow"])
async def test_a_visitor_with_many_requests_holds_up_nobody_else(
    front: Front, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    """Beyond a few at once theirs wait for each other, protected paths or not, and hear why in the end."""
    monkeypatch.setattr(turns, "PATIENCE_S", 0.1)
    greedy, other = await front.in_shop(), await front.in_shop()
    front.shop.stuck = page
    asking = [asyncio.create_task(greedy.get(page)) for _ in range(2 * AT_ONCE)]
    refused = []
    for answer in asyncio.as_completed(asking):
        refused.append(await answer)
        if len(refused) == AT_ONCE:
            break
    assert {answer.problem for answer in refused} == {(429, "too-many-at-once")}
    assert {answer.headers["Retry-After"] for answer in refused} == {"5"}
    assert front.shop.paths == [page] * AT_ONCE
    assert (await other.get("/sale")).status == 200
    front.shop.unstuck.set()
    answers = await asyncio.gather(*asking)
    assert sorted(answer.status for answer in answers) == [200] * AT_ONCE + [429] * AT_ONCE
    assert (await greedy.get(page)).status == 200


async def test_waiting_for_ones_own_requests_is_no_sign_of_the_shops_trouble(
    front_with: OpenFront, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What did not reach the shop tells nothing of it."""
    monkeypatch.setattr(turns, "PATIENCE_S", 0.1)
    front = await front_with(slow_seconds=30)
    greedy = await front.in_shop()
    front.shop.stuck = "/sale"
    asking = [asyncio.create_task(greedy.get("/sale")) for _ in range(AT_ONCE + 1)]
    refused = await next(asyncio.as_completed(asking))
    assert refused.status == 429
    front.shop.unstuck.set()
    await asyncio.gather(*asking)
    assert {result: count for (_, result), count in front.gate.metrics._shop.items()} == {"fine": AT_ONCE}


async def test_whoever_waits_goes_on_when_a_turn_comes_free() -> None:
    """In order, and visitors have turns of their own."""
    order, free = [], asyncio.Event()
    visitors = Turns()

    async def ask(visitor: int, number: int) -> None:
        async with visitors.take(visitor):
            order.append((visitor, number))
            await free.wait()

    asking = [asyncio.create_task(ask(0, number)) for number in range(AT_ONCE + 2)]
    asking.append(asyncio.create_task(ask(1, 0)))
    await asyncio.sleep(0)
    assert order == [*((0, number) for number in range(AT_ONCE)), (1, 0)]
    free.set()
    await asyncio.gather(*asking)
    assert order[-2:] == [(0, AT_ONCE), (0, AT_ONCE + 1)]


async def test_only_visitors_who_ask_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """However a request ends, nothing of it stays."""
    monkeypatch.setattr(turns, "PATIENCE_S", 0)
    visitors = Turns()
    async with AsyncExitStack() as taken:
        for _ in range(AT_ONCE):
            await taken.enter_async_context(visitors.take(0))
        with pytest.raises(TooManyAtOnce):
            await taken.enter_async_context(visitors.take(0))
    assert not visitors._turns
    assert not visitors._asking
