"""Who asks, and with what: the credentials of a request, read and checked without the store, and given out."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TypeVar

from aiohttp import web

from gate.cookies import TICKET_AGE_S, cookie, credentials
from gate.forwarded import scheme
from gate.gate import Gate
from gate.paths import safe_next
from waitroom.answers import Entered
from waitroom.errors import IdentityNeeded, TokenInvalid
from waitroom.room import Room
from waitroom.tickets import (
    IDENTITY_COOKIE,
    PASS,
    TICKET,
    Pass,
    Stamp,
    Ticket,
    pass_cookie,
    stamp_cookie,
    ticket_cookie,
)

T = TypeVar("T")

SPARE_S = 3600
"""A browser keeps a pass for so much longer: the shop's trouble may extend the visit."""


def read_ticket(gate: Gate, request: web.Request, room: str) -> Ticket:
    """The ticket of a request.

    Raises:
        TokenInvalid: there is none, or none is ours.
    """
    error: TokenInvalid | None = None
    for token in credentials(request, ticket_cookie(room)):
        try:
            return gate.tokens.read_ticket(token, room)
        except TokenInvalid as found:
            error = found
    raise error or TokenInvalid(TICKET, "the request carries none; join first")


def find_ticket(gate: Gate, request: web.Request, room: str) -> Ticket | None:
    """The ticket of a request, if it carries one of ours."""
    tokens = credentials(request, ticket_cookie(room))
    return _first_good(tokens, lambda token: gate.tokens.read_ticket(token, room))


def own_ticket(gate: Gate, request: web.Request, room: Room) -> Ticket:
    """The ticket of a request, shown by whoever it was issued to.

    Raises:
        IdentityNeeded: the room asks who they are, and the request does not say.
        TokenInvalid: there is no ticket, or it was issued to another identity.
    """
    ticket = read_ticket(gate, request, room.name)
    if ticket.identity != read_identity(gate, request, room):
        raise TokenInvalid(TICKET, "it was issued to another account")
    return ticket


def find_pass(gate: Gate, request: web.Request, room: str) -> Pass | None:
    """The pass of a request that is good or will be (see its ``enter_at``), if it carries one."""
    now, trouble_ms = gate.clock.now_ms(), gate.rooms[room].waiting.trouble_ms
    tokens = credentials(request, pass_cookie(room))
    return _first_good(tokens, lambda token: gate.tokens.read_pass(token, room, now, trouble_ms))


def own_pass(gate: Gate, request: web.Request, room: Room) -> Pass:
    """The pass of a request that is good or will be, shown by whoever it was given to.

    Raises:
        IdentityNeeded: the room asks who they are, and the request does not say.
        TokenInvalid: there is no pass, its time is up, or it was given to another identity.
    """
    granted = find_pass(gate, request, room.name)
    if granted is None:
        raise TokenInvalid(PASS, "the request carries none that is good now")
    if granted.identity != read_identity(gate, request, room):
        raise TokenInvalid(PASS, "it was given to another account")
    return granted


def read_identity(gate: Gate, request: web.Request, room: Room) -> str:
    """The subject who asks; empty in a room without identities.

    Raises:
        IdentityNeeded: the room needs one, and the request carries none that is good.
    """
    if not room.identity:
        return ""
    now = gate.clock.now_ms()
    tokens = credentials(request, IDENTITY_COOKIE)
    identity = _first_good(tokens, lambda token: gate.tokens.read_identity(token, now))
    if identity is None:
        raise IdentityNeeded
    return identity.subject


def give_ticket(gate: Gate, request: web.Request, ticket: Ticket) -> tuple[str, str]:
    """The token of a ticket, and the ``Set-Cookie`` that keeps it in a browser."""
    token = gate.tokens.sign_ticket(ticket)
    secure = is_secure(gate, request)
    return token, cookie(ticket_cookie(ticket.room), token, age_s=TICKET_AGE_S, secure=secure)


def give_stamp(gate: Gate, request: web.Request, stamp: Stamp) -> str:
    """The ``Set-Cookie`` that keeps a stamp in a browser for as long as it is good."""
    token, age_s = gate.tokens.sign_stamp(stamp), -(-(stamp.expires_at - gate.clock.now_ms()) // 1000)
    return cookie(stamp_cookie(stamp.room), token, age_s=age_s, secure=is_secure(gate, request))


def pass_for(ticket: Ticket, entered: Entered) -> Pass:
    """The pass of a visit."""
    times = entered.enter_at, entered.expires_at
    return Pass(ticket.room, entered.place, ticket.number, *times, ticket.identity, entered.trouble_ms)


def give_pass(gate: Gate, request: web.Request, granted: Pass) -> tuple[str, str]:
    """The token of a pass, and the ``Set-Cookie`` that keeps it in a browser, for longer than it is good as yet."""
    token = gate.tokens.sign_pass(granted)
    age_s = max(1, -(-(granted.expires_at - gate.clock.now_ms()) // 1000))
    return token, cookie(
        pass_cookie(granted.room), token, age_s=age_s + SPARE_S, secure=is_secure(gate, request)
    )


def way_on(room: Room, wanted: object) -> str:
    """Where in the shop a shopper goes: the path they want if it is one on this site, else the room's sale."""
    path = safe_next(wanted) if isinstance(wanted, str) else None
    return path or next(iter(room.protect), "/")


def take_back(gate: Gate, request: web.Request, name: str) -> str:
    """The ``Set-Cookie`` that deletes a cookie of ours."""
    return cookie(name, "", age_s=0, secure=is_secure(gate, request))


def is_secure(gate: Gate, request: web.Request) -> bool:
    """Whether the shopper speaks https, as far as a proxy that we trust can tell."""
    return scheme(request, gate.settings.trusted_proxies) == "https"


def _first_good(tokens: Iterable[str], read: Callable[[str], T]) -> T | None:
    for token in tokens:
        with suppress(TokenInvalid):
            return read(token)
    return None
