"""A live room: the verbs on its line in the store, and what this process remembers of it.

Reading (``position``, ``phase``) touches memory only; each verb is one script call. Any number of processes
may run the same room: there is no leader.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from waitroom import draw, events, record
from waitroom.answers import Entered, Joined
from waitroom.clock import Clock
from waitroom.drawing import Drawing
from waitroom.errors import (
    Conflict,
    NotCalled,
    NotJoinable,
    NotOpen,
    OneVisitOnly,
    Spent,
    StoreAway,
)
from waitroom.fields import pairs, read_line, read_longest_pass, read_pace, read_schedule, settings_fields
from waitroom.joins import Answer, Joins, Request
from waitroom.keys import Keys
from waitroom.moves import Moves
from waitroom.presale import Commitment, Result, commit
from waitroom.room import Hold, Line, Pace, Phase, Room, phase
from waitroom.settings import RoomSettings
from waitroom.shoppers import Shoppers
from waitroom.store import Store, Unfounded
from waitroom.tickets import Ticket, Tokens
from waitroom.visits import Visits

SEALED_AT_ONCE = 10_000


@dataclass(slots=True)
class Marks:
    """The highest counters this process has seen; it gives them back to a store that lost its last writes."""

    issued: int = 0
    called: int = 0
    presale_size: int = -1

    def args(self) -> tuple[int, int, int]:
        """As the scripts take them."""
        return self.issued, self.called, self.presale_size


class WaitingRoom(Shoppers):
    """One room, live.

    Args:
        name: the room's name.
        settings: its settings; they found it when the store does not know it yet.
        opens_in: seconds from the founding to the opening, where the settings name no time.
        store: the store. tokens: makes ticket ids. clock: tells the time.
        observe: is told what happens.

    Use ``found`` once before anything else, then ``tick`` about four times a second.
    """

    def __init__(
        self,
        name: str,
        settings: RoomSettings,
        opens_in: float,
        *,
        store: Store,
        tokens: Tokens,
        clock: Clock,
        observe: events.Observe = events.ignore,
    ) -> None:
        self.line = Line()
        self.store_away = False
        self.keys = Keys(name)
        self.visits = Visits(clock, self._extend_visits, lambda: self.trouble_ms)
        self.moves = Moves()
        self._clock = clock
        self._settings = settings
        self._store = store
        self._tokens = tokens
        self._observe = observe
        self._joins = Joins(self._run_joins)
        self._marks = Marks()
        self._drawing = Drawing(store, self.keys, self._run, self._learn)
        schedule = settings.schedule(clock.now_ms(), opens_in)
        self.commitment: Commitment = commit(name, schedule, drand=settings.draw == "drand")
        self.room: Room = settings.room(name, schedule, settings.pace())
        self._phase: Phase | None = None  # as last read

    # ---- Life of the room

    async def found(self) -> None:
        """Put the room into the store, or take over what is there; the store's word counts.

        Raises:
            StoreAway: the store does not answer.
        """
        line, settings = await self._found(again=False)
        self._read(line, settings, visits=0, at_door=0, coming=0)

    async def tick(self, *, force: bool = False) -> None:
        """Run ``call`` and read the line; ``force`` calls even if another gate just did.

        A store that is away is remembered in ``store_away`` and told to the observer; all else stays.
        """
        keys = self.keys
        sets = (keys.coming, keys.door, keys.knocks, keys.visits, keys.entered, keys.ended)
        names = (keys.roll, *sets, keys.log, keys.generations)
        args = (*self._marks.args(), int(force), self.visits.ended_since, self.moves.since)
        try:
            try:
                answer = await self._run("call", names, *args)
            except Unfounded:
                await self._found(again=True)
                answer = await self._run("call", names, *args)
        except StoreAway as error:
            self._lose_store(error)
            return
        self._regain_store()
        line, settings, visits, at_door, coming, ended, moved = answer
        self._read(line, settings, visits=visits, at_door=at_door, coming=coming)
        self.visits.read_ended(ended, read_longest_pass(pairs(settings)))
        self.moves.read(moved, pairs(line).get(b"hold_until", b""))

    async def advance_draw(self) -> bool:
        """Take the draw as far as the time allows: freeze, publish the roll, settle. Says whether it is made.

        To be repeated: a draw that the store has lost is settled again as it was. A room that draws by beacon
        goes on from the published roll once the beacon was delivered.

        Raises:
            StoreAway: the store does not answer.
        """
        if not self.room.schedule.has_presale or self.phase() in {Phase.SCHEDULED, Phase.PRESALE}:
            return False
        drawn = self.line.seed
        made = await self._drawing.advance(self.commitment, self.line)
        if made and drawn is None and self.draw is not None:
            self._observe(events.Drawn(self.room.name, self.draw.size, self.draw.seed))
        return made

    @property
    def draw(self) -> Result | None:
        """Everyone's place, once it is drawn."""
        return self._drawing.result

    @property
    def awaited_round(self) -> int | None:
        """The beacon's round without which the draw cannot go on: the roll is out, the round's time has come."""
        return self._drawing.awaited_round(self.commitment, self.line, self._clock.now_ms())

    async def deliver_beacon(self, signature: bytes) -> None:
        """Take the awaited round's signature, from whomever; the next ``advance_draw`` goes on with it.

        Raises:
            BeaconNotAwaited: there is none to take now. BeaconInvalid: it is not the round's signature.
        """
        await self._drawing.deliver(self.awaited_round, signature)

    async def audit_path(self, number: int) -> tuple[bytes, list[bytes]] | None:
        """Leaf and audit path of a number on the published roll; None where the roll has lost that leaf since.

        Raises:
            StoreAway: the store does not answer.
        """
        return await self._drawing.path(number, self.line)

    async def seal_record(self) -> None:
        """Seal what the public record has told since its last seal; nothing where nothing happened.

        Raises:
            StoreAway: the store does not answer.
        """
        line = self.line
        entries = await self._store.read_stream(self.keys.log, line.sealed_to, SEALED_AT_ONCE)
        if all(
            fields["kind"] == record.SEAL and fields["issued"] == str(line.issued) for _, fields in entries
        ):
            return
        seal = record.seal(line.seal or record.first_link(self.room.name), entries)
        await self._run("seal", (self.keys.log,), line.seal.hex(), entries[-1][0], seal.hex())

    # ---- Taking a ticket; what its holder asks stands in `Shoppers`

    async def join(self, entropy: bytes, identity: str = "", held: Ticket | None = None) -> Joined:
        """Take a ticket; a repeat gets the same one, and so does whoever holds one that is not spent.

        ``entropy`` is 32 bytes of the shopper's own; ``held`` the ticket that came with the request.

        Raises:
            NotJoinable: no tickets are issued in this phase.
            OneVisitOnly: the room lets an identity enter once, and this one has.
            Moved: another device holds the place.
            StoreAway: the store does not answer, or has just come back; nothing is lost by asking again.
        """
        held = held if held is not None and held.identity == identity else None
        if held is not None:
            self.moves.require_held(held)
        ticket_id = self._tokens.ticket_id(self.room.name, entropy)
        leaf = draw.leaf(ticket_id, entropy)
        request = Request(
            leaf=leaf,
            identity=identity,
            id=ticket_id.hex(),
            entropy=entropy,
            held="" if held is None else self._record(held),
        )
        answer = await self._joins.answer(request)
        if answer.code == "refused":
            raise NotJoinable(answer.phase)
        if answer.code == "once":
            raise OneVisitOnly
        ticket = self._held(Ticket(self.room.name, answer.number, bytes.fromhex(answer.id), identity), held)
        return Joined(ticket, answer.code == "new", leaf if ticket.id == ticket_id else None)

    async def go_straight_in(
        self, entropy: bytes, identity: str = "", held: Ticket | None = None
    ) -> tuple[Ticket, Entered | None]:
        """Join, call and knock at once, for a shopper who comes while nobody waits; None: the line it is.

        Raises:
            NotJoinable, OneVisitOnly, Moved, StoreAway: as for ``join``.
        """
        joined = await self.join(entropy, identity, held)
        await self.tick(force=True)
        try:
            answer = await self.knock(joined.ticket)
        except (NotCalled, NotOpen, Spent):
            return joined.ticket, None
        return joined.ticket, answer if isinstance(answer, Entered) else None

    @property
    def nobody_waits(self) -> bool:
        """Whether, as last read, whoever comes now may go straight in."""
        line, capacity = self.line, self.room.pace.capacity
        room_left = capacity is None or line.visits < capacity
        return self.phase() is Phase.OPEN and not line.waiting and not line.at_door and room_left

    # ---- The operator's and the shop's verbs

    async def hold(self, action: Hold, *, by: str, reason: str = "") -> Phase:
        """Do to the door what ``action`` says; answers the phase after it.

        Raises:
            Conflict: it is no legal move in this phase.
            StoreAway: the store does not answer.
        """
        keys = self.keys
        names = (keys.log, keys.audit, keys.coming, keys.knocks)
        answer = await self._run("hold", names, action, reason, by)
        if answer[0] == b"illegal":
            raise Conflict(f"{action} is not possible while the room is {answer[1].decode()}")
        await self.tick()
        return Phase(answer[2].decode())

    async def tune(self, pace: Pace, *, by: str, reason: str = "") -> Pace:
        """Change the pace to ``pace``, based on the version it carries; answers the pace as it stands.

        Raises:
            Conflict: somebody else changed it meanwhile.
            StoreAway: the store does not answer.
        """
        old, new = asdict(self.room.pace), asdict(pace)
        changes = [
            text
            for name, value in new.items()
            if name != "version" and value != old[name]
            for text in (name, "" if value is None else str(value))
        ]
        code, version = await self._run(
            "tune", (self.keys.log, self.keys.audit), str(pace.version), by, reason, *changes
        )
        if code == b"conflict":
            raise Conflict(f"the pace was changed meanwhile: version {version.decode()}, not {pace.version}")
        await self.tick()
        return self.room.pace

    async def tell_units(self, left: int, held: int) -> None:
        """Take over what the shop says of its stock; both 0 means sold out.

        Raises:
            StoreAway: the store does not answer.
        """
        known = (left, held) == (self.line.units_left, self.line.units_held)
        if known and (left or held or self.line.sold_out):
            return
        if await self._run("units", (self.keys.log,), left, held):
            await self.tick()
        else:
            self.line = replace(self.line, units_left=left, units_held=held)

    async def tell_trouble(self) -> None:
        """Say that the shop is slow or failing: the door stands still until no gate has said so for five seconds.

        Raises:
            StoreAway: the store does not answer.
        """
        if await self._run("trouble", (self.keys.log,)):
            await self.tick()

    @property
    def trouble_ms(self) -> int:
        """For how long the shop has been in trouble so far; passes given before are good for so much longer."""
        return self.line.trouble_so_far(self._clock.now_ms())

    def phase(self) -> Phase:
        """The phase now."""
        return phase(self.room.schedule, self.line, self._clock.now_ms())

    # ---- Within

    async def _run(self, verb: str, names: Sequence[str], *args: str | bytes | float) -> Any:  # noqa: ANN401 - a script's answer has a shape of its own
        keys = [self.keys.line, self.keys.settings, *names]
        return await self._store.run(verb, keys, [self._clock.now_ms(), *args])

    async def _found(self, *, again: bool) -> list[list[bytes]]:
        """Put the room into the store; ``again`` where this process knows that the store has lost it."""
        fields = settings_fields(self.room.schedule, self.room.pace)
        commitment = self.commitment
        keys = [self.keys.line, self.keys.settings, self.keys.log]
        args: list[str | bytes | float] = [
            self._clock.now_ms(),
            commitment.secret,
            commitment.document,
            int(again),
            *fields,
        ]
        answer: list[list[bytes]] = await self._store.run("found", keys, args)
        return answer

    async def _run_joins(self, batch: list[Request]) -> list[Answer]:
        keys = self.keys
        names = [keys.roll, keys.holders, keys.spent, keys.visits, keys.log]
        names += [keys.retry(request.entropy) for request in batch]
        args: list[str | bytes | int] = [*self._marks.args(), int(self.room.once)]
        for request in batch:
            args += [request.leaf, request.identity, request.id, request.held]
        first, *rest = await self._run("join", names, *args)
        if first == b"hold":
            raise StoreAway(f"the store has just started; tickets are issued again in {rest[0]} ms")
        phase_name = first.decode()
        answers = [
            Answer(code.decode(), number, ticket_id.decode(), phase_name) for code, number, ticket_id in rest
        ]
        new = [answer.number for answer in answers if answer.code == "new"]
        if new:
            self._marks.issued = max(self._marks.issued, max(new) + 1)
        known = sum(answer.code == "same" for answer in answers)
        self._observe(events.Joined(self.room.name, len(new), known))
        return answers

    def _held(self, ticket: Ticket, held: Ticket | None) -> Ticket:
        """A ticket of the generation that is due to who joined: the one they hold; an identity has the latest."""
        if held is not None and held.number == ticket.number:
            return ticket._replace(generation=held.generation)
        if ticket.identity:
            return ticket._replace(generation=self.moves.generation(ticket.number))
        self.moves.require_held(ticket)
        return ticket

    def _record(self, ticket: Ticket) -> str:
        place = self._place(ticket)
        return f"{ticket.number}:{ticket.id.hex()}" + ("" if place is None else f":{place}")

    async def _extend_visits(self, places: Sequence[int]) -> list[int]:
        ends: list[int] = await self._run("touch", (self.keys.visits, self.keys.entered), *places)
        return ends

    def _learn(self, **fields: Any) -> Line:  # noqa: ANN401 - the line's own fields
        self.line = replace(self.line, **fields)
        self._marks.presale_size = fields.get("presale_size", self._marks.presale_size)
        return self.line

    def _read(self, line: list[bytes], settings: list[bytes], **sizes: int) -> None:
        fields, settings_now = pairs(line), pairs(settings)
        schedule = read_schedule(settings_now)
        self.commitment = Commitment(fields[b"secret"], fields[b"commit"])
        self.room = self._settings.room(self.room.name, schedule, read_pace(settings_now))
        line_now = read_line(fields, **sizes)
        issued = self._marks.issued = max(self._marks.issued, line_now.issued)
        called = self._marks.called = max(self._marks.called, line_now.called)
        # An answer may be overtaken by a later one; the counters never fall for those who look at them.
        self.line = replace(line_now, issued=issued, called=called)
        if self.line.presale_size is not None:
            self._marks.presale_size = self.line.presale_size
        self._drawing.remember(self.line)
        now_phase = self.phase()
        before, self._phase = self._phase, now_phase
        if before not in {None, now_phase}:
            self._observe(events.PhaseChanged(self.room.name, before, now_phase))
        self._observe(events.LineRead(self.room, self.line, now_phase))

    def _lose_store(self, error: StoreAway) -> None:
        if not self.store_away:
            self.store_away = True
            self._observe(events.StoreLost(str(error)))

    def _regain_store(self) -> None:
        if self.store_away:
            self.store_away = False
            self._observe(events.StoreBack())
