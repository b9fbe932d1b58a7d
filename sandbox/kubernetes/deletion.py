"""What a DELETE does to an object: at once, after a pod's grace period, or when its finalizers are gone.

Source: k8s.io/apiserver/pkg/registry/rest/delete.go and the pod strategy's CheckGracefulDelete.
"""

from dataclasses import dataclass
from typing import Any

from sandbox.kubernetes import metadata
from sandbox.kubernetes.errors import Forbidden
from sandbox.kubernetes.resources import Resource

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
_DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"
CLEANUP = "customresourcecleanup.apiextensions.k8s.io"  # the objects of a definition go before it
_LASTING = ("default", "kube-system", "kube-public")  # namespaces
DEFAULT_GRACE = 30  # seconds, terminationGracePeriodSeconds when the pod does not say


@dataclass(frozen=True, slots=True)
class Deletion:
    """What the caller asked for."""

    propagation: str
    grace_seconds: int | None


def plan(resource: Resource, obj: dict[str, Any], deletion: Deletion) -> dict[str, Any]:
    """`obj` (changed in place) with deletionTimestamp, grace period and the finalizers that the propagation needs."""
    meta = obj["metadata"]
    if resource.key == "namespaces" and meta["name"] in _LASTING:
        raise Forbidden(resource.key, meta["name"], "this namespace may not be deleted")
    _set_propagation(meta, deletion.propagation)
    if resource.key == _DEFINITIONS:
        meta["finalizers"] = list(dict.fromkeys([*meta.get("finalizers", []), CLEANUP]))
    if resource.key == "namespaces":
        obj.setdefault("status", {})["phase"] = "Terminating"
    grace = _grace(resource, obj, deletion.grace_seconds)
    previous = meta.get("deletionGracePeriodSeconds")
    if "deletionTimestamp" in meta and (previous is None or grace >= previous):
        return obj
    meta["deletionTimestamp"] = metadata.after(grace)
    if resource.key not in (_DEFINITIONS, "namespaces"):  # these two have a way of their own
        meta["deletionGracePeriodSeconds"] = grace
        meta |= {"generation": meta["generation"] + 1} if "generation" in meta else {}
    return obj


def _set_propagation(meta: dict[str, Any], propagation: str) -> None:
    wanted = {"Foreground": FOREGROUND, "Orphan": ORPHAN}.get(propagation)
    kept = [name for name in meta.get("finalizers", []) if name not in (FOREGROUND, ORPHAN)]
    finalizers = kept + ([wanted] if wanted else [])
    if finalizers:
        meta["finalizers"] = finalizers
    else:
        meta.pop("finalizers", None)


def _grace(resource: Resource, obj: dict[str, Any], asked: int | None) -> int:
    """Seconds until the kubelet must be done; only pods on a node have any."""
    if resource.key != "pods" or not obj["spec"].get("nodeName"):
        return 0
    if obj.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return 0
    if asked is not None:
        return max(asked, 0)
    return int(obj["spec"].get("terminationGracePeriodSeconds", DEFAULT_GRACE))
