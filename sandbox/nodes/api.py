"""A thin asynchronous client of the Kubernetes API: what a kubelet and in-cluster controllers need, no more.

Objects are plain dictionaries, as JSON gives them. Every failure is an `ApiError`:

    ApiError                the server answered with a Status object: `status` is HTTP's, `reason` Kubernetes' word
    └── UnreachableError    no answer at all; `status` is 0

Reads, patches, replaces and deletes are repeated for a few seconds when the server is away, throttles or fails
(it may be restarting); creates are not, since their answer may have been lost after the effect.
"""

import asyncio
import base64
import datetime
import json
import ssl
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2
import yaml

Object = dict[str, Any]
RETRY_DELAYS = (0.1, 0.3, 0.6, 1.0, 2.0, 3.0)  # seconds between the attempts of a repeatable call
RETRIED_STATUSES = frozenset({429, 500, 502, 503, 504})
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


class ApiError(Exception):
    """The API server refused: `status` is the HTTP status, `reason` and `message` are those of its Status object."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status, self.reason, self.message = status, reason, message


class UnreachableError(ApiError):
    """The API server gave no answer (not listening, connection reset, timed out)."""

    def __init__(self, message: str) -> None:
        super().__init__(0, "Unreachable", message)


@dataclass(frozen=True)
class Resource:
    """A kind of object as the API paths name it, e.g. `Resource("apps/v1", "deployments")`."""

    group_version: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """The URL path of the collection, of one object, or of one object's subresource."""
        root = f"/api/{self.group_version}" if "/" not in self.group_version else f"/apis/{self.group_version}"
        parts = [root]
        if namespace and self.namespaced:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        parts += [part for part in (name, subresource) if part]
        return "/".join(parts)


PODS = Resource("v1", "pods")
SERVICES = Resource("v1", "services")
ENDPOINTS = Resource("v1", "endpoints")
SECRETS = Resource("v1", "secrets")
CONFIG_MAPS = Resource("v1", "configmaps")
SERVICE_ACCOUNTS = Resource("v1", "serviceaccounts")
ENDPOINT_SLICES = Resource("discovery.k8s.io/v1", "endpointslices")
EVENTS = Resource("v1", "events")
NAMESPACES = Resource("v1", "namespaces", namespaced=False)
NODES = Resource("v1", "nodes", namespaced=False)
LEASES = Resource("coordination.k8s.io/v1", "leases")
DEPLOYMENTS = Resource("apps/v1", "deployments")
INGRESSES = Resource("networking.k8s.io/v1", "ingresses")
INGRESS_CLASSES = Resource("networking.k8s.io/v1", "ingressclasses", namespaced=False)


@dataclass(frozen=True)
class Listing:
    """One answer to a list call."""

    items: list[Object]
    resource_version: str


@dataclass(frozen=True)
class Event:
    """One change of a watch. `type` is ADDED, MODIFIED or DELETED."""

    type: str
    object: Object


