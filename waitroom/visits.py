"""What this process knows of visits beyond what a pass says: which were ended early, which were extended.

A pass is checked without the store. Ends before the pass's time come in with each ``call``; extensions go out
in one batch a second. Both are bounded by the people in the shop, not by those who wait. While the shop is in
trouble the time of visits stands still: it is the clock's, less all trouble so far.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from waitroom.clock import Clock
from waitroom.tickets import Pass

_OVERLAP_MS = 5_000  # how far back early ends are read again: more than gates' clocks may differ


class Visits:
    """The visits of one room, as this process knows them.

    Args:
        extend: extends the visits of these places and answers when each ends now, in the time of visits, 0 for none.
        trouble_ms: for how long the shop has been in trouble so far.
    """

    def __init__(
        self,
        clock: Clock,
        extend: Callable[[Sequence[int]], Awaitable[list[int]]],
        trouble_ms: Callable[[], int] = int,
    ) -> None:
        self._clock = clock
        self._extend = extend
        self._trouble_ms = trouble_ms
        self._ended: dict[int, int] = {}
        self._touched: set[int] = set()
        self._extended: dict[int, int] = {}

    @property
    def ended_since(self) -> int:
        """From when on early ends should be read (epoch ms)."""
        # Not later than now: the clock may have been set back.
        last = min(max(self._ended.values(), default=0), self._clock.now_ms())
        return max(0, last - _OVERLAP_MS)

    def end(self, place: int) -> None:
        """Remember that a visit ended just now."""
        self._ended[place] = self._clock.now_ms()

    def read_ended(self, flat: Sequence[bytes], longest_ms: int) -> None:
        """Take over early ends (place, when, …), and forget those older than any pass can be."""
        oldest = self._time() - longest_ms
        for place, at in zip(flat[::2], flat[1::2], strict=True):
            self._ended[int(place)] = int(float(at))
        self._ended = {place: at for place, at in self._ended.items() if at > oldest}

    def stands(self, granted: Pass) -> Pass:
        """A pass as it stands now: as much longer as the shop has been in trouble since it was given."""
        return granted.after(self._trouble_ms())

    def admits(self, granted: Pass) -> bool:
        """Whether a pass that is in time still stands for a visit."""
        return granted.place not in self._ended

    def touch(self, granted: Pass) -> Pass:
        """Note that a visitor is active; answers the pass as far as the visit is known to be extended."""
        self._touched.add(granted.place)
        extended = self._extended.get(granted.place, 0) + granted.trouble_ms
        return replace(granted, expires_at=extended) if extended > granted.expires_at else granted

    async def extend(self) -> None:
        """Extend the visits of all who were active since the last time.

        Raises:
            StoreAway: the store does not answer; the same visits are tried again next time.
        """
        if not self._touched:
            return
        places = list(self._touched)
        ends = await self._extend(places)
        self._touched.difference_update(places)
        now = self._time()
        self._extended.update((place, end) for place, end in zip(places, ends, strict=True) if end)
        self._extended = {place: end for place, end in self._extended.items() if end > now}

    def _time(self) -> int:
        return self._clock.now_ms() - self._trouble_ms()
