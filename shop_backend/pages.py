"""Pages from the templates, and the headers that keep them safe."""

from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shop_backend.catalogue import LIMIT
from shop_backend.context import ACCOUNT, PROBLEM
from shop_backend.guard import form_token, keep_form_cookie
from shop_backend.markets import MARKETS
from shop_backend.readers import choose

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


def dollars(cents: int) -> str:
    """Cents as US dollars: 7999 is $79.99."""
    return f"${cents // 100:,}.{cents % 100:02}"


def moment(ms: int) -> str:
    """Epoch milliseconds as a date and time, in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%-d %B %Y, %H:%M UTC")


def iso(ms: int) -> str:
    """Epoch milliseconds as machines read them."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat()


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(dollars=dollars, moment=moment, iso=iso)
    environment.globals.update(limit=LIMIT, markets=MARKETS)
    return environment


ENVIRONMENT = _environment()


def page(request: web.Request, template: str, *, status: int = 200, **values: object) -> web.Response:
    """A page for this shopper; what each page needs anyway is added here."""
    reader = choose(request)
    text = ENVIRONMENT.get_template(f"shop/{template}").render(
        _=reader.say,
        money=reader.money,
        day=reader.day,
        moment=reader.moment,
        duty_rule=reader.duty_rule,
        market=reader.market,
        account=request.get(ACCOUNT),
        form_token=form_token(request),
        problem=request.get(PROBLEM),
        **values,
    )
    response = web.Response(text=text, status=status, content_type="text/html")
    keep_form_cookie(request, response)
    return response


def redirect(location: str) -> web.Response:
    """See other: what follows a form."""
    return web.Response(status=303, headers={"Location": location})


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Signal: the same careful headers on every answer; only what is static may be kept."""
    response.headers.update(HEADERS)
    is_static = request.path.startswith("/static/") and response.status < 400
    response.headers["Cache-Control"] = "public, max-age=3600" if is_static else "no-store"
