"""What is sold, and the rules of the sale; the database is filled from here on its first start."""

from dataclasses import dataclass

from shop_backend.texts import _


@dataclass(frozen=True, slots=True)
class Product:
    """One product as announced; prices are US cents."""

    id: str
    name: str
    price_cents: int
    description: str


PRODUCTS = (
    Product(
        "mi-headphones",
        "Mi Headphones",
        7999,
        _("Music at home and on the way; the dearest product of this sale."),
    ),
    Product(
        "power-bank-10400",
        "Mi Power Bank 10400 mAh",
        1399,
        _("A battery of 10,400 mAh that charges phones and tablets on the way."),
    ),
    Product(
        "power-bank-5000",
        "Mi Power Bank 5000 mAh",
        999,
        _("The small battery: 5,000 mAh to charge a phone on the way."),
    ),
    Product(
        "mi-band",
        "Mi Band",
        1499,
        _("A fitness tracker for the wrist."),
    ),
)

LIMIT = 2
"""Most units of one product for one buyer, over all their orders."""
