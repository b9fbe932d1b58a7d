"""A small Kubernetes client on the standard library: one connection, objects as plain dicts."""

import http.client
import json
import socket
import ssl
from typing import Any
from urllib.parse import urlencode, urlsplit

from sandbox.helm.errors import ApiError, Unreachable
from sandbox.helm.kubeconfig import Access

Object = dict[str, Any]

APPLY = "application/apply-patch+yaml"
TIMEOUT_SECONDS = 30.0

# What the charts and add-ons hold, by kind: group and version, plural, whether it lives in a namespace.
KINDS = {
    "ClusterRole": ("apis/rbac.authorization.k8s.io/v1", "clusterroles", False),
    "ClusterRoleBinding": ("apis/rbac.authorization.k8s.io/v1", "clusterrolebindings", False),
    "ConfigMap": ("api/v1", "configmaps", True),
    "CustomResourceDefinition": ("apis/apiextensions.k8s.io/v1", "customresourcedefinitions", False),
    "DaemonSet": ("apis/apps/v1", "daemonsets", True),
    "Deployment": ("apis/apps/v1", "deployments", True),
    "IngressClass": ("apis/networking.k8s.io/v1", "ingressclasses", False),
    "Namespace": ("api/v1", "namespaces", False),
    "Role": ("apis/rbac.authorization.k8s.io/v1", "roles", True),
    "RoleBinding": ("apis/rbac.authorization.k8s.io/v1", "rolebindings", True),
    "Secret": ("api/v1", "secrets", True),
    "Service": ("api/v1", "services", True),
    "ServiceAccount": ("api/v1", "serviceaccounts", True),
}

_FAILURES: tuple[tuple[type[Exception], str], ...] = (
    (ConnectionRefusedError, "dial tcp {address}: connect: connection refused"),
    (ConnectionResetError, "read: connection reset by peer"),
    (http.client.HTTPException, "EOF"),
    (ssl.SSLCertVerificationError, "tls: failed to verify certificate: x509: {error.verify_message}"),
    (socket.gaierror, "dial tcp: lookup {host}: no such host"),
    (TimeoutError, "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"),
)


class Kube:
    """Talks to one API server. Raises ApiError for its refusals, Unreachable when there is no answer."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._url = urlsplit(access.server)
        self._connection = self._connect()

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._url.hostname or "localhost", self._url.port
        if self._url.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
        if self._access.insecure:
            context = ssl._create_unverified_context()  # noqa: S323 -- the kubeconfig asks for it
        else:
            context = ssl.create_default_context(cadata=self._access.ca)
        return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_SECONDS, context=context)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> "Kube":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def request(self, method: str, path: str, body: Object | None = None, media: str = "application/json") -> Object:
        """The JSON answer to one request; `path` without its leading slash."""
        headers = {"Accept": "application/json"}
        if self._access.token:
            headers["Authorization"] = f"Bearer {self._access.token}"
        if body is not None:
            headers["Content-Type"] = media
        try:
            target = f"{self._url.path.rstrip('/')}/{path}"
            self._connection.request(method, target, None if body is None else json.dumps(body), headers)
            answer = self._connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            text = f'{method.capitalize()} "{self._access.server}/{path}": {_explain(error, self._url.netloc)}'
            raise Unreachable(text) from error
        return _parse(answer.status, content)

    def get(self, kind: str, namespace: str, name: str) -> Object:
        """One object; raises ApiError 404."""
        return self.request("GET", path_of(kind, namespace, name))

    def find(self, kind: str, namespace: str, name: str) -> Object | None:
        """One object, or None when it is not there."""
        try:
            return self.get(kind, namespace, name)
        except ApiError as error:
            if error.status != 404:
                raise
            return None

    def list(self, kind: str, namespace: str, labels: dict[str, str]) -> list[Object]:
        """The objects with these labels, in one namespace or (empty) in all."""
        selector = urlencode({"labelSelector": ",".join(f"{key}={value}" for key, value in labels.items())})
        answer = self.request("GET", f"{path_of(kind, namespace)}?{selector}")
        items: list[Object] = answer.get("items") or []
        return items

    def create(self, obj: Object, manager: str) -> Object:
        """Make an object; raises ApiError 409 when it is there."""
        path = path_of(obj["kind"], obj["metadata"].get("namespace", ""))
        return self.request("POST", f"{path}?fieldManager={manager}", obj)

    def replace(self, obj: Object, manager: str) -> Object:
        """Put an object in the place of the present one."""
        metadata = obj["metadata"]
        path = path_of(obj["kind"], metadata.get("namespace", ""), metadata["name"])
        return self.request("PUT", f"{path}?fieldManager={manager}", obj)

    def apply(self, obj: Object, manager: str) -> Object:
        """Server-side apply, taking the fields over from other managers; a field that does not exist is refused."""
        metadata = obj["metadata"]
        path = path_of(obj["kind"], metadata.get("namespace", ""), metadata["name"])
        return self.request("PATCH", f"{path}?fieldManager={manager}&force=true&fieldValidation=Strict", obj, APPLY)

    def delete(self, kind: str, namespace: str, name: str, propagation: str = "Background") -> bool:
        """Ask for an object's end; False when it is not there."""
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        try:
            self.request("DELETE", path_of(kind, namespace, name), options)
        except ApiError as error:
            if error.status != 404:
                raise
            return False
        return True


def path_of(kind: str, namespace: str, name: str = "") -> str:
    """The path of a collection or, with `name`, of one object."""
    prefix, plural, namespaced = KINDS[kind]
    scope = f"namespaces/{namespace}/" if namespaced and namespace else ""
    return f"{prefix}/{scope}{plural}" + (f"/{name}" if name else "")


def _parse(status: int, content: bytes) -> Object:
    try:
        answer: Object = json.loads(content or b"{}")
    except ValueError:
        answer = {"message": content.decode(errors="replace")[:1000]}
    if status < 400:
        return answer
    if status == 401:
        raise ApiError(401, "Unauthorized", "the server has asked for the client to provide credentials")
    raise ApiError(status, str(answer.get("reason", "")), str(answer.get("message") or http.client.responses[status]))


def _explain(error: Exception, address: str) -> str:
    """The failure as Go's net/http words it."""
    for kind, text in _FAILURES:
        if isinstance(error, kind):
            return text.format(address=address, host=address.partition(":")[0], error=error)
    return str(error)
