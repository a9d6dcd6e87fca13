"""What the handlers share: one gate, its rooms and the shop behind it."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter

from aiohttp import hdrs, web
from prometheus_client import CollectorRegistry

from gate import problems
from gate.friction import Friction
from gate.http_metrics import HttpMetrics
from gate.look import Look
from waitroom.answers import Position
from waitroom.clock import Clock
from waitroom.errors import StoreAway
from waitroom.forecast import flow, wait
from waitroom.line import WaitingRoom
from waitroom.settings import Settings
from waitroom.state import State, build_state
from waitroom.store import Store
from waitroom.tickets import Tokens

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

FRESH_MS = 1000  # the state document is built once a second


class LiveRoom:
    """A waiting room, its state document and the flow of its line, as this gate serves them.

    ``friction`` is what it asks of whoever joins; None: nothing.
    """

    def __init__(self, waiting_room: WaitingRoom, clock: Clock) -> None:
        self.waiting = waiting_room
        self.friction: Friction | None = None
        self._clock = clock
        self.state = self._build()

    @property
    def name(self) -> str:
        """The room's name."""
        return self.waiting.room.name

    async def tick(self) -> None:
        """Read the line; build the state if it is a second old, or says something that is no longer so."""
        await self.waiting.tick()
        stale = not 0 <= self._clock.now_ms() - self.state.built_at < FRESH_MS  # the clock may be set back
        # A verb may have changed the phase between two ticks.
        if stale or self._said != (self.waiting.phase(), self.waiting.store_away):
            self.state = self._build()

    async def advance_draw(self) -> None:
        """Take the draw a step on; without the store, later."""
        with suppress(StoreAway):
            await self.waiting.advance_draw()

    def wait_for(self, position: Position) -> tuple[int, int] | None:
        """Seconds (low, high) that hold this shopper's wait in 80 % of cases; None if nobody can tell."""
        if position.ahead is None:
            return None
        return wait(-1 if position.called else position.ahead, self.flow)

    def _build(self) -> State:
        room, line = self.waiting.room, self.waiting.line
        self.flow = flow(room.pace, line, self._clock.now_ms() - room.schedule.opens_at)
        self._said = self.waiting.phase(), self.waiting.store_away
        return build_state(self.waiting, self._clock.now_ms())


@dataclass(slots=True)
class Gate:
    """One gate process: what it knows and whom it speaks to.

    ``looks`` are the rooms' by name, ``look`` is that of pages which belong to no room.
    """

    settings: Settings
    clock: Clock
    store: Store
    tokens: Tokens
    rooms: dict[str, LiveRoom]
    registry: CollectorRegistry
    look: Look
    looks: dict[str, Look]
    metrics: HttpMetrics = field(init=False)

    def __post_init__(self) -> None:
        self.metrics = HttpMetrics(self.registry)

    def endpoint(self, route: str, methods: dict[str, Handler]) -> Handler:
        """One handler for an address: finds the method, answers errors from one table, counts under ``route``."""
        methods = methods | ({"HEAD": methods["GET"]} if "GET" in methods else {})

        async def handle(request: web.Request) -> web.StreamResponse:
            started = perf_counter()
            response: web.StreamResponse
            try:
                handler = methods.get(request.method) or methods.get("*")
                if handler is None:
                    raise web.HTTPMethodNotAllowed(request.method, methods)  # noqa: TRY301 - answered like all errors
                response = await handler(request)
            except Exception as error:  # noqa: BLE001 - the table of problems is the one place for errors
                response = problems.answer(request, error, self.look)
                if request.body_exists and not request.content.is_eof():
                    response.force_close()  # the rest of the body is unread
            self.metrics.answered(route, request.method, response.status, perf_counter() - started)
            return response

        return handle


GATE = web.AppKey("GATE", Gate)


def no_store(**headers: str) -> dict[str, str]:
    """Headers of an answer made for one shopper."""
    return {hdrs.CACHE_CONTROL: "no-store", **headers}
