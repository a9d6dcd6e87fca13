"""The four markets: what is charged and promised in each of them, before anyone pays.

Money is whole US cents. The seller's shipping fees are not known; those here are ours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

from holidays import HolidayBase, country_holidays

from shop_backend import addresses, customs
from shop_backend.addresses import AddressField
from shop_backend.customs import DutyRule
from shop_backend.texts import _

WORKING_DAYS = 7
"""An order is delivered within so many working days after the day on which it was paid."""


@dataclass(frozen=True, slots=True)
class Market:
    """A country that the shop delivers to.

    Attributes:
        code, country: our name for it, also in addresses of pages; ISO 3166's.
        name, language: what it is called; what most of its readers speak.
        zone: whose day and time are meant, by its name in the tz database.
        shipping_cents: for one order, whatever is in it.
        customs: the rule that duties are estimated by.
        returns, warranty: what the seller grants there.
    """

    code: str
    country: str
    name: str
    language: str
    zone: str
    shipping_cents: int
    customs: DutyRule
    returns: str
    warranty: str

    @property
    def address_fields(self) -> tuple[AddressField, ...]:
        """What an address has here."""
        return addresses.FIELDS[self.country]

    def duty_cents(self, goods_cents: int) -> int:
        """What customs are estimated to ask for goods of this price and their shipping."""
        return self.customs.estimate(goods_cents, self.shipping_cents)

    def delivery_by(self, paid_on: date) -> date:
        """The last day on which an order that was paid on this day arrives.

        Holidays of a part of the country count as working days, so that the promise holds in every part of it.
        """
        return _holidays(self.country).get_nth_working_day(paid_on, WORKING_DAYS)

    def day_of(self, moment_ms: int) -> date:
        """The day that it is here at a moment in epoch milliseconds."""
        return datetime.fromtimestamp(moment_ms / 1000, UTC).astimezone(ZoneInfo(self.zone)).date()


@cache
def _holidays(country: str) -> HolidayBase:
    return country_holidays(country)


_RETURNS: Final = _("14 days to return your order; you pay for sending it back.")
_WARRANTY: Final = _("12 months.")
_NO_RETURNS: Final = _(
    "The right to return an order within 14 days is for Europe. Your rights by law remain."
)
_NO_WARRANTY: Final = _("The warranty of 12 months is for Europe. Your rights by law remain.")

MARKETS: Final[Mapping[str, Market]] = {
    market.code: market
    for market in (
        Market("us", "US", _("USA"), "en", "America/New_York", 599, customs.USA, _NO_RETURNS, _NO_WARRANTY),
        Market(
            "uk",
            "GB",
            _("United Kingdom"),
            "en",
            "Europe/London",
            699,
            customs.UNITED_KINGDOM,
            _RETURNS,
            _WARRANTY,
        ),
        Market("fr", "FR", _("France"), "fr", "Europe/Paris", 699, customs.FRANCE, _RETURNS, _WARRANTY),
        Market("de", "DE", _("Germany"), "de", "Europe/Berlin", 699, customs.GERMANY, _RETURNS, _WARRANTY),
    )
}


@dataclass(frozen=True, slots=True)
class Totals:
    """What an order costs, in US cents; ``duty`` is an estimate, and ``total`` holds it."""

    goods: int
    shipping: int
    duty: int
    total: int


def totals(market: Market, lines: Sequence[tuple[int, int]]) -> Totals:
    """What lines of (price in US cents, quantity) cost in a market; nothing ordered costs nothing."""
    goods = sum(price * quantity for price, quantity in lines)
    if not goods:
        return Totals(0, 0, 0, 0)
    duty = market.duty_cents(goods)
    return Totals(goods, market.shipping_cents, duty, goods + market.shipping_cents + duty)
