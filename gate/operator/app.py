"""The operator's application: health and metrics for machines, an API and a console for people who sign in."""

from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from gate import forwarded, problems
from gate.bodies import MOST_BYTES
from gate.gate import GATE, Gate, Handler
from gate.operator.api import OperatorApi
from gate.operator.console import Console
from gate.operator.health import Health
from gate.operator.preview import Previews
from gate.operator.session import Sessions

_STATIC = Path(__file__).parent / "static"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def build_operator_app(gate: Gate) -> web.Application:
    """The operator's listener, for a port of its own: never put these addresses on the public one."""
    app = web.Application(client_max_size=MOST_BYTES, middlewares=[_guard])
    app[GATE] = gate
    sessions = Sessions(gate)
    Health(gate).add_routes(app)
    OperatorApi(gate, sessions).add_routes(app)
    Console(gate, sessions).add_routes(app)
    Previews(gate, sessions).add_routes(app)
    app.router.add_static("/static", _STATIC)
    app.router.add_route("*", "/{path:(?s:.*)}", gate.endpoint("operator_other", {"*": _nothing}))
    app.on_response_prepare.append(_add_headers)
    return app


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn away what another site's page could make an operator's browser send."""
    gate = request.app[GATE]
    trusted = gate.settings.trusted_proxies
    host = forwarded.host(request, trusted)
    if _is_here(gate.settings.host) and not forwarded.from_trusted(request, trusted):
        # A name that another site lets point here (DNS rebinding) would make its page one of ours.
        name = _name(host)
        if not (_is_here(name) or name == gate.settings.host):
            text = f"this listener is not {name[:100]!r}; ask for it as localhost"
            return problems.answer(request, web.HTTPMisdirectedRequest(text=text))
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is not None and request.method not in {"GET", "HEAD"} and origin.partition("://")[2] != host:
        # Cookies and SameSite take no notice of ports, so a page of the gate next door counts as ours.
        return problems.answer(
            request, web.HTTPForbidden(text="changes from another site's pages are refused")
        )
    return await handler(request)


async def _nothing(_request: web.Request) -> web.StreamResponse:
    raise web.HTTPNotFound(text="there is nothing at this address")


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)  # a preview has the policy of the page it shows


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_here(name: str) -> bool:
    """Whether a host's name or address always means this machine."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
