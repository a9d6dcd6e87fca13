"""How far the rehearsal is: a bar on a terminal, a line now and then elsewhere."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from waitroom.rehearsal.board import State
from waitroom.rehearsal.story import End, Story

LINE_EVERY_MS = 5_000


class Progress:
    """Shows counts of the crowd while the block runs."""

    def __init__(self, console: Console, shoppers: int) -> None:
        self._console = console
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(24),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._task = self._bar.add_task("", total=shoppers)
        self._next_line_at = 0

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def show(self, stories: Sequence[Story], state: State, now: int) -> None:
        """The counts as they are now."""
        text = describe(stories, state, now)
        gone = sum(story.end is not None for story in stories)
        self._bar.update(self._task, description=text, completed=gone)
        if not self._console.is_terminal and now >= self._next_line_at:
            self._console.print(f"{text} | {gone} gone", highlight=False, soft_wrap=True)
            self._next_line_at = now + LINE_EVERY_MS


def describe(stories: Sequence[Story], state: State, now: int) -> str:
    """One line: the phase and how many have registered, joined, been called, entered and bought."""
    phase, left_s = str(state["phase"]).replace("_", " "), (state["opens_at"] - now) / 1000
    counts = {
        "registered": sum(bool(story.account) for story in stories),
        "joined": sum(story.held is not None for story in stories),
        "called": state["called"],
        "let in": sum(bool(story.entries) for story in stories),
        "bought": sum(story.end is End.BOUGHT for story in stories),
    }
    if left_s > 0:
        phase += f", opens in {left_s:.0f} s"
    return " | ".join([phase, *(f"{count} {what}" for what, count in counts.items())])
