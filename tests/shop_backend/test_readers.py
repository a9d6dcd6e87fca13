"""Who reads, in which language and market, and how things are said to them."""

import re
from datetime import date
from html import unescape
from urllib.parse import quote

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from shop_backend.markets import MARKETS
from shop_backend.readers import LANGUAGES, Reader, choose
from tests.shop_backend.conftest import NOON, Shop

HTML = {"Accept": "text/html"}
PAGES = ["/", "/guide", "/account/register", "/account/sign-in", "/account", "/nowhere"]


def reader(accepted: str, target: str = "/", cookie: str = "") -> Reader:
    """Who sends such a request."""
    return choose(make_mocked_request("GET", target, {"Accept-Language": accepted, "Cookie": cookie}))


CHOSEN = [
    ("de-DE,en;q=0.5", "/", "", "de", "de"),
    ("en-GB,en", "/", "", "en", "uk"),
    ("fr", "/", "", "fr", "fr"),
    ("en-US", "/", "", "en", "us"),
    ("en-DE", "/", "", "en", "de"),
    ("es", "/", "", "en", "us"),
    ("", "/", "", "en", "us"),
    ("de-AT", "/", "", "de", "de"),
    ("de", "/?market=uk&lang=fr", "", "fr", "uk"),
    ("de", "/?market=uk", "", "de", "uk"),
    ("de", "/", "waitroom_language=fr; shop_market=us", "fr", "us"),
    ("de", "/?market=xx&lang=xx", "waitroom_language=xx; shop_market=xx", "de", "de"),
]


@pytest.mark.parametrize("accepted, target, cookie, language, market", CHOSEN)
def test_a_choice_by_hand_goes_before_the_browsers(
    accepted: str, target: str, cookie: str, language: str, market: str
) -> None:
    """The address, then what was chosen before, then what the browser names; else English and the USA."""
    found = reader(accepted, target, cookie)
    assert (found.language, found.market.code) == (language, market)


@given(header=st.text(), named=st.text(), kept=st.text())
def test_nobody_can_ask_for_what_is_not_there(header: str, named: str, kept: str) -> None:
    """Whatever a request says, it gets one of the languages and one of the markets."""
    target = f"/?lang={quote(named)}&market={quote(named)}"
    found = reader(header, target, f"waitroom_language={kept}; shop_market={kept}")
    assert found.language in LANGUAGES
    assert found.market in MARKETS.values()


SAID = [
    ("en-US", "$1,179.99", "Friday, May 29, 2015", "May 19, 2015, 7:00\u202fAM EDT"),
    ("en-GB", "US$1,179.99", "Friday, 29 May 2015", "19 May 2015, 12:00 BST"),
    ("de", "1.179,99\xa0$", "Freitag, 29. Mai 2015", "19. Mai 2015, 13:00 MESZ"),
    ("fr", "1\u202f179,99\xa0$US", "vendredi 29 mai 2015", "19 mai 2015, 13:00 UTC+02:00"),
]


@pytest.mark.parametrize("accepted, money, day, moment", SAID)
def test_money_and_dates_are_said_as_the_reader_writes_them(
    accepted: str, money: str, day: str, moment: str
) -> None:
    """US cents, days, and moments in the market's own time."""
    found = reader(accepted)
    assert (found.money(117_999), found.day(date(2015, 5, 29)), found.moment(NOON)) == (money, day, moment)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", MARKETS)
def test_the_rule_of_an_estimate_is_told_with_its_figures(language: str, code: str) -> None:
    """In each language; nothing is left to fill in, and the source stands with it."""
    rule = reader(language).duty_rule(MARKETS[code])
    assert "{" not in rule
    limit = {"us": "200", "uk": "135", "fr": "150", "de": "150"}[code]
    assert limit in rule
    assert re.search(r"\b(4[.,]9|2[.,]7)\s?%", rule)
    assert "§" in rule or "1186/2009" in rule


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_page_is_whole_in_one_language(shop: Shop, language: str, subtests: pytest.Subtests) -> None:
    """Its words are those of the language alone, it says which it is, and a choice by hand is kept."""
    english, buyer = await shop.buyer(), await shop.buyer()
    first = await buyer.get(f"/?lang={language}&market=fr", headers=HTML)
    assert (buyer.cookies["waitroom_language"], buyer.cookies["shop_market"]) == (language, "fr")
    assert first.headers["Content-Language"] == language
    for path in PAGES:
        with subtests.test(path=path):
            page = await buyer.get(path, headers=HTML)
            assert f'<html lang="{language}">' in page.text
            shared = texts(page.text) & texts((await english.get(path, headers=HTML)).text)
            assert (shared <= NAMES) == (language != "en"), shared - NAMES


