"""What a check has found: that something holds, is broken, or is worth knowing."""

from dataclasses import dataclass
from enum import StrEnum

DRAW, ROLL, LOG, RECEIPT = "draw.json", "roll.bin", "log.json", "receipt"
"""The documents, by the names they have in a folder."""


class Verdict(StrEnum):
    """Whether what a document claims holds; ``NOTED`` claims nothing."""

    HOLDS = "holds"
    BROKEN = "broken"
    NOTED = "noted"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report: which document, and what of it."""

    document: str
    verdict: Verdict
    text: str


def holds(document: str, text: str) -> Finding:
    """The document is right in this."""
    return Finding(document, Verdict.HOLDS, text)


def broken(document: str, text: str) -> Finding:
    """The document was edited, or the sale was not what it claims."""
    return Finding(document, Verdict.BROKEN, text)


def noted(document: str, text: str) -> Finding:
    """The reader should know this."""
    return Finding(document, Verdict.NOTED, text)
