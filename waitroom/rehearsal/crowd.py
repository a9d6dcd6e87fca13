"""The crowd: plays all shoppers at once against a running gate, and gathers what they and the public know."""

import asyncio
import os
import random
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import aiohttp

from waitroom.clock import Clock
from waitroom.errors import WaitroomError
from waitroom.rehearsal.board import OVER, Board, State
from waitroom.rehearsal.browser import Browser, Trouble, Wire
from waitroom.rehearsal.habits import arrival, draw_habits, pace_s
from waitroom.rehearsal.progress import Progress
from waitroom.rehearsal.shopper import Shopper
from waitroom.rehearsal.story import End, Evidence, Limits, Story

LONGEST_WAIT_MS = 600_000
"""A rehearsal does not wait longer than this for the opening."""

CONNECTIONS = 200
REGISTERING = 4
REQUEST_S = 15  # the page gives up on an answer after as long
LAST_LOOK_MS = 30_000  # so long after the end the slowest page has looked
STATE_AGE_S = 1.2
LOOK_S = 1


class Crowd:
    """All shoppers of one rehearsal.

    Args:
        gate: address of the gate. room: name of the room.
        seed: of all that is left to chance here.
    """

    def __init__(self, gate: str, room: str, seed: int) -> None:
        self.evidence = Evidence()
        self._gate = gate
        self._room = room
        self._clock = Clock()
        self._chance = random.Random(seed)  # noqa: S311 - a play, no secret
        self._board = Board(self._clock)

    async def play(self, shoppers: int, progress: Progress, *, longest_s: float) -> Evidence:
        """Play until everyone has gone, or until ``longest_s`` after the opening, or after now if it is open.

        Raises:
            WaitroomError: there is no sale to rehearse, or the gate went away before its documents were read.
        """
        timeout = aiohttp.ClientTimeout(total=REQUEST_S)
        connector = aiohttp.TCPConnector(limit=CONNECTIONS)
        jar = aiohttp.DummyCookieJar()
        async with aiohttp.ClientSession(connector=connector, cookie_jar=jar, timeout=timeout) as session:
            wire = Wire(
                session, self._gate, self._room, self._board, self.evidence.answers, self.evidence.troubles
            )
            watcher = Browser(wire, self._chance)
            state = await self._first_look(watcher)
            try:
                await self._rehearse(shoppers, progress, wire, watcher, state, longest_s=longest_s)
            except (Trouble, aiohttp.ClientError, TimeoutError):
                raise WaitroomError(
                    f"the gate at {self._gate} does not tell its public documents, so there is no verdict"
                ) from None
        return self.evidence

    async def _rehearse(
        self,
        shoppers: int,
        progress: Progress,
        wire: Wire,
        watcher: Browser,
        state: State,
        *,
        longest_s: float,
    ) -> None:
        self.evidence.limits = self._limits(await self._read_log(watcher))
        self.evidence.first_number = state["issued"]
        if state["draw"]:
            self.evidence.draw_before = (await watcher.ask("GET", "@draw")).document
        tasks = self._send_out(shoppers, wire, state)
        begins_at = max(int(state["opens_at"]), self._board.now())
        try:
            await self._watch(watcher, tasks, progress, begins_at + round(1000 * longest_s))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await self._gather(watcher, wire.session)

    async def _first_look(self, watcher: Browser) -> State:
        where = f"{self._gate}/waitroom/{self._room}"
        try:
            state = await watcher.look()
        except Trouble:
            raise WaitroomError(f"no waiting room answers at {where}; is `make run` under way?") from None
        phase, opens_in_ms = state["phase"], state["opens_at"] - self._board.now()
        if phase in OVER or phase == "paused":
            raise WaitroomError(
                f"the room {self._room} is {phase}: start with a fresh WAITROOM_DATA and a longer OPENS_IN"
            )
        if opens_in_ms > LONGEST_WAIT_MS:
            raise WaitroomError(
                f"the room {self._room} opens in {opens_in_ms / 60_000:.0f} minutes; come later"
            )
        return state

    def _limits(self, log: Sequence[Mapping[str, Any]]) -> Limits:
        """Those that the room was founded with, and every change since."""
        pace: dict[str, str] = {}
        for entry in log:
            if entry["kind"] == "found":
                pace |= entry
            elif entry["kind"] == "pace":
                pace[entry["name"]] = entry["to"]
        if "rate" not in pace:
            raise WaitroomError(
                f"the record of the room {self._room} does not tell its pace: start with a fresh WAITROOM_DATA"
            )
        capacity = pace.get("capacity")
        return Limits(float(pace["rate"]), int(capacity) if capacity else None, int(pace["burst"]))

    def _send_out(self, shoppers: int, wire: Wire, state: State) -> list[asyncio.Task[None]]:
        """Everyone, each with a task; who arrives first registers first."""
        chance, board = self._chance, self._board
        unit_s = pace_s(self.evidence.limits.rate, self.evidence.limits.capacity)
        arrivals = sorted(arrival(chance, state, board.now(), unit_s) for _ in range(shoppers))
        registering, run = asyncio.Semaphore(REGISTERING), secrets.token_hex(6)
        working = asyncio.Semaphore(os.cpu_count() or 1)
        tasks = []
        for name, arrives_at in enumerate(arrivals):
            own = random.Random(chance.getrandbits(64))  # noqa: S311
            story = Story(name)
            habits = draw_habits(own, arrives_at, unit_s)
            browser = Browser(wire, own)
            bounds = {"registering": registering, "working": working}
            shopper = Shopper(story, habits, browser, board, chance=own, **bounds)
            self.evidence.stories.append(story)
            tasks.append(
                asyncio.create_task(_live(shopper, story, f"shopper-{run}-{name}@rehearsal.example"))
            )
        return tasks

    async def _watch(
        self, watcher: Browser, tasks: list[asyncio.Task[None]], progress: Progress, deadline: int
    ) -> None:
        over = False
        playing = True
        while playing:
            _, waiting = await asyncio.wait(tasks, timeout=LOOK_S)
            playing = bool(waiting) and self._board.now() <= deadline
            with suppress(Trouble):
                state = await watcher.look()
                progress.show(self.evidence.stories, state, self._board.now())
                if state["phase"] in OVER and not over:
                    over, deadline = True, self._board.now() + LAST_LOOK_MS

    async def _gather(self, watcher: Browser, session: aiohttp.ClientSession) -> None:
        """The public documents as they stand at the end."""
        evidence = self.evidence
        for story in evidence.stories:
            story.end = story.end or End.STAYED
        await self._board.wait(STATE_AGE_S)
        state = await watcher.look()
        evidence.sights = self._board.sights
        if state["draw"]:
            evidence.draw = (await watcher.ask("GET", "@draw")).document
            async with session.get(f"{self._gate}/waitroom/{self._room}/roll") as answer:
                evidence.roll = await answer.read() if answer.status == 200 else None
        evidence.log = await self._read_log(watcher)
        if self._limits(evidence.log) != evidence.limits:
            raise WaitroomError(
                f"the pace of the room {self._room} was changed meanwhile, so there is no verdict"
            )

    async def _read_log(self, watcher: Browser) -> list[Mapping[str, Any]]:
        log: list[Mapping[str, Any]] = []
        after: str | None = "0"
        while after is not None:
            page = (await watcher.ask("GET", f"@log?after={after}")).document
            log += page["entries"]
            after = page["next"]
        return log


async def _live(shopper: Shopper, story: Story, email: str) -> None:
    try:
        await shopper.live(email)
    except Exception as error:  # noqa: BLE001 - an answer that a shopper can make nothing of is a finding
        story.end, story.trouble = End.FELL, repr(error)
