"""Alembic's entry point; the caller hands over a connection (workflows/runtime.py)."""

from alembic import context

from workflows.tables import VERSION_TABLE, metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, version_table=VERSION_TABLE)
with context.begin_transaction():
    context.run_migrations()
