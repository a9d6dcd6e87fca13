"""Payments: an order is paid exactly once or not at all, whatever a provider says, how often, and when.

A payment is written down before the provider hears of it. What the provider sends (``events``, and buyers who come
back) only says that something has happened; what has happened is asked for there, so late, repeated and
disordered news do no harm, and after a crash the same question finds out the same. Money that was charged for an
order that is over, or paid otherwise, is due to be refunded from the moment that this is known.
"""

import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Protocol

from sqlalchemy import ColumnElement, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from shop_backend.database import Database
from shop_backend.errors import AddressNeeded, BadInput, OrderUnknown, ProviderSilent
from shop_backend.orders import Order, Orders, Payment, lock_order, read_orders, require_held
from shop_backend.tables import orders, payments
from shop_backend.texts import _
from waitroom.clock import Clock

TRIES = 3
"""So many payments of an order may be refused; then its units go back."""

REFUSALS = {
    "declined": _("The card was declined."),
    "not-international": _(
        "This card is not enabled for international payments: ask your bank to enable it."
    ),
    "not-online": _("This card is not enabled for payments on the internet: ask your bank to enable it."),
}
"""Reasons of failure that count as a refusal; the others are ``cancelled``, ``called-off`` and ``never-begun``."""

PATIENCE_MS = 15_000
"""So old is a payment before the shop asks for it by itself: before that its news are on their way."""

log = logging.getLogger(__name__)


