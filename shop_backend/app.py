"""The shop as one aiohttp application."""

import asyncio
import logging
from collections.abc import AsyncIterator

from aiohttp import web
from aiohttp.hdrs import METH_ALL as METHODS
from aiohttp.typedefs import Handler
from sqlalchemy import text

from shop_backend import account_routes, guard, order_routes, sale_routes, sandbox
from shop_backend.accounts import Accounts
from shop_backend.catalogue import PRODUCTS
from shop_backend.context import (
    ACCOUNTS,
    CLOCK,
    DATABASE,
    FORMS,
    LIMITS,
    METRICS,
    ORDERS,
    PAYMENTS,
    SETTINGS,
    TOKENS,
    wants_json,
)
from shop_backend.database import Database
from shop_backend.limits import Limits
from shop_backend.metrics import Metrics
from shop_backend.orders import Orders
from shop_backend.pages import STATIC, add_headers, page
from shop_backend.passwords import Passwords
from shop_backend.payments import Payments
from shop_backend.problems import answer_errors
from shop_backend.sale_routes import guard_sale
from shop_backend.sandbox import SANDBOXES, Sandbox
from shop_backend.settings import ShopSettings
from waitroom.clock import Clock
from waitroom.tickets import Tokens

LARGEST_BODY = 16 * 1024
RECOVERY_S = 5

log = logging.getLogger(__name__)
routes = web.RouteTableDef()


def build_app(settings: ShopSettings, *, clock: Clock) -> web.Application:
    """The whole shop; its database opens with the application and closes with it."""
    # Errors are answered inside the sale's guard, so that refusals tell the stock too, and around it.
    middlewares = [measure, answer_errors, guard_sale, answer_errors]
    app = web.Application(client_max_size=LARGEST_BODY, middlewares=middlewares)
    app[SETTINGS] = settings
    app[CLOCK] = clock
    app[TOKENS] = Tokens(settings.secrets)
    app[METRICS] = Metrics()
    app[LIMITS] = Limits(clock)
    parts = (account_routes, sale_routes, order_routes, sandbox)
    app[FORMS] = {post: form for part in parts for post, form in part.FORMS.items()}
    app.cleanup_ctx.extend([_database, _recovery])
    app.on_response_prepare.append(add_headers)
    for table in (routes, *(part.routes for part in parts)):
        app.add_routes(table)
    app.router.add_static("/static", STATIC)
    return app


async def _database(app: web.Application) -> AsyncIterator[None]:
    settings, clock = app[SETTINGS], app[CLOCK]
    database = app[DATABASE] = Database(settings.database_url)
    passwords = Passwords()
    app[ACCOUNTS] = Accounts(database, passwords, clock)
    orders = app[ORDERS] = Orders(database, clock, settings.hold_ms)
    providers = app[SANDBOXES] = {
        "card": Sandbox("card", database, clock, settings.secrets, captures=False),
        "paypal": Sandbox("paypal", database, clock, settings.secrets, captures=True),
    }
    app[PAYMENTS] = Payments(database, clock, orders, providers)
    try:
        await database.migrate()
        await database.stock(PRODUCTS, settings.stock)
        yield
    finally:
        await asyncio.gather(*(provider.close() for provider in providers.values()))
        passwords.close()
        await database.close()


async def _recovery(app: web.Application) -> AsyncIterator[None]:
    """Ask again, from the start on and every few seconds, for the payments that nothing was heard of."""
    task = asyncio.create_task(_keep_recovering(app[PAYMENTS]))
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _keep_recovering(payments: Payments) -> None:
    while True:
        try:
            await payments.recover()
        except Exception:
            log.exception("payments could not be settled; they are tried again")
        await asyncio.sleep(RECOVERY_S)


@web.middleware
async def measure(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Time every answer, by route and not by path, so that the number of series stays small."""
    clock, status = request.app[CLOCK], 500
    began = clock.monotonic()
    try:
        response = await handler(request)
        status = response.status
    except web.HTTPException as answer:
        status = answer.status
        raise
    else:
        return response
    finally:
        resource = request.match_info.route.resource
        route = resource.canonical if resource else "unknown"
        method = request.method if request.method in METHODS else "other"
        seconds = request.app[METRICS].request_seconds.labels(route, method, str(status))
        seconds.observe(clock.monotonic() - began)


@routes.get("/")
async def catalogue(request: web.Request) -> web.StreamResponse:
    """The products, their prices and the terms, before and after the sale."""
    await guard.account_of(request)
    stock = await request.app[ORDERS].stock()
    if wants_json(request):
        products = [{"id": p.id, "name": p.name, "price_cents": p.price_cents} for p in stock]
        return web.json_response({"products": products})
    return page(request, "catalogue.html", stock=stock)


@routes.get("/guide")
async def guide(request: web.Request) -> web.StreamResponse:
    """The buying guide: what to do before the sale, what is charged, and what is promised, market by market."""
    await guard.account_of(request)
    now = request.app[CLOCK].now_ms()
    return page(request, "guide.html", stock=await request.app[ORDERS].stock(), now=now)


@routes.get("/healthz")
async def healthz(request: web.Request) -> web.StreamResponse:
    """Whether the shop and its database answer."""
    async with request.app[DATABASE].read() as connection:
        await connection.execute(text("SELECT 1"))
    return web.json_response({"status": "ok"})


@routes.get("/metrics")
async def metrics(request: web.Request) -> web.StreamResponse:
    """For Prometheus."""
    body = request.app[METRICS].page(await request.app[ORDERS].stock())
    return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})
