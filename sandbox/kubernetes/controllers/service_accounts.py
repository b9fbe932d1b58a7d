"""Gives every namespace the ServiceAccount `default` and the ConfigMap `kube-root-ca.crt`."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.kubernetes.controllers.objects import Object, is_terminating, name_of, namespace_of
from sandbox.kubernetes.controllers.queue import Key
from sandbox.kubernetes.controllers.runtime import Again, Controller

if TYPE_CHECKING:
    from sandbox.kubernetes.store import Store

ROOT_CA = "kube-root-ca.crt"

_DESCRIPTION = "kubernetes.io/description"
_EXPLAINED = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
    "clusters."
)


class ServiceAccounts(Controller):
    """The serviceaccount- and root-ca-certificate-publisher-controllers. `ca`: the cluster's certificate file."""

    def __init__(self, store: "Store", ca: Path) -> None:
        super().__init__(store)
        self._ca = ca

    def keys(self, change: str, kind: str, obj: Object) -> Iterable[Key]:
        """Namespaces, and those where one of the two changed."""
        if kind == "namespaces" and change != "DELETED":
            yield "", name_of(obj)
        if (kind, name_of(obj)) in (("serviceaccounts", "default"), ("configmaps", ROOT_CA)):
            yield "", namespace_of(obj)

    def reconcile(self, key: Key) -> Again:
        """Make what is missing."""
        namespace = self.store.peek("namespaces", None, key[1])
        if namespace is None or is_terminating(namespace):
            return None
        self._ensure("serviceaccounts", {"apiVersion": "v1", "kind": "ServiceAccount"}, key[1], "default")
        if self._ca.is_file():
            data = {"ca.crt": self._ca.read_text(encoding="utf-8")}
            self._ensure("configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "data": data}, key[1], ROOT_CA)
        return None

    def _ensure(self, kind: str, obj: Object, namespace: str, name: str) -> None:
        if self.store.peek(kind, namespace, name) is None:
            annotations = {"annotations": {_DESCRIPTION: _EXPLAINED}} if name == ROOT_CA else {}
            self.store.create(kind, obj | {"metadata": {"name": name, "namespace": namespace} | annotations})
