"""Podium's own tables, in DBOS's database, so that "row written" and "operation enqueued" are one transaction."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

metadata = sa.MetaData()

VERSION_TABLE = "podium_alembic_version"
SCHEMA_VERSION = "0004"
"""The newest migration: a database that has it is not migrated, which spares loading alembic at every start."""


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """Aware UTC datetimes on every database (SQLite keeps no zone)."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


installations = sa.Table(
    "podium_installations",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("id", sa.String(36), nullable=False, unique=True),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("spec", sa.JSON, nullable=False),
    sa.Column("outputs", sa.JSON, nullable=False),
    sa.Column("facts", sa.JSON, nullable=False, server_default="{}"),
    sa.Column("applied", sa.JSON(none_as_null=True)),
    sa.Column("operation_id", sa.String(64), nullable=False),
    sa.Column("event_seq", sa.Integer, nullable=False, server_default="0"),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
)

operations = sa.Table(
    "podium_operations",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("installation", sa.String(64), sa.ForeignKey("podium_installations.name"), nullable=False, index=True),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("options", sa.JSON, nullable=False, server_default="{}"),
    sa.Column("report", sa.JSON(none_as_null=True)),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("error", sa.JSON(none_as_null=True)),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("started_at", UtcDateTime),
    sa.Column("finished_at", UtcDateTime),
)

phases = sa.Table(
    "podium_phases",
    metadata,
    sa.Column("operation_id", sa.String(64), sa.ForeignKey("podium_operations.id"), primary_key=True),
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("title", sa.String(200), nullable=False),
    sa.Column("needs", sa.JSON, nullable=False),
    sa.Column("weight", sa.Float, nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("started_at", UtcDateTime),
    sa.Column("finished_at", UtcDateTime),
    sa.Column("action", sa.String(400)),
    sa.Column("error", sa.JSON(none_as_null=True)),
    sa.Column("waiting", sa.JSON(none_as_null=True)),
    sa.Column("provided", sa.JSON(none_as_null=True)),
)

events = sa.Table(
    "podium_events",
    metadata,
    sa.Column("installation", sa.String(64), sa.ForeignKey("podium_installations.name"), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("operation_id", sa.String(64), nullable=False, index=True),
    sa.Column("phase", sa.String(40)),
    sa.Column("step", sa.String(100)),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("kind", sa.String(40), nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("data", sa.JSON, nullable=False),
)

idempotency_keys = sa.Table(
    "podium_idempotency_keys",
    metadata,
    sa.Column("key", sa.String(255), primary_key=True),
    sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Column("installation", sa.String(64), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
)

workers = sa.Table(
    "podium_workers",
    metadata,
    sa.Column("id", sa.String(300), primary_key=True),
    sa.Column("executor_id", sa.String(255), nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("process", sa.String(100), nullable=False),
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("beat_at", UtcDateTime, nullable=False),
    sa.Column("steady_since", UtcDateTime, nullable=False),
)
"""Processes that execute operations; see workflows/workers.py."""
