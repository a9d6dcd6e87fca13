"""The checkout: address, fees and one extension in an order; payments that begin, end and are refunded."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

CHARGED = sa.text("state = 'charged'")
UNSETTLED = sa.text("state IN ('begun', 'refund_due')")

# How the payments of 0001 read now: what was accepted is charged, what was declined has failed.
OLD_PAYMENTS = sa.text("""
    SELECT id, order_id, id AS key, 'card' AS provider,
        CASE state WHEN 'accepted' THEN 'charged' ELSE 'failed' END AS state,
        CASE state WHEN 'accepted' THEN '' ELSE 'declined' END AS reason,
        amount_cents, created_at AS begun_at
    FROM payments
""")


def upgrade() -> None:
    """Keep all orders and payments that there are."""
    for column in (
        sa.Column("extended", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("market", sa.String(2)),
        sa.Column("address", sa.Text),
        sa.Column("shipping_cents", sa.Integer, nullable=False, server_default="0"),
        sa.Column("duty_cents", sa.Integer, nullable=False, server_default="0"),
    ):
        op.add_column("orders", column)
    kept = [dict(row) for row in op.get_bind().execute(OLD_PAYMENTS).mappings()]
    op.drop_table("payments")
    op.bulk_insert(_payments(), kept)
    _sandbox()


def _payments() -> sa.Table:
    table = op.create_table(
        "payments",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("order_id", sa.String(32), sa.ForeignKey("orders.id"), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("provider", sa.String(10), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("reason", sa.String(20), nullable=False),
        sa.Column("amount_cents", sa.Integer, nullable=False),
        sa.Column("begun_at", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("order_id", "key"),
        sa.CheckConstraint("state IN ('begun', 'charged', 'failed', 'refund_due', 'refunded')", name="state"),
    )
    once: dict[str, Any] = {"sqlite_where": CHARGED, "postgresql_where": CHARGED}
    op.create_index("payments_one_charge", "payments", ["order_id"], unique=True, **once)
    open_ones: dict[str, Any] = {"sqlite_where": UNSETTLED, "postgresql_where": UNSETTLED}
    op.create_index("payments_unsettled", "payments", ["begun_at"], **open_ones)
    return table


def _sandbox() -> None:
    op.create_table(
        "sandbox",
        sa.Column("payment_id", sa.String(32), primary_key=True),
        sa.Column("amount_cents", sa.Integer, nullable=False),
        sa.Column("return_to", sa.String(200), nullable=False),
        sa.Column("agreed", sa.Boolean, nullable=False),
        sa.Column("slow", sa.Boolean, nullable=False),
        sa.Column("silent_until", sa.BigInteger, nullable=False),
        sa.Column("charged_at", sa.BigInteger),
        sa.Column("refunded_at", sa.BigInteger),
        sa.Column("reason", sa.String(20), nullable=False),
    )
