"""The pages, read as a shopper does; and a purchase clicked through in Chromium."""

import re
import shutil
from collections.abc import AsyncIterator
from typing import Literal

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]  # it has no types
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from shop_backend.pages import dollars
from tests.shop_backend.conftest import Shop

HTML = {"Accept": "text/html"}
TERMS = [
    "Mi Headphones",
    "$79.99",
    "Mi Power Bank 10400 mAh",
    "$13.99",
    "Mi Power Bank 5000 mAh",
    "$9.99",
    "Mi Band",
    "$14.99",
    "At most 2 units of a product for each buyer",
    "$5.99 for an order, on top of the prices",
    "warehouses in China",
    "duties come on top of the price",
    "Within seven working days",
    "14 days",
    "12 months",
]
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.mark.parametrize("path", ["/", "/sale"])
async def test_the_terms_stand_on_the_page_before_anyone_pays(shop: Shop, path: str) -> None:
    """Prices, limit, shipping, duties, delivery, returns and warranty, on the catalogue and in the sale."""
    page = (await (await shop.buyer()).get(path, headers=HTML)).text
    assert [fact for fact in TERMS if fact not in page] == []


async def test_the_sale_page_tells_units_in_baskets_from_units_sold(shop: Shop) -> None:
    """While all are held it says that some may come back; sold out is said when all are sold."""
    buyers = [await shop.buyer() for _ in range(5)]
    ids = [(await buyer.order({"mi-band": 2})).document["id"] for buyer in buyers]
    page = (await buyers[0].get("/sale", headers=HTML)).text
    assert "may come back" in page
    assert "Sold out" not in page
    for buyer, order in zip(buyers, ids, strict=True):
        await buyer.pay(order)
    assert "Sold out" in (await buyers[0].get("/sale", headers=HTML)).text


def choice(page: str, product: str) -> tuple[bool, list[str], list[str]]:
    """Whether a product's choice is open, the units it offers, and those that can't be chosen."""
    [(attributes, options)] = re.findall(rf'<select id="{product}"([^>]*)>(.*?)</select>', page, re.DOTALL)
    found = re.findall(r"<option( disabled)?>(\d)</option>", options)
    return (
        "disabled" not in attributes,
        [text for off, text in found if not off],
        [t for off, t in found if off],
    )


async def test_no_more_is_offered_than_is_free_and_allowed(shop: Shop) -> None:
    """At most two less those ordered before, and at most what is free; nothing means a closed choice at 0."""
    ann, ben = await shop.buyer(), await shop.buyer()
    await ann.order({"mi-band": 1, "mi-headphones": 2})
    page = (await ann.get("/sale", headers=HTML)).text
    assert choice(page, "mi-band") == (True, ["0", "1"], [])
    assert choice(page, "mi-headphones") == (False, ["0"], [])
    assert "2 of 2 already ordered" in page
    assert choice(page, "power-bank-5000") == (True, ["0", "1", "2"], [])
    for _ in range(4):
        await (await shop.buyer()).order({"mi-band": 2})
    page = (await ben.get("/sale", headers=HTML)).text
    assert choice(page, "mi-band") == (True, ["0", "1"], ["2"])
    await ben.order({"mi-band": 1})
    page = (await (await shop.buyer()).get("/sale", headers=HTML)).text
    assert choice(page, "mi-band") == (False, ["0"], ["1", "2"])


async def test_what_a_shopper_sent_is_shown_as_text_and_never_as_markup(shop: Shop) -> None:
    """The address in the page's title is escaped."""
    visitor = shop.visitor()
    await visitor.enter('"><script>@example.org')
    page = (await visitor.get("/", headers=HTML)).text
    assert "&lt;script&gt;@example.org" in page
    assert "<script>" not in page


async def test_the_metrics_count_results_and_units(shop: Shop) -> None:
    """Orders and payments by result, units by state, time by route and not by path."""
    buyer = await shop.buyer()
    order = (await buyer.order({"mi-band": 2})).document["id"]
    await buyer.order({"mi-band": 1})
    await buyer.pay(order, "4000 0000 0000 0002")
    await buyer.pay(order)
    await buyer.pay(order)
    page = (await buyer.get("/metrics")).text
    for line in (
        'shop_orders_total{result="placed"} 1.0',
        'shop_orders_total{result="limit-reached"} 1.0',
        'shop_payments_total{result="card-declined"} 1.0',
        'shop_payments_total{result="accepted"} 1.0',
        'shop_payments_total{result="repeated"} 1.0',
        'shop_units{product="mi-band",state="sold"} 2.0',
        'shop_units{product="mi-band",state="free"} 8.0',
        'shop_request_seconds_count{method="POST",route="/sale/orders",status="201"} 1.0',
    ):
        assert line in page
    assert order not in page


