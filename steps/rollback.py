"""Back to the generation of a Deployment that was healthy before, as `kubectl rollout undo` does it.

What is remembered is where the generation is, not what it is: its pod template stays in the cluster, in the ReplicaSet
that the Deployment keeps (revisionHistoryLimit). Source: kubectl `pkg/polymorphichelpers/rollback.go`.
"""

from typing import Any

from steps import objects, rollout
from steps.clients.kubernetes import Kube, Object
from steps.errors import Code, PodiumError
from steps.names import Owner

HASH = "pod-template-hash"
_NOT_APPLIED = ("deployment.kubernetes.io/", "kubectl.kubernetes.io/")
"""Annotations that controllers and other programs keep for themselves."""


def healthy_generation(kube: Kube, namespace: str, name: str) -> dict[str, str] | None:
    """{replica_set, revision, image} of a Deployment that is rolled out and available now; else None."""
    deployment = kube.get("Deployment", name, namespace)
    if deployment is None or rollout.unfinished(deployment) is not None:
        return None
    found = _replica_set(kube, namespace, deployment)
    if found is None or not (deployment.get("status") or {}).get("availableReplicas"):
        return None
    return {
        "replica_set": found["metadata"]["name"],
        "revision": str(found["metadata"]["annotations"][rollout.REVISION]),
        "image": str(objects.container(found)["image"]),
    }


def roll_back(kube: Kube, owner: Owner, namespace: str, name: str, replica_set: str) -> None:
    """Give the Deployment the pod template of that ReplicaSet again, exactly; everything else stays as it is.

    Raises WORKLOAD_FAILED when Deployment or ReplicaSet are not there any more.
    """
    deployment = objects.find(kube, owner, "Deployment", name, namespace)
    found = kube.get("ReplicaSet", replica_set, namespace)
    if deployment is None or found is None:
        missing = f"Deployment {name}" if deployment is None else f"ReplicaSet {replica_set}"
        raise PodiumError.by_provider(
            Code.WORKLOAD_FAILED,
            f"{namespace}/{name} cannot go back: {missing} is not there any more.",
            "Correct what the rollout failed on, then retry.",
        )
    template = dict(found["spec"]["template"])
    labels = {key: value for key, value in template["metadata"]["labels"].items() if key != HASH}
    template["metadata"] = {
        key: value for key, value in template["metadata"].items() if key in ("annotations", "labels")
    } | {"labels": labels}
    kube.apply(_with_template(deployment, template))


def _with_template(deployment: Object, template: dict[str, Any]) -> Object:
    """The Deployment as it is, but for its pod template: what is left out of an apply would be removed."""
    meta = deployment["metadata"]
    annotations = {
        key: value for key, value in (meta.get("annotations") or {}).items() if not key.startswith(_NOT_APPLIED)
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": meta["name"],
            "namespace": meta["namespace"],
            "labels": meta.get("labels") or {},
            **({"annotations": annotations} if annotations else {}),
        },
        "spec": deployment["spec"] | {"template": template},
    }


def _replica_set(kube: Kube, namespace: str, deployment: Object) -> Object | None:
    """That of the Deployment's current revision."""
    revision = (deployment["metadata"].get("annotations") or {}).get(rollout.REVISION)
    for found in kube.list("ReplicaSet", namespace, labels=deployment["spec"]["selector"]["matchLabels"]):
        annotations = found["metadata"].get("annotations") or {}
        if annotations.get(rollout.REVISION) == revision and rollout.owned_by(found, deployment["metadata"]["uid"]):
            return found
    return None
