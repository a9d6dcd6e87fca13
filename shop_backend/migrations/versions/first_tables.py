"""The first tables: products, accounts and their sessions, orders, allowances and payments."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

HELD = sa.text("state = 'held'")
ACCEPTED = sa.text("state = 'accepted'")


def upgrade() -> None:
    """Make the tables; what each is for stands in ``shop_backend.tables``, and how constraints are named."""
    _products()
    _accounts()
    _orders()
    _payments()


def _products() -> None:
    op.create_table(
        "products",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("description", sa.String(300), nullable=False),
        sa.Column("price_cents", sa.Integer, nullable=False),
        sa.Column("units", sa.Integer, nullable=False),
        sa.Column("held", sa.Integer, nullable=False),
        sa.Column("sold", sa.Integer, nullable=False),
        sa.CheckConstraint("price_cents > 0", name="price"),
        sa.CheckConstraint("held >= 0 AND sold >= 0 AND held + sold <= units", name="stock"),
    )


def _accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("email", sa.String(254), nullable=False, unique=True),
        sa.Column("password_hash", sa.String(200), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    account = sa.ForeignKey("accounts.id", ondelete="CASCADE")
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.String(64), primary_key=True),
        sa.Column("account_id", sa.String(32), account, nullable=False, index=True),
        sa.Column("expires_at", sa.BigInteger, nullable=False, index=True),
    )


def _orders() -> None:
    op.create_table(
        "orders",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("account_id", sa.String(32), sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("placed_at", sa.BigInteger, nullable=False),
        sa.Column("held_until", sa.BigInteger, nullable=False),
        sa.Column("closed_at", sa.BigInteger),
        sa.UniqueConstraint("account_id", "key"),
        sa.CheckConstraint("state IN ('held', 'paid', 'cancelled', 'expired')", name="state"),
    )
    op.create_index("orders_holds", "orders", ["held_until"], sqlite_where=HELD, postgresql_where=HELD)
    op.create_table(
        "order_lines",
        sa.Column("order_id", sa.String(32), sa.ForeignKey("orders.id"), primary_key=True),
        sa.Column("product_id", sa.String(40), sa.ForeignKey("products.id"), primary_key=True),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("price_cents", sa.Integer, nullable=False),
        sa.CheckConstraint("quantity BETWEEN 1 AND 2", name="quantity"),
    )
    op.create_table(
        "allowances",
        sa.Column("account_id", sa.String(32), sa.ForeignKey("accounts.id"), primary_key=True),
        sa.Column("product_id", sa.String(40), sa.ForeignKey("products.id"), primary_key=True),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.CheckConstraint("quantity BETWEEN 0 AND 2", name="limit"),
    )


def _payments() -> None:
    op.create_table(
        "payments",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("order_id", sa.String(32), sa.ForeignKey("orders.id"), nullable=False, index=True),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("amount_cents", sa.Integer, nullable=False),
        sa.Column("card_ending", sa.String(4), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.CheckConstraint("state IN ('accepted', 'declined')", name="state"),
    )
    op.create_index(
        "payments_one_payment",
        "payments",
        ["order_id"],
        unique=True,
        sqlite_where=ACCEPTED,
        postgresql_where=ACCEPTED,
    )
