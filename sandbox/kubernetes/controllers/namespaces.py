"""Empties a namespace that is being deleted and then lets it go."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from sandbox.kubernetes.controllers.objects import (
    Object,
    is_terminating,
    name_of,
    namespace_of,
    uid_of,
    with_condition,
)
from sandbox.kubernetes.controllers.queue import Key
from sandbox.kubernetes.controllers.runtime import Again, Controller
from sandbox.kubernetes.errors import NotFound

if TYPE_CHECKING:
    from sandbox.kubernetes.store import Store

FINALIZER = "kubernetes"


class Namespaces(Controller):
    """The namespace-controller."""

    def __init__(self, store: "Store") -> None:
        super().__init__(store)

    def keys(self, change: str, kind: str, obj: Object) -> Iterable[Key]:
        """Namespaces being deleted, and those that lost an object meanwhile."""
        if kind == "namespaces" and change != "DELETED" and is_terminating(obj):
            yield "", name_of(obj)
        elif change == "DELETED" and namespace_of(obj):
            yield "", namespace_of(obj)

    def reconcile(self, key: Key) -> Again:
        """Delete what is in the namespace; when nothing is left, remove the finalizer that holds it."""
        try:
            namespace = self.store.get("namespaces", None, key[1])
        except NotFound:
            return None
        if not is_terminating(namespace):
            return None
        remaining = self._delete_content(key[1])
        if remaining:
            self._write_remaining(namespace, remaining)
        else:
            self._finalize(namespace)
        return None

    def _delete_content(self, namespace: str) -> dict[str, list[Object]]:
        """Ask for the deletion of everything in it; returns by kind what is still there."""
        remaining = {}
        for resource in self.store.registry.all():
            if not resource.namespaced:
                continue
            for obj in self.store.list(resource.key, namespace):
                if not is_terminating(obj):
                    self.store.delete(resource.key, namespace, name_of(obj), preconditions_uid=uid_of(obj))
            left = self.store.list(resource.key, namespace)
            if left:
                remaining[resource.key] = left
        return remaining

    def _finalize(self, namespace: Object) -> None:
        finalizers = [each for each in namespace["spec"].get("finalizers") or [] if each != FINALIZER]
        namespace["spec"]["finalizers"] = finalizers
        self.store.update("namespaces", namespace, subresource="finalize")

    def _write_remaining(self, namespace: Object, remaining: dict[str, list[Object]]) -> None:
        """Say in the conditions what the deletion waits for, worded as the namespace controller does."""
        counts = [f"{kind}. has {len(objects)} resource instances" for kind, objects in sorted(remaining.items())]
        held = [
            each for objects in remaining.values() for obj in objects for each in obj["metadata"].get("finalizers", [])
        ]
        found = [f"{name} in {held.count(name)} resource instances" for name in sorted(set(held))]
        status = dict(namespace.get("status") or {})
        conditions = status.get("conditions") or []
        for condition in (*_CALM, *_remaining_conditions(counts, found)):
            conditions = with_condition(conditions, condition)
        updated = namespace | {"status": status | {"conditions": conditions}}
        self.store.update("namespaces", updated, subresource="status")


def _fine(kind: str, reason: str, message: str) -> Object:
    return {"type": kind, "status": "False", "reason": reason, "message": message}


_CALM = (
    _fine("NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered", "All resources successfully discovered"),
    _fine(
        "NamespaceDeletionGroupVersionParsingFailure",
        "ParsedGroupVersions",
        "All legacy kube types successfully parsed",
    ),
    _fine(
        "NamespaceDeletionContentFailure",
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
)


def _remaining_conditions(counts: list[str], finalizers: list[str]) -> Iterator[Object]:
    """What is left, and which finalizers hold it."""
    kind = "NamespaceContentRemaining"
    if counts:
        message = "Some resources are remaining: " + ", ".join(counts)
        yield {"type": kind, "status": "True", "reason": "SomeResourcesRemain", "message": message}
    else:
        yield _fine(kind, "ContentRemoved", "All content successfully removed")
    kind = "NamespaceFinalizersRemaining"
    if finalizers:
        message = "Some content in the namespace has finalizers remaining: " + ", ".join(finalizers)
        yield {"type": kind, "status": "True", "reason": "SomeFinalizersRemain", "message": message}
    else:
        yield _fine(kind, "ContentHasNoFinalizers", "All content-preserving finalizers finished")
