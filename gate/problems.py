"""One table from errors to answers: RFC 9457 problem documents, or a decent page for a browser."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from aiohttp import hdrs, web

from gate.languages import choose
from gate.look import Look, our_look
from gate.page import plain_headers
from gate.paths import BadTarget
from gate.proxy import BodyBroken, BodyStalled, ProxyError, UpgradeRefused, UpstreamRefused, UpstreamTimeout
from gate.turns import TooManyAtOnce
from waitroom import errors

JSON = "application/problem+json"
TYPES = "/waitroom/problems/"

_log = structlog.get_logger()


class BadRequest(Exception):
    """The request cannot be understood; the text says what would be right."""


class NoPass(Exception):
    """A protected path was asked for without a valid pass; ``waiting_room`` is where to get one."""

    def __init__(self, waiting_room: str, detail: str = "this path needs a pass") -> None:
        super().__init__(detail)
        self.waiting_room = waiting_room


def _(text: str) -> str:
    """Mark a text that stands on pages; it is translated there, and stays English in documents for programs."""
    return text


@dataclass(frozen=True, slots=True)
class Problem:
    """What a kind of error is answered with; ``fields`` are the error's attributes that go into the document."""

    status: int
    slug: str
    title: str
    fields: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


_SOON = {"Retry-After": "2"}
_LATER = {"Retry-After": "5"}

# The first class that an error is an instance of counts.
PROBLEMS: dict[type[Exception], Problem] = {
    BadRequest: Problem(400, "bad-request", "The request cannot be understood"),
    BadTarget: Problem(400, "bad-target", "The address has no single safe meaning"),
    errors.IdentityNeeded: Problem(401, "sign-in-needed", "Sign in at the shop first"),
    errors.TokenExpired: Problem(401, "token-expired", "The token's time is up", ("purpose", "expired_at")),
    errors.TokenInvalid: Problem(401, "token-invalid", "The token is not valid", ("purpose",)),
    errors.NotJoinable: Problem(409, "no-tickets", "No tickets are issued now", ("phase",)),
    errors.NotOpen: Problem(409, "not-open", "Nobody enters now", ("phase",)),
    errors.Spent: Problem(409, "spent", "The ticket is spent"),
    errors.Moved: Problem(409, "moved", "The place was moved to another device"),
    errors.LinkUsed: Problem(409, "link-used", "The link was used already"),
    errors.OtherAccount: Problem(403, "other-account", "The place belongs to another account"),
    errors.InShop: Problem(409, "in-shop", "The visit has begun"),
    errors.VisitOver: Problem(409, "visit-over", "The visit is over"),
    errors.NoMoreTime: Problem(409, "no-more-time", "There is no more time"),
    errors.OneVisitOnly: Problem(409, "one-visit-only", "Everyone enters once"),
    errors.BeaconNotAwaited: Problem(409, "beacon-not-awaited", "No beacon is awaited"),
    errors.BeaconInvalid: Problem(400, "beacon-invalid", "This is not the beacon's round", ("round",)),
    errors.WorkNeeded: Problem(
        403, "work-needed", "This room asks for a little work first", ("reason", "challenge")
    ),
    errors.TooManyJoins: Problem(
        429, "too-many-joins", "Too many join from your network", ("retry_after_s",)
    ),
    errors.Conflict: Problem(409, "conflict", "The change does not fit"),
    errors.NotCalled: Problem(425, "not-called", "Not called yet", ("ahead",), _SOON),
    errors.StoreAway: Problem(503, "store-away", "The waiting room is out of reach for a moment", (), _SOON),
    NoPass: Problem(429, "waiting-room", "Wait in the waiting room first", ("waiting_room",), _SOON),
    TooManyAtOnce: Problem(429, "too-many-at-once", "Too many requests at once", (), _LATER),
    UpgradeRefused: Problem(501, "no-upgrade", _("The gate speaks HTTP alone")),
    UpstreamTimeout: Problem(504, "shop-timeout", _("The shop takes too long"), (), _LATER),
    UpstreamRefused: Problem(502, "shop-unreachable", _("The shop cannot be reached"), (), _LATER),
    BodyStalled: Problem(408, "body-stalled", "The request stopped in the middle"),
    BodyBroken: Problem(400, "body-broken", "The request's body is malformed"),
    web.HTTPForbidden: Problem(403, "forbidden", "Refused"),
    web.HTTPNotFound: Problem(404, "not-found", "Not found"),
    web.HTTPMethodNotAllowed: Problem(405, "method-not-allowed", "This address takes other methods"),
    web.HTTPRequestEntityTooLarge: Problem(413, "too-large", "The body is too large"),
    web.HTTPMisdirectedRequest: Problem(421, "misdirected-request", "Another host is meant"),
}
_DETAILS: dict[type[Exception], str] = {
    UpgradeRefused: _("Other protocols, such as WebSocket, do not pass this gate."),
    UpstreamTimeout: _("The shop did not answer in time. Your place and your visit are safe; try again."),
    UpstreamRefused: _("The shop did not answer. Your place and your visit are safe; try again."),
    BodyStalled: "The body did not arrive in time; send it again.",
    BodyBroken: "The body ended early or is not well-formed; send it again.",
}