def key(item: Object) -> tuple[str, str]:
    """(namespace, name) of an object; the namespace is empty for cluster-scoped ones."""
    metadata = item["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


class Client:
    """One connection pool to one API server. `async with Client.from_kubeconfig(path) as api: …`"""

    def __init__(self, server: str, *, verify: ssl.SSLContext | bool, token: str | None) -> None:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._http = httpx2.AsyncClient(
            base_url=server,
            verify=verify,
            headers=headers,
            timeout=httpx2.Timeout(30.0),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=8),
            trust_env=False,
        )

    @classmethod
    def from_kubeconfig(cls, path: Path) -> Self:
        """A client of the kubeconfig's current context: its server, CA and bearer token."""
        config = yaml.safe_load(path.read_text())
        context = _named(config["contexts"], config["current-context"])["context"]
        cluster = _named(config["clusters"], context["cluster"])["cluster"]
        user = _named(config["users"], context["user"])["user"]
        return cls(cluster["server"], verify=_trust(cluster, path.parent), token=user.get("token"))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes all connections; watches in progress end with `UnreachableError`."""
        await self._http.aclose()

    async def raw(self, path: str) -> Object:
        """GET of any path that answers JSON, e.g. `/version`."""
        return await self._repeat("GET", path)

    async def list(self, resource: Resource, namespace: str | None = None, **selectors: str) -> Listing:
        """All objects, of one namespace or of all. Selectors: `labelSelector`, `fieldSelector`."""
        answer = await self._repeat("GET", resource.path(namespace), params=selectors)
        return Listing(answer.get("items") or [], answer["metadata"].get("resourceVersion", ""))

    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object:
        """One object; `ApiError` 404 when there is none."""
        return await self._repeat("GET", resource.path(namespace, name))

    async def find(self, resource: Resource, name: str, namespace: str | None = None) -> Object | None:
        """One object, or None when there is none."""
        try:
            return await self.get(resource, name, namespace)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def create(self, resource: Resource, body: Object, namespace: str | None = None) -> Object:
        """Creates an object; `ApiError` 409 when the name is taken. Not repeated when the answer is lost."""
        return await self._send("POST", resource.path(namespace), json=body)

    async def update(self, resource: Resource, body: Object, subresource: str | None = None) -> Object:
        """Replaces an object (PUT) by the namespace and name in `body`; 409 when its resourceVersion is stale."""
        namespace, name = key(body)
        return await self._repeat("PUT", resource.path(namespace, name, subresource), json=body)

    async def patch(
        self, resource: Resource, name: str, body: Object, namespace: str | None = None, subresource: str | None = None
    ) -> Object:
        """A JSON merge patch: lists are replaced whole, None removes a field."""
        return await self._repeat(
            "PATCH",
            resource.path(namespace, name, subresource),
            content=json.dumps(body),
            headers={"content-type": MERGE_PATCH},
        )

    async def strategic_patch(
        self, resource: Resource, name: str, body: Object, namespace: str | None = None, subresource: str | None = None
    ) -> Object:
        """A strategic merge patch: lists of built-in kinds merge by their keys, e.g. conditions by `type`."""
        return await self._repeat(
            "PATCH",
            resource.path(namespace, name, subresource),
            content=json.dumps(body),
            headers={"content-type": STRATEGIC_PATCH},
        )

    async def patch_status(self, resource: Resource, name: str, status: Object, namespace: str | None = None) -> Object:
        """A merge patch of the status subresource."""
        return await self.patch(resource, name, {"status": status}, namespace, "status")

    async def apply(self, resource: Resource, body: Object, manager: str, subresource: str | None = None) -> Object:
        """Server-side apply, taking over conflicting fields."""
        namespace, name = key(body)
        return await self._repeat(
            "PATCH",
            resource.path(namespace, name, subresource),
            params={"fieldManager": manager, "force": "true"},
            content=json.dumps(body),
            headers={"content-type": APPLY_PATCH},
        )

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        grace_seconds: int | None = None,
        uid: str | None = None,
    ) -> None:
        """Deletes an object (with that uid, when given); one that is not there counts as deleted."""
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        try:
            await self._repeat("DELETE", resource.path(namespace, name), json=options)
        except ApiError as error:
            if error.status not in {404, 409}:
                raise

    async def create_token(self, pod: Object, audience: str, seconds: int) -> tuple[str, float]:
        """A token of the pod's ServiceAccount, bound to the pod, and the seconds that it lives (TokenRequest)."""
        metadata, account = pod["metadata"], pod["spec"].get("serviceAccountName") or "default"
        bound = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]}
        spec: Object = {"expirationSeconds": seconds, "boundObjectRef": bound}
        spec |= {"audiences": [audience] if audience else []}
        body: Object = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        answer = await self._repeat("POST", SERVICE_ACCOUNTS.path(metadata["namespace"], account, "token"), json=body)
        expires = datetime.datetime.fromisoformat(answer["status"]["expirationTimestamp"])
        life = (expires - datetime.datetime.now(datetime.UTC)).total_seconds()
        return str(answer["status"]["token"]), life

    async def watch(
        self, resource: Resource, namespace: str | None, since: str, **selectors: str
    ) -> AsyncGenerator[Event, None]:
        """Changes after the resourceVersion `since`, until the server ends the stream.

        Raises `ApiError` 410 when `since` is too old: list again. `informer.py` does all that.
        """
        params = {"watch": "true", "resourceVersion": since, "allowWatchBookmarks": "true", **selectors}
        timeout = httpx2.Timeout(30.0, read=None)
        try:
            async with self._http.stream("GET", resource.path(namespace), params=params, timeout=timeout) as response:
                if response.status_code != 200:
                    await response.aread()
                    raise _error(response)
                async for line in response.aiter_lines():
                    if line.strip():
                        yield _event(json.loads(line))
        except httpx2.TransportError as error:
            raise UnreachableError(str(error) or type(error).__name__) from error

    async def _repeat(self, method: str, path: str, **options: Any) -> Object:
        for delay in RETRY_DELAYS:
            try:
                return await self._send(method, path, **options)
            except ApiError as error:
                if error.status and error.status not in RETRIED_STATUSES:
                    raise
            await asyncio.sleep(delay)
        return await self._send(method, path, **options)

    async def _send(self, method: str, path: str, **options: Any) -> Object:
        try:
            response = await self._http.request(method, path, **options)
        except httpx2.TransportError as error:
            raise UnreachableError(f"{method} {path}: {error or type(error).__name__}") from error
        if response.status_code >= 400:
            raise _error(response)
        answer: Object = response.json() if response.content else {}
        return answer


def _named(items: list[Object], name: str) -> Object:
    return next(item for item in items if item["name"] == name)


def _trust(cluster: Object, folder: Path) -> ssl.SSLContext | bool:
    """The CA of a kubeconfig's cluster, inline or as a file beside it."""
    if data := cluster.get("certificate-authority-data"):
        return ssl.create_default_context(cadata=base64.b64decode(data).decode())
    if file := cluster.get("certificate-authority"):
        return ssl.create_default_context(cafile=str(folder / file))
    return not cluster.get("insecure-skip-tls-verify", False)


def _error(response: httpx2.Response) -> ApiError:
    """The Status object of a refusal; bodies that are none are shortened into the message."""
    try:
        body = response.json()
    except ValueError:
        body = {}
    if not isinstance(body, dict):
        body = {}
    return ApiError(response.status_code, body.get("reason", ""), body.get("message", response.text[:200]))


def _event(line: Object) -> Event:
    if line["type"] == "ERROR":
        status = line["object"]
        raise ApiError(status.get("code", 500), status.get("reason", ""), status.get("message", ""))
    return Event(line["type"], line["object"])
