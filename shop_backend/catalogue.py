"""What is sold, and the rules of the sale; the database is filled from here on its first start."""

from dataclasses import dataclass


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
        "Closed headphones with an aluminium housing, a cable of 1.4 metres and a carrying case.",
    ),
    Product(
        "power-bank-10400",
        "Mi Power Bank 10400 mAh",
        1399,
        "Charges a phone about three times over, through USB, from a case of brushed aluminium.",
    ),
    Product(
        "power-bank-5000",
        "Mi Power Bank 5000 mAh",
        999,
        "One more day for a phone, in a flat case that goes into a pocket.",
    ),
    Product(
        "mi-band",
        "Mi Band",
        1499,
        "Fitness tracker that counts steps, watches sleep and wakes with a silent alarm.",
    ),
)

LIMIT = 2
"""Most units of one product for one buyer, over all their orders."""
