"""What the handlers share, and what one call is about."""

import asyncio
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import httpx2
from starlette.requests import Request

from sandbox.kubernetes.api.auth import Identity
from sandbox.kubernetes.api.target import Target
from sandbox.kubernetes.errors import BadRequest, Cause, Invalid, unsupported
from sandbox.kubernetes.resources import Resource
from sandbox.kubernetes.settings import Settings
from sandbox.kubernetes.store import Store

_MANAGER_LIMIT = 128


@dataclass(slots=True)
class Server:
    """The running server's parts; `stopping` ends open watches."""

    store: Store
    settings: Settings
    client: httpx2.AsyncClient
    stopping: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Call:
    """One authenticated request on a resource."""

    server: Server
    request: Request
    identity: Identity
    target: Target
    resource: Resource
    warnings: list[str] = field(default_factory=list)

    @property
    def store(self) -> Store:
        """The cluster's objects."""
        return self.server.store

    @property
    def query(self) -> Any:
        """The query parameters."""
        return self.request.query_params

    @property
    def name(self) -> str:
        """The object's name; only on paths that name one."""
        return self.target.name or ""

    @cached_property
    def namespace(self) -> str | None:
        """The namespace of the object or list; None for cluster-scoped resources and lists over all namespaces."""
        return self.target.namespace if self.resource.namespaced else None

    @cached_property
    def dry_run(self) -> bool:
        """Whether nothing may be stored; raises Invalid for any value but All."""
        return self.dry_run_of(self.query.getlist("dryRun"))

    def dry_run_of(self, values: list[str]) -> bool:
        """As `dry_run`, for values that came in a body."""
        bad = [value for value in values if value != "All"]
        if bad:
            raise Invalid("CreateOptions.meta.k8s.io", "", [unsupported("dryRun", bad[0], ["All"])])
        return bool(values)

    @cached_property
    def manager(self) -> str:
        """Whom to record as the owner of changed fields: fieldManager, else the user agent's first word."""
        given: str = self.query.get("fieldManager", "")
        if len(given) > _MANAGER_LIMIT:
            text = f"Too long: may not be more than {_MANAGER_LIMIT} bytes"
            raise Invalid("PatchOptions.meta.k8s.io", "", [Cause("fieldManager", "FieldValueTooLong", text)])
        agent = self.request.headers.get("user-agent", "unknown")
        return given or agent.partition("/")[0][:_MANAGER_LIMIT] or "unknown"

    @cached_property
    def validation(self) -> str:
        """What to do about unknown fields: Strict, Warn (default) or Ignore."""
        level: str = self.query.get("fieldValidation") or "Warn"
        if level not in ("Strict", "Warn", "Ignore"):
            choices = ["Ignore", "Strict", "Warn"]
            raise Invalid("CreateOptions.meta.k8s.io", "", [unsupported("fieldValidation", level, choices)])
        return level

    def integer(self, name: str) -> int | None:
        """A whole number from the query; raises BadRequest."""
        text = self.query.get(name)
        if text is None or text == "":
            return None
        try:
            return int(text)
        except ValueError as error:
            raise BadRequest(f"strconv.ParseInt: parsing {text!r}: invalid syntax") from error

    def flag(self, name: str) -> bool:
        """A boolean from the query."""
        return self.query.get(name, "false").lower() in ("true", "1")
