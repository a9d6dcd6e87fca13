"""What every shopper may know alike: the public state as last read, the gate's time, everyone's place."""

import asyncio
import json
import random
from collections.abc import Mapping
from typing import Any

from waitroom import draw
from waitroom.clock import Clock
from waitroom.pace import LEAD_MS
from waitroom.rehearsal.story import Sight

OVER = frozenset({"sold_out", "closed"})

State = Mapping[str, Any]


class Board:
    """The state documents that the crowd has received.

    Everyone asks for the state themselves; documents are parsed once and shared by their entity tag.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset: int | None = None
        self._sights: dict[str, Sight] = {}

    @property
    def sights(self) -> list[Sight]:
        """All documents, in the order in which they came."""
        return list(self._sights.values())

    def now(self) -> int:
        """The gate's time, or a little before it: a state may be a second old when it is read."""
        return self._clock.now_ms() + (self._offset or 0)

    async def wait(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)

    async def wait_until(self, at: int) -> None:
        """Wait until the gate's time is ``at`` (epoch ms), and never end before it."""
        while (left := at - self.now()) > 0:
            await self.wait(left / 1000)

    def put(self, etag: str, body: bytes) -> State:
        """Take in a document that was received just now."""
        if etag not in self._sights:
            document = json.loads(body)
            offset = int(document["now"]) - self._clock.now_ms()
            self._offset = offset if self._offset is None else max(self._offset, offset)
            self._sights[etag] = Sight(self.now(), document)
        return self._sights[etag].document

    def get(self, etag: str) -> State:
        """The document with this entity tag, which somebody received before."""
        return self._sights[etag].document


# ---- As the waiting page works it out: gate/static/line.js


def place_of(number: int, state: State) -> int | None:
    """The place of a ticket's number, or None until it is drawn; later tickets queue behind the presale."""
    if state["presale_closes_at"] is None:
        return number
    drawn = state["draw"]
    if state["phase"] == "presale" or not drawn:
        return None
    size, seed = drawn["size"], drawn["seed"]
    if size is not None and number >= size:
        return number
    return draw.shuffle(number, size, bytes.fromhex(seed)) if seed and size else None


def distance_s(place: int | None, state: State) -> float:
    """Seconds until this place's turn at the earliest."""
    if place is None:
        return 0 if state["phase"] == "drawing" else float("inf")
    entries = max(0, place - state["called"]) * state["show_rate"]
    spread = 2 * (entries * (1 - state["show_rate"]) + 1) ** 0.5
    return float(max(0.0, (entries - spread) / state["rate"] * 60 - LEAD_MS / 1000))


def next_look_s(state: State, now: int, distance: float, chance: random.Random) -> float:
    """Seconds until the page looks at the state again: a tenth of the way to the next change, within bounds."""
    near, far = state["poll"]["near_s"], state["poll"]["far_s"]
    changes = [
        (at - now) / 1000
        for name in ("presale_opens_at", "presale_closes_at", "opens_at")
        if (at := state[name]) and at > now
    ]
    tenth = min([distance, *changes]) / 10
    seconds = min(far, max(near, tenth)) * chance.uniform(0.85, 1.15)
    return float(min([seconds, *(left + near * chance.random() for left in changes)]))
