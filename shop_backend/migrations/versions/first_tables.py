"""The first tables: products, accounts and their sessions, orders, allowances and payments."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

HELD = sa.text("state = 'held'")
ACCEPTED = sa.text("state = 'accepted'")


def upgrade() -> None:
    """Make the tables; what each is for stands in ``shop_backend.tables``."""
    _products()
    _accounts()
    _orders()
    _payments()


def _products() -> None:
    op.create_table(
        "products",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("description", sa.String(300), nullable=False),
        sa.Column("price_cents", sa.Integer, nullable=False),
        sa.Column("units", sa.Integer, nullable=False),
        sa.Column("held", sa.Integer, nullable=False),
        sa.Column("sold", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="products_pk"),
        sa.CheckConstraint("price_cents > 0", name="products_price"),
        sa.CheckConstraint("held >= 0 AND sold >= 0 AND held + sold <= units", name="products_stock"),
    )


def _accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("password_hash", sa.String(200), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="accounts_pk"),
        sa.UniqueConstraint("email", name="accounts_email_key"),
    )
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("account_id", sa.String(32), nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="sessions_pk"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name="sessions_account_id_fk", ondelete="CASCADE"
        ),
    )
    op.create_index("sessions_account_id", "sessions", ["account_id"])
    op.create_index("sessions_expires_at", "sessions", ["expires_at"])


def _orders() -> None:
    op.create_table(
        "orders",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("account_id", sa.String(32), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("placed_at", sa.BigInteger, nullable=False),
        sa.Column("held_until", sa.BigInteger, nullable=False),
        sa.Column("closed_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="orders_pk"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="orders_account_id_fk"),
        sa.UniqueConstraint("account_id", "key", name="orders_account_id_key"),
        sa.CheckConstraint("state IN ('held', 'paid', 'cancelled', 'expired')", name="orders_state"),
    )
    op.create_index("orders_holds", "orders", ["held_until"], sqlite_where=HELD, postgresql_where=HELD)
    op.create_table(
        "order_lines",
        sa.Column("order_id", sa.String(32), nullable=False),
        sa.Column("product_id", sa.String(40), nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("price_cents", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("order_id", "product_id", name="order_lines_pk"),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name="order_lines_order_id_fk"),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name="order_lines_product_id_fk"),
        sa.CheckConstraint("quantity BETWEEN 1 AND 2", name="order_lines_quantity"),
    )
    op.create_table(
        "allowances",
        sa.Column("account_id", sa.String(32), nullable=False),
        sa.Column("product_id", sa.String(40), nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "product_id", name="allowances_pk"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="allowances_account_id_fk"),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name="allowances_product_id_fk"),
        sa.CheckConstraint("quantity BETWEEN 0 AND 2", name="allowances_limit"),
    )


def _payments() -> None:
    op.create_table(
        "payments",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("order_id", sa.String(32), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("amount_cents", sa.Integer, nullable=False),
        sa.Column("card_ending", sa.String(4), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="payments_pk"),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name="payments_order_id_fk"),
        sa.CheckConstraint("state IN ('accepted', 'declined')", name="payments_state"),
    )
    op.create_index("payments_order_id", "payments", ["order_id"])
    op.create_index(
        "payments_one_payment",
        "payments",
        ["order_id"],
        unique=True,
        sqlite_where=ACCEPTED,
        postgresql_where=ACCEPTED,
    )
