"""Credentials in a request, and the cookies that carry them; written by hand because they are on the hot path."""

from collections.abc import Iterator

from aiohttp import hdrs, web

TICKET_AGE_S = 30 * 24 * 3600
_SCHEME = "waitroom"


def read_cookie(request: web.BaseRequest, name: str) -> str | None:
    """The value of a cookie of ours; token characters only, so that no quoting needs to be undone."""
    header = request.headers.get(hdrs.COOKIE)
    if header is None:
        return None
    for part in header.split(";"):
        found, _, value = part.strip().partition("=")
        if found == name:
            return value
    return None


def credentials(request: web.BaseRequest, cookie: str) -> Iterator[str]:
    """The signed tokens that may be the one looked for: the cookie's, then those in ``Authorization``.

    ``Authorization: Waitroom <token>, <token>`` is for applications without cookies; which token is meant
    for what follows from the salt it was signed with.
    """
    if value := read_cookie(request, cookie):
        yield value
    scheme, _, tokens = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() == _SCHEME:
        yield from (token.strip() for token in tokens.split(","))


def cookie(name: str, value: str, *, age_s: int, secure: bool) -> str:
    """A ``Set-Cookie`` value: kept from scripts and from other sites' forms; ``age_s`` 0 deletes it."""
    return f"{name}={value}; Path=/; Max-Age={age_s}; HttpOnly; SameSite=Lax{'; Secure' if secure else ''}"
