"""The documents as values: the draw that was published, the roll, the record's entries."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from waitroom import draw
from waitroom.errors import WaitroomError
from waitroom.record import Entry
from waitroom.verify.documents import Documents
from waitroom.verify.findings import DRAW, LOG


class Unreadable(WaitroomError):
    """A document is not what its name says; ``document`` is that name."""

    def __init__(self, document: str, text: str) -> None:
        super().__init__(text)
        self.document = document


@dataclass(frozen=True, slots=True)
class Sale:
    """What was published of one room.

    ``draw`` is the draw's document and ``terms`` its commit document; both are empty without a presale. ``roll`` is
    None before the presale's end.
    """

    room: str
    draw: Mapping[str, Any]
    terms: Mapping[str, Any]
    roll: bytes | None
    log: list[Entry]

    @property
    def size(self) -> int:
        """How many took part in the draw."""
        return int(self.draw.get("size") or 0)

    @property
    def seed(self) -> bytes | None:
        """The seed, once it is drawn."""
        return bytes.fromhex(self.draw["seed"]) if self.draw.get("seed") else None

    def place(self, number: int) -> int | None:
        """The place of a number; None as long as it is not drawn."""
        if self.terms and self.draw.get("size") is None:
            return None
        if number >= self.size:
            return number
        return None if self.seed is None else draw.shuffle(number, self.size, self.seed, self.terms["rounds"])

    def told(self, kind: str) -> list[Mapping[str, str]]:
        """The record's entries of one kind, in order."""
        return [fields for _, fields in self.log if fields["kind"] == kind]


def read_sale(documents: Documents, room: str) -> Sale:
    """The documents' values; ``room`` names the room where the draw does not.

    Raises:
        Unreadable: one of them is in another format.
    """
    log = _read_log(documents.log)
    if documents.draw is None:
        return Sale(room, {}, {}, documents.roll, log)
    published = _json(DRAW, documents.draw)
    terms = _json(DRAW, str(published.get("commit")).encode())
    return Sale(str(terms.get("room")), published, terms, documents.roll, log)


def _read_log(body: bytes) -> list[Entry]:
    entries: list[Entry] = []
    listed = _json(LOG, body).get("entries")
    if not isinstance(listed, list):
        raise Unreadable(LOG, "it lists no entries")
    for entry in listed:
        if not isinstance(entry, dict) or not all(isinstance(value, str) for value in entry.values()):
            raise Unreadable(LOG, f"{str(entry)[:60]} is no entry")
        if not {"id", "kind", "at"} <= entry.keys():
            raise Unreadable(LOG, f"the entry {entry.get('id')} has no id, kind or time")
        entries.append((entry["id"], {name: value for name, value in entry.items() if name != "id"}))
    return entries


def _json(document: str, body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unreadable(document, f"it is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise Unreadable(document, "it is no JSON object")
    return value
