"""Who asks, and with what: the credentials of a request, read and checked without the store, and given out."""

from aiohttp import web

from gate.cookies import TICKET_AGE_S, cookie, credentials
from gate.forwarded import scheme
from gate.gate import Gate
from waitroom.answers import Entered
from waitroom.errors import IdentityNeeded, TokenInvalid
from waitroom.room import Room
from waitroom.tickets import IDENTITY_COOKIE, TICKET, Pass, Ticket, pass_cookie, ticket_cookie


def read_ticket(gate: Gate, request: web.Request, room: str) -> Ticket:
    """The ticket of a request.

    Raises:
        TokenInvalid: there is none, or none is ours.
    """
    error = TokenInvalid(TICKET, "the request carries none; join first")
    for token in credentials(request, ticket_cookie(room)):
        try:
            return gate.tokens.read_ticket(token, room)
        except TokenInvalid as found:
            error = found
    raise error


def find_ticket(gate: Gate, request: web.Request, room: str) -> Ticket | None:
    """The ticket of a request, if it carries one of ours."""
    try:
        return read_ticket(gate, request, room)
    except TokenInvalid:
        return None


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
    for token in credentials(request, pass_cookie(room)):
        try:
            return gate.tokens.read_pass(token, room, gate.clock.now_ms())
        except TokenInvalid:
            continue
    return None


def read_identity(gate: Gate, request: web.Request, room: Room) -> str:
    """The subject who asks; empty in a room without identities.

    Raises:
        IdentityNeeded: the room needs one, and the request carries none that is good.
    """
    if not room.identity:
        return ""
    for token in credentials(request, IDENTITY_COOKIE):
        try:
            return gate.tokens.read_identity(token, gate.clock.now_ms()).subject
        except TokenInvalid:
            continue
    raise IdentityNeeded


def give_ticket(gate: Gate, request: web.Request, ticket: Ticket) -> tuple[str, str]:
    """The token of a ticket, and the ``Set-Cookie`` that keeps it in a browser."""
    token = gate.tokens.sign_ticket(ticket)
    secure = is_secure(gate, request)
    return token, cookie(ticket_cookie(ticket.room), token, age_s=TICKET_AGE_S, secure=secure)


def pass_for(ticket: Ticket, entered: Entered) -> Pass:
    """The pass of a visit."""
    return Pass(ticket.room, entered.place, ticket.number, entered.enter_at, entered.expires_at)


def give_pass(gate: Gate, request: web.Request, granted: Pass) -> tuple[str, str]:
    """The token of a pass, and the ``Set-Cookie`` that keeps it in a browser for as long as it is good."""
    token = gate.tokens.sign_pass(granted)
    age_s = max(1, -(-(granted.expires_at - gate.clock.now_ms()) // 1000))
    return token, cookie(pass_cookie(granted.room), token, age_s=age_s, secure=is_secure(gate, request))


def take_back(gate: Gate, request: web.Request, name: str) -> str:
    """The ``Set-Cookie`` that deletes a cookie of ours."""
    return cookie(name, "", age_s=0, secure=is_secure(gate, request))


def is_secure(gate: Gate, request: web.Request) -> bool:
    """Whether the shopper speaks https, as far as a proxy that we trust can tell."""
    return scheme(request, gate.settings.trusted_proxies) == "https"
