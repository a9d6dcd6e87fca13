"""Is the shop in trouble? What one gate has heard of it lately, and a threshold.

Pure: the caller brings the time. Every visitor has one voice, divided among their answers of the last seconds, so that
nobody gets a sale paused by asking for a broken page again and again. The gate has a voice of its own, by which it
knows of a shop that fails while nobody is in it, and of one that has recovered.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

WINDOW_S = 10
"""For so long an answer counts."""

MOST_VOICES = 1_000
"""So many visitors are heard in a second, those who come first: enough to know, and memory stays bounded."""

OWN_ASKS = 3
"""The gate believes itself alone when so many of its own requests have failed in a row."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """From when on the shop is in trouble: half of at least five visitors' answers fail, if nothing else is set.

    Attributes:
        visitors: the fewest visitors, of the last ten seconds, whose word is taken.
        share: the share of their answers that must have failed, above 0 and up to 1.
        slow_seconds: an answer that has not begun by then has failed.
    """

    visitors: int = 5
    share: float = 0.5
    slow_seconds: float = 5


class Voices:
    """What has been heard of the shop within the window. ``in_trouble`` is the last judgement."""

    def __init__(self, threshold: Threshold) -> None:
        self.in_trouble = False
        self._threshold = threshold
        self._seconds: deque[tuple[int, dict[int, list[int]]]] = deque()  # each: place -> failed, all
        self._own: deque[bool] = deque(maxlen=OWN_ASKS)

    def hear(self, now_ms: int, place: int, *, failed: bool) -> None:
        """Take down how the shop answered the visitor with this place."""
        second = now_ms // 1000
        self._forget(second)
        if not self._seconds or self._seconds[-1][0] < second:
            self._seconds.append((second, {}))
        voices = self._seconds[-1][1]
        if place in voices or len(voices) < MOST_VOICES:
            voice = voices.setdefault(place, [0, 0])
            voice[0] += failed
            voice[1] += 1

    def hear_own(self, *, failed: bool) -> None:
        """Take down how the shop answered the gate's own request."""
        self._own.append(failed)

    def judge(self, now_ms: int) -> bool:
        """Whether the shop is in trouble now.

        It is when enough visitors say so, or when the gate's own requests all fail. While it is and too few visitors
        are left to tell, the gate's last own request decides.
        """
        self._forget(now_ms // 1000)
        if not self.in_trouble:
            alone = len(self._own) == OWN_ASKS and all(self._own)
            self.in_trouble = self._visitors_say_so() or alone
            if self.in_trouble:
                self._own.clear()  # the next one tells of the shop as it is then
        else:
            self.in_trouble = self._visitors_say_so() or not self._own or self._own[-1]
        return self.in_trouble

    def _visitors_say_so(self) -> bool:
        shares = list(self._shares())
        limit = self._threshold
        return len(shares) >= limit.visitors and sum(shares) >= limit.share * len(shares)

    def _shares(self) -> Iterator[float]:
        """For each visitor heard, the share of their answers that failed."""
        heard: dict[int, list[int]] = {}
        for _, voices in self._seconds:
            for place, (failed, all_) in voices.items():
                voice = heard.setdefault(place, [0, 0])
                voice[0] += failed
                voice[1] += all_
        return (failed / all_ for failed, all_ in heard.values())

    def _forget(self, second: int) -> None:
        """Drop what was heard too long ago, or at times to come: then the clock was set back since."""
        while self._seconds and self._seconds[-1][0] > second + WINDOW_S:
            self._seconds.pop()
        while self._seconds and self._seconds[0][0] <= second - WINDOW_S:
            self._seconds.popleft()
