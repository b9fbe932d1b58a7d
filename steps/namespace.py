"""The namespace of Conductor, Console and application, with the Pod Security Standard that their pods must meet."""

from typing import Any

from steps import manifests, objects
from steps.clients.kubernetes import Kube
from steps.names import Owner
from steps.waiting import Pending

COMPONENT = "namespace"
ENFORCE = "pod-security.kubernetes.io/enforce"


def ensure_namespace(kube: Kube, owner: Owner, namespace: str, *, allow_root: bool = False) -> str:
    """Make the namespace, or adopt ours. NAME_TAKEN when it exists without our label.

    `allow_root`: enforce the standard `baseline` instead of `restricted`, for a Console whose image starts as root
    (`console.needs_root`); the API server goes on to warn of what is not restricted.
    """
    (manifest,) = manifests.load("namespace")
    manifest["metadata"]["name"] = namespace
    if allow_root:
        manifest["metadata"]["labels"][ENFORCE] = "baseline"
    objects.apply(kube, owner, objects.label(manifest, owner, COMPONENT))
    return namespace


def delete_namespace(kube: Kube, owner: Owner, namespace: str) -> bool:
    """Delete the namespace with everything in it, if it is ours; whether there is anything to wait for."""
    return objects.delete(kube, owner, "Namespace", namespace)


def await_namespace_deleted(kube: Kube, namespace: str) -> dict[str, Any] | Pending:
    """`{"deleted": True}` once it is gone; its objects' finalizers can take minutes (load balancers).

    What it waits for is told: an object, a finalizer, or an API service (of KEDA, say) with nobody behind it, which
    blocks every namespace of the cluster.
    """
    found = kube.get("Namespace", namespace)
    if found is None:
        return {"deleted": True}
    status = found.get("status") or {}
    why = [each["message"] for each in status.get("conditions") or [] if each.get("status") == "True"]
    return Pending(
        f"namespace {namespace} is {status.get('phase', 'there')}{': ' if why else ''}{'; '.join(why)}"[:400]
    )
