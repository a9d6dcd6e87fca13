"""The pages, read as a shopper does; and a purchase clicked through in Chromium."""

import itertools
import os
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]  # it has no types
from playwright.async_api import Browser, BrowserContext, Page, Route, async_playwright, expect

from tests.shop_backend.conftest import ADDRESSES, DECLINED_CARD, HTML, ROOM, Client, Shop
from waitroom.tickets import pass_cookie

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
    assert await stock_line(buyers[0]) == "None free, but some in other baskets may come back"
    for buyer, order in zip(buyers, ids, strict=True):
        await buyer.pay(order)
    assert await stock_line(buyers[0]) == "Sold out"


async def stock_line(buyer: Client) -> str:
    """What the sale page says of the bands."""
    page = (await buyer.get("/sale", headers=HTML)).text
    [line] = re.findall(r'data-product="mi-band".*?<p class="stock"[^>]*>(.*?)</p>', page, re.DOTALL)
    return " ".join(line.split())


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
    await buyer.pay(order, DECLINED_CARD)
    await buyer.pay(order)
    await buyer.begin(order)
    page = (await buyer.get("/metrics")).text
    for line in (
        'shop_orders_total{result="placed"} 1.0',
        'shop_orders_total{result="limit-reached"} 1.0',
        'shop_payments_total{result="begun"} 2.0',
        'shop_payments_total{result="failed"} 1.0',
        'shop_payments_total{result="charged"} 1.0',
        'shop_payments_total{result="order-over"} 1.0',
        'shop_units{product="mi-band",state="sold"} 2.0',
        'shop_units{product="mi-band",state="free"} 8.0',
        'shop_request_seconds_count{method="POST",route="/sale/orders",status="201"} 1.0',
    ):
        assert line in page
    assert order not in page


@pytest.mark.parametrize("query", ["", "?items.mi-band=0&items.mi-headphones=0"])
async def test_a_basket_of_nothing_is_the_choice_again(shop: Shop, query: str) -> None:
    """With a word on what is missing, and everything to choose from."""
    answer = await (await shop.buyer()).get(f"/sale/basket{query}", headers=HTML)
    assert answer.status == 400
    assert '<p class="notice bad" role="alert">Choose at least one product.</p>' in answer.text
    assert choice(answer.text, "mi-band") == (True, ["0", "1", "2"], [])


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Where pictures are kept: ``SHOP_ALBUM``, to look at them, else nowhere for long."""
    folder = Path(os.environ.get("SHOP_ALBUM", tmp_path / "album"))
    folder.mkdir(exist_ok=True, parents=True)
    return folder


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium as the system has it, without a window."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGS)
        yield browser
        await browser.close()


async def register(page: Page, base: str) -> None:
    """Make an account, and sign in to it."""
    await page.goto(f"{base}/account/register?next=/sale")
    for action in ("register", "sign-in"):
        assert action in page.url
        await page.locator("#email").fill("ann@example.org")
        await page.locator("#password").fill("correct horse")
        await page.locator("main form button").click()
    await page.wait_for_url("**/sale")


async def buy(page: Page, market: str, check: Callable[[], Awaitable[None]]) -> None:
    """Two power banks from the sale to the confirmation: refused by card, then paid with PayPal."""
    await page.locator("#power-bank-10400").select_option("2")
    await page.locator("form[action='/sale/basket'] button").click()
    await expect(page.locator("tfoot tr")).to_have_count(4)
    await check()
    await page.locator("form[action='/sale/orders'] button").click()
    await check()
    for name, value in ADDRESSES[market].items():
        await page.locator(f"#{name}").fill(value)
    await page.locator("form[action*='/address'] button").click()
    total = await page.locator("tr.total .number").inner_text()
    await check()
    paypal, card = [page.locator(f"form:has([value={name}]) button") for name in ("paypal", "card")]
    assert total in await paypal.inner_text()
    await card.click()
    await expect(page.locator("h1")).to_contain_text(total)
    await check()
    await page.locator("#card").fill(DECLINED_CARD)
    await page.locator("[value=card]").click()
    await expect(page.get_by_role("alert")).to_be_visible()
    await check()
    await paypal.click()
    await check()
    await page.locator("[value=agree]").click()
    await expect(page.locator(".notice.good")).to_be_visible()
    await check()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("scripts", [True, False], ids=["javascript", "plain"])
@pytest.mark.parametrize("market, locale", [("us", "en-US"), ("uk", "en-GB"), ("fr", "fr"), ("de", "de")])
async def test_a_purchase_clicked_through_in_each_market(
    open_shop: str, browser: Browser, album: Path, market: str, locale: str, *, scripts: bool
) -> None:
    """With JavaScript and without, in light and dark colours; axe has nothing to say to any page of it."""
    colours: Literal["light", "dark"] = "light" if market in {"us", "fr"} else "dark"
    context = await browser.new_context(color_scheme=colours, locale=locale, java_script_enabled=scripts)
    page, axe = await context.new_page(), Axe()
    page.set_default_timeout(15_000)
    count = itertools.count()

    async def check() -> None:
        assert await page.locator("html").get_attribute("lang") == locale[:2]
        await page.screenshot(path=album / f"{market}-{next(count)}.png", full_page=True)
        if scripts:
            assert (await axe.run(page)).response["violations"] == []

    await register(page, open_shop)
    await check()
    await buy(page, market, check)
    await page.locator("a[href='/orders']").first.click()
    await expect(page.locator(".state")).to_have_class("state paid")
    await check()
    await page.locator("form[action='/account/sign-out'] button").click()
    await expect(page.locator("a[href='/account/register']").first).to_be_visible()
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
    units = page.locator("#mi-band")
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


async def sign_browser_in(buyer: Client, browser: Browser, base: str) -> BrowserContext:
    """A browser with a buyer's cookies."""
    context = await browser.new_context(viewport={"width": 390, "height": 800})
    cookies = [{"name": name, "value": value, "url": base} for name, value in buyer.cookies.items()]
    await context.add_cookies(cookies)  # type: ignore[arg-type]
    return context


