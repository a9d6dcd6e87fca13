"""Time: one clock that is stored and compared between machines, one that only measures.

This is the only module that reads the machine's time.
"""

import time

LONGEST_ROUND_TRIP_MS = 200
"""An answer of the store that took longer does not say what time it is."""


class Clock:
    """The wall clock in epoch milliseconds, corrected to the store's, and a steady clock for durations."""

    def __init__(self) -> None:
        self.offset_ms = 0

    def now_ms(self) -> int:
        """Milliseconds since the epoch as the store counts them, so that all gates agree."""
        return time.time_ns() // 1_000_000 + self.offset_ms

    def monotonic(self) -> float:
        """Seconds of a clock that never jumps, for measuring durations only."""
        return time.monotonic()

    def correct(self, store_ms: int, sent_ms: int, received_ms: int) -> None:
        """Take over the store's time, read somewhere between two readings of ``now_ms``.

        Leaves the clock alone while the reading lies within the round trip: such a difference is noise, and a clock
        that is right must not tremble. Else moves it just so far that it does; a slow answer says too little.
        """
        if received_ms - sent_ms > LONGEST_ROUND_TRIP_MS:
            return
        if store_ms < sent_ms:
            self.offset_ms += store_ms - sent_ms
        elif store_ms > received_ms:
            self.offset_ms += store_ms - received_ms


class ManualClock(Clock):
    """A clock that stands still until it is told to move: for tests, which never sleep."""

    def __init__(self, now_ms: int) -> None:
        super().__init__()
        self.at_ms = now_ms

    def now_ms(self) -> int:
        """The time that was set."""
        return self.at_ms

    def monotonic(self) -> float:
        """The same time in seconds."""
        return self.at_ms / 1000

    def correct(self, store_ms: int, sent_ms: int, received_ms: int) -> None:
        """Ignore the store's clock: the test's rules."""

    def advance(self, ms: int) -> None:
        """Let ``ms`` milliseconds pass."""
        self.at_ms += ms
