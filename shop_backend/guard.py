"""Who may: sessions and identities in cookies, forms that only our pages can send, passes to the sale."""

import hashlib
import hmac
import secrets
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import quote, urlsplit

from aiohttp import web

from shop_backend.accounts import SESSION_MS, Account
from shop_backend.context import (
    ACCOUNT,
    ACCOUNTS,
    CLOCK,
    NEW_SESSION,
    SETTINGS,
    TOKENS,
    VISIT,
    Visit,
    wants_json,
)
from shop_backend.errors import Forged, PassNeeded, SignInNeeded
from shop_backend.fields import FORM, Fields, read_fields
from shop_backend.limits import client_of
from shop_backend.texts import _
from waitroom.errors import TokenInvalid
from waitroom.tickets import IDENTITY_COOKIE, Identity, Pass, pass_cookie

SESSION_COOKIE = "shop_session"
SCHEME = "Waitroom"
"""Authorization scheme of a pass that an app sends without a cookie."""


async def account_of(request: web.Request) -> Account | None:
    """Who is signed in, read once a request."""
    token = request.cookies.get(SESSION_COOKIE)
    if token and ACCOUNT not in request:
        account = await request.app[ACCOUNTS].of_session(token)
        if account:
            request[ACCOUNT] = account
    return request.get(ACCOUNT)


async def signed_in(request: web.Request) -> Account:
    """Who is signed in.

    Raises:
        SignInNeeded: when nobody is.
    """
    account = await account_of(request)
    if not account:
        raise SignInNeeded(_("Sign in first."))
    return account


async def sign_in(request: web.Request, response: web.StreamResponse, account: Account) -> str:
    """Begin a new session and end the one that was there before; answers the identity token.

    Raises:
        SignInFailed: when the account's password has been changed meanwhile.
    """
    expires_at = request.app[CLOCK].now_ms() + SESSION_MS
    identity = request.app[TOKENS].sign_identity(Identity(account.id, expires_at))
    accounts = request.app[ACCOUNTS]
    token = await accounts.open_session(account)
    if before := request.cookies.get(SESSION_COOKIE):
        await accounts.close_session(before)
    _set_cookie(request, response, SESSION_COOKIE, token)
    _set_cookie(request, response, IDENTITY_COOKIE, identity)
    return identity


async def sign_out(request: web.Request, response: web.StreamResponse) -> None:
    """End the session."""
    if token := request.cookies.get(SESSION_COOKIE):
        await request.app[ACCOUNTS].close_session(token)
    for name in (SESSION_COOKIE, IDENTITY_COOKIE):
        response.del_cookie(name, path="/")


def form_token(request: web.Request) -> str:
    """What a form carries to show that this browser was given it: a hash of its session cookie.

    A browser without a session gets a cookie for this alone; signing in replaces it.
    """
    token = request.cookies.get(SESSION_COOKIE) or request.get(NEW_SESSION)
    if not token:
        token = request[NEW_SESSION] = secrets.token_urlsafe(32)
    return hashlib.sha256(b"form\0" + token.encode(errors="replace")).hexdigest()


def keep_form_cookie(request: web.Request, response: web.StreamResponse) -> None:
    """Give a browser that has no session the cookie that its form's token belongs to.

    A form that another site sends comes without the session that the browser has, which must stay.
    """
    if NEW_SESSION in request and (request.method in {"GET", "HEAD"} or _from_here(request)):
        _set_cookie(request, response, SESSION_COOKIE, request[NEW_SESSION])


async def posted(request: web.Request) -> Fields:
    """The fields of a request that changes something and comes from a page of ours, or from a script.

    Another site's page can send a form, but without the token; JSON it can't send at all, because browsers
    ask before they send that type, and the shop never agrees.

    Raises:
        Forged: when it comes from elsewhere.
    """
    if not _from_here(request):
        raise Forged(_("The request comes from a page of another site."))
    fields = await read_fields(request)
    if request.content_type == FORM:
        sent = str(fields.get("form_token", "")).encode(errors="replace")
        if SESSION_COOKIE not in request.cookies or not hmac.compare_digest(
            sent, form_token(request).encode()
        ):
            raise Forged(_("The form is too old, or was given to another browser: please send it again."))
    return fields


async def require_pass(request: web.Request) -> None:
    """Let nobody into the sale who has not been let in by the waiting room; its pages tell who is in for how long.

    Raises:
        PassNeeded: without a pass of this room that is good now, and of nobody else than who is signed in.
        HTTPSeeOther: the same, for a browser: to the waiting room.
    """
    settings = request.app[SETTINGS]
    if not settings.pass_required:
        return
    waiting = f"/waitroom/{settings.room}"
    wanted = request.path_qs if request.method == "GET" else "/sale"
    passes = list(_good_passes(request))
    account = await account_of(request) if all(each.identity for each in passes) else None
    ends = [each.expires_at for each in passes if not account or each.identity == account.id]
    if ends:
        request[VISIT] = Visit(waiting, wanted, request.app[CLOCK].now_ms(), max(ends))
        return
    if not wants_json(request):
        raise web.HTTPSeeOther(f"{waiting}?next={quote(wanted, safe='/')}")
    raise PassNeeded(_("Get a pass in the waiting room first."), waiting_room=waiting)


def client(request: web.Request) -> str:
    """Whose attempts are counted together, as the gate in front says; empty if that is not known."""
    chain = ", ".join(request.headers.getall("X-Forwarded-For", ())) or request.remote or ""
    return client_of(chain, request.app[SETTINGS].trusted)


def is_https(request: web.Request) -> bool:
    """Whether the shopper's side is encrypted, as the gate in front says."""
    return request.headers.get("X-Forwarded-Proto", request.scheme) == "https"


def _pass_tokens(request: web.Request) -> list[str]:
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    tokens = credentials.replace(",", " ").split() if scheme.lower() == SCHEME.lower() else []
    cookie = request.cookies.get(pass_cookie(request.app[SETTINGS].room))
    return [cookie, *tokens[:4]] if cookie else tokens[:4]


def _good_passes(request: web.Request) -> Iterator[Pass]:
    now, room = request.app[CLOCK].now_ms(), request.app[SETTINGS].room
    for token in _pass_tokens(request):
        with suppress(TokenInvalid, UnicodeError):
            granted = request.app[TOKENS].read_pass(token, room, now)
            if granted.enter_at <= now:
                yield granted


def _from_here(request: web.Request) -> bool:
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        return False
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc in {
        request.host,
        request.headers.get("X-Forwarded-Host", request.host),
    }


def _set_cookie(request: web.Request, response: web.StreamResponse, name: str, value: str) -> None:
    response.set_cookie(
        name,
        value,
        path="/",
        max_age=SESSION_MS // 1000,
        httponly=True,
        samesite="Lax",
        secure=is_https(request),
    )
