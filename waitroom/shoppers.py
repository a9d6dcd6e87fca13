"""What those who hold a ticket or a pass ask of a live room; ``waitroom.line`` is the room itself."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

from waitroom import events
from waitroom.answers import AtDoor, Entered, Position
from waitroom.errors import InShop, LinkUsed, Moved, NoMoreTime, NotCalled, NotOpen, Refused, Spent, VisitOver
from waitroom.keys import Keys
from waitroom.moves import Moves
from waitroom.presale import Result, place_of
from waitroom.room import Line, Phase, Room
from waitroom.tickets import Pass, Ticket
from waitroom.visits import Visits


class Shoppers(ABC):
    """The verbs of ticket and pass. Each is one script call; ``position`` touches memory only."""

    room: Room
    line: Line
    keys: Keys
    visits: Visits
    moves: Moves
    _observe: events.Observe

    @property
    @abstractmethod
    def draw(self) -> Result | None:
        """Everyone's place, once it is drawn."""

    @abstractmethod
    def phase(self) -> Phase:
        """The phase now."""

    @abstractmethod
    async def _run(self, verb: str, names: Sequence[str], *args: str | bytes | float) -> Any:  # noqa: ANN401 - a script's answer has a shape of its own
        """Run a verb's script on this room."""

    # ---- With a ticket

    def position(self, ticket: Ticket) -> Position:
        """Where a ticket stands; arithmetic in memory."""
        place = self._place(ticket)
        if place is None:
            return Position(ticket.number, None, None, called=False)
        return Position(ticket.number, place, max(0, place - self.line.called), place < self.line.called)

    async def knock(self, ticket: Ticket) -> Entered | AtDoor:
        """Ask to be let in. Repeated while the visit lasts, it gives the same answer.

        Raises:
            NotCalled: the turn has not come. Spent: it is over. NotOpen: nobody enters in this phase.
            Moved: another device holds the place.
            StoreAway: the store does not answer.
        """
        place = self._drawn_place(ticket)
        keys = self.keys
        sets = (keys.coming, keys.door, keys.knocks, keys.visits, keys.entered)
        names = (*sets, keys.spent, keys.holders, keys.log, keys.generations)
        code, *rest = await self._run(
            "knock", names, place, ticket.number, ticket.identity, ticket.id.hex(), ticket.generation
        )
        result = code.decode()
        phase_name = rest[0].decode() if result == "phase" else ""
        self._observe(events.Knocked(self.room.name, phase_name or result))
        if result == "entered":
            enter_at, expires_at, trouble_ms, new = rest
            if new:
                self._observe(events.Entered(self.room.name, place, enter_at, expires_at))
            return Entered(place, enter_at, expires_at, trouble_ms)
        if result == "door":
            return AtDoor(place, *rest)
        raise NotOpen(phase_name) if phase_name else _refusal(result, rest)

    async def defer(self, ticket: Ticket) -> None:
        """Let others by: the place is not expected at the door until it knocks again. Repeated, it changes nothing.

        Raises:
            NotCalled: there is nothing to put off yet. InShop, Spent: nor any more.
            NotOpen: the draw is still to come. Moved: another device holds the place.
            StoreAway: the store does not answer.
        """
        place = self._drawn_place(ticket)
        keys = self.keys
        names = (keys.coming, keys.door, keys.knocks, keys.visits, keys.spent, keys.holders, keys.generations)
        code, *rest = await self._run(
            "defer", names, place, ticket.number, ticket.identity, ticket.generation
        )
        if code != b"deferred":
            raise _refusal(code.decode(), rest)
        if rest[0]:
            self._observe(events.Deferred(self.room.name, place))

    async def leave_line(self, ticket: Ticket) -> None:
        """Give up a ticket: its place holds nobody up, and a visit of it ends.

        Raises:
            Moved: another device holds the place. StoreAway: the store does not answer.
        """
        self.moves.require_held(ticket)
        place = self._place(ticket)
        await self._leave("" if place is None else place, ticket.number, ticket.generation)

    async def claim(self, handed: Ticket, entropy: bytes) -> Ticket:
        """Take over the place of the ticket in a link, for whoever has this entropy of 32 bytes; once.

        The same claim, repeated, gets the same ticket. From now on the one that was handed on gets nothing.

        Raises:
            LinkUsed: another device has. InShop, Spent: there is no place to hand on any more.
            StoreAway: the store does not answer.
        """
        keys, place = self.keys, self._place(handed)
        names = (keys.generations, keys.claims, keys.visits, keys.spent, keys.holders)
        code, *rest = await self._run(
            "claim",
            names,
            "" if place is None else place,
            handed.number,
            handed.identity,
            handed.generation,
            sha256(entropy).hexdigest()[:32],
            self.moves.generation(handed.number),
        )
        if code != b"claimed":
            raise _refusal(code.decode(), rest)
        generation, new = rest
        self.moves.remember(handed.number, generation)
        if new:
            self._observe(events.TicketMoved(self.room.name, handed.number))
        return handed._replace(generation=generation)

    # ---- With a pass

    async def extend(self, granted: Pass) -> Pass:
        """More time for a visitor who asks. It counts from the pass, so that the same pass gets the same answer.

        Raises:
            NoMoreTime: the room gives none, or this visit has had it all. VisitOver: it has ended.
            StoreAway: the store does not answer.
        """
        names, trouble_ms = (self.keys.visits, self.keys.entered), granted.trouble_ms
        code, *rest = await self._run("extend", names, granted.place, granted.expires_at - trouble_ms)
        if code != b"extended":
            raise VisitOver if code == b"over" else NoMoreTime
        ends, longer = rest
        extended = self.visits.stands(replace(granted, expires_at=ends + trouble_ms))
        if longer:
            self._observe(events.Extended(self.room.name, granted.place, extended.expires_at))
        return extended

    async def leave_shop(self, granted: Pass) -> None:
        """End a visit before its time; its pass is good for nothing from now on.

        Raises:
            StoreAway: the store does not answer.
        """
        await self._leave(granted.place, -1, 0)

    # ---- Within

    def _place(self, ticket: Ticket) -> int | None:
        return place_of(ticket.number, self.line, self.room.schedule, self.draw)

    def _drawn_place(self, ticket: Ticket) -> int:
        """The place of a ticket that is still its holder's."""
        self.moves.require_held(ticket)
        place = self._place(ticket)
        if place is None:
            raise NotOpen(self.phase())
        return place

    async def _leave(self, place: int | str, number: int, generation: int) -> None:
        keys = self.keys
        sets = (keys.coming, keys.door, keys.knocks, keys.visits, keys.entered, keys.ended)
        ended = await self._run("leave", (*sets, keys.spent, keys.generations), place, number, generation)
        if ended < 0:
            raise Moved
        if ended:
            self.visits.end(int(place))
            self._observe(events.Left(self.room.name, int(place)))


_REFUSALS = {"spent": Spent, "moved": Moved, "in_shop": InShop, "used": LinkUsed}


def _refusal(code: str, rest: Sequence[int]) -> Refused:
    """The error that a script's answer stands for."""
    return NotCalled(rest[0]) if code == "not_called" else _REFUSALS[code]()
