"""What customs ask for a parcel from China: the one place for the rules, and an estimate by them.

The rules are those of the day of the sale, 19 May 2015, and limits are turned into US dollars at the rates of that
week, rounded. A shop that sells on another day or other goods puts its own figures here.

They are estimates, from the law as we read it: no lawyer and no customs office has checked rules, rates or citations,
and small fees are left out. It is customs who decide what a parcel holds and what it is worth.
"""

from dataclasses import dataclass

from shop_backend.texts import _


@dataclass(frozen=True, slots=True)
class DutyRule:
    """Customs duty and import tax of one market.

    Attributes:
        text: the rule and where it stands, in words; {braces} are filled with ``figures``.
        currency: of the limits, with what one unit of it was worth in US cents.
        duty_free: goods worth up to so much are free of duty; beyond, duty is ``duty_percent`` of the goods, in tenths:
            the highest rate among our products.
        tax_free: goods worth up to so much are free of import tax; beyond, it is ``tax_percent`` of goods, shipping and
            duty.
    """

    text: str
    currency: str
    us_cents: int
    duty_free: int
    duty_tenths: int
    tax_free: int = 0
    tax_tenths: int = 0

    def estimate(self, goods_cents: int, shipping_cents: int) -> int:
        """Duty and import tax of a parcel, in US cents; each is rounded half up."""
        duty = tax = 0
        if goods_cents > self.duty_free * self.us_cents:
            duty = _share(goods_cents, self.duty_tenths)
        if goods_cents > self.tax_free * self.us_cents:
            tax = _share(goods_cents + shipping_cents + duty, self.tax_tenths)
        return duty + tax


def _share(cents: int, tenths: int) -> int:
    return (cents * tenths + 500) // 1000


USA = DutyRule(
    _(
        "Parcels worth up to {duty_free} are free of duty (19 U.S.C. § 1321, 19 CFR § 10.151). Above that "
        "we estimate {duty} of the goods, the highest rate among our products (HTSUS 8518.30)."
    ),
    "USD",
    us_cents=100,
    duty_free=200,
    duty_tenths=49,
)
UNITED_KINGDOM = DutyRule(
    _(
        "Goods worth up to {tax_free} are free of import VAT; above that it is {tax} of goods, shipping and"
        " duty (Value Added Tax Act 1994, section 2; Directive 2009/132/EC, Article 23). Up to {duty_free} "
        "there is no customs duty (Regulation (EC) No 1186/2009, Article 23); above that we estimate {duty}"
        " of the goods, the highest rate among our products (CN 8507 60 00)."
    ),
    "GBP",
    us_cents=156,
    duty_free=135,
    duty_tenths=27,
    tax_free=15,
    tax_tenths=200,
)
FRANCE = DutyRule(
    _(
        "Goods ordered at a distance bear VAT of {tax} on goods, shipping and duty, whatever they are worth"
        " (Code général des impôts, articles 278 and 291; Directive 2009/132/EC, Article 23). Up to "
        "{duty_free} there is no customs duty (Regulation (EC) No 1186/2009, Article 23); above that we "
        "estimate {duty} of the goods, the highest rate among our products (CN 8507 60 00)."
    ),
    "EUR",
    us_cents=113,
    duty_free=150,
    duty_tenths=27,
    tax_tenths=200,
)
GERMANY = DutyRule(
    _(
        "Goods worth up to {tax_free} are free of import VAT; above that it is {tax} of goods, shipping and"
        " duty (Umsatzsteuergesetz, § 12; Directive 2009/132/EC, Article 23). Up to {duty_free} there is no"
        " customs duty (Regulation (EC) No 1186/2009, Article 23); above that we estimate {duty} of the "
        "goods, the highest rate among our products (CN 8507 60 00)."
    ),
    "EUR",
    us_cents=113,
    duty_free=150,
    duty_tenths=27,
    tax_free=22,
    tax_tenths=190,
)