@pytest.mark.parametrize("path", ["/sale", "/sale/basket?items.mi-band=1"])
async def test_a_page_of_the_visit_tells_the_time_left_and_offers_more(shop: Shop, path: str) -> None:
    """As the pass has it, in a plain form that comes back to the same page."""
    buyer = await shop.buyer()
    buyer.cookies[pass_cookie(ROOM)] = shop.sign_pass(expires_in=240_000)
    page = (await buyer.get(path, headers=HTML)).text
    assert "4 minutes</strong>" in page
    assert f'<form action="/waitroom/{ROOM}/pass/extend" method="post">' in page
    assert f'<input type="hidden" name="next" value="{path}">' in page


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_without_a_gate_nothing_is_said_of_a_visit(open_shop: str, shop: Shop) -> None:
    """A pass that lies about from before changes nothing."""
    for path in ("/sale", "/sale/basket?items.mi-band=1"):
        async with shop.session.get(open_shop + path, headers=HTML, cookies=shop.pass_cookies()) as answer:
            page = await answer.text()
            assert (answer.status, "/waitroom/" in page, "data-visit" in page) == (200, False, False)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_visit_is_made_longer_without_losing_the_choice(
    shop: Shop, browser: Browser, album: Path
) -> None:
    """The time left grows, what was chosen stays, and the button goes when there is no more to be had."""
    buyer = await shop.buyer()
    buyer.cookies[pass_cookie(ROOM)] = shop.sign_pass(expires_in=90_000)
    context = await sign_browser_in(buyer, browser, shop.base)
    page, now = await context.new_page(), shop.clock.now_ms()

    async def answer(route: Route) -> None:
        longer = route.request.method == "POST"
        visit = {
            "expires_at": now + (210_000 if longer else 90_000),
            "more_time": {"left": 0 if longer else 1},
        }
        await route.fulfill(json=visit)

    await context.route(f"**/waitroom/{ROOM}/pass**", answer)
    await page.goto(f"{shop.base}/sale")
    await expect(page.get_by_role("timer")).to_contain_text(re.compile("^1:"))
    await expect(page.locator("[data-said]")).to_have_text("Your visit ends in less than two minutes.")
    await page.locator("#mi-band").select_option("2")
    await page.screenshot(path=album / "visit.png")
    assert (await Axe().run(page)).response["violations"] == []
    await page.get_by_role("button", name="More time").click()
    await expect(page.get_by_role("timer")).to_contain_text(re.compile("^3:"))
    await expect(page.locator("#mi-band")).to_have_value("2")
    await expect(page.get_by_role("button", name="More time")).to_be_hidden()
    await context.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_end_of_a_visit_is_told_and_ends_the_questions(
    shop: Shop, browser: Browser, album: Path
) -> None:
    """When the stock is refused for want of a pass, the page shows the way to the waiting room and asks no more."""
    context = await sign_browser_in(await shop.buyer(), browser, shop.base)
    page = await context.new_page()
    await page.clock.install()
    await page.goto(f"{shop.base}/sale")
    await expect(page.get_by_role("timer")).to_be_visible()
    await context.clear_cookies(name=pass_cookie(ROOM))
    await page.clock.run_for(3000)
    await expect(page.get_by_role("alert")).to_contain_text("Your visit has ended")
    way = page.get_by_role("link", name="To the waiting room")
    assert await way.get_attribute("href") == f"/waitroom/{ROOM}?next=/sale"
    await page.screenshot(path=album / "visit-over.png")
    assert (await Axe().run(page)).response["violations"] == []
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.clock.run_for(30_000)
    assert asked == []
    await context.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_basket_whose_time_runs_out_says_so(shop: Shop, browser: Browser) -> None:
    """By itself, at the time that the pass named."""
    buyer = await shop.buyer()
    buyer.cookies[pass_cookie(ROOM)] = shop.sign_pass(expires_in=60_000)
    context = await sign_browser_in(buyer, browser, shop.base)
    page = await context.new_page()
    await page.clock.install()
    await page.goto(f"{shop.base}/sale/basket?items.mi-band=1")
    await expect(page.get_by_role("timer")).to_be_visible()
    await page.clock.fast_forward(61_000)
    await expect(page.get_by_role("alert")).to_contain_text("Your visit has ended")
    await context.close()
