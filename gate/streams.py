"""A stream of the store, such as the public record or the audit, a page at a time."""

import re

from aiohttp import web

from gate.problems import BadRequest
from waitroom.store import Store

_ENTRY_ID = re.compile(r"[0-9]{1,19}(-[0-9]{1,19})?")  # both halves have 64 bits in the store


async def read_page(
    store: Store, key: str, request: web.Request, most: int
) -> tuple[list[dict[str, str]], str | None]:
    """The ``most`` entries that follow the one a request names as ``after``, each with its ``id``, oldest first.

    Then the id after which the following page begins; None where there is no more.

    Raises:
        BadRequest: it names none. StoreAway: the store does not answer.
    """
    after = request.query.get("after", "0")
    if not _ENTRY_ID.fullmatch(after):
        raise BadRequest("after must be the id of an entry, such as 1432033200000-0")
    entries = await store.read_stream(key, after, most)
    page = [{"id": entry_id, **fields} for entry_id, fields in entries]
    return page, page[-1]["id"] if len(page) == most else None
