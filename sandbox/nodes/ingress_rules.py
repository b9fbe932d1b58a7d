"""Which backend ingress-nginx would choose for a request, and what path it would send there. Pure.

Facts from ingress-nginx (internal/ingress/controller/template, docs/user-guide/ingress-path-matching.md): one server
per host, and one for rules without host; a server in which any Ingress uses `use-regex` or `rewrite-target` treats
all its paths as case-insensitive regular expressions anchored at the start, longest path first.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from sandbox.nodes.api import Object

PREFIX = "nginx.ingress.kubernetes.io/"
DEFAULT_TIMEOUT = 60.0  # seconds, nginx's proxy_read_timeout
_SAFE = "/:@!$&'()*+,;=~-._"  # what a path need not escape (RFC 3986, pchar)
_GROUP = re.compile(r"\$(\d)")


@dataclass(frozen=True)
class Backend:
    """A Service port, by number or name."""

    namespace: str
    service: str
    port: int | str


@dataclass(frozen=True)
class Location:
    """One path of one server."""

    path: str
    kind: str  # Exact, Prefix or ImplementationSpecific
    rewrite: str | None
    regex: bool
    read_timeout: float  # seconds without a byte from the backend
    backend: Backend

    def pattern(self, regex: bool) -> re.Pattern[str]:
        """What a decoded path must match from its start. Raises `re.error` for a path that is no regular expression."""
        if regex:
            return re.compile(self.path, re.IGNORECASE)
        path = re.escape(self.path)
        if self.kind == "Exact":
            return re.compile(path + r"\Z")
        if self.kind == "Prefix":
            return re.compile(re.escape(self.path.rstrip("/")) + r"(?:/|\Z)")
        return re.compile(path)


@dataclass(frozen=True)
class Target:
    """Where a request goes: `path` is the request target to send, with its query."""

    backend: Backend
    path: str
    read_timeout: float


class Rules:
    """The servers that a set of Ingresses makes. `broken` names the paths that are no regular expressions."""

    def __init__(self, ingresses: Iterable[Object]) -> None:
        locations: dict[str, list[Location]] = {}
        for ingress in sorted(ingresses, key=lambda item: str(item["metadata"].get("creationTimestamp", ""))):
            for host, location in _locations(ingress):
                locations.setdefault(host, []).append(location)
        self.broken: list[str] = []
        self._servers = {host: self._compile(found) for host, found in locations.items()}

    def find(self, host: str, target: str) -> Target | None:
        """The backend for a Host header and a request target, None where nginx would answer 404."""
        path, mark, query = target.partition("?")
        decoded = re.sub("/+", "/", unquote(path))
        for pattern, location in self._server(host.rpartition(":")[0] or host):
            if match := pattern.match(decoded):
                sent = path if location.rewrite is None else quote(_expand(location.rewrite, match), _SAFE)
                return Target(location.backend, sent + mark + query, location.read_timeout)
        return None

    def _server(self, host: str) -> list[tuple[re.Pattern[str], Location]]:
        name = host.lower()
        for candidate in (name, "*." + name.partition(".")[2], ""):
            if candidate in self._servers:
                return self._servers[candidate]
        return []

    def _compile(self, locations: list[Location]) -> list[tuple[re.Pattern[str], Location]]:
        regex = any(location.regex for location in locations)
        compiled = []
        # Stable: the first Ingress to claim a path keeps it. Without regexes an exact path goes before a prefix.
        for location in sorted(locations, key=lambda item: (not regex and item.kind != "Exact", -len(item.path))):
            try:
                compiled.append((location.pattern(regex), location))
            except re.error:
                self.broken.append(location.path)
        return compiled


def is_ours(ingress: Object, classes: Collection[str], annotation: str) -> bool:
    """Whether an Ingress names one of our IngressClasses, or our class in the old annotation; one without does not."""
    named = (ingress["metadata"].get("annotations") or {}).get("kubernetes.io/ingress.class")
    return ingress["spec"].get("ingressClassName") in classes or named == annotation


def _locations(ingress: Object) -> Iterable[tuple[str, Location]]:
    annotations = ingress["metadata"].get("annotations") or {}
    for rule in ingress["spec"].get("rules") or []:
        for path in (rule.get("http") or {}).get("paths") or []:
            yield rule.get("host", "").lower(), _location(ingress, path, annotations)
    if default := ingress["spec"].get("defaultBackend"):
        everything = {"path": "/", "pathType": "ImplementationSpecific", "backend": default}
        yield "", _location(ingress, everything, annotations)


def _location(ingress: Object, path: Object, annotations: dict[str, Any]) -> Location:
    rewrite = annotations.get(PREFIX + "rewrite-target")
    return Location(
        path=path.get("path") or "/",
        kind=path.get("pathType", "ImplementationSpecific"),
        rewrite=rewrite,
        regex=rewrite is not None or annotations.get(PREFIX + "use-regex") == "true",
        read_timeout=float(annotations.get(PREFIX + "proxy-read-timeout", DEFAULT_TIMEOUT)),
        backend=_backend(ingress["metadata"]["namespace"], path["backend"]),
    )


def _backend(namespace: str, backend: Object) -> Backend:
    service = backend.get("service") or {}
    port = service.get("port") or {}
    return Backend(namespace, service.get("name", ""), port.get("number") or port.get("name", ""))


def _expand(rewrite: str, match: re.Match[str]) -> str:
    """A rewrite-target with its `$1`… filled in; groups that are not there are empty."""
    groups = match.groups(default="")
    return _GROUP.sub(lambda found: groups[int(found[1]) - 1] if 0 < int(found[1]) <= len(groups) else "", rewrite)
