"""The seals of the public record: a hash chain over the log, so that nothing changes once others have seen it.

Pure: it knows entries and hashes, no store and no clock. ``docs/draw.md`` has the same format in prose.
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import TypeAlias

Entry: TypeAlias = tuple[str, Mapping[str, str]]
"""One entry of the log: its id, and its fields."""

SEAL = "seal"
"""The kind of the entries that are seals."""


def first_link(room: str) -> bytes:
    """What the first seal of a room's record builds on, in place of a seal before it."""
    return sha256(b"log/v1\x00" + room.encode()).digest()


def seal(last: bytes, entries: Iterable[Entry]) -> bytes:
    """The seal over the seal before it (or `first_link`) and all entries since the last that it covers."""
    digest = sha256(last)
    for entry in entries:
        digest.update(entry_bytes(entry))
    return digest.digest()


def entry_bytes(entry: Entry) -> bytes:
    """An entry as it is hashed: id, number of fields, then name and value of each, in order of name.

    A text is its length in bytes and its UTF-8; lengths and the number are 4 bytes, big-endian. So no two
    different entries have the same bytes.
    """
    entry_id, fields = entry
    pairs = sorted((name.encode(), value.encode()) for name, value in fields.items())
    texts = [_text(part) for pair in pairs for part in pair]
    return b"".join([_text(entry_id.encode()), len(pairs).to_bytes(4, "big"), *texts])


def _text(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value
