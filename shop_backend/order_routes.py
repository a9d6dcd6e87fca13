"""Orders, under ``/orders``: the checkout, the payment and all that follows. None of it needs a pass.

Who is paying when the visit ends, or sends a payment again whose answer was lost, is not sent back to wait.

For scripts, with JSON: ``POST /orders/<id>/address`` takes ``{"market", …}`` with the fields of its address,
``/extension`` and ``/cancel`` take ``{}``; each answers the order. ``POST /orders/<id>/payments`` takes ``{"provider",
"key"}`` and answers ``confirm_at``, where the buyer agrees to it, and ``return_to``, where they come back to: ``GET``
there answers the order as it stands. Both are the same once the payment is over.
"""

from dataclasses import asdict
from typing import Any

from aiohttp import web

from shop_backend import addresses, fields, guard
from shop_backend.context import CLOCK, METRICS, ORDERS, PAYMENTS, wants_json
from shop_backend.errors import BadInput
from shop_backend.markets import MARKETS, Market
from shop_backend.orders import Order
from shop_backend.pages import page, redirect
from shop_backend.payments import REFUSALS, TRIES, return_path
from shop_backend.problems import counted
from shop_backend.readers import reader_of
from shop_backend.sandbox import SIGNATURE
from shop_backend.texts import _

ORDER = "/orders/{order:[0-9a-f]{32}}"
SENT = web.RequestKey("sent", fields.Fields)
"""What an address form held that is shown again."""

routes = web.RouteTableDef()


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
    """One order: the checkout while its units are held, the confirmation when it is paid."""
    account = await guard.signed_in(request)
    order = await request.app[ORDERS].find(account.id, request.match_info["order"])
    if wants_json(request):
        return web.json_response(_document(order))
    asked = request.query.get("market", "")
    market = MARKETS[asked if asked in MARKETS else order.market or reader_of(request).market.code]
    facts: dict[str, Any] = {"order": order, "deliver_to": market, "now": request.app[CLOCK].now_ms()}
    if order.state == "held" and (asked or not order.market):
        given = request.get(SENT) or (asdict(order.address) if order.address else {})
        return page(request, "address.html", given=given, **facts)
    facts |= {"refusals": REFUSALS, "tries": TRIES, "has_left": "left" in request.query}
    return page(request, "order.html", key=fields.new_key(), **facts)


@routes.post(f"{ORDER}/address")
async def ship_to(request: web.Request) -> web.StreamResponse:
    """Say where an order goes, which fixes what it costs in all."""
    sent = request[SENT] = await guard.posted(request)
    account = await guard.signed_in(request)
    market = _market(sent)
    order_id, address = request.match_info["order"], addresses.read(sent, market.country)
    return answer_order(request, await request.app[ORDERS].ship_to(account.id, order_id, market, address))


@routes.post(f"{ORDER}/extension")
async def extend(request: web.Request) -> web.StreamResponse:
    """Hold the units a little longer, once."""
    await guard.posted(request)
    account = await guard.signed_in(request)
    return answer_order(request, await request.app[ORDERS].extend(account.id, request.match_info["order"]))


@routes.post(f"{ORDER}/cancel")
async def cancel(request: web.Request) -> web.StreamResponse:
    """Give the units back, and the money if there was any; who leaves the checkout so leaves the sale.

    Not so who goes back to the choice (``then`` is ``sale``), nor who cancels what they paid for on an earlier visit.
    """
    sent = await guard.posted(request)
    account = await guard.signed_in(request)
    order = await request.app[ORDERS].cancel(account.id, request.match_info["order"])
    was_paid = any(payment.state == "refund_due" for payment in order.payments)
    await request.app[PAYMENTS].settle_order(order.id)
    if sent.get("then") == "sale" and not wants_json(request):
        return redirect("/sale?" + "&".join(f"items.{name}={units}" for name, units in order.items.items()))
    response = answer_order(request, await request.app[ORDERS].find(account.id, order.id))
    if sent.get("then") != "sale" and not was_paid:
        response.headers["Waitroom-Command"] = "leave"
        if not wants_json(request):
            response.headers["Location"] += "?left"  # the page says so
    return response


@routes.post(f"{ORDER}/payments")
async def pay(request: web.Request) -> web.StreamResponse:
    """Begin a payment, and send the buyer to where it is confirmed; the same key again is the same payment."""
    payments, counter = request.app[PAYMENTS], request.app[METRICS].payments
    with counted(counter):
        sent = await guard.posted(request)
        account = await guard.signed_in(request)
        provider, key = fields.word(sent, "provider"), fields.idempotency_key(sent)
        payment, confirm_at = await payments.begin(account.id, request.match_info["order"], provider, key)
    counter.labels("begun").inc()
    if not wants_json(request):
        return redirect(confirm_at)
    back = return_path(payment)
    return web.json_response({"id": payment.id, "confirm_at": confirm_at, "return_to": back}, status=201)


@routes.get(f"{ORDER}/payments/{{payment:[0-9a-f]{{32}}}}")
async def come_back(request: web.Request) -> web.StreamResponse:
    """Where the provider sends the buyer: find out what became of the payment; once paid, the visit is over."""
    account = await guard.signed_in(request)
    orders, payments, order_id = request.app[ORDERS], request.app[PAYMENTS], request.match_info["order"]
    payment = await payments.settle_for(account.id, order_id, request.match_info["payment"])
    request.app[METRICS].payments.labels(payment.state).inc()
    order = await orders.find(account.id, order_id)
    response = answer_order(request, order)
    if order.state == "paid":
        response.headers["Waitroom-Command"] = "leave"
    return response


@routes.post("/payments/{provider}/events")
async def hear_provider(request: web.Request) -> web.StreamResponse:
    """News from a payment provider, however late, often and disordered: they only make the shop ask there."""
    payments = request.app[PAYMENTS]
    body, signature = await request.read(), request.headers.get(SIGNATURE, "")
    payment_id = payments.read_event(request.match_info["provider"], body, signature)
    await payments.settle(payment_id)
    return web.Response(status=204)


def answer_order(request: web.Request, order: Order, status: int = 200) -> web.StreamResponse:
    """An order after a change: itself for a script, the way to its page for a browser."""
    location = f"/orders/{order.id}"
    if not wants_json(request):
        return redirect(location)
    return web.json_response(_document(order), status=status, headers={"Location": location})


def _document(order: Order) -> dict[str, object]:
    document = {**asdict(order), "goods_cents": order.goods_cents, "total_cents": order.total_cents}
    del document["account_id"]
    return document


def _market(sent: fields.Fields) -> Market:
    code = fields.word(sent, "market")
    if code not in MARKETS:
        raise BadInput("market", _("We deliver to the USA, the United Kingdom, France and Germany."))
    return MARKETS[code]


FORMS = {ship_to: order_page, extend: order_page, cancel: order_page, pay: order_page}
