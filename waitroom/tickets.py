"""Signed tokens: the ticket, the pass, the identity, the stamp and the operator's credentials.

A token is its fields and an itsdangerous signature, joined by dots: SHA-256, a salt a purpose. It carries no time
of signing, so that signing the same thing twice gives the same token. Secrets are a list, oldest first: the last
one signs, all verify.

Tokens are read for every poll of a ticket and every request to the shop, so the fields are plain text rather than
JSON in base64, which takes three times as long.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from itsdangerous import Signer
from itsdangerous.encoding import base64_encode

from waitroom.errors import TokenExpired, TokenInvalid

TICKET = "ticket"
MOVE = "move"
PASS = "pass"  # noqa: S105 - the name of a purpose, no password
IDENTITY = "identity"
OPERATOR = "operator"
STAMP = "stamp"

IDENTITY_COOKIE = "waitroom_identity"
OPERATOR_COOKIE = "waitroom_operator"

_SUBJECT = re.compile(r"[A-Za-z0-9_-]{1,64}")


def ticket_cookie(room: str) -> str:
    """Name of the cookie that holds the ticket of a room."""
    return f"waitroom_ticket_{room}"


def pass_cookie(room: str) -> str:
    """Name of the cookie that holds the pass of a room."""
    return f"waitroom_pass_{room}"


def stamp_cookie(room: str) -> str:
    """Name of the cookie that holds the stamp of a room."""
    return f"waitroom_stamp_{room}"


class Ticket(NamedTuple):
    """A number in a room. ``id`` is 16 bytes; ``identity`` is the subject who holds it, or empty.

    ``generation`` tells tickets apart that have one number: it grows when the place is moved to another device. The
    id stays, since the draw's leaf is made of it.
    """

    room: str
    number: int
    id: bytes
    identity: str = ""
    generation: int = 0


@dataclass(frozen=True, slots=True)
class Pass:
    """Leave to be in the shop of a room from ``enter_at`` until before ``expires_at`` (epoch ms).

    ``identity`` is the subject it was given to, or empty in a room without identities. ``trouble_ms`` is for how long
    the shop had been in trouble when it was signed; what is added to that since is added to the pass.
    """

    room: str
    place: int
    number: int
    enter_at: int
    expires_at: int
    identity: str = ""
    trouble_ms: int = 0

    def after(self, trouble_ms: int) -> "Pass":
        """The same pass once the shop has been in trouble for ``trouble_ms`` in all: later by the difference."""
        more = trouble_ms - self.trouble_ms
        if more <= 0:
            return self
        times = self.enter_at + more, self.expires_at + more
        return Pass(self.room, self.place, self.number, *times, self.identity, trouble_ms)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who someone is, as the shop says: an opaque ``subject``, good until ``expires_at`` (epoch ms)."""

    subject: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator's credential: ``use`` is "sign-in" (good once) or "session"; ``nonce`` makes it unique."""

    use: str
    nonce: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class Stamp:
    """Leave to join a room with this ``entropy`` from ``joins_at`` until before ``expires_at`` (epoch ms).

    ``identity`` is the subject it was given to, or empty in a room without identities.
    """

    room: str
    entropy: bytes
    identity: str
    joins_at: int
    expires_at: int


class _Signer:
    """itsdangerous' signatures of one purpose; keeps the state of each key's HMAC, for tokens are on the hot path."""

    def __init__(self, secrets: Sequence[str], purpose: str) -> None:
        salt = f"waitroom.{purpose}"
        signers = (Signer(secret, salt, digest_method=hashlib.sha256) for secret in reversed(secrets))
        self._macs = [hmac.new(signer.derive_key(), digestmod="sha256") for signer in signers]

    def sign(self, payload: str) -> str:
        """The payload with its signature by the newest secret."""
        return f"{payload}.{_signature(self._macs[0], payload).decode()}"

    def unsign(self, token: str) -> str | None:
        """The payload of a token that one of the secrets signed; None for any other text."""
        payload, _, signature = token.rpartition(".")
        try:
            given = signature.encode()
            for mac in self._macs:
                if hmac.compare_digest(_signature(mac, payload), given):
                    return payload
        except UnicodeError:  # bytes of a header that are no text
            return None
        return None


def _signature(mac: hmac.HMAC, payload: str) -> bytes:
    mac = mac.copy()
    mac.update(payload.encode())
    return base64_encode(mac.digest())


