"""The sandbox: a card processor and PayPal as they behave, without money. With real providers this file goes.

It has books of its own, its own transactions, and a page where the buyer agrees; it sends signed events to the shop,
and may be silent or slow. What it does depends on the card's number, or on PayPal's button.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import aiohttp
from aiohttp import web
from itsdangerous import Signer
from sqlalchemy import ColumnElement, Row, select, update

from shop_backend import guard
from shop_backend.context import wants_json
from shop_backend.database import Database
from shop_backend.errors import BadInput, Forged, OrderUnknown, ProviderSilent
from shop_backend.fields import Fields
from shop_backend.pages import page, redirect
from shop_backend.payments import Outcome, Status
from shop_backend.tables import sandbox
from shop_backend.texts import _
from waitroom.clock import Clock

SLOW_MS = 60_000
"""So much later the money of a slow payment moves."""

SILENT_MS = 30_000
"""So long a payment that times out is not answered for; its money has moved at once."""

CARDS = {
    "4242424242424242": "agree",
    "4000000000000002": "declined",
    "4000000000000036": "not-international",
    "4000000000000044": "not-online",
    "4000000000000069": "silent",
    "4000000000000077": "slow",
}
"""What is answered for the test cards. PayPal's buttons send the same words; either page has ``cancelled``."""

ANSWERS = {
    "agree": _("is accepted"),
    "declined": _("is declined"),
    "not-international": _("is not enabled for international payments"),
    "not-online": _("is not enabled for payments on the internet"),
    "silent": _("is charged, but for half a minute nobody answers"),
    "slow": _("is charged a minute later"),
}

SIGNATURE = "Payment-Signature"
"""Header of an event."""

PAGE = "/sandbox/{provider:card|paypal}/{payment:[0-9a-f]{32}}"
routes = web.RouteTableDef()


