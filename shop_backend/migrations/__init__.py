"""Alembic migrations of the shop's database; the shop runs them when it starts."""
