"""``make bench``: what the waiting room costs, as a table; HTTP figures are ratios to a bare aiohttp application.

Gate and yardstick run on one core, the load comes from the other. All are measured in turn, round after round, in
one run, because a machine's moods meet all alike; what counts is the ratio. Exits with 1 if a floor is missed.
"""

import asyncio
import hashlib
import json
import os
import statistics
import sys
import tempfile
import time
import timeit
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from altcha import Challenge, Payload, solve_challenge
from redis import Redis
from rich.console import Console
from rich.table import Table

from gate.work import Work
from tests.bench import forecasts, shop, simulate
from tests.bench.browser import place_ms
from tests.bench.load import Target, compare, rss_mib, wrk
from tests.bench.system import GUARDED, MILLION, System, system
from waitroom import draw
from waitroom.clock import Clock
from waitroom.embedded import running_store
from waitroom.line import WaitingRoom
from waitroom.presale import Commitment
from waitroom.room import Line
from waitroom.settings import RoomSettings
from waitroom.state import draw_document
from waitroom.store import Store
from waitroom.tickets import Pass, Ticket, Tokens
from waitroom.tree import block_roots
from waitroom.verify.checks import check_all
from waitroom.verify.documents import Documents

ROUNDS, SECONDS = 5, 3.0
SOME = 10_000
NOISE = 0.1
STORED = 200_000


@dataclass(frozen=True)
class Figure:
    """One line of the table: what was measured, what it must be (empty: only told), and whether it is."""

    what: str
    measured: str
    wanted: str
    good: bool


def at_least(what: str, value: float, floor: float) -> Figure:
    """A figure with a floor."""
    return Figure(what, f"{value:.2f}", f"≥ {floor:.2f}", value >= floor)


def at_most(what: str, value: float, ceiling: float, unit: str) -> Figure:
    """A figure with a ceiling."""
    return Figure(what, f"{value:.3g} {unit}", f"≤ {ceiling:g} {unit}", value <= ceiling)


def http(running: System) -> Iterator[Figure]:
    """Requests a second, against the bare application."""
    targets = {
        "bare": Target(f"{running.bare}/bare"),
        "state": Target(f"{running.gate}/waitroom/big/state"),
        "ticket": Target(f"{running.gate}/waitroom/big/ticket", running.ticket("big")),
        "ticket of 1,000": Target(f"{running.gate}/waitroom/small/ticket", running.ticket("small")),
        "join": running.joins(),
    }
    loads = compare(targets, rounds=ROUNDS, seconds=SECONDS)
    rates = {name: load.per_second for name, load in loads.items()}
    yield Figure(
        "bare aiohttp JSON application, requests a second", f"{rates['bare']:,.0f}", "the yardstick", True
    )
    yield at_least("GET state", rates["state"] / rates["bare"], 0.95)
    yield at_least(
        "GET ticket, 1,000,000 issued, half of them presale", rates["ticket"] / rates["bare"], 0.60
    )
    yield at_least("POST ticket (join: signed, recorded, durable)", rates["join"] / rates["bare"], 0.45)
    ratio = rates["ticket"] / rates["ticket of 1,000"]
    good = abs(ratio - 1) <= NOISE
    yield Figure("poll at 1,000,000 issued against 1,000", f"{ratio:.2f}", f"1 ± {NOISE}", good)
    batches = running.metric("waitroom_join_batch_size_count") / running.metric(
        "waitroom_join_batch_size_sum"
    )
    yield at_most("script calls for a join, 64 connections", batches, 0.2, "")


def proxied(running: System) -> Iterator[Figure]:
    """What the gate adds to a request that it lets through."""
    targets = {
        "direct": Target(f"{running.bare}/{GUARDED}"),
        "through the gate": Target(f"{running.gate}/{GUARDED}", running.visitor()),
    }
    loads = compare(targets, rounds=ROUNDS, seconds=1, connections=1)
    added = loads["through the gate"].p50_ms - loads["direct"].p50_ms
    yield at_most("a proxied request with a pass: added latency p50", added, 1.5, "ms")