class Tokens:
    """Signs and reads all tokens with one list of secrets, oldest first.

    Raises:
        ValueError: when there is no secret.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        if not secrets:
            raise ValueError("tokens need at least one secret")
        self._newest = secrets[-1].encode()
        self._id_mac = hmac.new(self._newest, b"ticket-id\0", "sha256")
        purposes = (TICKET, MOVE, PASS, IDENTITY, OPERATOR, STAMP)
        self._signers = {purpose: _Signer(secrets, purpose) for purpose in purposes}

    def ticket_id(self, room: str, entropy: bytes) -> bytes:
        """16 bytes that follow from the room, the shopper's 32 bytes of entropy and the newest secret."""
        mac = self._id_mac.copy()
        mac.update(b"%b\0%b" % (room.encode(), entropy))
        return mac.digest()[:16]

    def key(self, purpose: str) -> bytes:
        """32 bytes that follow from the newest secret, for what is signed by other means than a token."""
        return hmac.digest(self._newest, b"key\0" + purpose.encode(), "sha256")

    def sign_ticket(self, ticket: Ticket) -> str:
        """The token of a ticket."""
        generation = (ticket.generation,) if ticket.generation else ()
        return self._sign(TICKET, ticket.room, ticket.number, ticket.id.hex(), ticket.identity, *generation)

    def read_ticket(self, token: str, room: str) -> Ticket:
        """The ticket in a token made for ``room``.

        Raises:
            TokenInvalid: for any other text.
        """
        found, number, ticket_id, identity, *moved = self._read(TICKET, token, 4, 5)
        _require_room(TICKET, found, room)
        return Ticket(room, int(number), bytes.fromhex(ticket_id), identity, *map(int, moved))

    def sign_move(self, ticket: Ticket, expires_at: int) -> str:
        """The token by which the holder of a ticket hands its place on, good until ``expires_at`` (epoch ms)."""
        return self._sign(
            MOVE, ticket.room, ticket.number, ticket.id.hex(), ticket.identity, ticket.generation, expires_at
        )

    def read_move(self, token: str, room: str, now_ms: int) -> Ticket:
        """The ticket whose place a token made for ``room`` hands on.

        Raises:
            TokenInvalid: for any other text.
            TokenExpired: when its time is up.
        """
        found, number, ticket_id, identity, generation, expires_at = self._read(MOVE, token, 6)
        _require_room(MOVE, found, room)
        _require_time(MOVE, int(expires_at), now_ms)
        return Ticket(room, int(number), bytes.fromhex(ticket_id), identity, int(generation))

    def sign_pass(self, granted: Pass) -> str:
        """The token of a pass."""
        times = granted.enter_at, granted.expires_at, granted.trouble_ms
        return self._sign(PASS, granted.room, granted.place, granted.number, *times, granted.identity)

    def read_pass(self, token: str, room: str, now_ms: int, trouble_ms: int = 0) -> Pass:
        """The pass in a token made for ``room``; it may still be too early for it (``enter_at``).

        A reader who knows for how long the shop has been in trouble so far says so by ``trouble_ms``, and takes the
        pass for good as long as its visit lasts (`Pass.after`); to everyone else the gate brings it with the times it
        has now.

        Raises:
            TokenInvalid: for any other text.
            TokenExpired: from ``expires_at`` on.
        """
        found, place, number, enter_at, expires_at, trouble, identity = self._read(PASS, token, 7)
        _require_room(PASS, found, room)
        times = int(enter_at), int(expires_at)
        granted = Pass(room, int(place), int(number), *times, identity, int(trouble))
        _require_time(PASS, granted.after(trouble_ms).expires_at, now_ms)
        return granted

    def sign_identity(self, identity: Identity) -> str:
        """The token of an identity; made by the shop at sign-in.

        Raises:
            ValueError: the subject is not 1 to 64 letters, digits, ``_`` and ``-``.
        """
        if not _SUBJECT.fullmatch(identity.subject):
            raise ValueError(f"a subject is 1 to 64 letters, digits, _ and -, not {identity.subject!r}")
        return self._sign(IDENTITY, identity.subject, identity.expires_at)

    def read_identity(self, token: str, now_ms: int) -> Identity:
        """The identity in a token.

        Raises:
            TokenInvalid: for any other text.
            TokenExpired: from ``expires_at`` on.
        """
        subject, expires_at = self._read(IDENTITY, token, 2)
        _require_time(IDENTITY, int(expires_at), now_ms)
        return Identity(subject, int(expires_at))

    def sign_operator(self, operator: Operator) -> str:
        """The token of an operator's credential."""
        return self._sign(OPERATOR, operator.use, operator.nonce, operator.expires_at)

    def read_operator(self, token: str, use: str, now_ms: int) -> Operator:
        """The operator's credential in a token made for ``use``.

        Raises:
            TokenInvalid: for any other text.
            TokenExpired: from ``expires_at`` on.
        """
        found, nonce, expires_at = self._read(OPERATOR, token, 3)
        if found != use:
            raise TokenInvalid(OPERATOR, f"it is not made for {use}")
        _require_time(OPERATOR, int(expires_at), now_ms)
        return Operator(use, nonce, int(expires_at))

    def sign_stamp(self, stamp: Stamp) -> str:
        """The token of a stamp."""
        times = stamp.joins_at, stamp.expires_at
        return self._sign(STAMP, stamp.room, stamp.entropy.hex(), stamp.identity, *times)

    def read_stamp(self, token: str, room: str, now_ms: int) -> Stamp:
        """The stamp in a token made for ``room``; it may still be too early for it (``joins_at``).

        Raises:
            TokenInvalid: for any other text.
            TokenExpired: from ``expires_at`` on.
        """
        found, entropy, identity, joins_at, expires_at = self._read(STAMP, token, 5)
        _require_room(STAMP, found, room)
        stamp = Stamp(room, bytes.fromhex(entropy), identity, int(joins_at), int(expires_at))
        _require_time(STAMP, stamp.expires_at, now_ms)
        return stamp

    def _sign(self, purpose: str, *fields: str | int) -> str:
        payload = ".".join(map(str, fields))
        if payload.count(".") >= len(fields):
            raise ValueError(f"a field of a token holds no dots, and one of this {purpose} does: {payload!r}")
        return self._signers[purpose].sign(payload)

    def _read(self, purpose: str, token: str, *counts: int) -> list[str]:
        payload = self._signers[purpose].unsign(token)
        if payload is None:
            raise TokenInvalid(purpose)
        fields = payload.split(".")
        if len(fields) not in counts:
            raise TokenInvalid(purpose, "it comes from another version")
        return fields


def _require_room(purpose: str, found: str, room: str) -> None:
    if found != room:
        raise TokenInvalid(purpose, f"it belongs to the room {found!r}")


def _require_time(purpose: str, expires_at: int, now_ms: int) -> None:
    if now_ms >= expires_at:
        raise TokenExpired(purpose, expires_at)