def texts(page: str) -> set[str]:
    """What a page says, also in its attributes; addresses of shoppers left out."""
    found = re.findall(r">([^<]+)<", page) + re.findall(r'(?:title|aria-label|alt)="([^"]+)"', page)
    return {text.strip() for text in map(unescape, found) if re.search("[a-z]{2}", text) and "@" not in text}


PRODUCTS = {"Mi Headphones", "Mi Power Bank 10400 mAh", "Mi Power Bank 5000 mAh", "Mi Band"}
NAMES = PRODUCTS | {"Mi Store", "English", "Deutsch", "Français", "Shop", "France"}
FACTS = {
    "en": """China; duties come on top; can be wrong; PayPal; credit card; international; online; seven working days;
        before the sale starts; Accessories only; at most 2 units; very few units""",
    "de": """China; Einfuhrabgaben; kann falsch sein; PayPal; Kreditkarte; Ausland; Internet; sieben Arbeitstagen;
        vor dem Verkauf; Nur Zubehör; höchstens 2 Stück; sehr wenige Stück""",
    "fr": """Chine; droits; peut être fausse; PayPal; carte de crédit; internationaux; en ligne; sept jours ouvrés;
        avant la vente; Des accessoires; au plus 2 unités; très peu d""",
}
IN_EUROPE = {"en": ["14 days", "12 months"], "de": ["14 Tage", "12 Monate"], "fr": ["14 jours", "12 mois"]}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_guide_tells_every_fact_of_the_sale_to_a_stranger(shop: Shop, language: str) -> None:
    """Prices, limit, shipping, duties and their risk, payment, delivery, returns, warranty, and what to do before."""
    stranger = reader(language)
    page = unescape((await shop.visitor().get(f"/guide?lang={language}", headers=HTML)).text)
    prices = [stranger.money(cents) for cents in (7999, 1399, 999, 1499, 599, 699)]
    rules = [stranger.duty_rule(market) for market in MARKETS.values()]
    days = [stranger.day(date(2015, 5, 29))]
    facts = [fact.strip() for fact in FACTS[language].split(";")]
    wanted = [*facts, *IN_EUROPE[language], *PRODUCTS, *prices, *rules, *days]
    assert [fact for fact in wanted if fact not in page] == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_an_error_is_told_in_the_readers_language(shop: Shop) -> None:
    """On pages; a program's document stays in English, whatever its user reads."""
    german = {"Accept-Language": "de"}
    sent = {"email": "ann", "password": "correct horse"}
    page = await shop.visitor().post("/account/register", json=sent, headers=HTML | german)
    assert "Das ist keine E-Mail-Adresse." in page.text
    document = await shop.visitor().post("/account/register", json=sent, headers=german)
    assert document.document["detail"] == "This is no e-mail address."
    long = {"email": "ann@example.org", "password": "x" * 129}
    page = await shop.visitor().post("/account/register", json=long, headers=HTML | german)
    assert "Das Feld password darf höchstens 128 Zeichen haben." in page.text


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_links_to_languages_and_markets_lead_back_to_the_page(shop: Shop) -> None:
    """With what its address said before; after a form that was refused, to the page of the form."""
    visitor = shop.visitor()
    page = unescape((await visitor.get("/account/sign-in?next=/orders&lang=de", headers=HTML)).text)
    assert 'href="/account/sign-in?next=%2Forders&lang=fr"' in page
    assert 'href="/account/sign-in?next=%2Forders&market=uk&lang=en"' in page
    refused = await visitor.post("/account/sign-in?next=/orders", json={}, headers=HTML)
    assert 'href="/account/sign-in?next=%2Forders&lang=fr"' in unescape(refused.text)
    lost = await visitor.get("/nowhere?a=1", headers=HTML)
    assert 'href="/?a=1&lang=fr"' in unescape(lost.text)
