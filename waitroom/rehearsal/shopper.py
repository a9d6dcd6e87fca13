"""One simulated shopper: registers, signs in, waits on the page, knocks, goes in, and sooner or later goes."""

import asyncio
import random
from collections.abc import Mapping
from typing import Any

from waitroom.rehearsal.board import OVER, Board, State, distance_s, next_look_s, place_of
from waitroom.rehearsal.browser import Answer, Browser, Trouble
from waitroom.rehearsal.errand import Errand
from waitroom.rehearsal.habits import Closes, Habits
from waitroom.rehearsal.story import AtDoor, End, Held, Knock, LetIn, Repeat, Story, TooEarly
from waitroom.rehearsal.work import do_work

PASSWORD = "correct horse battery staple"  # noqa: S105 - everyone's, in a rehearsal


class Shopper:
    """Plays one shopper and writes down what they see.

    Args:
        story: where it is written down. habits: what they are like.
        registering: how many register at once; hashing passwords is the dearest thing the shop does.
        working: how many do the work at once that a room may ask for before a join; it takes a processor each.
    """

    def __init__(
        self,
        story: Story,
        habits: Habits,
        browser: Browser,
        board: Board,
        *,
        chance: random.Random,
        registering: asyncio.Semaphore,
        working: asyncio.Semaphore,
    ) -> None:
        self._story = story
        self._habits = habits
        self._browser = browser
        self._board = board
        self._chance = chance
        self._registering = registering
        self._working = working
        self._entropy = chance.randbytes(32).hex()
        self._work: dict[str, str] = {}
        self._failures = 0
        self._state: State = {}
        self._seed: str | None = None
        self._again_at = 0
        self._deferred = self._moved = False
        self._handed = ""

    async def live(self, email: str) -> None:
        """The whole day, until the story has an end."""
        await self._register(email)
        await self._board.wait_until(self._habits.arrives_at)
        while not self._story.end:
            try:
                await self._round()
                self._failures = 0
            except Trouble:
                self._failures += 1
            if not self._story.end:
                await self._pause()

    # ---- Before

    async def _register(self, email: str) -> None:
        while not self._story.account:
            async with self._registering:
                try:
                    body = {"email": email, "password": PASSWORD}
                    await self._browser.ask("POST", "/account/register", body)
                    answer = await self._browser.ask("POST", "/account/sign-in", body)
                    self._story.account = answer.document["account"]
                except Trouble:
                    await self._board.wait(1)

    # ---- The waiting page

    async def _round(self) -> None:
        story = self._story
        self._state = await self._browser.look()
        if self._state["phase"] in OVER:
            story.end = End.TOLD
            return
        if not story.held and self._state["joinable"]:
            await self._join()
        if not story.held:
            return
        self._find_place()
        if await self._walk_off():
            return
        if self._called() and self._board.now() >= self._again_at:
            await self._knock()

    async def _join(self) -> None:
        answers = await self._send("join", "@ticket", {"entropy": self._entropy} | self._work)
        if answers[0].slug == "too-many-joins":
            raise Trouble
        if answers[0].slug == "work-needed":  # the next round joins with it
            self._work = {"work": await do_work(self._browser, self._entropy, self._working)}
            return
        if answers[0].status == 409:
            return
        ticket = answers[0].document
        self._story.held = Held(
            ticket["number"], bytes.fromhex(ticket["ticket"]), bytes.fromhex(ticket["leaf"])
        )
        self._story.joined_at = answers[0].received_at
        self._note_place(ticket["place"])

    def _find_place(self) -> None:
        seed = self._state["draw"] and self._state["draw"]["seed"]
        if self._story.held and (self._story.place is None or seed != self._seed):
            self._note_place(place_of(self._story.held.number, self._state))
            self._seed = seed

    def _note_place(self, place: int | None) -> None:
        if place is not None and place != self._story.place:
            self._story.places.append(place)

    def _called(self) -> bool:
        place = self._story.place
        return self._state["phase"] == "open" and place is not None and place < self._state["called"]

    async def _walk_off(self) -> bool:
        """Whether this shopper goes away now, for ever or for a while."""
        habits, story = self._habits, self._story
        called = self._called()
        tired = self._board.now() >= story.joined_at + 1000 * habits.patience_s and not story.knocks
        if (called and habits.closes is Closes.CALLED) or (tired and habits.closes is Closes.WAITING):
            story.end = End.CLOSED
        elif tired and habits.gives_up:
            await self._browser.ask("DELETE", "@ticket")
            story.end = End.GAVE_UP
        elif called and habits.defers_s and not self._deferred:
            await self._browser.ask("POST", "@ticket/defer", {})
            self._deferred, story.attentive = True, False
            await self._board.wait(habits.defers_s)
            await self._round()
        elif habits.moves and not self._moved and not called:
            await self._move()
        elif tired and habits.away_s and story.attentive:
            story.attentive = False
            await self._board.wait(habits.away_s)
            await self._come_back()
            await self._round()
        else:
            return False
        return True

    async def _come_back(self) -> None:
        """Open the page again: the browser still holds the ticket, and asks where it stands."""
        answer = await self._browser.ask("GET", "@ticket")
        self._note_place(answer.document["place"])
        numbers = (str(answer.document["number"]), str(self._story.held and self._story.held.number))
        self._story.repeats.append(Repeat("come back", numbers))

    async def _move(self) -> None:
        """Take the place to another device, and look what the first one is told then."""
        first = self._browser
        if not self._handed:
            link = await first.ask("POST", "@ticket/move", {})
            self._handed = str(link.document.get("link", "")).partition("#move=")[2]
        body = {"move": self._handed, "entropy": self._entropy}
        second = first.other_device()
        answer = await second.ask("POST", "@ticket/claim", body)
        self._browser, self._moved = second, True
        numbers = (str(answer.document.get("number")), str(self._story.held and self._story.held.number))
        await self._board.wait(1)
        told = await first.ask("GET", "@ticket")
        self._story.repeats += [Repeat("move", numbers), Repeat("old device", ("moved", told.slug))]

    # ---- At the door

    async def _knock(self) -> None:
        story = self._story
        for answer in await self._send("knock", "@pass", {"next": "/sale"}):
            if knock := self._read_knock(answer):
                story.knocks.append(knock)
                self._note_place(knock.place)
            elif answer.slug == "spent":
                story.turned_away.append("spent, to a ticket that was never used")
                story.end = End.WENT_EMPTY
        if story.entries:
            await self._enter(story.entries[0])
        elif story.knocks and isinstance(story.knocks[-1], AtDoor):
            self._again_at = story.knocks[-1].again_at
            if self._habits.closes is Closes.AT_DOOR:
                story.end = End.CLOSED

    def _read_knock(self, answer: Answer) -> Knock | None:
        said, when = answer.document, (answer.sent_at, answer.received_at)
        match answer.status:
            case 201:
                return LetIn(said["place"], *when, said["enter_at"], said["expires_at"])
            case 202:
                return AtDoor(said["place"], *when, said["before"], said["knock_again_at"])
            case 425:
                return TooEarly(self._story.places[-1], *when, said["ahead"])
        return None

    async def _enter(self, entry: LetIn) -> None:
        await self._board.wait_until(entry.enter_at)
        self._story.stayed_until = entry.expires_at
        if self._habits.closes is Closes.IN_SHOP:
            self._story.end = End.CLOSED
        else:
            who = (self._story, self._habits, self._browser, self._board)
            await Errand(*who, chance=self._chance, send=self._send).run()

    # ---- Within

    async def _send(self, request: str, path: str, body: Mapping[str, Any]) -> list[Answer]:
        """A request that may go out several times, as this shopper's habits have it; never no answer."""
        if self._habits.bad_line and self._chance.random() < 0.5:
            await self._browser.cut("POST", path, body)
        if not self._habits.double_clicks:
            return [await self._browser.ask("POST", path, body)]
        answers = await self._browser.ask_twice("POST", path, body)
        self._story.repeats.append(Repeat(request, tuple(filter(None, map(_comparable, answers)))))
        return sorted(answers, key=lambda answer: answer.status)

    async def _pause(self) -> None:
        """Until the page's next round; after a failure longer and longer, as the page does."""
        now = self._board.now()
        if self._failures:
            seconds = min(20, 2**self._failures) * self._chance.uniform(0.75, 1.25)
        else:
            seconds = next_look_s(self._state, now, distance_s(self._story.place, self._state), self._chance)
            if self._again_at > now:
                seconds = min(seconds, (self._again_at - now) / 1000)
        await self._board.wait(max(0.1, seconds))


def _comparable(answer: Answer) -> str:
    """What a repeat must be answered with as well; nothing where the world may have moved on in between."""
    said = answer.document
    if answer.status == 202 or answer.slug in {"not-called", "not-enough", "too-many-joins"}:
        return ""
    if answer.status >= 400:
        return f"{answer.status} {answer.slug}"
    names = ("number", "ticket", "leaf", "place", "token", "enter_at", "expires_at", "id", "state", "lines")
    return ", ".join(f"{name} {said[name]}" for name in names if name in said)