class Sandbox:
    """One provider. ``captures``: the money moves when the shop collects it, not when the buyer agrees."""

    def __init__(
        self, name: str, database: Database, clock: Clock, secrets: Sequence[str], *, captures: bool
    ) -> None:
        self._database = database
        self._clock = clock
        self._signer = Signer(list(secrets), salt=f"sandbox.{name}")
        self._captures = captures
        self._sending: set[asyncio.Task[None]] = set()
        self.name = name

    async def begin(self, payment_id: str, amount_cents: int, return_to: str) -> str:
        """Open a payment, once, and say where the buyer agrees to it."""
        row = {"payment_id": payment_id, "amount_cents": amount_cents, "return_to": return_to}
        row |= {"agreed": False, "slow": False, "silent_until": 0, "reason": ""}
        async with self._database.write() as connection:
            await connection.execute(self._database.insert(sandbox).values(row).on_conflict_do_nothing())
        return f"/sandbox/{self.name}/{payment_id}"

    async def collect(self, payment_id: str) -> Outcome:
        """Take the money that the buyer agreed to, or say how it stands."""
        row = await self._answer_for(payment_id)
        if row and row.agreed and not row.charged_at and not row.reason and self._captures:
            await self._charge(row)
            row = await self._find(payment_id)
        return self._outcome(row)

    async def call_off(self, payment_id: str) -> Outcome:
        """Take no money for this from now on, unless it is on its way."""
        await self._answer_for(payment_id)
        await self._change(payment_id, sandbox.c.charged_at.is_(None), reason="called-off")
        return self._outcome(await self._find(payment_id))

    async def refund(self, payment_id: str) -> None:
        """Give the money back, once."""
        await self._answer_for(payment_id)
        await self._change(payment_id, sandbox.c.refunded_at.is_(None), refunded_at=self._clock.now_ms())

    def sign_event(self, payment_id: str) -> tuple[bytes, str]:
        """An event and its signature."""
        body = json.dumps({"payment": payment_id}).encode()
        return body, self._signer.get_signature(body).decode()

    def read_event(self, body: bytes, signature: str) -> str:
        """The payment that an event is about."""
        if not self._signer.verify_signature(body, signature):
            raise Forged(_("The event is not signed by the payment provider."))
        return str(json.loads(body)["payment"])

    # ---- The buyer's side

    async def open_payment(self, payment_id: str) -> Row[Any]:
        """A payment, as the page where the buyer agrees shows it.

        Raises:
            OrderUnknown: when there is none.
        """
        row = await self._find(payment_id)
        if row is None:
            raise OrderUnknown(_("There is no such payment."))
        return row

    async def hear(self, payment_id: str, answer: str) -> None:
        """Take the buyer's answer, the first one alone."""
        silent_until = self._clock.now_ms() + SILENT_MS if answer == "silent" else 0
        agreed = answer in {"agree", "silent", "slow"}
        values = {"agreed": agreed, "slow": answer == "slow", "silent_until": silent_until}
        await self._change(payment_id, ~sandbox.c.agreed, **values, reason="" if agreed else answer)
        row = await self.open_payment(payment_id)
        if row.agreed and not self._captures:
            await self._charge(row)

    def tell_shop(self, shop: str, payment_id: str) -> None:
        """Send an event to the shop at this address, some time; a shop that does not hear it asks by itself."""
        task = asyncio.create_task(self._send_event(f"{shop}/payments/{self.name}/events", payment_id))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def close(self) -> None:
        """Send nothing more."""
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)

    # ---- Within

    async def _send_event(self, address: str, payment_id: str) -> None:
        body, signature = self.sign_event(payment_id)
        timeout = aiohttp.ClientTimeout(total=10)
        with suppress(aiohttp.ClientError, TimeoutError):
            async with aiohttp.ClientSession(timeout=timeout) as session:
                await session.post(address, data=body, headers={SIGNATURE: signature})

    async def _answer_for(self, payment_id: str) -> Row[Any] | None:
        row = await self._find(payment_id)
        if row and self._clock.now_ms() < row.silent_until:
            raise ProviderSilent(_("The payment provider does not answer. We ask again until it does."))
        return row

    async def _find(self, payment_id: str) -> Row[Any] | None:
        async with self._database.read() as connection:
            return (
                await connection.execute(select(sandbox).where(sandbox.c.payment_id == payment_id))
            ).first()

    async def _charge(self, row: Row[Any]) -> None:
        at = self._clock.now_ms() + (SLOW_MS if row.slow else 0)
        await self._change(row.payment_id, sandbox.c.charged_at.is_(None), charged_at=at)

    async def _change(self, payment_id: str, when: ColumnElement[bool], **values: object) -> None:
        """Change a payment that has not failed, where the condition holds."""
        which = update(sandbox).where(sandbox.c.payment_id == payment_id, sandbox.c.reason == "", when)
        async with self._database.write() as connection:
            await connection.execute(which.values(**values))

    def _outcome(self, row: Row[Any] | None) -> Outcome:
        if row is None:
            return Outcome(Status.UNKNOWN)
        if row.reason:
            return Outcome(Status.FAILED, row.reason)
        charged = row.charged_at is not None and row.charged_at <= self._clock.now_ms()
        return Outcome(Status.CHARGED if charged else Status.OPEN)


# ---- Its pages

SANDBOXES = web.AppKey("sandboxes", Mapping[str, Sandbox])


@routes.get(PAGE)
async def show(request: web.Request) -> web.StreamResponse:
    """Where the buyer agrees, as it would be on the provider's own site."""
    await guard.account_of(request)
    provider = _provider(request)
    payment = await provider.open_payment(request.match_info["payment"])
    if payment.agreed or payment.reason:
        return redirect(payment.return_to)
    return page(
        request, "sandbox.html", provider=provider.name, payment=payment, cards=CARDS, answers=ANSWERS
    )


@routes.post(PAGE)
async def hear(request: web.Request) -> web.StreamResponse:
    """Hear the buyer, tell the shop, and send the buyer back to it."""
    provider, payment_id = _provider(request), request.match_info["payment"]
    said = _read_answer(await guard.posted(request))
    payment = await provider.open_payment(payment_id)
    await provider.hear(payment_id, said)
    if said != "silent" and request.transport:
        host, port = request.transport.get_extra_info("sockname")[:2]
        provider.tell_shop(f"http://{host}:{port}", payment_id)
    if wants_json(request):
        return web.json_response({"return_to": payment.return_to})
    return redirect(payment.return_to)


def _provider(request: web.Request) -> Sandbox:
    return request.app[SANDBOXES][request.match_info["provider"]]


def _read_answer(sent: Fields) -> str:
    if sent.get("answer") != "card":
        return _known(sent.get("answer"), "answer")
    return _known(CARDS.get(str(sent.get("card")).replace(" ", "")), "card")


def _known(answer: object, field: str) -> str:
    if answer not in {*ANSWERS, "cancelled"}:
        raise BadInput(field, _("The sandbox knows only what stands on this page."))
    return str(answer)


FORMS = {hear: show}
