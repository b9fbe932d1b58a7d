"""The namespace of Conductor, Console and application."""

from typing import Any

from steps import manifests, objects
from steps.clients.kubernetes import Kube
from steps.names import Owner
from steps.waiting import Pending

COMPONENT = "namespace"


def ensure_namespace(kube: Kube, owner: Owner, namespace: str) -> str:
    """Make the namespace, or adopt ours. NAME_TAKEN when it exists without our label."""
    (manifest,) = manifests.load("namespace")
    manifest["metadata"]["name"] = namespace
    objects.apply(kube, owner, objects.label(manifest, owner, COMPONENT))
    return namespace


def delete_namespace(kube: Kube, owner: Owner, namespace: str) -> None:
    """Delete the namespace with everything in it, if it is ours."""
    objects.delete(kube, owner, "Namespace", namespace)


def await_namespace_deleted(kube: Kube, namespace: str) -> dict[str, Any] | Pending:
    """`{"deleted": True}` once it is gone; its objects' finalizers can take minutes (load balancers)."""
    found = kube.get("Namespace", namespace)
    if found is None:
        return {"deleted": True}
    return Pending(f"namespace {namespace} is {(found.get('status') or {}).get('phase', 'there')}")
