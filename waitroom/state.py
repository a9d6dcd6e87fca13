"""The public state document: what the waiting page needs, and no more. Built once a second."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Protocol

from waitroom import beacon, draw
from waitroom.forecast import sustained
from waitroom.presale import Commitment, randomness
from waitroom.room import JOINABLE, Line, Phase, Room

NEAR_S = 2
FAR_S = 20


@dataclass(frozen=True, slots=True)
class State:
    """The document's bytes, its entity tag (quoted, as HTTP has it) and when it was built (epoch ms)."""

    body: bytes
    etag: str
    built_at: int


class Watched(Protocol):
    """What the document tells of: a waiting room, or one that is made up for a preview."""

    @property
    def room(self) -> Room: ...  # noqa: D102 - as in WaitingRoom
    @property
    def line(self) -> Line: ...  # noqa: D102
    @property
    def commitment(self) -> Commitment: ...  # noqa: D102
    @property
    def store_away(self) -> bool: ...  # noqa: D102
    def phase(self) -> Phase: ...  # noqa: D102


def build_state(waiting_room: Watched, now_ms: int) -> State:
    """The state of a room as last read. Times are epoch ms, rates a minute.

    ``store_away`` says that the line could not be read just now: what stands here is the last that is known.
    """
    room, line = waiting_room.room, waiting_room.line
    schedule = room.schedule
    phase = waiting_room.phase()
    document = {
        "room": room.name,
        "title": room.title,
        "phase": phase,
        "joinable": phase in JOINABLE,
        "now": now_ms,
        "presale_opens_at": schedule.presale_opens_at,
        "presale_closes_at": schedule.presale_closes_at,
        "opens_at": schedule.opens_at,
        "closes_at": schedule.closes_at,
        "issued": line.issued,
        "called": line.called,
        "entries": line.entries,
        "visits": line.visits,
        "at_door": line.at_door,
        "called_per_minute": round(line.called_per_minute, 2),
        "entering_per_minute": round(line.entering_per_minute, 2),
        "rate": room.pace.rate,
        "sustained_per_minute": round(sustained(room.pace, line, now_ms - schedule.opens_at), 2),
        "show_rate": round(line.show_rate, 4),
        "units_left": line.units_left,
        "units_held": line.units_held,
        "units_taken": line.units_taken,
        "draw": describe_draw(waiting_room.commitment, line) if schedule.has_presale else None,
        "identity": room.identity,
        "sign_in": room.sign_in if room.identity else None,
        "notice": room.notice,
        "reason": line.reason,
        "shop_trouble": phase is Phase.PAUSED and line.paused_at is None,
        "store_away": waiting_room.store_away,
        "poll": {"near_s": NEAR_S, "far_s": FAR_S},
    }
    body = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    return State(body, f'"{hashlib.sha256(body).hexdigest()[:16]}"', now_ms)


def describe_draw(commitment: Commitment, line: Line) -> dict[str, Any]:
    """The draw's public parts. The secret is out once the list is fixed and public by its root, and not before."""
    number = commitment.round
    return {
        "mode": "local" if number is None else "drand",
        "commitment": commitment.hash.hex(),
        "commit_sha256": commitment.document_hash.hex(),
        "size": line.presale_size,
        "root": line.root.hex() if line.root else None,
        "secret": commitment.secret.hex() if line.root else None,
        "seed": line.seed.hex() if line.seed else None,
        "round": number,
        "round_at": None if number is None else beacon.time_of(number),
    }


def draw_document(room: str, commitment: Commitment, line: Line) -> dict[str, Any]:
    """All of a draw that is public so far, so that anyone can compute it again; hashes are in hexadecimal.

    ``beacon`` is what goes into the seed: the hash of the beacon's ``signature``, or zeros in local mode.
    """
    signature = line.signature
    drawn = describe_draw(commitment, line)
    return drawn | {
        "v": 1,
        "room": room,
        "rounds": draw.ROUNDS,
        "commit": commitment.document.decode(),
        "chain": beacon.CHAIN.hex() if drawn["mode"] == "drand" else None,
        "signature": signature.hex() if signature else None,
        "beacon": None if signature is None else randomness(signature).hex(),
    }