def store_commands(running: System) -> Iterator[Figure]:
    """Commands that reach the store while shoppers poll, beyond what it hears anyway."""
    poll = Target(f"{running.gate}/waitroom/big/ticket", running.ticket("big"))
    before, started = _commands(running.redis), time.monotonic()
    time.sleep(3)
    idle = (_commands(running.redis) - before) / (time.monotonic() - started)
    before, started = _commands(running.redis), time.monotonic()
    load = wrk(poll, seconds=3)
    extra = _commands(running.redis) - before - idle * (time.monotonic() - started)
    yield Figure(
        "store commands for a poll", f"{max(0, extra) / load.requests:.4f}", "0", extra < load.requests / 1000
    )


def memory(running: System) -> Iterator[Figure]:
    """The gate's memory after it has seen a million different tickets."""
    wrk(running.polls(SOME), seconds=3)
    few = rss_mib(running.pid)
    target, polled = running.polls(MILLION), 0
    while polled < MILLION:
        polled += wrk(target, seconds=20).requests
    many = rss_mib(running.pid)
    what = f"gate memory, {polled:,} polls of different tickets against {SOME:,}"
    yield Figure(what, f"{few:.0f} → {many:.0f} MiB", "flat", many - few < 2)


def stored() -> Iterator[Figure]:
    """Bytes that a ticket leaves in the store."""
    with (
        tempfile.TemporaryDirectory(prefix="wr") as folder,
        running_store(Path(folder), unixsocket=Path(folder) / "s") as server,
        Redis.from_url(server.url) as redis,
    ):
        redis.config_set("appendfsync", "no")
        presale, later = asyncio.run(_join_many(server.url, redis))
    yield at_most("store bytes for a presale ticket", presale, 40, "B")
    yield at_most("store bytes for a later ticket, retry keys gone", later, 1, "B")


