"""Pages from the templates, and the headers that keep them safe.

A text is marked where it stands, ``_("Sign in")`` in a template as in Python, and {names} in it are filled in by
name: ``_("At most {limit} units", limit=limit)``. ``reader.count("{n} unit", "{n} units", n)`` has plural forms;
``reader.money``, ``.day`` and ``.moment`` say money and dates. A template that takes macros from another imports it
``with context``, for they speak to the reader too. ``make texts`` then collects what is to be translated.
"""

from functools import partial
from pathlib import Path
from urllib.parse import urlencode

from aiohttp import hdrs, web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shop_backend.catalogue import LIMIT
from shop_backend.context import ACCOUNT, PROBLEM, VISIT
from shop_backend.guard import form_token, is_https, keep_form_cookie
from shop_backend.markets import MARKETS
from shop_backend.readers import NAMES, keep_choices, reader_of

TEMPLATES = Path(__file__).parent.parent / "templates"
STATIC = Path(__file__).parent / "static"

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(limit=LIMIT, languages=NAMES, markets=MARKETS)
    return environment


ENVIRONMENT = _environment()


def page(request: web.Request, template: str, *, status: int = 200, **values: object) -> web.Response:
    """A page for this shopper; what each page needs anyway is added here."""
    reader = reader_of(request)
    text = ENVIRONMENT.get_template(f"shop/{template}").render(
        reader=reader,
        _=reader.say,
        link=partial(_link, request),
        account=request.get(ACCOUNT),
        form_token=form_token(request),
        problem=request.get(PROBLEM),
        visit=request.get(VISIT),
        **values,
    )
    response = web.Response(text=text, status=status, content_type="text/html")
    response.headers["Content-Language"] = reader.language
    keep_form_cookie(request, response)
    keep_choices(request, response, secure=is_https(request))
    return response


def _link(request: web.Request, **choice: str) -> str:
    """This page with another language or market; after a form, the page that the form stands on."""
    resource = request.match_info.route.resource
    shown = resource and any(route.method == hdrs.METH_GET for route in resource)
    query = {name: value for name, value in request.query.items() if name not in choice} | choice
    return f"{request.path if shown else '/'}?{urlencode(query)}"


def redirect(location: str) -> web.Response:
    """See other: what follows a form."""
    return web.Response(status=303, headers={"Location": location})


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Signal: the same careful headers on every answer; only what is static may be kept."""
    response.headers.update(HEADERS)
    is_static = request.path.startswith("/static/") and response.status < 400
    response.headers["Cache-Control"] = "public, max-age=3600" if is_static else "no-store"
