"""Who operates: sign-in links that are good once, and the sessions they open.

A session is a signed token in a cookie; nothing of it is kept. Signing out forgets the cookie, so a copied
token stays good until its time is up: at most twelve hours.
"""

import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from contextlib import suppress
from dataclasses import dataclass

from aiohttp import hdrs, web

from gate.cookies import read_cookie
from gate.gate import Gate
from gate.shopper import is_secure
from waitroom.errors import StoreAway, TokenInvalid
from waitroom.tickets import OPERATOR, OPERATOR_COOKIE, Operator

SESSION_S = 12 * 3600
_SCHEME = "Bearer "
_NOT_IN_A_NAME = re.compile(r"[^\w .-]+")


@dataclass(frozen=True, slots=True)
class Session:
    """An operator at work: ``by`` is who, for the audit; the token is good until ``expires_at`` (epoch ms)."""

    by: str
    expires_at: int
    token: str


class Sessions:
    """Signs operators in and recognises them."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def check_code(self, code: str) -> Operator:
        """The sign-in credential in a link's code, which stays good.

        Raises:
            TokenInvalid: it is none of ours. TokenExpired: it is too old.
        """
        return self._gate.tokens.read_operator(code, "sign-in", self._gate.clock.now_ms())

    async def is_used(self, link: Operator) -> bool:
        """Whether a sign-in link was used before; also False where the store is away and nobody can tell."""
        with suppress(StoreAway):
            return await self._gate.store.is_claimed(_claim(link))
        return False

    async def open(self, link: Operator, name: str = "") -> Session:
        """Spend a sign-in link on a session.

        ``name`` is what its owner wants to be called in the audit; some random digits make it unique.

        Raises:
            TokenInvalid: the link was used before.
            StoreAway: nobody can tell whether it was.
        """
        now = self._gate.clock.now_ms()
        good_for_s = (link.expires_at - now) // 1000 + 1
        if not await self._gate.store.claim(_claim(link), good_for_s):
            raise TokenInvalid(OPERATOR, "this link was used before")
        called = _NOT_IN_A_NAME.sub(" ", name).strip()[:40] or "operator"
        by, expires_at = f"{called} {secrets.token_hex(3)}", now + SESSION_S * 1000
        token = self._gate.tokens.sign_operator(Operator("session", _pack(by), expires_at))
        return Session(by, expires_at, token)

    def read(self, request: web.Request) -> Session:
        """The session of a request, from its cookie or ``Authorization: Bearer``.

        Raises:
            TokenInvalid: it carries none that is good.
        """
        error = TokenInvalid(OPERATOR, "sign in with the link that `waitroom operator` prints")
        for token in _tokens(request):
            try:
                found = self._gate.tokens.read_operator(token, "session", self._gate.clock.now_ms())
            except TokenInvalid as refused:
                error = refused
            else:
                return Session(_unpack(found.nonce), found.expires_at, token)
        raise error

    def cookie(self, request: web.Request, token: str) -> str:
        """The ``Set-Cookie`` that keeps a session; without a token, the one that forgets it."""
        age_s = SESSION_S if token else 0
        secure = "; Secure" if is_secure(self._gate, request) else ""
        return f"{OPERATOR_COOKIE}={token}; Path=/; Max-Age={age_s}; HttpOnly; SameSite=Strict{secure}"


def _tokens(request: web.Request) -> list[str]:
    header = request.headers.get(hdrs.AUTHORIZATION, "")
    bearer = header.removeprefix(_SCHEME).strip() if header.startswith(_SCHEME) else None
    return [token for token in (bearer, read_cookie(request, OPERATOR_COOKIE)) if token]


def _claim(link: Operator) -> str:
    return f"waitroom:operator:{link.nonce}"


def _pack(text: str) -> str:
    """A name in the few characters that tokens and cookies are made of."""
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _unpack(packed: str) -> str:
    return urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode()
