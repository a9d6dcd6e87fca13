"""Who reads a page: their language, their market, and how sentences, money and dates are said to them."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from gettext import NullTranslations
from pathlib import Path
from typing import Final

from aiohttp import hdrs, web
from babel import Locale
from babel.dates import format_date, format_time, get_timezone, get_timezone_gmt, get_timezone_name
from babel.numbers import format_currency, format_percent

from shop_backend.markets import MARKETS, Market
from waitroom import languages
from waitroom.languages import COOKIE, find_languages, kept_choice, read_translations

DOMAIN: Final = "shop"
LOCALE: Final = Path(__file__).parent.parent / "templates" / "locale"
LANGUAGES: Final = find_languages([LOCALE], DOMAIN)
NAMES: Final = {each: (Locale.parse(each, sep="-").get_display_name() or each).title() for each in LANGUAGES}
"""The languages under their own names."""
MARKET_COOKIE: Final = "shop_market"
_YEAR_S: Final = 365 * 24 * 3600
_MARKET_OF: Final = {market.country: market.code for market in MARKETS.values()}


@dataclass(frozen=True, slots=True)
class Reader:
    """One shopper as a reader: ``locale`` is how they write, which may be en-GB for a page in English."""

    language: str
    locale: Locale
    market: Market

    def say(self, text: str, /, **values: object) -> str:
        """A marked text in their language, {names} filled in."""
        return _translations(self.language).gettext(text).format_map(values) if text else ""

    def count(self, one: str, other: str, n: int) -> str:
        """A marked text with {n} in it, in the form that their language has for this number."""
        return _translations(self.language).ngettext(one, other, n).format(n=n)

    def money(self, cents: int) -> str:
        """US cents: $79.99, US$79.99 or 79,99 $."""
        return format_currency(Decimal(cents) / 100, "USD", locale=self.locale)

    def day(self, day: date) -> str:
        """A day, with its name."""
        return format_date(day, "full", locale=self.locale)

    def moment(self, moment_ms: int) -> str:
        """A moment in epoch milliseconds: date, time and zone of their market."""
        zone = get_timezone(self.market.zone)
        moment = datetime.fromtimestamp(moment_ms / 1000, UTC).astimezone(zone)
        day = format_date(moment, "long", self.locale)
        time = format_time(moment, "short", zone, self.locale)
        name = get_timezone_name(moment, "short", locale=self.locale)
        if not name[0].isalpha():  # the language has no short name for this zone
            name = get_timezone_gmt(moment, "long", self.locale)
        return f"{day}, {time} {name}"

    def duty_rule(self, market: Market) -> str:
        """The rule that a market's duties are estimated by."""
        rule = market.customs
        return self.say(
            rule.text,
            duty_free=format_currency(rule.duty_free, rule.currency, locale=self.locale),
            tax_free=format_currency(rule.tax_free, rule.currency, locale=self.locale),
            duty=self._percent(rule.duty_tenths),
            tax=self._percent(rule.tax_tenths),
        )

    def _percent(self, tenths: int) -> str:
        pattern = self.locale.percent_formats[None].pattern.replace("##0", "##0.#")
        return format_percent(Decimal(tenths) / 1000, pattern, self.locale)


READER = web.RequestKey("reader", Reader)


def reader_of(request: web.Request) -> Reader:
    """Who sends a request, found out once."""
    if READER not in request:
        request[READER] = choose(request)
    return request[READER]


def choose(request: web.BaseRequest) -> Reader:
    """Who sends a request: by the address' ``lang`` and ``market``, else what was chosen before, else their browser."""
    cookies, query = request.cookies, request.query
    reader = languages.choose(
        LANGUAGES,
        named=query.get("lang", ""),
        kept=cookies.get(COOKIE, ""),
        header=_accepted(request),
    )
    return Reader(reader.language, reader.locale, _choose_market(request))


def keep_choices(request: web.Request, response: web.StreamResponse, *, secure: bool) -> None:
    """Let the browser keep what was chosen in the address."""
    reader = reader_of(request)
    if "lang" in request.query:
        response.headers.add(hdrs.SET_COOKIE, kept_choice(reader.language, secure=secure))
    if "market" in request.query:
        response.set_cookie(
            MARKET_COOKIE, reader.market.code, path="/", max_age=_YEAR_S, samesite="Lax", secure=secure
        )


def _choose_market(request: web.BaseRequest) -> Market:
    """The market of the address or the cookie; else of the country, or else the language, that the browser names."""
    codes = [request.query.get("market", ""), request.cookies.get(MARKET_COOKIE, "")]
    for name in languages.accepted(_accepted(request)):
        language, _, country = name.partition("-")
        codes.append(_MARKET_OF.get(country.upper(), language.lower()))
    return next((MARKETS[code] for code in codes if code in MARKETS), MARKETS["us"])


def _accepted(request: web.BaseRequest) -> str:
    return ", ".join(request.headers.getall(hdrs.ACCEPT_LANGUAGE, ()))


@cache
def _translations(language: str) -> NullTranslations:
    return read_translations(language, [LOCALE], DOMAIN)
