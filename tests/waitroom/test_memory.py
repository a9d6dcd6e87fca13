"""I13: the memory of store and gate does not grow with the number of people who wait."""

import asyncio
import gc
from typing import Any

from tests.conftest import Sale, entropy, try_knock
from waitroom.line import WaitingRoom


def room_bytes(sale: Sale) -> int:
    """Memory of all keys of the rooms, but those that expire by themselves."""
    keys: Any = sale.redis.keys("waitroom:*")
    return sum(sale.redis.memory_usage(key, samples=0) or 0 for key in keys if b":retry:" not in key)


async def join_many(waiting: WaitingRoom, first: int, last: int) -> None:
    """A crowd, in batches."""
    for start in range(first, last, 250):
        await asyncio.gather(*(waiting.join(entropy(each)) for each in range(start, min(last, start + 250))))


async def test_i13_a_presale_ticket_costs_the_store_at_most_40_bytes(sale: Sale) -> None:
    """One leaf of 32 bytes on the roll; the other keys stay as they are, also after a million."""
    waiting = await sale.gate(opens_in=600)
    sale.redis.setrange(waiting.keys.roll, 32 * 999_999, b"\x01" * 32)
    sale.redis.hset(waiting.keys.line, "issued", 1_000_000)
    await waiting.tick()
    before = room_bytes(sale)
    await join_many(waiting, 0, 1_000)
    assert sale.redis.strlen(waiting.keys.roll) == 32 * 1_001_000
    assert room_bytes(sale) / 1_001_000 <= 40
    assert room_bytes(sale) - before <= 40 * 1_000 + (1 << 20), "beyond what a string sets aside to grow"


async def test_i13_a_later_ticket_costs_the_store_at_most_a_byte(sale: Sale) -> None:
    """Once its retry key has expired, which it does by itself in two minutes."""
    waiting = await sale.gate(rate=1, capacity=1)
    await join_many(waiting, 0, 500)
    before = room_bytes(sale)
    await join_many(waiting, 500, 2_500)
    assert room_bytes(sale) - before <= 2_000
    retries: Any = sale.redis.keys("*:retry:*")
    assert len(retries) == 2_500
    assert all(60_000 < sale.redis.pttl(key) <= 120_000 for key in retries)


async def test_i13_an_identity_costs_one_hash_entry(sale: Sale) -> None:
    """And no retry key."""
    waiting = await sale.gate(identity=True)
    for _ in range(2):
        await asyncio.gather(*(waiting.join(entropy(each), f"mi-{each}") for each in range(300)))
    assert sale.redis.hlen(waiting.keys.holders) == 300
    assert sale.redis.keys("*:retry:*") == []


async def test_i13_a_gate_keeps_nothing_of_those_who_join(sale: Sale) -> None:
    """As many objects after a thousand joins, positions and knocks as before."""
    waiting = await sale.gate(rate=1)

    async def pass_by(first: int) -> int:
        await join_many(waiting, first, first + 1_000)
        for ticket in [sale.take_ticket(number) for number in range(first + 900, first + 950)]:
            waiting.position(ticket)
            await try_knock(waiting, ticket)
        await waiting.tick()
        sale.events.clear()
        gc.collect()
        return len(gc.get_objects())

    await pass_by(0)
    before = await pass_by(1_000)
    assert await pass_by(2_000) - before < 50
