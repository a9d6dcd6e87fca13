"""Shoppers who never give up, and the account of all they saw, on which the sale's promises are checked."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.whole_sale.processes import BASE, SECRET, WholeSale, eventually
from waitroom import draw
from waitroom.tickets import Identity, Tokens

AWAY = (aiohttp.ClientError, TimeoutError)
POLL_S = 0.2


@dataclass(frozen=True)
class Answer:
    """What a gate said, and when it was asked (epoch ms)."""

    status: int
    headers: Mapping[str, str]
    document: Any
    asked_at: int


def now_ms() -> int:
    """The time, which store and gates of the same machine share."""
    return time.time_ns() // 1_000_000


@dataclass(eq=False)
class Shopper:
    """One shopper, signed in, who asks whichever gate's turn it is."""

    sale: WholeSale
    name: str
    turn: Iterator[int]
    ticket: str = ""
    granted: str = ""
    number: int = -1
    place: int | None = None
    visit: tuple[int, int] | None = None
    inside_from: int = 0
    inside_until: int | None = None

    @property
    def _entropy(self) -> str:
        return self.name.encode().hex().rjust(64, "0")

    @property
    def _identity(self) -> str:
        return Tokens([SECRET]).sign_identity(Identity(self.name, now_ms() + 3_600_000))

    async def ask(self, method: str, path: str, body: object = None) -> Answer:
        """Ask the next gate.

        Raises:
            ClientError, TimeoutError: it is not there.
        """
        gate = self.sale.gates[next(self.turn) % len(self.sale.gates)]
        tokens = ", ".join(filter(None, (self._identity, self.ticket, self.granted)))
        headers = {"Authorization": f"Waitroom {tokens}"}
        asked_at = now_ms()
        session = self.sale.session
        async with session.request(method, gate.url + path, json=body, headers=headers) as answer:
            document = await answer.json(content_type=None) if "json" in answer.content_type else None
            return Answer(answer.status, answer.headers, document, asked_at)

    async def join(self) -> bool:
        """Take a ticket, always with the same entropy; every answer must be the same ticket."""
        answer = await self._try("POST", f"{BASE}/ticket", {"entropy": self._entropy})
        if answer is None:
            return False
        assert answer.status in {200, 201}, answer
        found = (answer.document["number"], answer.document["token"])
        assert self.ticket in {"", found[1]}, f"{self.name} had {self.number}, then got {found[0]}"
        self.number, self.ticket = found
        return True

    async def is_called(self) -> bool:
        """Whether the turn has come; the place must never be another one than before.

        Of two gates one may know the draw a moment before the other, which then says nothing of the place.
        """
        answer = await self._try("GET", f"{BASE}/ticket")
        if answer is None:
            return False
        assert (answer.status, answer.document["number"]) == (200, self.number), answer
        place = answer.document["place"]
        if place is not None:
            assert self.place in {None, place}, f"{self.name} was at {self.place}, then at {place}"
            self.place = place
        return bool(answer.document["called"])

    async def knock(self) -> bool:
        """Ask to be let in; every pass must be for the same visit."""
        answer = await self._try("POST", f"{BASE}/pass", {})
        if answer is None or answer.status in {202, 425}:
            return False
        assert answer.status == 201, answer
        found = (answer.document["enter_at"], answer.document["expires_at"])
        assert self.visit in {None, found}, f"{self.name} entered at {self.visit}, then at {found}"
        assert self.granted in {"", answer.document["token"]}
        self.visit, self.granted = found, answer.document["token"]
        self.inside_from = self.inside_from or max(found[0], now_ms())
        return True

    async def leave(self) -> bool:
        """End the visit; a lost answer does not say when it ended, so the first attempt counts."""
        self.inside_until = self.inside_until or now_ms()
        answer = await self._try("DELETE", f"{BASE}/pass")
        return answer is not None and answer.status == 204

    async def _try(self, method: str, path: str, body: object = None) -> Answer | None:
        """An answer, or None where it says or shows that the sale is in trouble."""
        try:
            answer = await self.ask(method, path, body)
        except AWAY:
            return None
        if answer.status == 503:
            assert int(answer.headers["Retry-After"]) > 0
            return None
        return answer


