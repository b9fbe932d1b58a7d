"""One connection to Conductor's database, opened again when it breaks, and the tables in it."""

import asyncio
from typing import Any

from psycopg import AsyncConnection, Error, OperationalError, sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from sandbox.conductor.settings import StartError

Row = dict[str, Any]
CONNECT_SECONDS = 10
SCHEMA_LOCK = 0x0C0D0C70  # one instance at a time makes the tables
ORGANIZATION = "local"  # the one organisation there is without OAuth

SCHEMA = """
SELECT pg_advisory_xact_lock({lock});
CREATE TABLE IF NOT EXISTS organizations (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL UNIQUE
);
CREATE TABLE IF NOT EXISTS applications (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    org_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    name text NOT NULL,
    private_mode boolean NOT NULL DEFAULT false,
    executor_timeout_secs bigint NOT NULL DEFAULT 60,
    gc_time_threshold_ms bigint,
    gc_rows_threshold bigint,
    global_timeout_ms bigint,
    UNIQUE (org_id, name)
);
CREATE TABLE IF NOT EXISTS tokens (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    org_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    name text NOT NULL,
    secret_sha256 bytea NOT NULL UNIQUE,
    permissions text[] NOT NULL DEFAULT '{{}}',
    app_ids uuid[] NOT NULL DEFAULT '{{}}',
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (org_id, name)
);
CREATE TABLE IF NOT EXISTS executors (
    app_id uuid NOT NULL REFERENCES applications ON DELETE CASCADE,
    executor_id text NOT NULL,
    status text NOT NULL DEFAULT 'HEALTHY',
    app_version text NOT NULL,
    host_id text,
    hostname text,
    language text,
    dbos_version text,
    executor_metadata jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    disconnected_at timestamptz,
    PRIMARY KEY (app_id, executor_id)
);
INSERT INTO organizations (name) VALUES ({organization}) ON CONFLICT DO NOTHING;
"""


class Database:
    """Statements run one after the other, each in a transaction of its own."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = asyncio.Lock()
        self._connection: AsyncConnection[Row] | None = None

    async def start(self) -> None:
        """Connects and makes the tables. Raises `StartError` with the server's words (they hold no password)."""
        statements = sql.SQL(SCHEMA).format(lock=sql.Literal(SCHEMA_LOCK), organization=sql.Literal(ORGANIZATION))
        try:
            connection = await self._connect()
            async with connection.transaction():
                await connection.execute(statements)
        except Error as error:
            await self.close()
            raise StartError(f"database is not usable: {str(error).strip()}") from error

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def rows(self, statement: str, **values: Any) -> list[Row]:
        """Runs one statement with named placeholders; all rows of its result, none for a statement without one.

        A statement that finds the connection broken is run once more on a new one.
        """
        async with self._lock:
            try:
                return await self._run(statement, values)
            except OperationalError:
                if self._connection is not None and not self._connection.broken:
                    raise
                await self.close()
                return await self._run(statement, values)

    async def row(self, statement: str, **values: Any) -> Row | None:
        """The first row, or None."""
        found = await self.rows(statement, **values)
        return found[0] if found else None

    async def _run(self, statement: str, values: Row) -> list[Row]:
        connection = self._connection or await self._connect()
        cursor = await connection.execute(statement.encode(), values)
        return await cursor.fetchall() if cursor.description else []

    async def _connect(self) -> AsyncConnection[Row]:
        self._connection = await AsyncConnection.connect(
            self._url, autocommit=True, row_factory=dict_row, connect_timeout=CONNECT_SECONDS
        )
        return self._connection


def jsonb(value: Any) -> Jsonb | None:
    """A value for a jsonb column; None stays SQL's NULL."""
    return None if value is None else Jsonb(value)
