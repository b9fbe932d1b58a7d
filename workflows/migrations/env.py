"""Alembic's entry point; the caller hands over a connection (workflows/runtime.py)."""

from alembic import context

from workflows.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, version_table="podium_alembic_version")
with context.begin_transaction():
    context.run_migrations()
