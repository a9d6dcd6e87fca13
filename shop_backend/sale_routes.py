"""The sale, under ``/sale``, for those who hold a pass: choose, look over the basket, and hold its units.

The basket is an address, ``/sale/basket?items.<product>=<units>``: nothing is kept of it and nothing held. The checkout
holds the units, and from then on no pass is needed (``order_routes``).

For scripts: ``GET /sale`` lists the products with their units. ``POST /sale/orders`` takes ``{"key", "items":
{product: quantity}}`` and answers the order.
"""

import re
from dataclasses import asdict

from aiohttp import web
from aiohttp.typedefs import Handler

from shop_backend import fields, guard
from shop_backend.context import METRICS, ORDERS, SETTINGS, wants_json
from shop_backend.errors import BadInput
from shop_backend.markets import totals
from shop_backend.order_routes import answer_order
from shop_backend.pages import page
from shop_backend.problems import counted
from shop_backend.readers import reader_of
from shop_backend.settings import PROTECTED
from shop_backend.texts import _

CHANGES_UNITS = re.compile(r"/orders/[0-9a-f]{32}/(cancel|payments/[0-9a-f]{32})")
"""Beside the sale: where orders are cancelled, and where buyers come back from paying."""

routes = web.RouteTableDef()


@web.middleware
async def guard_sale(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Ask for the pass under ``/sale``; tell the gate, there and where orders change, what is left and held."""
    if request.path == PROTECTED or request.path.startswith(f"{PROTECTED}/"):
        await guard.require_pass(request)
    elif not CHANGES_UNITS.fullmatch(request.path):
        return await handler(request)
    return _tell_units(request, await handler(request), *await _count_units(request))


@routes.get("/units")
async def units(request: web.Request) -> web.StreamResponse:
    """How many units are left and held, without a pass: for the gate, when nobody is in the sale to hear it."""
    left, held = await _count_units(request)
    return _tell_units(request, web.json_response({"left": left, "held": held}), left, held)


def _tell_units(
    request: web.Request, response: web.StreamResponse, left: int, held: int
) -> web.StreamResponse:
    """Say to the gate, in the answer's headers, how many units are left and held, and in which room."""
    response.headers["Waitroom-Room"] = request.app[SETTINGS].room
    response.headers["Waitroom-Units-Left"] = str(left)
    response.headers["Waitroom-Units-Held"] = str(held)
    return response


@routes.get("/sale")
async def sale(request: web.Request) -> web.StreamResponse:
    """What is left, to choose from."""
    orders, account = request.app[ORDERS], await guard.account_of(request)
    stock = await orders.stock()
    if wants_json(request):
        return web.json_response({"products": [asdict(product) for product in stock]})
    ordered = await orders.ordered(account.id) if account else {}
    chosen = fields.some_items(request.query)
    return page(request, "sale.html", stock=stock, ordered=ordered, chosen=chosen)


@routes.get("/sale/basket")
async def basket(request: web.Request) -> web.StreamResponse:
    """What was chosen, and what it comes to in each market; the way to the checkout."""
    await guard.account_of(request)
    return await _show_basket(request, fields.items(request.query))


async def _show_basket(request: web.Request, items: dict[str, int]) -> web.StreamResponse:
    lines = [(each, items[each.id]) for each in await request.app[ORDERS].stock() if each.id in items]
    if len(lines) < len(items):
        raise BadInput("items", _("There is no such product."))
    fees = totals(reader_of(request).market, [(each.price_cents, units) for each, units in lines])
    return page(request, "basket.html", lines=lines, totals=fees, key=fields.new_key())


@routes.post("/sale/orders")
async def place(request: web.Request) -> web.StreamResponse:
    """Begin the checkout: place an order, which holds its units; the same key again answers the same order."""
    orders, counter = request.app[ORDERS], request.app[METRICS].orders
    with counted(counter):
        sent = await guard.posted(request)
        account = await guard.signed_in(request)
        order, new = await orders.place(account.id, fields.idempotency_key(sent), fields.items(sent))
    counter.labels("placed" if new else "repeated").inc()
    return answer_order(request, order, status=201 if new else 200)


async def _count_units(request: web.Request) -> tuple[int, int]:
    stock = await request.app[ORDERS].stock()
    return sum(product.free for product in stock), sum(product.held for product in stock)


FORMS = {basket: sale, place: sale}
