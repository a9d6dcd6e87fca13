"""The pages' scripts and style sheets, as they are sent."""

import re
from functools import cache
from pathlib import Path
from typing import Final

from rjsmin import jsmin  # type: ignore[import-untyped]

_STATIC: Final = Path(__file__).parent / "static"
_MODULES: Final = (
    "language.js",
    "shuffle.js",
    "line.js",
    "gate.js",
    "receipt.js",
    "calls.js",
    "face.js",
    "paint.js",
    "parts.js",
    "queue.js",
)
_MORE: Final = (
    "shuffle.js",
    "draw.js",
    "record.js",
    "checks.js",
    "element.js",
    "proof.js",
    "move.js",
    "claim.js",
    "alarm.js",
    "work.js",
    "more.js",
)
"""In the order in which they need each other."""

_CSS_SPACE: Final = re.compile(r"\s*([{};,>])\s*|(?<=:)\s+")
_MODULE_PART: Final = re.compile(r"^(?:import .*;\n|export (?=async|const|function))", re.MULTILINE)


@cache
def read_style(name: str = "queue.css") -> str:
    """A style sheet; the colours that the page's own names come before it."""
    return _lean((_STATIC / name).read_text())


@cache
def read_script() -> str:
    """The waiting page's modules as one, so that the first view is one answer."""
    return _bundle(_MODULES)


@cache
def read_worker() -> str:
    """The worker that does the work beside the page."""
    return _bundle(("worker.js",))


@cache
def read_more() -> str:
    """The modules that the page fetches when a shopper asks for them, as one."""
    return _bundle(_MORE)


def _bundle(names: tuple[str, ...]) -> str:
    """Modules as one; imports fall away, and exports but for a list of them."""
    whole = "".join((_STATIC / name).read_text() for name in names)
    return f"{jsmin(_MODULE_PART.sub('', whole))}\n"


def _lean(sheet: str) -> str:
    """A style sheet without comment lines, and without spaces but those that separate words."""
    lines = (line.strip() for line in sheet.splitlines())
    whole = "".join(f"{line} " for line in lines if not line.startswith("/*"))
    return _CSS_SPACE.sub(r"\1", whole).strip() + "\n"
