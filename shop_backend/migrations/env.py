"""Alembic's entry: migrates over the connection, and in the transaction, that the shop hands in."""

from alembic import context

from shop_backend.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
