"""Register, sign in, sign out; change the password, sign out everywhere, delete the account.

For scripts: JSON in, ``{"email", "password"}`` to register and to sign in, which answers account and identity.
"""

import json
from urllib.parse import quote

from aiohttp import web

from shop_backend import fields, guard
from shop_backend.accounts import Account
from shop_backend.context import ACCOUNTS, LIMITS, METRICS, ORDERS, wants_json
from shop_backend.fields import Fields
from shop_backend.pages import page, redirect
from shop_backend.problems import counted

routes = web.RouteTableDef()


@routes.get("/account/register")
async def register_form(request: web.Request) -> web.StreamResponse:
    """The form of a new account."""
    return await _form(request, "register.html")


@routes.post("/account/register")
async def register(request: web.Request) -> web.StreamResponse:
    """Make an account. The answer is the same when the address has one; who owns it goes on and signs in."""
    counter = request.app[METRICS].sign_ins
    with counted(counter):
        sent = await guard.posted(request)
        email, password, path = fields.email(sent), fields.password(sent), fields.next_path(request.query)
        request.app[LIMITS].register(guard.client(request))
        made = await request.app[ACCOUNTS].register(email, password)
    counter.labels("registered" if made else "repeated").inc()
    if wants_json(request):
        return web.json_response({"sign_in": "/account/sign-in"}, status=202)
    return redirect(f"/account/sign-in?made=1&next={quote(path, safe='/')}")


@routes.get("/account/sign-in")
async def sign_in_form(request: web.Request) -> web.StreamResponse:
    """The form to sign in."""
    return await _form(request, "sign_in.html")


@routes.post("/account/sign-in")
async def sign_in(request: web.Request) -> web.StreamResponse:
    """Sign in: a new session, and the identity that the gate asks for."""
    counter = request.app[METRICS].sign_ins
    with counted(counter):
        sent = await guard.posted(request)
        path = fields.next_path(request.query)
        account = await _verify(request, fields.email(sent), sent)
        response = await _welcome(request, account, path)
    counter.labels("signed-in").inc()
    return response


@routes.post("/account/sign-out")
async def sign_out(request: web.Request) -> web.StreamResponse:
    """End the session."""
    await guard.posted(request)
    return await _goodbye(request)


@routes.get("/account")
async def account_page(request: web.Request) -> web.StreamResponse:
    """What a buyer can do with their account."""
    account = await guard.signed_in(request)
    if wants_json(request):
        return web.json_response({"account": account.id, "email": account.email})
    return page(request, "account.html", changed="changed" in request.query)


@routes.post("/account/password")
async def change_password(request: web.Request) -> web.StreamResponse:
    """Take a new password (``new_password``), end every session and begin one in this browser."""
    account, sent = await _owner(request)
    account = await request.app[ACCOUNTS].change_password(account, fields.password(sent, "new_password"))
    return await _welcome(request, account, "/account?changed=1")


@routes.post("/account/sign-out-everywhere")
async def sign_out_everywhere(request: web.Request) -> web.StreamResponse:
    """End every session of the account, on all devices."""
    await guard.posted(request)
    await request.app[ACCOUNTS].close_all_sessions(await guard.signed_in(request))
    return await _goodbye(request)


@routes.post("/account/delete")
async def delete(request: web.Request) -> web.StreamResponse:
    """Delete the account, giving back what is held; what was bought stays, without the buyer's e-mail and password."""
    account, _ = await _owner(request)
    await request.app[ORDERS].leave(account.id)
    await request.app[ACCOUNTS].delete(account)
    return await _goodbye(request)


async def _form(request: web.Request, template: str) -> web.StreamResponse:
    await guard.account_of(request)
    path = fields.next_path(request.query)
    return page(request, template, next=path, made="made" in request.query)


async def _owner(request: web.Request) -> tuple[Account, Fields]:
    """Who is signed in, once more with their password, and what they sent."""
    sent = await guard.posted(request)
    account = await guard.signed_in(request)
    return await _verify(request, account.email, sent), sent


async def _verify(request: web.Request, email: str, sent: Fields) -> Account:
    password = fields.password(sent)
    with request.app[LIMITS].signing_in(guard.client(request), email):
        return await request.app[ACCOUNTS].verify(email, password)


async def _welcome(request: web.Request, account: Account, path: str) -> web.StreamResponse:
    response = web.json_response() if wants_json(request) else redirect(path)
    identity = await guard.sign_in(request, response, account)
    if wants_json(request):
        response.text = json.dumps({"account": account.id, "identity": identity})
    return response


async def _goodbye(request: web.Request) -> web.StreamResponse:
    response = web.Response(status=204) if wants_json(request) else redirect("/")
    await guard.sign_out(request, response)
    return response


FORMS = {
    register: register_form,
    sign_in: sign_in_form,
    change_password: account_page,
    delete: account_page,
}
