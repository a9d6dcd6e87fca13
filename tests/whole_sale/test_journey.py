"""The whole way of a sale, clicked through in a browser: from the front door to a sold unit, and to none left."""

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Browser, Page, expect

from tests.whole_sale.conftest import Begin
from tests.whole_sale.processes import WholeSale, eventually

PASSWORD = "correct horse battery"
CARD = "4242 4242 4242 4242"
ADDRESS = {"Name": "Ann", "Street": "1 Main St", "Town": "Oakland", "State": "CA", "ZIP": "94607"}
SALE: dict[str, Any] = {
    "shop": True,
    "presale": True,
    "identity": True,
    "capacity": 1,
    "rate": 600,
    "burst": 1,
}
PATIENCE_MS = 15_000

expect.set_options(timeout=PATIENCE_MS)


@dataclass
class Visitor:
    """Somebody with a browser window of their own, of which pictures are kept in ``album``."""

    name: str
    page: Page
    front: str
    album: Path
    scripts: bool = True

    @classmethod
    async def come(
        cls, name: str, browser: Browser, sale: WholeSale, album: Path, *, scripts: bool = True
    ) -> "Visitor":
        """Open the shop's front page in a browser of one's own, with JavaScript or without."""
        context = await browser.new_context(java_script_enabled=scripts)
        visitor = cls(name, await context.new_page(), f"{sale.url}/", album, scripts)
        visitor.page.set_default_timeout(PATIENCE_MS)
        await visitor.page.goto(visitor.front)
        return visitor

    async def click(self, name: str, role: Any = "button") -> None:  # noqa: ANN401 - one of Playwright's roles
        """Press a button, or follow a link."""
        await self.page.get_by_role(role, name=name, exact=True).first.click()

    async def sees(self, headline: str, *, picture: str = "") -> None:
        """Wait for this headline; take a picture, and see that everyone can use the page."""
        await expect(self.page.get_by_role("heading", level=1)).to_have_text(re.compile(headline))
        if picture:
            await self.page.screenshot(path=self.album / f"{picture}-{self.name}.png", full_page=True)
            if self.scripts:
                found = await Axe().run(self.page)
                assert not found.response["violations"], f"{picture}: {found.generate_report()}"

    async def reloads_until(self, headline: str, *, picture: str) -> None:
        """Look again, as the page does by itself every few seconds, until it has this headline."""

        async def is_there() -> bool:
            await self.page.reload()
            return await self.page.locator("h1").inner_text() == headline

        await eventually(is_there)
        await self.sees(headline, picture=picture)

    async def register(self) -> None:
        """Make an account, starting from the sign-in page, and sign in to it."""
        await self.click("Make an account", "link")
        await self._fill_in_account("Make the account")
        await self._fill_in_account("Sign in")

    async def sign_out_and_in(self) -> None:
        """Come back to the account made before."""
        await self.page.goto(self.front)
        await self.click("Sign out")
        await self.click("Sign in", "link")
        await self._fill_in_account("Sign in")

    async def buy(self, *products: str, picture: bool = False) -> None:
        """From the sale page to the confirmation."""
        await self.sees("You are in")
        for product in products:
            await self.page.get_by_label(product, exact=False).select_option("1")
        await self.click("Put into the basket")
        await self.sees("Your basket", picture="basket" if picture else "")
        await self.click("Hold these units and check out")
        await self.sees("Where shall it go")
        for label, text in ADDRESS.items():
            await self.page.get_by_label(label).fill(text)
        await self.click("Go on to the total")
        await self.sees("Pay your order", picture="pay" if picture else "")
        await self.page.get_by_role("button", name="by card").click()
        await self.page.get_by_label("Card number").fill(CARD)
        await self.click("Confirm the payment")
        await self.sees("Thank you", picture="paid" if picture else "")

    async def _fill_in_account(self, button: str) -> None:
        await self.page.get_by_label("E-mail address").fill(f"{self.name}@example.org")
        await self.page.get_by_label("Password").fill(PASSWORD)
        await self.click(button)


async def test_two_shoppers_buy_all_there_is_and_a_third_is_told(
    begin: Begin, browser: Browser, tmp_path: Path
) -> None:
    """Presale, draw, opening: the first in line buys, then the second; who comes later sees that nothing is left."""
    sale = await begin(environ={"OPENS_IN": "24", "SHOP_STOCK": "1"}, drawing_seconds=12, **SALE)
    ann, bob, eve = [await Visitor.come(name, browser, sale, tmp_path) for name in ("ann", "bob", "eve")]
    await asyncio.gather(_join_first(ann), _register_first(bob))
    await ann.sees("You are in the draw", picture="presale")
    await asyncio.gather(*(one.sees("Your place is drawn", picture="placed") for one in (ann, bob)))
    first, second = await _whoever_enters_first(ann, bob)
    await first.sees("You are in", picture="sale")
    await second.sees("You are at the door", picture="door")
    await first.buy("Mi Headphones", picture=True)
    await second.buy("Mi Band", "Mi Power Bank 5000 mAh", "Mi Power Bank 10400 mAh")
    await second.click("My orders", "link")
    await second.sees("My orders", picture="orders")
    await eve.sees("Four products", picture="shop")
    await eve.click("Sign in", "link")
    await eve.sees("Sign in", picture="sign-in")
    await eve.click("The sale", "link")
    await eve.sees("Everything is sold", picture="sold-out")


async def _whoever_enters_first(*visitors: Visitor) -> list[Visitor]:
    """Both are called; of those who have come to the door the lower place goes in, the other waits there."""
    entering = {asyncio.create_task(one.page.wait_for_url("**/sale")): one for one in visitors}
    done, waiting = await asyncio.wait(entering, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    (entered,) = done
    await entered
    return [entering[entered], *(entering[task] for task in waiting)]


async def _join_first(shopper: Visitor) -> None:
    """Somebody who goes to the sale and is asked to sign in on the way."""
    await shopper.click("The sale", "link")
    await shopper.sees("Please sign in first")
    await shopper.click("Sign in", "link")
    await shopper.register()
    await shopper.sees("You are in the draw")


async def _register_first(shopper: Visitor) -> None:
    """Somebody who has an account before they go to the sale, and comes back to it."""
    await shopper.click("Sign in", "link")
    await shopper.register()
    await shopper.sign_out_and_in()
    await shopper.sees("You are in the draw")


async def test_whole_way_without_javascript(begin: Begin, browser: Browser, tmp_path: Path) -> None:
    """Forms, links and refreshes lead through the draw and the door to a paid order."""
    sale = await begin(environ={"OPENS_IN": "11"}, drawing_seconds=3, **SALE)
    ann = await Visitor.come("plain", browser, sale, tmp_path, scripts=False)
    await ann.click("The sale", "link")
    await ann.click("Take my place")
    await ann.sees("Please sign in first")
    await ann.click("Sign in", "link")
    await ann.register()
    await ann.click("Take my place")
    await ann.sees("You are in the draw", picture="presale")
    await ann.reloads_until("Your place is drawn", picture="placed")
    await ann.reloads_until("It is your turn", picture="called")
    await ann.click("Go in now")
    await ann.buy("Mi Band")