def test_cents_are_shown_as_dollars() -> None:
    """Two decimals, thousands set apart."""
    assert [dollars(cents) for cents in (5, 999, 7999, 123_456_789)] == [
        "$0.05",
        "$9.99",
        "$79.99",
        "$1,234,567.89",
    ]


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium as the system has it, without a window."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGS)
        yield browser
        await browser.close()


async def buy(context: BrowserContext, base: str, axe: Axe | None = None) -> None:
    """Register, order, be declined, pay, and find the order again."""

    async def check(page: Page) -> None:
        if axe:
            assert (await axe.run(page)).response["violations"] == []

    page = await context.new_page()
    await page.goto(f"{base}/account/register")
    await check(page)
    await page.get_by_label("E-mail address").fill("ann@example.org")
    await page.get_by_label("Password").fill("correct horse")
    await page.get_by_role("button", name="Make the account").click()
    await check(page)
    await page.get_by_label("E-mail address").fill("ann@example.org")
    await page.get_by_label("Password").fill("correct horse")
    await page.get_by_role("button", name="Sign in").click()
    await check(page)
    await page.get_by_label("Units of Mi Band").select_option("2")
    await page.get_by_role("button", name="Order and go on").click()
    await check(page)
    await page.get_by_label("Card number").fill("4000 0000 0000 0002")
    await page.get_by_role("button", name="Pay $29.98").click()
    await expect(page.get_by_role("alert")).to_contain_text("declined")
    await page.get_by_label("Card number").fill("4242 4242 4242 4242")
    await page.get_by_role("button", name="Pay $29.98").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Thank you, it is yours")
    await check(page)
    await page.get_by_role("link", name="My orders").first.click()
    await expect(page.locator(".state")).to_have_text("paid")
    await check(page)
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("link", name="Make an account")).to_be_visible()
    await check(page)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("colours", ["light", "dark"])
async def test_a_purchase_clicked_through(
    open_shop: str, browser: Browser, colours: Literal["light", "dark"]
) -> None:
    """In light and dark colours, and axe has nothing to say."""
    context = await browser.new_context(color_scheme=colours)
    await buy(context, open_shop, Axe())
    await context.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_purchase_clicked_through_without_javascript(open_shop: str, browser: Browser) -> None:
    """The same pages, the same end."""
    context = await browser.new_context(java_script_enabled=False)
    await buy(context, open_shop)
    await context.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_stock_on_the_sale_page_follows_what_others_buy(shop: Shop, browser: Browser) -> None:
    """Without loading the page again."""
    watcher, other = await shop.buyer(), await shop.buyer()
    context = await browser.new_context()
    cookies = [{"name": name, "value": value, "url": shop.base} for name, value in watcher.cookies.items()]
    await context.add_cookies(cookies)  # type: ignore[arg-type]
    page = await context.new_page()
    await page.goto(f"{shop.base}/sale")
    band = page.locator('[data-product="mi-band"] .stock')
    await expect(band).to_have_text("10 left")
    await other.order({"mi-band": 2})
    await expect(band).to_have_text("8 left")
    units = page.get_by_label("Units of Mi Band")
    await units.select_option("2")
    orders = [await (await shop.buyer()).order({"mi-band": 2}) for _ in range(4)]
    await expect(units).to_be_disabled()
    await expect(units).to_have_value("0")
    shop.clock.advance(600_000)
    assert [answer.status for answer in orders] == [201] * 4
    await expect(units).to_be_enabled()
    await units.select_option("2")
    await context.close()


GAPS = """rows => rows.map(({cells}) => [...cells].slice(-2).map(cell => {
  const range = document.createRange();
  range.selectNodeContents(cell);
  return range.getBoundingClientRect();
})).map(([left, right]) => right.left - left.right)"""


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_on_the_narrowest_screen_the_numbers_of_an_order_stand_apart(
    shop: Shop, browser: Browser
) -> None:
    """Units and prices have room between them, and the page does not scroll sideways."""
    buyer = await shop.buyer()
    order = (await buyer.order({"mi-headphones": 2, "power-bank-10400": 2})).document["id"]
    context = await browser.new_context(viewport={"width": 320, "height": 640})
    cookies = [{"name": name, "value": value, "url": shop.base} for name, value in buyer.cookies.items()]
    await context.add_cookies(cookies)  # type: ignore[arg-type]
    page = await context.new_page()
    await page.goto(f"{shop.base}/orders/{order}")
    assert min(await page.locator("tr").evaluate_all(GAPS)) >= 10
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320
    await context.close()
