"""How Alembic reaches the ledger: through the write :mod:`tocsin.ledger.upgrade` has begun, and in no other way."""

from __future__ import annotations

from alembic import context

from tocsin.ledger.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,  # the write is one transaction on both databases: a migration happens whole or not at all
    render_as_batch=True,  # SQLite changes a table by copying it
)
with context.begin_transaction():
    context.run_migrations()
