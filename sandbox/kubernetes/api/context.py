"""What the handlers share, and what one call is about."""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import httpx2
from starlette.requests import Request

from sandbox.kubernetes.api.auth import Authenticator
from sandbox.kubernetes.api.target import Target
from sandbox.kubernetes.authorization.rbac import GUARDED, Authorizer
from sandbox.kubernetes.entry import Entry
from sandbox.kubernetes.errors import BadRequest, Cause, Invalid, invalid, unsupported
from sandbox.kubernetes.identity import Identity
from sandbox.kubernetes.resources import Resource
from sandbox.kubernetes.service_account_tokens import Tokens
from sandbox.kubernetes.settings import Settings
from sandbox.kubernetes.store import Store

Object = dict[str, Any]
_MANAGER_LIMIT = 128
_OPTIONS = {"POST": "CreateOptions", "PUT": "UpdateOptions", "PATCH": "PatchOptions", "DELETE": "DeleteOptions"}
_LEVELS = ("", "Ignore", "Strict", "Warn")


def dry_run_causes(values: list[str]) -> list[Cause]:
    """Only All is known."""
    bad = any(value != "All" for value in values)
    return [Cause("dryRun", "FieldValueNotSupported", _dry_run_text(values))] if bad else []


def _dry_run_text(values: list[str]) -> str:
    return f'Unsupported value: {json.dumps(values)}: supported values: "All"'


@dataclass(slots=True)
class Server:
    """The running server's parts; `stopping` ends open watches, `lists` are those under way (see pages.py)."""

    store: Store
    settings: Settings
    client: httpx2.AsyncClient
    authorizer: Authorizer
    accounts: Tokens
    authenticator: Authenticator
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    lists: OrderedDict[tuple[str, int], list[Entry]] = field(default_factory=OrderedDict)


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
        """Whether nothing may be stored."""
        return bool(self.query.getlist("dryRun"))

    @cached_property
    def manager(self) -> str:
        """Whom to record as the owner of changed fields: fieldManager, else the user agent's first word."""
        agent = self.request.headers.get("user-agent", "unknown")
        given: str = self.query.get("fieldManager", "")
        return given or agent.partition("/")[0][:_MANAGER_LIMIT] or "unknown"

    @cached_property
    def validation(self) -> str:
        """What to do about unknown fields: Strict, Warn (default) or Ignore."""
        level: str = self.query.get("fieldValidation") or "Warn"
        return level

    def write(self, action: Callable[[bool], Object]) -> Object:
        """Does `action(dry_run)`; what would give rights away is tried first and refused when they are not held."""
        if self.resource.key in GUARDED:
            new = action(True)
            old = self.store.peek(self.resource.key, self.namespace, new["metadata"]["name"])
            self.server.authorizer.guard(self.identity, self.resource.key, new, old)
        return action(self.dry_run)

    def check_options(self) -> None:
        """The query parameters of a write; raises Invalid naming the options of its verb."""
        kind = _OPTIONS.get(self.request.method)
        if kind is None:
            return
        causes = [] if kind == "DeleteOptions" else self._manager_causes()
        causes += dry_run_causes(self.query.getlist("dryRun"))
        level = self.query.get("fieldValidation", "")
        if level not in _LEVELS and kind != "DeleteOptions":
            causes.append(unsupported("fieldValidation", level, list(_LEVELS)))
        if causes:
            raise Invalid(f"{kind}.meta.k8s.io", "", causes)

    def _manager_causes(self) -> list[Cause]:
        given: str = self.query.get("fieldManager", "")
        if len(given) > _MANAGER_LIMIT:
            return [
                Cause("fieldManager", "FieldValueTooLong", f"Too long: may not be more than {_MANAGER_LIMIT} bytes")
            ]
        odd = next(((at, char) for at, char in enumerate(given) if not char.isprintable()), None)
        if odd is None:
            return []
        return [invalid("fieldManager", given, f"invalid character U+{ord(odd[1]):04X} (at position {odd[0]})")]

    def integer(self, name: str) -> int | None:
        """A whole number from the query; raises BadRequest."""
        text = self.query.get(name)
        if text is None or text == "":
            return None
        try:
            return int(text)
        except ValueError as error:
            raise BadRequest(f"strconv.ParseInt: parsing {json.dumps(text)}: invalid syntax") from error

    def flag(self, name: str) -> bool:
        """A boolean from the query."""
        return self.query.get(name, "false").lower() in ("true", "1")
