"""Joins batch themselves."""

import asyncio

import pytest

from waitroom.errors import StoreAway
from waitroom.joins import MOST, Answer, Joins, Request


def request(number: int) -> Request:
    """The join of somebody."""
    return Request(b"leaf", "", f"{number:032x}", number.to_bytes(32, "big"), "")


class Runner:
    """Answers batches when it is let; remembers them."""

    def __init__(self) -> None:
        self.batches: list[list[Request]] = []
        self.gate = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self, batch: list[Request]) -> list[Answer]:
        """Wait for the gate, then answer everyone in order."""
        self.batches.append(batch)
        await self.gate.wait()
        if self.error:
            raise self.error
        return [Answer("new", int(each.id, 16), each.id, "open") for each in batch]


async def ask(joins: Joins, *numbers: int) -> list[asyncio.Task[Answer]]:
    """Joins that have arrived, not necessarily been answered."""
    tasks = [asyncio.create_task(joins.answer(request(number))) for number in numbers]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


async def test_whoever_arrives_meanwhile_rides_in_the_next_batch() -> None:
    """A lone join goes at once, those behind it go together, and each gets an answer of their own."""
    runner = Runner()
    joins = Joins(runner)
    tasks = await ask(joins, 1) + await ask(joins, 2, 3, 4)
    runner.gate.set()
    assert [answer.number for answer in await asyncio.gather(*tasks)] == [1, 2, 3, 4]
    assert [len(batch) for batch in runner.batches] == [1, 3]


async def test_a_batch_has_a_greatest_size() -> None:
    """A crowd is answered in several calls, in order."""
    runner = Runner()
    tasks = await ask(Joins(runner), *range(MOST + 1))
    runner.gate.set()
    assert [answer.number for answer in await asyncio.gather(*tasks)] == list(range(MOST + 1))
    assert [len(batch) for batch in runner.batches] == [MOST, 1]


async def test_a_lull_ends_the_work_and_the_next_join_begins_it_anew() -> None:
    """No task is left behind between two joins."""
    runner = Runner()
    runner.gate.set()
    joins = Joins(runner)
    for number in (1, 2):
        assert (await joins.answer(request(number))).number == number
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1


async def test_an_error_reaches_all_who_ride_in_the_batch_and_nobody_else() -> None:
    """The store was away for the first batch; the second one is answered."""
    runner = Runner()
    runner.error = StoreAway("gone")
    joins = Joins(runner)
    first = await ask(joins, 1, 2)
    runner.gate.set()
    assert [type(each) for each in await asyncio.gather(*first, return_exceptions=True)] == [StoreAway] * 2
    runner.error = None
    assert (await joins.answer(request(3))).number == 3


@pytest.mark.parametrize("error", [None, StoreAway("gone")])
async def test_a_shopper_who_hangs_up_disturbs_nobody(error: Exception | None) -> None:
    """The others in the batch get their answers, or the error, all the same."""
    runner = Runner()
    runner.error = error
    quitter, stayer = await ask(Joins(runner), 1, 2)
    quitter.cancel()
    await asyncio.sleep(0)
    runner.gate.set()
    results = await asyncio.gather(quitter, stayer, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1] == (error or Answer("new", 2, f"{2:032x}", "open"))
