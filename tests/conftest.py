"""A real store, flushed for each test, and rooms on it whose clock stands still until a test moves it."""

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
import pytest_asyncio
from hypothesis import settings as hypothesis_settings
from redis import Redis

from waitroom import beacon, draw
from waitroom.answers import AtDoor, Entered
from waitroom.clock import ManualClock
from waitroom.embedded import running_store
from waitroom.errors import NotCalled, NotOpen, Spent
from waitroom.events import Event
from waitroom.line import WaitingRoom
from waitroom.presale import Commitment
from waitroom.room import MOVES, Phase
from waitroom.settings import RoomSettings
from waitroom.store import Store
from waitroom.tickets import Ticket, Tokens

NOON = 1_432_033_200_000
SECRETS = ("an older secret of the tests", "the secret of the tests")
ROOM = "mi-launch"
DRAW = b"the secret of the tests' draws.."

E = TypeVar("E")

hypothesis_settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
hypothesis_settings.register_profile("desk", deadline=None)
hypothesis_settings.load_profile("ci" if os.environ.get("CI") else "desk")


@dataclass
class Sale:
    """Rooms on one store with one clock, as so many gates would run them, and what they tell."""

    clock: ManualClock
    store: Store
    redis: "Redis"
    tokens: Tokens = field(default_factory=lambda: Tokens(SECRETS))
    events: list[Event] = field(default_factory=list)

    async def gate(self, name: str = ROOM, opens_in: float = 0, **settings: Any) -> WaitingRoom:  # noqa: ANN401 - a room's settings
        """One more gate's view of a room, founded and read; by default first come, first served, and open."""
        waiting = WaitingRoom(
            name,
            RoomSettings.model_validate({"presale": opens_in > 0} | settings),
            opens_in,
            store=self.store,
            tokens=self.tokens,
            clock=self.clock,
            observe=self.events.append,
        )
        schedule = waiting.room.schedule
        if schedule.presale_opens_at is not None and schedule.presale_closes_at is not None:
            # The secret is the tests' own, so that every run draws the same places.
            times = schedule.presale_opens_at, schedule.presale_closes_at
            drand = beacon.round_after(times[1]) if settings.get("draw") == "drand" else None
            document = draw.commit_document(name, draw.commitment(DRAW), *times, drand=drand)
            waiting.commitment = Commitment(DRAW, document)
        await waiting.found()
        await waiting.tick()
        return waiting

    def told(self, kind: type[E]) -> list[E]:
        """The events of one kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    async def later(self, waiting: WaitingRoom, ms: int) -> None:
        """Let time pass, with a call at its end."""
        self.clock.advance(ms)
        await waiting.tick()

    def take_ticket(self, number: int, room: str = ROOM, identity: str = "") -> Ticket:
        """A ticket as the gate signs it, without a join."""
        return Ticket(room, number, self.tokens.ticket_id(room, entropy(number)), identity)


def entropy(seed: int) -> bytes:
    """32 bytes that a browser might have thought up."""
    return seed.to_bytes(32, "big")


async def crowd(waiting: WaitingRoom, size: int, first: int = 0) -> list[Ticket]:
    """So many shoppers join, one after another."""
    return [(await waiting.join(entropy(each))).ticket for each in range(first, first + size)]


async def try_knock(waiting: WaitingRoom, ticket: Ticket) -> Entered | AtDoor | NotCalled | NotOpen | Spent:
    """The answer to a knock, a refusal among them."""
    try:
        return await waiting.knock(ticket)
    except (NotCalled, NotOpen, Spent) as refusal:
        return refusal


async def enter(waiting: WaitingRoom, ticket: Ticket) -> Entered:
    """Knock where the door is open for this ticket."""
    answer = await waiting.knock(ticket)
    assert isinstance(answer, Entered)
    return answer


async def open_wide(waiting: WaitingRoom, **pace: Any) -> None:  # noqa: ANN401 - a pace's fields
    """Tune the pace, and let as many come as the line allows."""
    await waiting.tune(replace(waiting.room.pace, **pace), by="test")
    await waiting.tick(force=True)


def reachable(first: Phase) -> set[Phase]:
    """Phases that a path of legal moves leads to."""
    seen = {first}
    for _ in Phase:
        seen |= {after for each in seen for after in MOVES[each]} | {Phase.CLOSED}
    return seen


@pytest.fixture(scope="session")
def store_url() -> Iterator[str]:
    """Address of one store for all tests; nobody cuts its power, so it need not wait for the disk."""
    with tempfile.TemporaryDirectory(prefix="wr") as folder:
        socket = Path(folder) / "sock"
        with running_store(Path(folder) / "data", unixsocket=socket) as server:
            with Redis.from_url(server.url) as client:
                client.config_set("appendfsync", "no")
            yield server.url


@pytest.fixture
def redis(store_url: str) -> Iterator["Redis"]:
    """A client of the empty store, for looking at what the verbs leave there."""
    with Redis.from_url(store_url) as client:
        client.flushall()
        yield client


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands at the start of the sale."""
    return ManualClock(NOON)


@pytest_asyncio.fixture
async def sale(redis: "Redis", store_url: str, clock: ManualClock) -> AsyncIterator[Sale]:
    """A store, a clock, and rooms on request."""
    observed: list[Event] = []
    async with aclosing(Store(store_url, clock, observed.append)) as store:
        yield Sale(clock, store, redis, events=observed)
