"""A place on its way from one device to another: the link that hands it over, once, and the picture of it."""

import re
from dataclasses import dataclass
from io import BytesIO

import segno
from aiohttp import web

from gate import shopper
from gate.forwarded import host, scheme
from gate.gate import Gate, LiveRoom
from gate.problems import BadRequest
from waitroom.errors import OtherAccount
from waitroom.tickets import Ticket

GOOD_FOR_MS = 10 * 60_000

_HOST = re.compile(
    r"[A-Za-z0-9._\-\[\]:]{1,262}"
)  # the longest name with a port; more would fit into no picture


@dataclass(frozen=True, slots=True)
class Link:
    """The parts of a link: the room's whole address, the ``token``, and until when it is good (epoch ms)."""

    room: str
    token: str
    expires_at: int


def make_link(gate: Gate, request: web.Request, ticket: Ticket) -> Link:
    """A link for a ticket, at the address that the shopper uses.

    Raises:
        BadRequest: the request does not say which, or names no host at all.
    """
    trusted = gate.settings.trusted_proxies
    asked = host(request, trusted)
    if not _HOST.fullmatch(asked):
        raise BadRequest("the request must name the host it is for")
    expires_at = gate.clock.now_ms() + GOOD_FOR_MS
    token = gate.tokens.sign_move(ticket, expires_at)
    return Link(f"{scheme(request, trusted)}://{asked}/waitroom/{ticket.room}", token, expires_at)


def picture(address: str) -> str:
    """An address as a QR code: an SVG, black on white with the quiet margin that scanners need."""
    drawn = BytesIO()
    segno.make_qr(address).save(drawn, kind="svg", xmldecl=False, nl=False, omitsize=True, light="#fff")
    return drawn.getvalue().decode()


async def take_over(gate: Gate, request: web.Request, room: LiveRoom, token: str, entropy: bytes) -> Ticket:
    """The ticket of a place that is handed to whoever asks.

    Raises:
        TokenInvalid: the link is none of ours, or its time is up. LinkUsed: another device has used it.
        IdentityNeeded: the place belongs to an identity, and the request names none. OtherAccount: it names another.
        InShop, Spent: there is no place to hand on any more. StoreAway: the store does not answer.
    """
    handed = gate.tokens.read_move(token, room.name, gate.clock.now_ms())
    if handed.identity != shopper.read_identity(gate, request, room.waiting.room):
        raise OtherAccount
    return await room.waiting.claim(handed, entropy)
