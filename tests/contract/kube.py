"""Short calls to an API server, in a namespace of the test's own."""

import json
import secrets
import time
from collections.abc import Callable
from typing import Any

import httpx2

Object = dict[str, Any]
_DEADLINE = 20.0  # seconds
_VERSIONS = {"autoscaling": "v2"}
_PATCHES = {"merge": "merge-patch", "json": "json-patch", "strategic": "strategic-merge-patch"}


def unique(prefix: str = "x") -> str:
    """A name that no other test uses, for what is not in a namespace."""
    return f"{prefix}-{secrets.token_hex(4)}"


class Kube:
    """Calls in one namespace; answers are (status, body)."""

    def __init__(self, client: httpx2.Client, namespace: str, headers: dict[str, str] | None = None) -> None:
        self.client = client
        self.namespace = namespace
        self.headers = headers or {}

    def acting_as(self, user: str, *groups: str) -> "Kube":
        """The same namespace as another user, by impersonation."""
        headers = {"impersonate-user": user} | ({"impersonate-group": groups[0]} if groups else {})
        return Kube(self.client, self.namespace, headers)

    def path(self, kind: str, name: str = "", sub: str = "") -> str:
        """`deployments.apps` -> /apis/apps/v1/namespaces/<ns>/deployments…"""
        return self._path(f"namespaces/{self.namespace}/", kind, name, sub)

    def cluster_path(self, kind: str, name: str = "", sub: str = "") -> str:
        """`clusterroles.rbac.authorization.k8s.io` -> /apis/rbac.authorization.k8s.io/v1/clusterroles…"""
        return self._path("", kind, name, sub)

    def _path(self, place: str, kind: str, name: str, sub: str) -> str:
        plural, _, group = kind.partition(".")
        base = f"/apis/{group}/{_VERSIONS.get(group, 'v1')}" if group else "/api/v1"
        return "/".join(part for part in (f"{base}/{place}{plural}", name, sub) if part)

    def request(self, verb: str, path: str, body: Any = None, **options: Any) -> httpx2.Response:
        """One request; `media` is the Content-Type, `accept` the Accept header, the rest query parameters."""
        headers = dict(self.headers)
        if "accept" in options:
            headers["accept"] = options.pop("accept")
        media = options.pop("media", "application/json")
        content = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        if content is not None:
            headers["content-type"] = media
        return self.client.request(verb, path, params=options, content=content, headers=headers)

    def call(self, verb: str, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        """As `request`; the answer as (status, JSON)."""
        response = self.request(verb, path, body, **options)
        return response.status_code, response.json()

    def create(self, kind: str, body: Object, **options: Any) -> tuple[int, Any]:
        """POST."""
        return self.call("POST", self.path(kind), body, **options)

    def made(self, kind: str, body: Object, **options: Any) -> Any:
        """POST that must succeed."""
        status, obj = self.create(kind, body, **options)
        assert status == 201, obj
        return obj

    def get(self, kind: str, name: str) -> Any:
        """GET that must succeed."""
        status, obj = self.call("GET", self.path(kind, name))
        assert status == 200, obj
        return obj

    def find(self, kind: str, name: str) -> Any:
        """The object, or None."""
        status, obj = self.call("GET", self.path(kind, name))
        return obj if status == 200 else None

    def replace(self, kind: str, body: Object, sub: str = "", **options: Any) -> tuple[int, Any]:
        """PUT."""
        return self.call("PUT", self.path(kind, body["metadata"]["name"], sub), body, **options)

    def apply(self, kind: str, body: Object, manager: str = "podium", *, force: bool = False, **options: Any) -> Any:
        """Server-side apply."""
        sub = options.pop("sub", "")
        path = self.path(kind, body["metadata"]["name"], sub)
        options |= {"fieldManager": manager, "force": str(force).lower()}
        return self.call("PATCH", path, body, media="application/apply-patch+yaml", **options)

    def applied(self, kind: str, body: Object, manager: str = "podium", **options: Any) -> Any:
        """Server-side apply that must succeed."""
        status, obj = self.apply(kind, body, manager, **options)
        assert status in (200, 201), obj
        return obj

    def patch(self, kind: str, name: str, body: Any, media: str, sub: str = "", **options: Any) -> Any:
        """PATCH; `media` is merge, json or strategic."""
        return self.call("PATCH", self.path(kind, name, sub), body, media=patch_type(media), **options)

    def set_status(self, kind: str, name: str, status: Object) -> Any:
        """A merge patch of the status, as a kubelet or controller writes it; must succeed."""
        code, obj = self.patch(kind, name, {"status": status}, "merge", "status")
        assert code == 200, obj
        return obj

    def delete(self, kind: str, name: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        """DELETE."""
        return self.call("DELETE", self.path(kind, name), body, **options)

    def gone(self, kind: str, name: str) -> bool:
        """Whether there is no such object."""
        return self.call("GET", self.path(kind, name))[0] == 404

    def items(self, kind: str, **options: Any) -> list[Any]:
        """A list that must succeed."""
        status, found = self.call("GET", self.path(kind), **options)
        assert status == 200, found
        items: list[Any] = found["items"]
        return items

    def names(self, kind: str, **options: Any) -> list[str]:
        """Names in a list, without what every namespace has."""
        names = [item["metadata"]["name"] for item in self.items(kind, **options)]
        return [name for name in names if name not in ("kube-root-ca.crt", "default")]

    def until(self, condition: Callable[[], Any]) -> Any:
        """Polls until the condition is true; its value."""
        deadline = time.monotonic() + _DEADLINE
        while not (value := condition()):
            assert time.monotonic() < deadline, "condition not met in time"
            time.sleep(0.02)
        return value


def patch_type(media: str) -> str:
    """The Content-Type of merge, json or strategic."""
    return f"application/{_PATCHES[media]}+json"
