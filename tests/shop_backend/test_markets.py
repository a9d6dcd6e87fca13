"""What each market charges and promises."""

import random
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest
from holidays import country_holidays
from hypothesis import given
from hypothesis import strategies as st

from shop_backend.catalogue import LIMIT, PRODUCTS
from shop_backend.markets import MARKETS, WORKING_DAYS, Market, Totals, totals

SALE = date(2015, 5, 19)
PRICES = {product.id: product.price_cents for product in PRODUCTS}

markets = st.sampled_from(list(MARKETS.values()))
lines = st.lists(
    st.tuples(st.sampled_from(sorted(PRICES.values())), st.integers(1, LIMIT)), min_size=1, max_size=4
)
days = st.dates(date(2015, 1, 1), date(2040, 12, 31))


def exact_duty(market: Market, goods: int) -> Fraction:
    """The rule of the estimate once more, without any rounding."""
    rule = market.customs
    duty = Fraction(0)
    if Fraction(goods, rule.us_cents) > rule.duty_free:
        duty = goods * Fraction(rule.duty_tenths, 1000)
    if Fraction(goods, rule.us_cents) > rule.tax_free:
        duty += (goods + market.shipping_cents + duty) * Fraction(rule.tax_tenths, 1000)
    return duty


@given(market=markets, ordered=lines)
def test_a_total_is_the_sum_of_its_parts(market: Market, ordered: list[tuple[int, int]]) -> None:
    """Goods, the market's shipping once, and the estimate to the cent; nobody is charged less than the goods."""
    found = totals(market, ordered)
    assert found.goods == sum(price * quantity for price, quantity in ordered)
    assert found.shipping == market.shipping_cents
    assert found.total == found.goods + found.shipping + found.duty
    assert abs(found.duty - exact_duty(market, found.goods)) <= 1


@given(market=markets, ordered=lines, price=st.sampled_from(sorted(PRICES.values())), lots=st.randoms())
def test_more_goods_never_cost_less(
    market: Market, ordered: list[tuple[int, int]], price: int, lots: random.Random
) -> None:
    """And in which order, or on how many lines, they are written makes no difference."""
    before, after = totals(market, ordered), totals(market, [*ordered, (price, 1)])
    assert after.duty >= before.duty
    assert after.total >= before.total + price
    singles = [(each, 1) for each, quantity in ordered for _ in range(quantity)]
    lots.shuffle(singles)
    assert totals(market, singles) == before


@pytest.mark.parametrize("code", MARKETS)
def test_nothing_ordered_costs_nothing(code: str) -> None:
    """An empty basket is not charged for shipping."""
    assert totals(MARKETS[code], []) == Totals(0, 0, 0, 0)


TWO_POWER_BANKS = {
    "us": Totals(2798, 599, 0, 3397),
    "uk": Totals(2798, 699, 699, 4196),
    "fr": Totals(2798, 699, 699, 4196),
    "de": Totals(2798, 699, 664, 4161),
}


@pytest.mark.parametrize("code", MARKETS)
def test_two_power_banks_in_each_market(code: str) -> None:
    """Free in the USA; import VAT of 20 or 19 % on goods and shipping elsewhere."""
    assert totals(MARKETS[code], [(PRICES["power-bank-10400"], 2)]) == TWO_POWER_BANKS[code]


LIMITS = [
    ("us", 20_000),
    ("uk", 15 * 156),
    ("uk", 135 * 156),
    ("fr", 150 * 113),
    ("de", 22 * 113),
    ("de", 150 * 113),
]


@pytest.mark.parametrize("code, cents", LIMITS)
def test_goods_worth_as_much_as_a_limit_are_still_below_it(code: str, cents: int) -> None:
    """One cent more and the whole parcel pays."""
    market = MARKETS[code]
    assert market.duty_cents(cents + 1) - market.duty_cents(cents) > 100


@given(market=markets, paid_on=days)
def test_an_order_arrives_within_seven_working_days(market: Market, paid_on: date) -> None:
    """The promised day is the seventh working day after the payment; weekends and public holidays are none."""
    by = market.delivery_by(paid_on)
    off = country_holidays(market.country)
    after = [paid_on + timedelta(n) for n in range(1, (by - paid_on).days + 1)]
    working = [day for day in after if day.weekday() < 5 and day not in off]
    assert len(working) == WORKING_DAYS
    assert working[-1] == by


@given(market=markets, paid_on=days)
def test_who_pays_earlier_waits_no_longer(market: Market, paid_on: date) -> None:
    """The promise of a day is never behind that of the next, and no promise is longer than a fortnight and a bit."""
    by = market.delivery_by(paid_on)
    assert by <= market.delivery_by(paid_on + timedelta(1))
    assert timedelta(9) <= by - paid_on <= timedelta(16)


PROMISES = [
    ("us", SALE, date(2015, 5, 29)),  # Memorial Day lies between
    ("uk", SALE, date(2015, 5, 29)),  # the spring bank holiday
    ("fr", SALE, date(2015, 5, 29)),  # Whit Monday
    ("de", SALE, date(2015, 5, 29)),
    ("us", date(2015, 5, 8), date(2015, 5, 19)),
    ("fr", date(2015, 5, 7), date(2015, 5, 20)),  # Victory Day and Ascension Day
    ("de", date(2015, 5, 7), date(2015, 5, 19)),  # Ascension Day
    ("uk", date(2015, 12, 22), date(2016, 1, 5)),  # Christmas, Boxing Day on a Monday, New Year
]


@pytest.mark.parametrize("code, paid_on, by", PROMISES)
def test_the_promise_is_counted_with_the_markets_own_holidays(code: str, paid_on: date, by: date) -> None:
    """Days that were looked up in calendars of the time."""
    assert MARKETS[code].delivery_by(paid_on) == by


def test_the_day_of_a_payment_is_the_markets() -> None:
    """At 23:30 in London it is the next day in Berlin, and still afternoon in New York."""
    late = int(datetime(2015, 5, 19, 22, 30, tzinfo=UTC).timestamp() * 1000)
    found = {code: market.day_of(late).day for code, market in MARKETS.items()}
    assert found == {"us": 19, "uk": 19, "fr": 20, "de": 20}
