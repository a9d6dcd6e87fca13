"""How the shop answers: this gate's watch over it for one room."""

import asyncio
from types import TracebackType
from typing import Self

import structlog

from gate.gate import Gate, LiveRoom
from gate.proxy import UpstreamRefused, UpstreamTimeout
from waitroom.trouble import Voices

_FAILURES = frozenset({500, 502, 503, 504})
"""Not 501 or 505: an odd request brings those about, and a few visitors could stop the sale with them."""

_log = structlog.get_logger()


class Watch:
    """Hears each answer to a visitor on the room's protected paths, counts it, and tells the room of trouble."""

    def __init__(self, gate: Gate, room: LiveRoom) -> None:
        self._gate = gate
        self._room = room
        self.patience_s = room.waiting.room.trouble.slow_seconds
        self._voices = Voices(room.waiting.room.trouble)

    def ask(self, place: int, *, patient: bool) -> "Question":
        """A request of the visitor with this place, for as long as it is under way.

        ``patient`` where the shopper is still sending: then it may be the shopper who is slow.
        """
        return Question(self, place, None if patient else self.patience_s)

    def heard(self, place: int, result: str) -> None:
        """The shop's answer to a visitor was ``fine``, ``failed`` or ``slow``."""
        self._gate.metrics.shop_answered(self._room.name, result)
        self._voices.hear(self._gate.clock.now_ms(), place, failed=result != "fine")

    def heard_own(self, *, failed: bool) -> None:
        """How the shop answered the gate itself."""
        self._voices.hear_own(failed=failed)

    @property
    def wants_to_ask(self) -> bool:
        """Whether the gate should ask the shop itself how it is, though it has nothing else to ask it."""
        return self._voices.in_trouble

    async def tell(self) -> None:
        """Tell the room if the shop is in trouble; to be repeated every second, for what is told runs out.

        Raises:
            StoreAway: the store does not answer.
        """
        before = self._voices.in_trouble
        now = self._voices.judge(self._gate.clock.now_ms())
        if now is not before:
            _log.warning("the shop is in trouble" if now else "the shop has recovered", room=self._room.name)
        if now:
            await self._room.waiting.tell_trouble()


class Question:
    """A visitor's request to the shop: what became of it is heard once, and that it is slow as soon as it is."""

    def __init__(self, watch: Watch, place: int, patience_s: float | None) -> None:
        self._watch = watch
        self._place = place
        self._open = True
        loop = asyncio.get_running_loop()
        self._timer = None if patience_s is None else loop.call_later(patience_s, self._settle, "slow")

    def answered(self, status: int) -> None:
        """The shop's answer has begun."""
        self._settle("failed" if status in _FAILURES else "fine")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if isinstance(error, UpstreamTimeout | UpstreamRefused):
            self._settle("failed")
        self._close()  # of one whose shopper went away nothing is known

    def _settle(self, result: str) -> None:
        if self._open:
            self._watch.heard(self._place, result)
        self._close()

    def _close(self) -> None:
        self._open = False
        if self._timer is not None:
            self._timer.cancel()
