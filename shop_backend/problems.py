"""The one table from errors to answers, and the two shapes of an answer: a page or a problem document."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from urllib.parse import quote

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import Counter
from sqlalchemy import exc as sql

from shop_backend import errors
from shop_backend.context import FORMS, PROBLEM, Problem, wants_json
from shop_backend.pages import page, redirect
from shop_backend.texts import _

log = logging.getLogger(__name__)

ANSWERS: dict[type[errors.ShopError], tuple[int, str, str]] = {
    errors.BadInput: (400, "bad-input", _("Something in the request is not right")),
    errors.UnknownBody: (415, "unknown-body", _("This kind of body is not understood")),
    errors.Forged: (403, "forged", _("This request was not sent from our page")),
    errors.SignInFailed: (401, "sign-in-failed", _("That did not sign you in")),
    errors.TooMany: (429, "too-many", _("Too many attempts")),
    errors.SignInNeeded: (401, "sign-in-needed", _("Sign in first")),
    errors.PassNeeded: (403, "pass-needed", _("The waiting room comes first")),
    errors.LimitReached: (409, "limit-reached", _("Two units for each buyer")),
    errors.NotEnough: (409, "not-enough", _("Not enough units are free")),
    errors.KeyReused: (409, "key-reused", _("This order was placed before with other products")),
    errors.OrderUnknown: (404, "order-unknown", _("There is no such order")),
    errors.OrderOver: (409, "order-over", _("This order is over")),
    errors.AddressNeeded: (409, "address-needed", _("The address comes first")),
    errors.ProviderSilent: (503, "provider-silent", _("The payment provider does not answer")),
    errors.Busy: (503, "busy", _("The shop is very busy")),
}
"""Status, last part of the problem's type, and title of every error."""

PLAIN = {
    404: _("There is no such page"),
    405: _("This page does not take that"),
    413: _("That is too much to send at once"),
    500: _("Something went wrong here"),
}
"""What a page says instead of the usual phrase of a status."""

BUGS = (sql.IntegrityError, sql.ProgrammingError, sql.DataError)
AWAY = (sql.DBAPIError, sql.TimeoutError, OSError)
"""What the drivers raise when the database can't be reached, beside the errors that would be ours."""


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error into a page, the form it came from with the reason, or a problem document."""
    try:
        return await handler(request)
    except errors.ShopError as error:
        return await _answer(request, error)
    except web.HTTPException as answer:
        if answer.status < 400:
            raise
        return await _plain(request, answer.status, answer.headers.get("Allow"))
    except BUGS:
        log.exception("%s %s failed", request.method, request.path)
    except aiohttp.ClientConnectionResetError:
        raise  # the buyer has gone; nobody is left to tell
    except AWAY as error:
        log.error("the database is away: %s", error)  # noqa: TRY400 - the reason is enough
        return await _answer(request, errors.Busy(_("Please try again in a moment.")))
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
    return await _plain(request, 500)


def slug(error: errors.ShopError) -> str:
    """The short stable name of an error, also used in metrics."""
    return ANSWERS[type(error)][1]


@contextmanager
def counted(refusals: Counter) -> Iterator[None]:
    """Count what is refused within, by the name of the refusal."""
    try:
        yield
    except errors.ShopError as error:
        refusals.labels(slug(error)).inc()
        raise


async def _answer(request: web.Request, error: errors.ShopError) -> web.StreamResponse:
    if isinstance(error, errors.SignInNeeded) and not wants_json(request):
        # A form's address lies under that of its page.
        wanted = request.path if request.method == "GET" else request.path.rpartition("/")[0]
        return redirect(f"/account/sign-in?next={quote(wanted, safe='/')}")
    status, name, title = ANSWERS[type(error)]
    problem = Problem(status, f"/problems/{name}", title, error.text, error.facts)
    response = await _show(request, problem)
    if status in {429, 503}:
        response.headers["Retry-After"] = str(error.facts.get("retry_after_s", 2))
    return response


async def _plain(request: web.Request, status: int, allow: str | None = None) -> web.StreamResponse:
    response = await _show(request, Problem(status, "about:blank", HTTPStatus(status).phrase))
    if allow:
        response.headers["Allow"] = allow
    return response


async def _show(request: web.Request, problem: Problem) -> web.StreamResponse:
    if wants_json(request):
        return web.json_response(
            {
                **problem.facts,
                "type": problem.type,
                "title": problem.title,
                "status": problem.status,
                "detail": problem.text.format_map(problem.facts),
            },
            status=problem.status,
            content_type="application/problem+json",
        )
    form = request.app[FORMS].get(request.match_info.handler)
    request[PROBLEM] = problem
    if form and problem.status < 500:
        with suppress(errors.ShopError):
            response = await form(request)
            if response.status == 200:
                response.set_status(problem.status)
            return response
    title = PLAIN.get(problem.status, problem.title) if problem.type == "about:blank" else problem.title
    return page(request, "problem.html", status=problem.status, title=title)
