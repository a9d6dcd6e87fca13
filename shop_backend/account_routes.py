"""Register, sign in, sign out. For scripts: JSON ``{"email", "password"}`` in, account and identity out."""

import json

from aiohttp import web

from shop_backend import fields, guard
from shop_backend.accounts import Account
from shop_backend.context import ACCOUNTS, METRICS, wants_json
from shop_backend.errors import ShopError
from shop_backend.pages import page, redirect
from shop_backend.problems import slug

routes = web.RouteTableDef()


@routes.get("/account/register")
async def register_form(request: web.Request) -> web.StreamResponse:
    """The form of a new account."""
    return await _form(request, "register.html")


@routes.post("/account/register")
async def register(request: web.Request) -> web.StreamResponse:
    """Make an account and sign in to it."""
    return await _enter(request, new=True)


@routes.get("/account/sign-in")
async def sign_in_form(request: web.Request) -> web.StreamResponse:
    """The form to sign in."""
    return await _form(request, "sign_in.html")


@routes.post("/account/sign-in")
async def sign_in(request: web.Request) -> web.StreamResponse:
    """Sign in."""
    return await _enter(request, new=False)


@routes.post("/account/sign-out")
async def sign_out(request: web.Request) -> web.StreamResponse:
    """End the session."""
    await guard.posted(request)
    response = web.Response(status=204) if wants_json(request) else redirect("/")
    await guard.sign_out(request, response)
    return response


async def _form(request: web.Request, template: str) -> web.StreamResponse:
    await guard.account_of(request)
    return page(request, template, next=fields.next_path(request.query))


async def _enter(request: web.Request, *, new: bool) -> web.StreamResponse:
    accounts, counter = request.app[ACCOUNTS], request.app[METRICS].sign_ins
    try:
        sent = await guard.posted(request)
        email, password, path = fields.email(sent), fields.password(sent), fields.next_path(request.query)
        if new:
            account, made = await accounts.register(email, password)
        else:
            account, made = await accounts.sign_in(email, password), False
    except ShopError as error:
        counter.labels(slug(error)).inc()
        raise
    counter.labels("registered" if made else "signed-in").inc()
    return await _welcome(request, account, path, made=made)


async def _welcome(request: web.Request, account: Account, path: str, *, made: bool) -> web.StreamResponse:
    response = web.json_response(status=201 if made else 200) if wants_json(request) else redirect(path)
    identity = await guard.sign_in(request, response, account)
    if wants_json(request):
        response.text = json.dumps({"account": account.id, "identity": identity})
    return response


FORMS = {register: register_form, sign_in: sign_in_form}
