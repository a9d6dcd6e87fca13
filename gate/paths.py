"""One spelling for every path: what is checked is what is forwarded.

A waiting room that protects `/sale` is worth nothing if `/SALE`, `//sale`, `/%73ale` or `/x/../sale` get past
it. Two functions close that door together. `normalise` gives each request target the one form that the gate
both checks and sends on, and refuses what different servers read differently. `protects` compares that form
as generously as any server behind the gate might read it: it would rather protect one path too many.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote, unquote, unquote_to_bytes

LONGEST_TARGET = 8190
"""The longest request target in characters, before and after normalising; aiohttp's own bound of the line."""

LONGEST_NEXT = 2048
"""The longest path to return to, in characters."""

_NEVER = re.compile(r"[\x00-\x20\x7f#]")  # no request target holds these
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_ABSOLUTE = re.compile(r"https?://([^/?]*)(.*)", re.IGNORECASE)
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_HIDDEN_SLASH = re.compile(r"\\|%2f|%5c", re.IGNORECASE)
_STILL_ESCAPED = re.compile(r"%(?:[0-9A-Fa-f]{2}|[uU][0-9A-Fa-f]{4})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_TO_RECODE = re.compile(
    r"%..|[^A-Za-z0-9\-._~!$&'()*+,;=:@/]"
)  # escapes, and what must not stand bare in a path
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
_PARAMETERS = re.compile(r"[;?#].*", re.DOTALL)


class BadTarget(ValueError):
    """A request target without a single safe meaning; `reason` says why: "it is escaped twice"."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def normalise(raw_target: str, host: str = "") -> str:
    """Give the canonical path and query of a request target as it stood on the request line.

    Repeated slashes collapse, dot segments (also `%2e`) are resolved, escapes of unreserved characters are
    decoded, all others are written in upper case, and what may not stand bare in a path is escaped (RFC 3986,
    section 6.2.2). The query stays as it is, but that raw bytes beyond ASCII are escaped, and a question mark
    without a query goes. An absolute target is taken if it names `host`, the request's Host header.
    Normalising twice changes nothing.

    Raises:
        BadTarget: the target could mean different paths to different servers, or none.
    """
    _check_length(raw_target)
    if _NEVER.search(raw_target):
        raise BadTarget("it contains a space, a control character or a fragment")
    path, _, query = _origin_form(raw_target, host).partition("?")
    try:
        target = _canonical_path(path) + ("?" + _escape(query) if query else "")
    except UnicodeError:
        raise BadTarget("it is not UTF-8") from None
    _check_length(target)
    return target


def protects(path: str, prefixes: Iterable[str]) -> str | None:
    """Say which of the prefixes, the longest first, covers a canonical path, if any does.

    Segments are compared without regard to case, to compatible spellings (Unicode NFKC), to `;parameters`,
    and to dots and spaces at a segment's end. `/` covers everything. A query in `path` is ignored.
    """
    names = _names(path.partition("?")[0])
    covering = [prefix for prefix in prefixes if names[: len(_prefix_names(prefix))] == _prefix_names(prefix)]
    return max(covering, key=lambda prefix: len(_prefix_names(prefix)), default=None)


def safe_next(value: str) -> str | None:
    """Give the canonical form of a path on this site to go on to, or None for anything else."""
    if len(value) > LONGEST_NEXT or not value.startswith("/") or value.startswith(("//", "/\\")):
        return None
    try:
        path = normalise(value)
    except BadTarget:
        return None
    return path if len(path) <= LONGEST_NEXT else None


def _check_length(target: str) -> None:
    if len(target) > LONGEST_TARGET:
        raise BadTarget(f"it is longer than {LONGEST_TARGET} characters")


def _origin_form(target: str, host: str) -> str:
    if target.startswith("/"):
        return target
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        raise BadTarget("it does not begin with a slash")
    authority, rest = absolute.groups()
    if not host or authority.casefold() != host.casefold():
        raise BadTarget("it names another site")
    return rest if rest.startswith("/") else "/" + rest


def _canonical_path(path: str) -> str:
    _refuse_ambiguous(path)
    segments = _TO_RECODE.sub(_recode, path).split("/")
    kept: list[str] = []
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment not in {"", "."}:
            if not _name(segment).rstrip("."):
                raise BadTarget("it contains a segment without a name")
            kept.append(segment)
    closing = "/" if kept and segments[-1] in {"", ".", ".."} else ""
    return "/" + "/".join(kept) + closing


def _refuse_ambiguous(path: str) -> None:
    if path.isascii() and "%" not in path and "\\" not in path:
        return
    if _BROKEN_ESCAPE.search(path):
        raise BadTarget("it contains a percent sign without two hex digits")
    if _HIDDEN_SLASH.search(path):
        raise BadTarget("it contains a backslash or an escaped slash")
    plain = unquote_to_bytes(path.encode()).decode()
    if _CONTROL.search(plain):
        raise BadTarget("it contains an escaped control character")
    if _STILL_ESCAPED.search(plain):
        raise BadTarget("it is escaped twice")
    compatible = unicodedata.normalize("NFKC", "".join(c for c in plain if not c.isascii()))
    if not {"/", "\\", "%"}.isdisjoint(compatible):
        raise BadTarget("it contains a character that some servers read as a slash or a percent sign")


def _recode(found: re.Match[str]) -> str:
    text = found[0]
    if len(text) == 1:
        return quote(text)
    character = chr(int(text[1:], 16))
    return character if character in _UNRESERVED else text.upper()


def _escape(text: str) -> str:
    """Escape all but printable ASCII; aiohttp hands over bytes that are not UTF-8 as lone surrogates."""
    return quote(text, safe=_PRINTABLE, errors="surrogateescape")


def _names(path: str) -> tuple[str, ...]:
    return tuple(_name(segment) for segment in path.split("/") if segment)


_prefix_names = lru_cache(maxsize=256)(_names)  # prefixes come from the settings, so they are few


def _name(segment: str) -> str:
    """Reduce a segment to the name that the most lenient server might see in it."""
    name = unquote(segment, errors="replace") if "%" in segment else segment
    folded = name.lower() if name.isascii() else _compatible(_compatible(name).upper().casefold())
    return _PARAMETERS.sub("", folded).strip().rstrip(". ")


def _compatible(name: str) -> str:
    """Unify compatible characters and drop the invisible ones, as some file systems do."""
    return "".join(c for c in unicodedata.normalize("NFKC", name) if unicodedata.category(c) != "Cf")
