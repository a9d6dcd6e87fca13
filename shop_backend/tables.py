"""The tables. Money is whole US cents, time is epoch milliseconds.

What must never happen is forbidden here, by constraints: more units sold than there are (``stock``), more
than two of a product to one buyer (``limit``), one request placed as two orders or begun as two payments
(``key``), an order paid twice (``one_charge``).
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pk",
        "fk": "%(table_name)s_%(column_0_name)s_fk",
        "uq": "%(table_name)s_%(column_0_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s",
        "ix": "%(table_name)s_%(column_0_name)s",
    }
)


def _only(where: str) -> dict[str, Any]:
    """What makes an index one of some rows alone, in both databases."""
    return {"sqlite_where": text(where), "postgresql_where": text(where)}


products = Table(
    "products",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("name", String(80), nullable=False),
    Column("description", String(300), nullable=False),
    Column("price_cents", Integer, nullable=False),
    Column("units", Integer, nullable=False),
    Column("held", Integer, nullable=False),
    Column("sold", Integer, nullable=False),
    CheckConstraint("price_cents > 0", name="price"),
    CheckConstraint("held >= 0 AND sold >= 0 AND held + sold <= units", name="stock"),
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("email", String(254), nullable=False, unique=True),
    Column("password_hash", String(200), nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

# A session is known by the hash of its token, so that a copy of the database signs nobody in.
sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("account_id", ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("expires_at", BigInteger, nullable=False, index=True),
)

orders = Table(
    "orders",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("key", String(64), nullable=False),
    Column("state", String(10), nullable=False),
    Column("placed_at", BigInteger, nullable=False),
    Column("held_until", BigInteger, nullable=False),
    Column("closed_at", BigInteger),
    Column("extended", Boolean, nullable=False, server_default=false()),
    # As they were told to the buyer, with the address: rules that change later change no order.
    Column("market", String(2)),
    Column("address", Text),
    Column("shipping_cents", Integer, nullable=False, server_default="0"),
    Column("duty_cents", Integer, nullable=False, server_default="0"),
    UniqueConstraint("account_id", "key"),
    CheckConstraint("state IN ('held', 'paid', 'cancelled', 'expired')", name="state"),
    Index("orders_holds", "held_until", **_only("state = 'held'")),
)

order_lines = Table(
    "order_lines",
    metadata,
    Column("order_id", ForeignKey("orders.id"), primary_key=True),
    Column("product_id", ForeignKey("products.id"), primary_key=True),
    Column("quantity", Integer, nullable=False),
    Column("price_cents", Integer, nullable=False),
    CheckConstraint("quantity BETWEEN 1 AND 2", name="quantity"),
)

# How many units of a product a buyer holds or has bought.
allowances = Table(
    "allowances",
    metadata,
    Column("account_id", ForeignKey("accounts.id"), primary_key=True),
    Column("product_id", ForeignKey("products.id"), primary_key=True),
    Column("quantity", Integer, nullable=False),
    CheckConstraint("quantity BETWEEN 0 AND 2", name="limit"),
)

# Each attempt to pay an order. It is known to the provider by its id, the idempotency key of all that is asked there.
payments = Table(
    "payments",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("order_id", ForeignKey("orders.id"), nullable=False),
    Column("key", String(64), nullable=False),
    Column("provider", String(10), nullable=False),
    Column("state", String(10), nullable=False),
    Column("reason", String(20), nullable=False),
    Column("amount_cents", Integer, nullable=False),
    Column("begun_at", BigInteger, nullable=False),
    UniqueConstraint("order_id", "key"),
    CheckConstraint("state IN ('begun', 'charged', 'failed', 'refund_due', 'refunded')", name="state"),
    Index("payments_one_charge", "order_id", unique=True, **_only("state = 'charged'")),
    Index("payments_unsettled", "begun_at", **_only("state IN ('begun', 'refund_due')")),
)

# The books of the sandbox, which plays the payment providers; with real ones this table is theirs.
sandbox = Table(
    "sandbox",
    metadata,
    Column("payment_id", String(32), primary_key=True),
    Column("amount_cents", Integer, nullable=False),
    Column("return_to", String(200), nullable=False),
    Column("agreed", Boolean, nullable=False),
    Column("slow", Boolean, nullable=False),
    Column("silent_until", BigInteger, nullable=False),
    Column("charged_at", BigInteger),
    Column("refunded_at", BigInteger),
    Column("reason", String(20), nullable=False),
)
