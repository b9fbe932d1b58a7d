"""Writes into Ingresses of the ingress-nginx class where its load balancer answers, as that controller itself does."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sandbox.kubernetes.controllers.objects import Object, annotations_of, labels_of, name_of, namespace_of
from sandbox.kubernetes.controllers.queue import Key
from sandbox.kubernetes.controllers.runtime import Again, Controller
from sandbox.kubernetes.errors import NotFound

if TYPE_CHECKING:
    from sandbox.kubernetes.store import Store

KIND = "ingresses.networking.k8s.io"
CLASSES = "ingressclasses.networking.k8s.io"
CONTROLLER = "k8s.io/ingress-nginx"
DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"
_PUBLISHED = {"app.kubernetes.io/name": "ingress-nginx", "app.kubernetes.io/component": "controller"}


class Ingresses(Controller):
    """What ingress-nginx does with `--publish-service`: status.loadBalancer of its Ingresses."""

    def __init__(self, store: "Store") -> None:
        super().__init__(store)

    def keys(self, change: str, kind: str, obj: Object) -> Iterable[Key]:
        """Ingresses; all of them when their class, the published Service or its endpoints changed."""
        if kind == KIND and change != "DELETED":
            yield namespace_of(obj), name_of(obj)
        published = kind in ("services", "endpoints") and _is_published(obj)
        if kind == CLASSES or published:
            yield from (entry.key for entry in self.store.entries(KIND))

    def reconcile(self, key: Key) -> Again:
        """Copy the Service's addresses, once a pod of the controller is there to do it."""
        try:
            ingress = self.store.get(KIND, *key)
        except NotFound:
            return None
        if not self._is_ours(ingress):
            return None
        addresses = self._addresses()
        status = ingress.get("status") or {}
        if addresses is not None and status.get("loadBalancer") != addresses:
            updated = ingress | {"status": status | {"loadBalancer": addresses}}
            self.store.update(KIND, updated, subresource="status")
        return None

    def _is_ours(self, ingress: Object) -> bool:
        name = ingress["spec"].get("ingressClassName") or annotations_of(ingress).get("kubernetes.io/ingress.class")
        if name:
            found = self.store.peek(CLASSES, None, name)
            return found is not None and found["spec"].get("controller") == CONTROLLER
        classes = [entry.object for entry in self.store.entries(CLASSES)]
        defaults = [each for each in classes if annotations_of(each).get(DEFAULT_CLASS) == "true"]
        return any(each["spec"].get("controller") == CONTROLLER for each in defaults)

    def _addresses(self) -> Object | None:
        """status.loadBalancer for the Ingresses; None while no controller pod is ready to write it."""
        for entry in self.store.entries("services"):
            if _is_published(entry.object) and self._is_served(entry.key):
                return dict((entry.object.get("status") or {}).get("loadBalancer") or {})
        return None

    def _is_served(self, key: Key) -> bool:
        endpoints = self.store.peek("endpoints", *key) or {}
        return any(subset.get("addresses") for subset in endpoints.get("subsets") or [])


def _is_published(obj: Object) -> bool:
    """Whether it is the controller's own Service (or its Endpoints, which carry its labels), not its admission one."""
    return labels_of(obj).items() >= _PUBLISHED.items() and not name_of(obj).endswith("-admission")
