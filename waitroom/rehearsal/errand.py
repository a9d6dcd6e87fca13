"""What a shopper does in the shop: look, order, think, pay; and what they find in their orders afterwards."""

import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from waitroom.rehearsal.board import Board
from waitroom.rehearsal.browser import Answer, Browser, Trouble
from waitroom.rehearsal.habits import Habits
from waitroom.rehearsal.story import Bought, End, Money, Repeat, Story

GOOD_CARD = "4242424242424242"
DECLINED_CARD = "4000000000000002"
ADDRESS = {
    "market": "de",
    "name": "A. Shopper",
    "street": "Lange Gasse 1",
    "city": "Berlin",
    "postcode": "10115",
}
LOOKS = 5
"""So often somebody looks whether held units have come back."""

EXPIRING_MS = 2_000
"""Nobody is surprised when a visit ends so shortly before its time."""

Send = Callable[[str, str, Mapping[str, Any]], Awaitable[list[Answer]]]


class Errand:
    """One visit to the shop.

    Args:
        send: how this shopper sends what changes something.
    """

    def __init__(
        self,
        story: Story,
        habits: Habits,
        browser: Browser,
        board: Board,
        *,
        chance: random.Random,
        send: Send,
    ) -> None:
        self._story = story
        self._habits = habits
        self._browser = browser
        self._chance = chance
        self._send = send
        self._board = board
        self._cancels = habits.changes_mind
        self._to_pay = ""
        self._paid = ""
        self._done = False
        self._looks = 0
        self._nothing_left = False

    async def run(self) -> None:
        """The visit, to its end; what the connection or the shop fails at is tried again."""
        while not self._story.end:
            try:
                await self._step()
            except Trouble:
                await self._board.wait(1)

    async def _step(self) -> None:
        if self._done:
            await self._read_orders()
        elif self._to_pay:
            await self._pay(self._to_pay)
        elif self._looks == LOOKS:
            await self._go()
        else:
            await self._shop_around()

    async def _shop_around(self) -> None:
        self._looks += 1
        stock = await self._look()
        await self._board.wait(self._habits.visit_s / 2)
        if not self._habits.units or self._nothing_left:
            self._looks = LOOKS
        elif any(stock.values()):
            self._to_pay = await self._order(stock)
            await self._board.wait(self._habits.visit_s / 2)

    async def _look(self) -> dict[str, int]:
        """Free units of each product; none when the door is shut to this visit, which is written down."""
        answer = await self._browser.ask("GET", "/sale")
        if answer.status != 200:
            if self._board.now() < self._story.entries[0].expires_at - EXPIRING_MS:
                self._story.turned_away.append(f"{answer.status} {answer.slug}")
            self._story.end = End.WENT_EMPTY
            return {}
        products = answer.document["products"]
        self._nothing_left = not any(each["free"] or each["held"] for each in products)
        self._story.stock.append(
            {each["id"]: each["free"] + each["held"] + each["sold"] for each in products}
        )
        return {each["id"]: each["free"] for each in products}

    async def _order(self, stock: Mapping[str, int]) -> str:
        """Order what is wanted, or what is left of it: the order's id, or nothing when others were faster."""
        product = self._chance.choice([name for name, free in stock.items() if free])
        items = {product: min(self._habits.units, stock[product])}
        order = await self._place(items)
        if order and self._habits.greedy and items[product] == 2:
            await self._place({product: 1})
        if order and self._cancels:
            self._cancels = False
            await self._browser.ask("POST", f"/orders/{order}/cancel", {"then": "sale"})
            return ""
        return order

    async def _place(self, items: Mapping[str, int]) -> str:
        key = self._chance.randbytes(16).hex()
        while True:
            try:
                answer = (await self._send("order", "/sale/orders", {"key": key, "items": items}))[0]
                break
            except Trouble:
                await self._board.wait(1)
        if answer.status >= 400:
            return ""
        self._story.known_orders.add(answer.document["id"])
        return str(answer.document["id"])

    async def _pay(self, order: str) -> None:
        """The checkout, from the address to the way back from the provider; what fails is begun again."""
        await self._send("address", f"/orders/{order}/address", ADDRESS)
        if self._habits.card_declined:
            await self._confirm(order, "card", DECLINED_CARD)
        self._leave_now()
        provider, answer = ("paypal", "agree") if int(order, 16) % 2 else ("card", GOOD_CARD)
        paid = await self._confirm(order, provider, answer)
        self._paid, self._done = f"{paid.status} {paid.slug}", True

    async def _confirm(self, order: str, provider: str, answer: str) -> Answer:
        """One payment, always the same: agreed to at the provider's page, and what the shop says afterwards."""
        body = {"provider": provider, "key": f"{order}-{answer}"}
        payment = (await self._send("payment", f"/orders/{order}/payments", body))[0]
        if payment.status >= 400:
            return payment
        confirm_at, back = str(payment.document["confirm_at"]), str(payment.document["return_to"])
        if confirm_at != back:
            said = {"answer": "card", "card": answer} if provider == "card" else {"answer": answer}
            await self._send("confirmation", confirm_at, said)
        return await self._browser.ask("GET", back)

    async def _go(self) -> None:
        self._leave_now()
        await self._browser.ask("DELETE", "@pass")
        self._done = True

    def _leave_now(self) -> None:
        """From here on the visit may be over at any moment."""
        self._story.stayed_until = min(self._board.now(), self._story.stayed_until or self._board.now())

    async def _read_orders(self) -> None:
        """My orders: what was bought, as the shop lists it."""
        story = self._story
        answer = await self._browser.ask("GET", "/orders")
        orders = answer.document["orders"]
        story.listed_orders = {order["id"] for order in orders}
        story.bought = [
            Bought(order["id"], line["product"], line["quantity"])
            for order in orders
            if order["state"] == "paid"
            for line in order["lines"]
        ]
        story.money = [
            Money(
                order["id"],
                order["total_cents"] if order["state"] == "paid" else 0,
                tuple(each["amount_cents"] for each in order["payments"] if each["state"] == "charged"),
            )
            for order in orders
        ]
        if self._to_pay in {bought.order for bought in story.bought}:
            story.repeats.append(Repeat("payment of a paid order", ("200 ", self._paid)))
        story.end = End.BOUGHT if story.bought else End.WENT_EMPTY
