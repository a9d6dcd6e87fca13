"""A sale's public documents: from a gate's address, or from a folder they were downloaded to."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, TypeAlias
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import urlopen

from waitroom.errors import WaitroomError
from waitroom.verify.findings import DRAW, LOG, ROLL

PATIENCE_S = 30
_CHUNK = 1 << 20

Progress: TypeAlias = Callable[[str, int, int], None]
"""Is told what is done, how far, and of how much (0: not known)."""


class Unreachable(WaitroomError):
    """A document cannot be had; the text says which, and why."""


@dataclass(frozen=True, slots=True)
class Documents:
    """The documents as they were sent; a room without a presale has no draw, and before its end there is no roll."""

    draw: bytes | None
    roll: bytes | None
    log: bytes

    def save(self, folder: Path) -> None:
        """Write them into a folder, from where `read_folder` takes them."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in ((DRAW, self.draw), (ROLL, self.roll), (LOG, self.log)):
            if content is not None:
                (folder / name).write_bytes(content)


def read_folder(folder: Path) -> Documents:
    """The documents in a folder.

    Raises:
        Unreachable: there is no log, or a file cannot be read.
    """
    log = _read(folder / LOG)
    if log is None:
        raise Unreachable(
            f"{folder} holds no {LOG}: it is not a folder that `waitroom verify --download` wrote"
        )
    return Documents(_read(folder / DRAW), _read(folder / ROLL), log)


def fetch(address: str, room: str, progress: Progress) -> Documents:
    """The documents of a room at a gate's address.

    Raises:
        Unreachable: the gate does not answer as a gate does.
    """
    base = f"{address.rstrip('/')}/waitroom/{quote(room, safe='')}"
    draw, roll = (_get(f"{base}/{name}", progress) for name in ("draw", "roll"))
    entries: list[Any] = []
    after: str | None = "0"
    while after is not None:
        page = _page(f"{base}/log?after={quote(after)}", progress)
        entries += page["entries"]
        after = page["next"]
        progress("log", len(entries), 0)
    log = json.dumps({"entries": entries, "next": None}, ensure_ascii=False, separators=(",", ":"))
    return Documents(draw, roll, log.encode())


def find_room(where: str, room: str) -> tuple[str, str]:
    """The gate's address and the room in an address such as a shopper sees; ``room`` where it names none.

    Raises:
        Unreachable: it is no web address.
    """
    parts = urlsplit(where)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise Unreachable(f"{where} is neither a folder nor an http address")
    before, found, after = parts.path.partition("/waitroom/")
    gate = f"{parts.scheme}://{parts.netloc}{before if found else parts.path}"
    return gate, after.split("/")[0] or room


def _page(url: str, progress: Progress) -> dict[str, Any]:
    try:
        page = json.loads(_get(url, progress) or b"")
        return {"entries": [*page["entries"]], "next": page["next"] and str(page["next"])}
    except (ValueError, TypeError, KeyError):
        raise Unreachable(f"{url} is not the public record of a waiting room") from None


def _get(url: str, progress: Progress) -> bytes | None:
    name = urlsplit(url).path.rpartition("/")[2]
    body = bytearray()
    try:
        with urlopen(url, timeout=PATIENCE_S) as answer:  # noqa: S310 - `find_room` lets only http and https pass
            size = int(answer.headers.get("Content-Length") or 0)
            while piece := answer.read(_CHUNK):
                body += piece
                progress(name, len(body), size)
    except HTTPError as error:
        with error:
            if error.code == 404:
                return None
        raise Unreachable(f"{url} answers {error.code} {error.reason}") from None
    except (OSError, HTTPException, ValueError) as error:
        raise Unreachable(f"{url} cannot be had: {error}") from None
    if len(body) < size:
        raise Unreachable(f"{url} broke off after {len(body)} of {size} bytes")
    return bytes(body)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unreachable(f"{path} cannot be read: {error.strerror}") from None
