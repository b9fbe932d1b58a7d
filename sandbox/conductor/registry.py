"""Applications and tokens, as Conductor's database keeps them. A token is kept as its SHA-256 only."""

import hashlib
import secrets
from typing import Any, cast
from uuid import UUID

from sandbox.conductor.database import ORGANIZATION, Database, Row
from sandbox.conductor.models import Application, Token
from sandbox.conductor.problems import ProblemError

TOKEN_PREFIX = "dbos_"  # noqa: S105 - what every Conductor API key begins with
APPLICATION = """
SELECT a.id, a.name, a.org_id, a.gc_time_threshold_ms, a.gc_rows_threshold, a.global_timeout_ms,
       a.executor_timeout_secs, a.private_mode,
       CASE WHEN e.healthy THEN 'AVAILABLE' ELSE 'UNAVAILABLE' END AS status,
       e.language, false AS dbos_cloud
FROM applications a JOIN organizations o ON o.id = a.org_id AND o.name = %(org)s
LEFT JOIN LATERAL (SELECT bool_or(status = 'HEALTHY') AS healthy, max(language) AS language FROM executors
                   WHERE app_id = a.id) e ON true
"""


class Registry:
    """Reads and writes applications and tokens; `ProblemError` 404 for what is not there."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def organization(self, name: str) -> UUID:
        row = await self._database.row("SELECT id FROM organizations WHERE name = %(name)s", name=name)
        if row is None:
            raise ProblemError(404, f"organization {name} does not exist")
        return cast(UUID, row["id"])

    async def applications(self, org: str) -> list[Application]:
        await self.organization(org)
        rows = await self._database.rows(APPLICATION + "ORDER BY a.name", org=org)
        return [Application(**row) for row in rows]

    async def application(self, org: str, name: str) -> Application:
        await self.organization(org)
        row = await self._database.row(APPLICATION + "WHERE a.name = %(name)s", org=org, name=name)
        if row is None:
            raise ProblemError(404, f"application {name} does not exist")
        return Application(**row)

    async def register(self, org: str, name: str, private_mode: bool | None) -> None:
        """Makes the application; one that is there already keeps its settings, but for `private_mode` when given."""
        await self._database.rows(
            "INSERT INTO applications (org_id, name, private_mode) "
            "VALUES (%(org)s, %(name)s, coalesce(%(mode)s, false)) "
            "ON CONFLICT (org_id, name) DO UPDATE SET private_mode = coalesce(%(mode)s, applications.private_mode)",
            org=await self.organization(org),
            name=name,
            mode=private_mode,
        )

    async def update(self, org: str, name: str, changes: Row) -> None:
        """Sets the columns named in `changes`: the fields of `UpdateApplication` that were given, null resets none."""
        app = await self.application(org, name)
        given = {column: value for column, value in changes.items() if value is not None}
        if not given:
            return
        assignments = ", ".join(f"{column} = %({column})s" for column in sorted(given))
        await self._database.rows(f"UPDATE applications SET {assignments} WHERE id = %(id)s", id=app.id, **given)  # noqa: S608 - the columns are a model's fields

    async def delete(self, org: str, name: str) -> UUID:
        """Forgets the application and its executors; gives its id."""
        app = await self.application(org, name)
        await self._database.rows("DELETE FROM applications WHERE id = %(id)s", id=app.id)
        return app.id

    async def tokens(self, org: str) -> list[Token]:
        rows = await self._database.rows(
            "SELECT name AS token_name, created_at, permissions, app_ids FROM tokens "
            "WHERE org_id = %(org)s ORDER BY name",
            org=await self.organization(org),
        )
        return [Token(**row) for row in rows]

    async def create_token(self, org: str, name: str, app_names: list[str], permissions: list[str]) -> str:
        """Makes a token; gives its secret, which nothing can show again. `ProblemError` 409 when the name is taken."""
        app_ids = [(await self.application(org, app)).id for app in app_names]
        secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
        made = await self._database.row(
            "INSERT INTO tokens (org_id, name, secret_sha256, permissions, app_ids) "
            "VALUES (%(org)s, %(name)s, %(digest)s, %(permissions)s, %(apps)s::uuid[]) "
            "ON CONFLICT DO NOTHING RETURNING id",
            org=await self.organization(org),
            name=name,
            digest=_digest(secret),
            permissions=permissions,
            apps=app_ids,
        )
        if made is None:
            raise ProblemError(409, f"token {name} already exists")
        return secret

    async def delete_token(self, org: str, name: str) -> UUID:
        """Revokes a token; gives its id."""
        row = await self._database.row(
            "DELETE FROM tokens WHERE org_id = %(org)s AND name = %(name)s RETURNING id",
            org=await self.organization(org),
            name=name,
        )
        if row is None:
            raise ProblemError(404, f"token {name} does not exist")
        return cast(UUID, row["id"])

    async def admit(self, app_name: str, secret: str) -> tuple[UUID, UUID]:
        """(application id, token id) of an executor that connects; `ProblemError` 401, 403 or 404 when it may not."""
        token = await self._database.row(
            "SELECT * FROM tokens WHERE secret_sha256 = %(digest)s", digest=_digest(secret)
        )
        if token is None:
            raise ProblemError(401, "invalid API key")
        app = await self.application(ORGANIZATION, app_name)
        if token["app_ids"] and app.id not in token["app_ids"]:
            raise ProblemError(403, f"the API key is not valid for application {app_name}")
        return app.id, token["id"]


def _digest(secret: str) -> Any:
    return hashlib.sha256(secret.encode()).digest()
