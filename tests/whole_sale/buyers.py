"""Buyers who go the whole way through the gate by script: account, ticket, pass, checkout, payment."""

import uuid
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.whole_sale.processes import BASE, WholeSale, eventually

ADDRESS = {"market": "de", "name": "Ann", "street": "Lange Gasse 1", "city": "Berlin", "postcode": "10115"}


@dataclass
class Buyer:
    """One of them, with cookies of their own."""

    url: str
    session: aiohttp.ClientSession

    @classmethod
    async def come(cls, sale: WholeSale) -> "Buyer":
        """Make an account and sign in to it."""
        jar = aiohttp.CookieJar(unsafe=True)
        session = aiohttp.ClientSession(cookie_jar=jar, headers={"Accept": "application/json"})
        buyer = cls(sale.url, session)
        who = {"email": f"{uuid.uuid4().hex}@example.org", "password": "correct horse battery"}
        await buyer.post("/account/register", who)
        await buyer.post("/account/sign-in", who)
        return buyer

    async def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and document of an answer."""
        async with self.session.request(method, self.url + path, json=body, allow_redirects=False) as answer:
            found = await answer.json(content_type=None) if "json" in answer.content_type else None
            return answer.status, found

    async def post(self, path: str, body: object = None) -> tuple[int, Any]:
        """Change something."""
        return await self.ask("POST", path, {} if body is None else body)

    async def join(self) -> None:
        """Take a ticket."""
        status, _ = await self.post(f"{BASE}/ticket", {"entropy": uuid.uuid4().hex * 2})
        assert status in {200, 201}

    async def is_called(self) -> bool:
        """Whether the turn has come."""
        return bool((await self.ask("GET", f"{BASE}/ticket"))[1]["called"])

    async def enter(self) -> None:
        """Join, be called, knock until the door opens, and go in when the pass says so."""
        await self.join()

        async def knock() -> bool:
            return (await self.post(f"{BASE}/pass"))[0] == 201

        async def is_inside() -> bool:
            return (await self.ask("GET", "/sale"))[0] == 200

        await eventually(knock)
        await eventually(is_inside)

    async def hold(self, items: dict[str, int]) -> str:
        """Begin the checkout; the order's id."""
        status, order = await self.post("/sale/orders", {"key": uuid.uuid4().hex, "items": items})
        assert status == 201, order
        return str(order["id"])

    async def pay(self, order: str) -> str:
        """Give the address, pay with PayPal, come back; the order's state then."""
        await self.post(f"/orders/{order}/address", ADDRESS)
        body = {"provider": "paypal", "key": uuid.uuid4().hex}
        _, payment = await self.post(f"/orders/{order}/payments", body)
        _, agreed = await self.post(payment["confirm_at"], {"answer": "agree"})
        _, paid = await self.ask("GET", agreed["return_to"])
        return str(paid["state"])
