"""What a check comes to: a figure to show, and every violation in one line."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from waitroom.rehearsal.story import Evidence


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the verdict; it holds when there is no violation."""

    promise: str
    seen: str
    violations: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether the promise was kept."""
        return not self.violations


Check = Callable[[Evidence], Finding]


def finding(promise: str, seen: str, violations: Iterable[str]) -> Finding:
    """A finding from whatever yields violations."""
    return Finding(promise, seen, tuple(violations))


def counted(count: int, noun: str) -> str:
    """The noun with its count, in the plural where there is not one."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
