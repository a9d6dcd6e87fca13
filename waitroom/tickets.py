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

from itsdangerous import BadSignature, Signer
from itsdangerous.encoding import want_bytes
from itsdangerous.signer import SigningAlgorithm

from waitroom.errors import TokenExpired, TokenInvalid

TICKET = "ticket"
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


@dataclass(frozen=True, slots=True)
class Ticket:
    """A number in a room. ``id`` is 16 bytes; ``identity`` is the subject who holds it, or empty."""

    room: str
    number: int
    id: bytes
    identity: str = ""


@dataclass(frozen=True, slots=True)
class Pass:
    """Leave to be in the shop of a room from ``enter_at`` until before ``expires_at`` (epoch ms).

    ``identity`` is the subject it was given to, or empty in a room without identities.
    """

    room: str
    place: int
    number: int
    enter_at: int
    expires_at: int
    identity: str = ""


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


class _HmacSha256(SigningAlgorithm):
    """HMAC with SHA-256 in one call of the C library, for tokens are on the hot path."""

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        """The signature of ``value``, 32 bytes."""
        return hmac.digest(key, value, "sha256")


class _Signer(Signer):
    """A signer that derives the key of its purpose from each secret once, rather than for each token."""

    def __init__(self, secrets: list[str], salt: str, algorithm: SigningAlgorithm) -> None:
        super().__init__(secrets, salt, digest_method=hashlib.sha256, algorithm=algorithm)
        self._keys = {secret: super(_Signer, self).derive_key(secret) for secret in self.secret_keys}

    def derive_key(self, secret_key: str | bytes | None = None) -> bytes:
        """The key made of ``secret_key``, the newest if it is not named."""
        return self._keys[self.secret_keys[-1] if secret_key is None else want_bytes(secret_key)]


class Tokens:
    """Signs and reads all tokens with one list of secrets, oldest first.

    Raises:
        ValueError: when there is no secret.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        if not secrets:
            raise ValueError("tokens need at least one secret")
        self._id_key = secrets[-1].encode()
        self._signers = {
            purpose: _Signer(list(secrets), salt=f"waitroom.{purpose}", algorithm=_HmacSha256())
            for purpose in (TICKET, PASS, IDENTITY, OPERATOR, STAMP)
        }

    def ticket_id(self, room: str, entropy: bytes) -> bytes:
        """16 bytes that follow from the room, the shopper's 32 bytes of entropy and the newest secret."""
        message = b"ticket-id\0" + room.encode() + b"\0" + entropy
        return hmac.digest(self._id_key, message, "sha256")[:16]

    def key(self, purpose: str) -> bytes:
        """32 bytes that follow from the newest secret, for what is signed by other means than a token."""
        return hmac.digest(self._id_key, b"key\0" + purpose.encode(), "sha256")

    def sign_ticket(self, ticket: Ticket) -> str:
        """The token of a ticket."""
        return self._sign(TICKET, ticket.room, ticket.number, ticket.id.hex(), ticket.identity)

    def read_ticket(self, token: str, room: str) -> Ticket:
        """The ticket in a token made for ``room``.

        Raises:
            TokenInvalid: for any other text.
        """
        found, number, ticket_id, identity = self._read(TICKET, token, 4)
        _require_room(TICKET, found, room)
        return Ticket(room, int(number), bytes.fromhex(ticket_id), identity)

    def sign_pass(self, granted: Pass) -> str:
        """The token of a pass."""
        times = granted.enter_at, granted.expires_at
        return self._sign(PASS, granted.room, granted.place, granted.number, *times, granted.identity)

    def read_pass(self, token: str, room: str, now_ms: int) -> Pass:
        """The pass in a token made for ``room``; it may still be too early for it (``enter_at``).

        Raises:
            TokenInvalid: for any other text.
            TokenExpired: from ``expires_at`` on.
        """
        found, place, number, enter_at, expires_at, identity = self._read(PASS, token, 6)
        _require_room(PASS, found, room)
        granted = Pass(room, int(place), int(number), int(enter_at), int(expires_at), identity)
        _require_time(PASS, granted.expires_at, now_ms)
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
        return self._signers[purpose].sign(payload).decode()

    def _read(self, purpose: str, token: str, count: int) -> list[str]:
        try:
            fields = self._signers[purpose].unsign(token).decode().split(".")
        except (BadSignature, UnicodeError) as error:
            raise TokenInvalid(purpose) from error
        if len(fields) != count:
            raise TokenInvalid(purpose, "it comes from another version")
        return fields


def _require_room(purpose: str, found: str, room: str) -> None:
    if found != room:
        raise TokenInvalid(purpose, f"it belongs to the room {found!r}")


def _require_time(purpose: str, expires_at: int, now_ms: int) -> None:
    if now_ms >= expires_at:
        raise TokenExpired(purpose, expires_at)