@dataclass(frozen=True, slots=True)
class _Words:
    """What a page says of an error; a ``note`` is for those who build on the gate, and stays English."""

    title: str
    detail: str
    note: str | None = None


_NOTHING = _Words(_("There is nothing at this address"), _("It may be mistyped, or out of date."), "")
_FAILED = _Words(_("That did not work"), _("Nothing of yours is lost. Go back, and try again in a moment."))
_FAULT = Problem(500, "fault", "Something went wrong here")


def answer(request: web.BaseRequest, error: Exception, look: Look | None = None) -> web.Response:
    """The answer to an error: a page for a person at a browser, a problem document for everyone else."""
    problem, detail, headers = _describe(error)
    if wants_page(request):
        shop_fails = problem.status >= 500 and isinstance(error, ProxyError)
        words = _Words(problem.title, detail) if shop_fails else _words(problem.status, detail)
        return _page(request, words, problem.status, headers, look or our_look())
    document = {
        "type": TYPES + problem.slug,
        "title": problem.title,
        "status": problem.status,
        "detail": detail,
    }
    document |= {name: getattr(error, name) for name in problem.fields}
    return problem_response(document, headers)


def problem_response(document: dict[str, Any], headers: Mapping[str, str]) -> web.Response:
    """A problem document as an answer that no cache keeps."""
    return web.Response(
        body=json.dumps(document).encode(),
        status=document["status"],
        content_type=JSON,
        headers={hdrs.CACHE_CONTROL: "no-store", **headers},
    )


def wants_page(request: web.BaseRequest) -> bool:
    """Whether the request comes from a browser's address bar, a link or a form."""
    return "text/html" in request.headers.get(hdrs.ACCEPT, "")


def _describe(error: Exception) -> tuple[Problem, str, Mapping[str, str]]:
    for kind, problem in PROBLEMS.items():
        if isinstance(error, kind):
            if isinstance(error, web.HTTPException):
                allow = {name: text for name, text in error.headers.items() if name == hdrs.ALLOW}
                return problem, error.text or problem.title, allow
            later = (
                {"Retry-After": str(error.retry_after_s)} if isinstance(error, errors.TooManyJoins) else {}
            )
            return problem, _DETAILS.get(kind, str(error)), {**problem.headers, **later}
    _log.error("fault", exc_info=error)
    return _FAULT, "The fault is noted; nothing of yours is lost. Please try again.", {}


def _words(status: int, detail: str) -> _Words:
    if status != web.HTTPNotFound.status_code:
        return replace(_FAILED, note=detail)
    return _NOTHING if detail == _NOTHING.title.lower() else replace(_NOTHING, note=detail)


def _page(
    request: web.BaseRequest, words: _Words, status: int, headers: Mapping[str, str], look: Look
) -> web.Response:
    html = (
        look.environment(choose(request, look.languages).language)
        .get_template("queue/trouble.html")
        .render(title=words.title, detail=words.detail, note=words.note, status=status)
    )
    return web.Response(text=html, status=status, headers={**plain_headers(look), **headers})
