"""What Conductor's database knows of executors: who is connected, who was, and for how long not.

HEALTHY while connected; DISCONNECTED when the connection ends; DEAD when it has not come back within the application's
`executor_timeout_secs`. A dead executor's workflows are recovered by another one, after which its record goes.
"""

from typing import Any
from uuid import UUID

from sandbox.conductor.database import Database, jsonb
from sandbox.conductor.models import Executor

HEARTBEAT_SECONDS = 2.0
LOST_SECONDS = 8.0
"""A connected executor whose row no instance has refreshed for so long belonged to an instance that ended hard."""


class Executors:
    """Rows of the table `executors`; `host_id` marks those connected to this instance."""

    def __init__(self, database: Database, host_id: str) -> None:
        self._database, self._host_id = database, host_id

    async def of(self, app_id: UUID) -> list[Executor]:
        rows = await self._database.rows(
            "SELECT executor_id, app_id, app_version, status, host_id, hostname, created_at, updated_at, language, "
            "dbos_version, executor_metadata FROM executors WHERE app_id = %(app)s ORDER BY created_at, executor_id",
            app=app_id,
        )
        return [Executor(**row) for row in rows]

    async def connected(self, app_id: UUID, info: dict[str, Any]) -> None:
        """Notes the executor of an `executor_info` answer as connected here."""
        await self._database.rows(
            "INSERT INTO executors (app_id, executor_id, app_version, host_id, hostname, language, dbos_version, "
            "executor_metadata) "
            "VALUES (%(app)s, %(id)s, %(version)s, %(host)s, %(hostname)s, %(language)s, %(dbos)s, %(metadata)s) "
            "ON CONFLICT (app_id, executor_id) DO UPDATE SET status = 'HEALTHY', disconnected_at = NULL, "
            "updated_at = now(), app_version = excluded.app_version, host_id = excluded.host_id",
            app=app_id,
            id=info["executor_id"],
            version=info["application_version"],
            host=self._host_id,
            hostname=info.get("hostname"),
            language=info.get("language"),
            dbos=info.get("dbos_version"),
            metadata=jsonb(info.get("executor_metadata")),
        )

    async def disconnected(self, app_id: UUID, executor_id: str) -> None:
        await self._database.rows(
            "UPDATE executors SET status = 'DISCONNECTED', disconnected_at = now(), updated_at = now() "
            "WHERE app_id = %(app)s AND executor_id = %(id)s AND status = 'HEALTHY' AND host_id = %(host)s",
            app=app_id,
            id=executor_id,
            host=self._host_id,
        )

    async def others_connected(self, app_id: UUID, executor_id: str | None) -> bool:
        """Whether any executor of the application but this one is connected to any instance."""
        row = await self._database.row(
            "SELECT 1 FROM executors WHERE app_id = %(app)s AND status = 'HEALTHY' "
            "AND executor_id IS DISTINCT FROM %(id)s LIMIT 1",
            app=app_id,
            id=executor_id,
        )
        return row is not None

    async def forget_connections(self, all_hosts: bool) -> None:
        """At start nobody is connected here; with `all_hosts`, nobody is connected anywhere."""
        await self._database.rows(
            "UPDATE executors SET status = 'DISCONNECTED', disconnected_at = now() "
            "WHERE status = 'HEALTHY' AND (%(all)s OR host_id = %(host)s)",
            all=all_hosts,
            host=self._host_id,
        )

    async def refresh(self, executor_ids: list[str]) -> None:
        """Says that these are still connected here, and ages everybody else's rows."""
        await self._database.rows(
            "UPDATE executors SET updated_at = now() WHERE executor_id = ANY(%(ids)s) AND status = 'HEALTHY'",
            ids=executor_ids,
        )
        await self._database.rows(
            "UPDATE executors SET status = 'DISCONNECTED', disconnected_at = now() "
            "WHERE status = 'HEALTHY' AND updated_at < now() - make_interval(secs => %(lost)s)",
            lost=LOST_SECONDS,
        )
        await self._database.rows(
            "UPDATE executors e SET status = 'DEAD', updated_at = now() FROM applications a WHERE a.id = e.app_id "
            "AND e.status = 'DISCONNECTED' "
            "AND e.disconnected_at < now() - make_interval(secs => a.executor_timeout_secs)"
        )

    async def dead(self) -> dict[UUID, list[str]]:
        """Ids of dead executors by application."""
        rows = await self._database.rows("SELECT app_id, executor_id FROM executors WHERE status = 'DEAD'")
        found: dict[UUID, list[str]] = {}
        for row in rows:
            found.setdefault(row["app_id"], []).append(row["executor_id"])
        return found

    async def forget(self, app_id: UUID, executor_ids: list[str]) -> None:
        """Their workflows are recovered: nothing of them is left to know."""
        await self._database.rows(
            "DELETE FROM executors WHERE app_id = %(app)s AND executor_id = ANY(%(ids)s) AND status = 'DEAD'",
            app=app_id,
            ids=executor_ids,
        )