async def _join_many(url: str, redis: Redis) -> tuple[float, float]:
    clock, tokens = Clock(), Tokens(["a secret of the benchmark"])
    store = Store(url, clock)

    async def grown(name: str, opens_in: float, settings: RoomSettings) -> float:
        room = WaitingRoom(name, settings, opens_in, store=store, tokens=tokens, clock=clock)
        await room.found()
        before = _used(redis)
        for _ in range(STORED // 1000):
            await asyncio.gather(*(room.join(os.urandom(32)) for _ in range(1000)))
        for key in redis.scan_iter("*:retry:*", count=10_000):
            redis.delete(key)  # as they expire by themselves after two minutes
        return (_used(redis) - before) / STORED

    presale = await grown("presale", 3600, RoomSettings())
    later = await grown("later", 0, RoomSettings(presale=False, rate=1))
    await store.aclose()
    return presale, later


def sales() -> Iterator[Figure]:
    """Sales simulated on the pace's arithmetic."""
    results = [simulate.Play(sale, seed=1).run() for sale in simulate.sales()]
    least = min(result.share for result in results)
    exceeded = sum(result.over for result in results)
    yield at_least(
        f"{len(results)} simulated sales: least share of the entries allowed", least, simulate.LEAST
    )
    yield Figure("sales that exceeded a limit", str(exceeded), "0", exceeded == 0)


def honesty() -> Iterator[Figure]:
    """What shoppers read, against what came of it in simulated sales."""
    every = forecasts.play()
    judged = forecasts.judged(every)
    yield Figure(
        f"{len(judged.told):,} forecasts: 80 % ranges that held the true wait",
        f"{judged.held:.1%}",
        "75-85 %",
        0.75 <= judged.held <= 0.85,
    )
    yield at_most("their middle: median error", 100 * judged.error, 10, "%")
    for name, some in list(forecasts.groups(every).items())[1:]:
        judge = forecasts.Judged(some)
        yield Figure(name, f"{judge.held:.1%}, error {judge.error:.1%}", "", good=True)
    unlikely = forecasts.left(every, 0, forecasts.UNLIKELY)[1]
    likely = forecasts.left(every, forecasts.LIKELY, 1.01)[1]
    yield at_most("told that it is very unlikely that something is left: was left", 100 * unlikely, 5, "%")
    yield at_least("told that it is very likely: share for whom something was left", likely, 0.95)


def shopping() -> Iterator[Figure]:
    """The shop behind the gate, and the pace at which the gate may therefore let visitors in."""
    for database, sales in shop.measure():
        yield at_least(f"orders a second on {database}, 64 buyers, one product", sales.orders.per_second, 100)
        yield Figure("their latency, 95th percentile", f"{sales.orders.p95_ms:.0f} ms", "", good=True)
        yield Figure("whole purchases a second", f"{sales.purchases.per_second:.0f}", "", good=True)
        entries = f"{30 * sales.purchases.per_second:,.0f}"
        yield Figure("entries a minute to begin with: half of that", entries, "", good=True)


def arithmetic() -> Iterator[Figure]:
    """Tokens and the draw, without HTTP."""
    tokens = Tokens(["a secret of the benchmark"])
    ticket = Ticket("big", 123_456, os.urandom(16))
    granted = Pass("big", 1, 1, 0, 10**15)

    def mint_and_check() -> None:
        tokens.read_pass(tokens.sign_pass(granted), "big", 1)

    def ticket_there_and_back() -> None:
        tokens.read_ticket(tokens.sign_ticket(ticket), "big")

    seed = os.urandom(32)
    started = time.perf_counter()
    places = draw.places(MILLION, seed)
    whole = time.perf_counter() - started
    yield at_most("minting and checking a pass", _ms(mint_and_check), 0.1, "ms")
    work = Work("big", 1, tokens)
    entropy = os.urandom(32)
    own = hashlib.sha256(entropy).digest()
    challenge = Challenge.from_dict(work.challenge(own, "", 0))
    solution = solve_challenge(challenge)
    found = Payload(challenge, solution).to_base64() if solution else ""
    yield at_most("making a challenge for a join", _ms(lambda: work.challenge(own, "", 0)), 1, "ms")
    yield at_most("checking the work of a join", _ms(lambda: work.check(found, entropy, "", 0)), 0.3, "ms")
    yield at_most("minting and checking a ticket", _ms(ticket_there_and_back), 0.1, "ms")
    yield at_most(
        "place of one ticket of 1,000,000, alone",
        _ms(lambda: draw.shuffle(123_456, MILLION, seed)),
        0.3,
        "ms",
    )
    yield at_most("place of one ticket, once the draw is made", _ms(lambda: int(places[123_456])), 0.01, "ms")
    yield at_most("the whole draw of 1,000,000", whole, 5, "s")
    first, median = place_ms(MILLION)
    yield at_most("place of one ticket of 1,000,000, in the shopper's browser, at first", first, 50, "ms")
    yield at_most("the same, once the browser has warmed up", median, 50, "ms")


def verified() -> Iterator[Figure]:
    """`waitroom verify`, from documents that are there already."""
    secret, roll = bytes(32), os.urandom(32 * MILLION)
    commitment = Commitment(secret, draw.commit_document("big", draw.commitment(secret), 0, 60_000))
    root = draw.merkle_root(block_roots(roll))
    seed = draw.seed(commitment.document, secret, root, MILLION)
    line = Line(presale_size=MILLION, root=root, seed=seed, signature=b"")
    published = json.dumps(draw_document("big", commitment, line)).encode()
    documents = Documents(published, roll, b'{"entries":[]}')
    started = time.perf_counter()
    findings = list(check_all(documents, "big", None, lambda *_: None))
    taken = time.perf_counter() - started
    if not any("leaves have the published root" in finding.text for finding in findings):
        raise RuntimeError(f"the roll was not checked: {findings}")
    yield at_most("verifying a sale with 1,000,000 in the draw", taken, 60, "s")


def _ms(work: Callable[[], object]) -> float:
    """Milliseconds a call: the median of a few rounds."""
    count = 1000
    return statistics.median(timeit.repeat(work, number=count, repeat=7)) / count * 1000


def _commands(redis: Redis) -> float:
    return float(redis.info("stats")["total_commands_processed"])


def _used(redis: Redis) -> float:
    return float(redis.info("memory")["used_memory_dataset"])


def main() -> int:
    """Measure everything and print the table."""
    table = Table("what", "measured", "at least / at most", "", title="What the waiting room costs")
    figures = [*arithmetic(), *verified(), *sales(), *honesty(), *stored(), *shopping()]
    with tempfile.TemporaryDirectory(prefix="wr") as folder, system(Path(folder)) as running:
        for part in (http, proxied, store_commands, memory):
            figures += part(running)
    for figure in figures:
        verdict = "ok" if figure.good else "[red]missed[/red]"
        table.add_row(figure.what, figure.measured, figure.wanted, verdict if figure.wanted else "")
    Console(width=110).print(table)
    return 0 if all(figure.good for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
