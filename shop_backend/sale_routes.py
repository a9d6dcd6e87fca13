"""The sale, under ``/sale``, for those who hold a pass; and the orders placed there, under ``/orders``.

Once placed, an order needs no pass: it can be paid as long as its units are held, also after the visit, and a
payment whose answer was lost can be sent again.

For scripts: ``GET /sale`` lists the products with their units. ``POST /sale/orders`` takes ``{"key", "items":
{product: quantity}}``, ``POST /orders/<id>/payment`` takes ``{"card"}``, ``POST /orders/<id>/cancel`` takes ``{}``;
each answers the order.
"""

from dataclasses import asdict

from aiohttp import web
from aiohttp.typedefs import Handler

from shop_backend import fields, guard
from shop_backend.context import METRICS, ORDERS, SETTINGS, wants_json
from shop_backend.errors import ShopError
from shop_backend.orders import Order
from shop_backend.pages import page, redirect
from shop_backend.problems import slug
from shop_backend.settings import PROTECTED

ORDER = "/orders/{order:[0-9a-f]{32}}"
routes = web.RouteTableDef()


@web.middleware
async def guard_sale(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Ask for the pass under ``/sale``; tell the gate, there and when an order changes, what is left and held."""
    if request.path == PROTECTED or request.path.startswith(f"{PROTECTED}/"):
        await guard.require_pass(request)
    elif request.method != "POST" or not request.path.startswith("/orders/"):
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
    """What is left, and the order form."""
    orders, account = request.app[ORDERS], await guard.account_of(request)
    stock = await orders.stock()
    if wants_json(request):
        return web.json_response({"products": [asdict(product) for product in stock]})
    ordered = await orders.ordered(account.id) if account else {}
    return page(request, "sale.html", stock=stock, ordered=ordered, key=fields.new_order_key())


@routes.post("/sale/orders")
async def place(request: web.Request) -> web.StreamResponse:
    """Place an order, which holds its units; the same key again answers the same order."""
    orders, counter = request.app[ORDERS], request.app[METRICS].orders
    try:
        sent = await guard.posted(request)
        account = await guard.signed_in(request)
        order, new = await orders.place(account.id, fields.order_key(sent), fields.items(sent))
    except ShopError as error:
        counter.labels(slug(error)).inc()
        raise
    counter.labels("placed" if new else "repeated").inc()
    return _answer(request, order, status=201 if new else 200)


@routes.post(f"{ORDER}/payment")
async def pay(request: web.Request) -> web.StreamResponse:
    """Pay an order once; the visit is then over, and the gate is told."""
    orders, counter = request.app[ORDERS], request.app[METRICS].payments
    try:
        sent = await guard.posted(request)
        account = await guard.signed_in(request)
        order, now = await orders.pay(account.id, request.match_info["order"], fields.card(sent))
    except ShopError as error:
        counter.labels(slug(error)).inc()
        raise
    counter.labels("accepted" if now else "repeated").inc()
    response = _answer(request, order)
    response.headers["Waitroom-Command"] = "leave"
    return response


@routes.post(f"{ORDER}/cancel")
async def cancel(request: web.Request) -> web.StreamResponse:
    """Give the units back; the visit goes on."""
    await guard.posted(request)
    account = await guard.signed_in(request)
    order = await request.app[ORDERS].cancel(account.id, request.match_info["order"])
    return _answer(request, order)


@routes.get("/orders")
async def my_orders(request: web.Request) -> web.StreamResponse:
    """All orders of a buyer, newest first."""
    account = await guard.signed_in(request)
    orders = await request.app[ORDERS].of_account(account.id)
    if wants_json(request):
        return web.json_response({"orders": [_document(order) for order in orders]})
    return page(request, "orders.html", orders=orders)


@routes.get(ORDER)
async def order_page(request: web.Request) -> web.StreamResponse:
    """One order: to be paid while its units are held; when it is paid this is the confirmation."""
    account = await guard.signed_in(request)
    order = await request.app[ORDERS].find(account.id, request.match_info["order"])
    if wants_json(request):
        return web.json_response(_document(order))
    return page(request, "order.html", order=order)


async def _count_units(request: web.Request) -> tuple[int, int]:
    stock = await request.app[ORDERS].stock()
    return sum(product.free for product in stock), sum(product.held for product in stock)


def _answer(request: web.Request, order: Order, status: int = 200) -> web.StreamResponse:
    location = f"/orders/{order.id}"
    if not wants_json(request):
        return redirect(location)
    return web.json_response(_document(order), status=status, headers={"Location": location})


def _document(order: Order) -> dict[str, object]:
    return {**asdict(order), "total_cents": order.total_cents}


FORMS = {place: sale, pay: order_page, cancel: order_page}