@dataclass
class Crowd:
    """Everyone at the sale. Those who are in the shop when the trouble comes stay there until it is over."""

    sale: WholeSale
    shoppers: list[Shopper] = field(default_factory=list)
    trouble: asyncio.Event = field(default_factory=asyncio.Event)
    calm: asyncio.Event = field(default_factory=asyncio.Event)
    states: list[list[dict[str, Any]]] = field(default_factory=list)
    _turn: Iterator[int] = field(default_factory=itertools.count)

    @property
    def visitors(self) -> list[Shopper]:
        """Everyone who has entered, in order."""
        return sorted((one for one in self.shoppers if one.visit), key=lambda one: one.visit or ())

    def newcomer(self) -> Shopper:
        """One more shopper."""
        shopper = Shopper(self.sale, f"shopper-{len(self.shoppers)}", self._turn)
        self.shoppers.append(shopper)
        return shopper

    async def come(self, count: int) -> list[Shopper]:
        """So many shoppers join at once, each of them twice."""
        newcomers = [self.newcomer() for _ in range(count)]
        await asyncio.gather(*(eventually(one.join, every=POLL_S) for one in newcomers))
        await asyncio.gather(*(eventually(one.join, every=POLL_S) for one in newcomers))
        return newcomers

    async def shop(self, shopper: Shopper) -> None:
        """The rest of a shopper's way: wait, enter, ask for everything once more, leave."""
        await eventually(shopper.is_called, within=30, every=POLL_S)
        await eventually(shopper.knock, within=30, every=POLL_S)
        if not self.trouble.is_set():
            await self.calm.wait()
        for step in (shopper.join, shopper.is_called, shopper.knock, shopper.leave):
            await eventually(step, every=POLL_S)

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Keep every state document that each gate serves meanwhile."""
        self.states = [[] for _ in self.sale.gates]
        watchers = [asyncio.create_task(self._watch(index)) for index in range(len(self.sale.gates))]
        try:
            yield
        finally:
            for watcher in watchers:
                watcher.cancel()
            await asyncio.gather(*watchers, return_exceptions=True)

    async def _watch(self, index: int) -> None:
        async def look() -> None:
            try:
                self.states[index].append(await self.sale.read("state", index))
            except AWAY:
                return

        await eventually(look, within=60)


def check_numbers(crowd: Crowd) -> None:
    """I1: numbers are unique and dense."""
    assert sorted(one.number for one in crowd.shoppers) == list(range(len(crowd.shoppers)))


def check_places(crowd: Crowd, drawn: Mapping[str, Any]) -> None:
    """I2: every place replays from the published seed; later tickets queue behind the draw."""
    size, seed = drawn["size"], bytes.fromhex(drawn["seed"])
    for one in crowd.shoppers:
        assert one.place == (draw.shuffle(one.number, size, seed) if one.number < size else one.number)


def check_called_never_falls(crowd: Crowd) -> None:
    """I3: nor does ``issued``, at any gate, before and after its restart."""
    for states in crowd.states:
        assert states
        for name in ("called", "issued"):
            seen = [state[name] for state in states]
            assert seen == sorted(seen)


def check_capacity(crowd: Crowd, capacity: int) -> None:
    """I4: whenever somebody is let in, at most ``capacity`` are in the shop, they included.

    Somebody is inside between the answer that lets them in and the request to leave. A pass may name an
    earlier instant: the gate's clock when it asked the store, which has seen others leave since.
    """
    times = [(one.inside_from, one.inside_until or 1 << 62) for one in crowd.visitors]
    for entered, _ in times:
        assert sum(begin <= entered < end for begin, end in times) <= capacity


def check_rate(crowd: Crowd, rate: float, burst: int) -> None:
    """I5: no window of any length sees more entries than the limits allow; times are whole milliseconds."""
    entries = [one.visit[0] for one in crowd.visitors if one.visit]
    for (i, first), (j, last) in itertools.combinations(enumerate(entries), 2):
        assert j - i + 1 <= burst + rate / 60_000 * (last - first + 1)


def check_calls(entries: list[dict[str, str]], called: int) -> None:
    """I7: the public record calls every place once, in order."""
    calls = [entry for entry in entries if entry["kind"] == "call"]
    places = [place for each in calls for place in range(int(each["from"]), int(each["to"]) + 1)]
    assert places == list(range(called))
