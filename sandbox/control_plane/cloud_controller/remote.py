"""`Objects` of a real API server, for controllers written for the stand-in's store.

Calls block, as the store's do: the process does nothing else meanwhile, and its watch goes on milliseconds later.
"""

import ssl
from types import TracebackType
from typing import Any, Self

import httpx2

from sandbox.helm.kubeconfig import Access
from sandbox.kubernetes.errors import ApiError, Conflict, NotFound, ServiceUnavailable
from sandbox.kubernetes.resources import Registry

Object = dict[str, Any]
TIMEOUT = 10.0  # seconds


class RemoteObjects:
    """Gets and writes objects as the user of `access`; use it in a `with` statement."""

    def __init__(self, access: Access) -> None:
        self._registry = Registry()
        self._http = httpx2.Client(
            base_url=access.server,
            verify=ssl.create_default_context(cadata=access.ca),
            headers={"authorization": f"Bearer {access.token}"},
            timeout=TIMEOUT,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, kind: str, namespace: str | None, name: str) -> Object:
        """The object; raises NotFound, ApiError."""
        return self._send("GET", kind, namespace, name)

    def create(self, kind: str, obj: Object) -> Object:
        """The object as stored; raises ApiError."""
        return self._send("POST", kind, obj["metadata"].get("namespace"), "", body=obj)

    def update(self, kind: str, obj: Object, *, subresource: str | None = None) -> Object:
        """Replaces the object or its subresource; raises Conflict when its resourceVersion is old, ApiError."""
        meta = obj["metadata"]
        return self._send("PUT", kind, meta.get("namespace"), meta["name"], subresource, obj)

    def _send(
        self,
        method: str,
        kind: str,
        namespace: str | None,
        name: str,
        subresource: str | None = None,
        body: Object | None = None,
    ) -> Object:
        path = self._path(kind, namespace, name, subresource)
        try:
            response = self._http.request(method, path, json=body, params={"fieldValidation": "Strict"} if body else {})
        except httpx2.TransportError as error:
            raise ServiceUnavailable(f"{method} {path}: {error or type(error).__name__}") from error
        if response.is_error:
            raise _refusal(response, kind, name)
        answer: Object = response.json()
        return answer

    def _path(self, kind: str, namespace: str | None, name: str, subresource: str | None) -> str:
        resource = self._registry.by_key(kind)
        root = ["apis" if resource.group else "api", resource.api_version]
        scope = ["namespaces", namespace] if resource.namespaced and namespace else []
        return "/" + "/".join(part for part in (*root, *scope, resource.plural, name, subresource) if part)


def _refusal(response: httpx2.Response, kind: str, name: str) -> ApiError:
    """The API server's answer as the error that the stand-in's store would raise."""
    if response.status_code == 404:
        return NotFound(kind, name)
    if response.status_code == 409:
        return Conflict(kind, name, "the object has been modified")
    return ApiError(f"{response.request.method} {response.request.url.path}: {response.text[:500]}")