class Status(StrEnum):
    """How a payment stands at the provider."""

    UNKNOWN = "unknown"
    OPEN = "open"
    CHARGED = "charged"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a provider says of a payment: ``reason`` is why it failed."""

    status: Status
    reason: str = ""


class Provider(Protocol):
    """Takes money. Every request names the payment, and repeating it changes nothing.

    All but ``read_event`` raise ``ProviderSilent`` when no answer comes; whether it was done is then not known.
    """

    async def begin(self, payment_id: str, amount_cents: int, return_to: str) -> str:
        """Where the buyer agrees to the payment, and whence they come back to the path ``return_to``."""

    async def collect(self, payment_id: str) -> Outcome:
        """Take the money that the buyer agreed to, or say how it stands."""

    async def call_off(self, payment_id: str) -> Outcome:
        """Take no money for this from now on; says how it stands, since it may have been taken already."""

    async def refund(self, payment_id: str) -> None:
        """Give back what was charged."""

    def read_event(self, body: bytes, signature: str) -> str:
        """The payment that signed news are about.

        Raises:
            Forged: the signature is not the provider's.
        """


class Payments:
    """The payments of all orders. ``providers`` by the name that buyers choose them by."""

    def __init__(
        self, database: Database, clock: Clock, orders: Orders, providers: Mapping[str, Provider]
    ) -> None:
        self._database = database
        self._clock = clock
        self._orders = orders
        self._providers = providers

    async def begin(self, account: str, order_id: str, provider: str, key: str) -> tuple[Payment, str]:
        """A payment of an order, and where the buyer agrees to it; the same ``key`` again is the same payment.

        Raises:
            OrderUnknown: when this buyer has no such order.
            OrderOver: when it is not held. AddressNeeded: before it has an address.
            ProviderSilent: when the provider does not answer; the same request may be sent again.
        """
        payment = await self._write_down(account, order_id, provider, key)
        back = return_path(payment)
        if payment.state != "begun":
            return payment, back
        return payment, await self._find(payment.provider).begin(payment.id, payment.amount_cents, back)

    async def settle(self, payment_id: str) -> Payment:
        """A payment as it stands, after asking its provider and doing what the answer calls for.

        Raises:
            OrderUnknown: when there is no such payment.
        """
        return await self._settle(*await self._read(payment_id))

    async def settle_for(self, account: str, order_id: str, payment_id: str) -> Payment:
        """The same for a buyer who comes back.

        Raises:
            OrderUnknown: when the payment is not of this order, or the order is not this buyer's.
        """
        payment, order = await self._read(payment_id)
        if (order.account_id, order.id) != (account, order_id):
            raise OrderUnknown(_("There is no such payment."))
        return await self._settle(payment, order)

    async def settle_order(self, order_id: str) -> None:
        """Settle what is open of an order that changed: call off what nobody wants any more, refund what is due."""
        for payment_id in await self._unsettled(payments.c.order_id == order_id):
            await self.settle(payment_id)

    async def recover(self) -> None:
        """Settle what no news came of: a crash, a lost event, a buyer who never came back."""
        old = payments.c.begun_at <= self._clock.now_ms() - PATIENCE_MS
        for payment_id in await self._unsettled(or_(payments.c.state == "refund_due", old)):
            try:
                await self.settle(payment_id)
            except Exception:  # none keeps the others from being settled
                log.exception("payment %s could not be settled; it is tried again", payment_id)

    def read_event(self, provider: str, body: bytes, signature: str) -> str:
        """The payment that a provider's event is about.

        Raises:
            Forged: the event is not the provider's. BadInput: there is no such provider.
        """
        return self._find(provider).read_event(body, signature)

    # ---- Within

    def _find(self, provider: str) -> Provider:
        if provider not in self._providers:
            raise BadInput("provider", _("There is no such way to pay."))
        return self._providers[provider]

    async def _settle(self, payment: Payment, order: Order) -> Payment:
        try:
            if payment.state in {"begun", "failed"}:
                payment = await self._book(payment, await self._ask(payment, order))
            if payment.state == "refund_due":
                await self._find(payment.provider).refund(payment.id)
                async with self._database.write() as connection:
                    payment = await _mark(connection, payment, "refunded")
        except ProviderSilent:
            log.warning("no answer about payment %s; it is asked for again", payment.id)
        return payment

    async def _write_down(self, account: str, order_id: str, provider: str, key: str) -> Payment:
        self._find(provider)
        async with self._database.write() as connection:
            order = await lock_order(connection, order_id, account)
            for payment in order.payments:
                if payment.key == key:
                    return payment
            now = self._clock.now_ms()
            require_held(order, now)
            if order.market is None:
                raise AddressNeeded(_("Say first where the order shall go."))
            begun = Payment(uuid.uuid4().hex, order_id, key, provider, "begun", "", order.total_cents, now)
            await connection.execute(payments.insert().values(asdict(begun)))
            return begun

    async def _ask(self, payment: Payment, order: Order) -> Outcome:
        """How a payment stands; while the units are held its money is collected, later it is called off."""
        provider, now = self._find(payment.provider), self._clock.now_ms()
        wanted = payment.state == "begun" and _pays(payment, order, now)
        outcome = await (provider.collect if wanted else provider.call_off)(payment.id)
        if outcome.status is Status.UNKNOWN and payment.begun_at <= now - PATIENCE_MS:
            return Outcome(Status.FAILED, "never-begun")  # the request was lost on its way
        return outcome

    async def _book(self, asked: Payment, outcome: Outcome) -> Payment:
        """Write down how a payment stands, and what follows for its order, in one transaction."""
        async with self._database.write() as connection:
            order = await lock_order(connection, asked.order_id)
            [payment] = [each for each in order.payments if each.id == asked.id]
            now = self._clock.now_ms()
            wanted = _pays(payment, order, now)
            if outcome.status is Status.CHARGED and payment.state in {"begun", "failed"}:
                if wanted:
                    await self._orders.close(connection, order, "paid")
                return await _mark(connection, payment, "charged" if wanted else "refund_due")
            if outcome.status is Status.FAILED and payment.state == "begun":
                refused = [each for each in order.payments if each.reason in REFUSALS]
                if outcome.reason in REFUSALS and len(refused) + 1 >= TRIES and order.payable(now):
                    await self._orders.close(connection, order, "cancelled")
                return await _mark(connection, payment, "failed", outcome.reason)
            return payment

    async def _read(self, payment_id: str) -> tuple[Payment, Order]:
        async with self._database.read() as connection:
            of_payment = select(payments.c.order_id).where(payments.c.id == payment_id)
            found = await read_orders(connection, orders.c.id == of_payment.scalar_subquery())
        for payment in (each for order in found for each in order.payments if each.id == payment_id):
            return payment, found[0]
        raise OrderUnknown(_("There is no such payment."))

    async def _unsettled(self, which: ColumnElement[bool]) -> Sequence[str]:
        open_ones = text("payments.state IN ('begun', 'refund_due')")  # as the index has it
        query = select(payments.c.id).where(open_ones, which).order_by(payments.c.begun_at)
        async with self._database.read() as connection:
            return (await connection.scalars(query)).all()


def return_path(payment: Payment) -> str:
    """Where the provider sends the buyer back to."""
    return f"/orders/{payment.order_id}/payments/{payment.id}"


def _pays(payment: Payment, order: Order, now: int) -> bool:
    """Whether this payment, once charged, pays its order: the units are held, and it is for the whole total."""
    return order.payable(now) and order.total_cents == payment.amount_cents


async def _mark(connection: AsyncConnection, payment: Payment, state: str, reason: str = "") -> Payment:
    row = update(payments).where(payments.c.id == payment.id)
    await connection.execute(row.values(state=state, reason=reason))
    return replace(payment, state=state, reason=reason)
