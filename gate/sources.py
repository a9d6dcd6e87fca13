"""The pages' scripts and style sheet, as they are sent."""

import re
from functools import cache
from pathlib import Path
from typing import Final

_STATIC: Final = Path(__file__).parent / "static"
_MODULES: Final = ("language.js", "draw.js", "line.js", "face.js", "queue.js")
"""In the order in which they need each other; `work.js` goes before the last where a room asks for it."""


@cache
def read_style() -> str:
    """The style sheet; the colours that it names come before it."""
    return _lean((_STATIC / "queue.css").read_text())


@cache
def read_script(*, work: bool = False) -> str:
    """The waiting page's modules as one, so that the first view is one answer; imports and exports fall away.

    With ``work`` it can have the work done that a room may ask for before a join.
    """
    modules = (*_MODULES[:-1], *(["work.js"] if work else []), _MODULES[-1])
    whole = "".join(_lean((_STATIC / name).read_text()) for name in modules)
    return re.sub(r"^(?:import .*;\n|export (?=const|function))", "", whole, flags=re.MULTILINE)


@cache
def read_worker() -> str:
    """The worker that does the work beside the page."""
    return _lean((_STATIC / "worker.js").read_text())


def _lean(source: str) -> str:
    """The source without indentation, blank lines and comment lines."""
    lines = (line.strip() for line in source.splitlines())
    return "".join(f"{line}\n" for line in lines if line and not line.startswith(("//", "/*")))
