"""Back to the generation of a Deployment that was healthy before, as `kubectl rollout undo` does it.

What is remembered of its pods is where they are described, not how: the template stays in the cluster, in the
ReplicaSet that the Deployment keeps (revisionHistoryLimit). Source: kubectl `pkg/polymorphichelpers/rollback.go`. Their
number and the ports of the Service that leads to them go back, too.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from steps import objects, rollout
from steps.clients.kubernetes import Kube, Object
from steps.errors import Code, PodiumError
from steps.names import Owner

HASH = "pod-template-hash"
ROLLED_OUT = "NewReplicaSetAvailable"
"""Reason of the condition Progressing once a rollout is complete; it stays when a pod is lost later."""
MOMENT_SECONDS = 180.0
"""How long pods may be away: they start afresh elsewhere when nodes are exchanged."""
_NOT_APPLIED = ("deployment.kubernetes.io/", "kubectl.kubernetes.io/")
"""Annotations that controllers and other programs keep for themselves."""


def healthy_generation(kube: Kube, namespace: str, name: str) -> dict[str, Any] | None:
    """{replica_set, revision, image, replicas, ports} of a Deployment that is rolled out, and whose pods are available
    or were so a moment ago; else None. `ports` are those of the Service of the same name, None when there is none.
    """
    deployment = kube.get("Deployment", name, namespace)
    if deployment is None or not _is_healthy(deployment):
        return None
    found = _replica_set(kube, namespace, deployment)
    if found is None:
        return None
    service = kube.get("Service", name, namespace)
    return {
        "replica_set": found["metadata"]["name"],
        "revision": str(found["metadata"]["annotations"][rollout.REVISION]),
        "image": str(objects.container(found)["image"]),
        "replicas": int(deployment["spec"].get("replicas", 1)),
        "ports": None if service is None else service["spec"]["ports"],
    }


def roll_back(
    kube: Kube, owner: Owner, namespace: str, name: str, generation: Mapping[str, Any], *, scaled: bool = False
) -> None:
    """Give the Deployment the pod template of that generation again, exactly, and its number of pods; everything else
    stays as it is. `scaled`: the number is an autoscaler's, and stays as well.

    Raises WORKLOAD_FAILED when Deployment or ReplicaSet are not there any more.
    """
    deployment = objects.find(kube, owner, "Deployment", name, namespace)
    found = kube.get("ReplicaSet", generation["replica_set"], namespace)
    if deployment is None or found is None:
        missing = f"Deployment {name}" if deployment is None else f"ReplicaSet {generation['replica_set']}"
        raise PodiumError.by_provider(
            Code.WORKLOAD_FAILED,
            f"{namespace}/{name} cannot go back: {missing} is not there any more.",
            "Correct what the rollout failed on, then retry.",
        )
    changes: Object = {"template": _template(found)}
    if not scaled:
        changes["replicas"] = generation["replicas"]
    kube.apply(_changed(deployment, changes))
    if generation["ports"] is not None:
        _lead_back(kube, owner, namespace, name, generation["ports"])


def _is_healthy(deployment: Object) -> bool:
    if rollout.unfinished(deployment) is None:
        return bool((deployment.get("status") or {}).get("availableReplicas"))
    available = objects.condition(deployment, "Available")
    complete = rollout.is_seen(deployment) and objects.condition(deployment, "Progressing").get("reason") == ROLLED_OUT
    return complete and (available.get("status") == "True" or _is_recent(available.get("lastTransitionTime")))


def _is_recent(timestamp: str | None) -> bool:
    if timestamp is None:
        return False
    return (datetime.now(UTC) - datetime.fromisoformat(timestamp)).total_seconds() < MOMENT_SECONDS


def _template(replica_set: Object) -> Object:
    """The ReplicaSet's pod template as its Deployment has it: without the label that tells ReplicaSets apart."""
    template = dict(replica_set["spec"]["template"])
    labels = {key: value for key, value in template["metadata"]["labels"].items() if key != HASH}
    kept = {key: value for key, value in template["metadata"].items() if key == "annotations"}
    return template | {"metadata": kept | {"labels": labels}}


def _changed(deployment: Object, changes: Object) -> Object:
    """The Deployment as it is, but for these fields of its spec: what is left out of an apply would be removed."""
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
        "spec": deployment["spec"] | changes,
    }


def _lead_back(kube: Kube, owner: Owner, namespace: str, name: str, ports: list[Object]) -> None:
    """The Service leads to the ports that the pods of that generation listen on."""
    service = objects.find(kube, owner, "Service", name, namespace)
    if service is None or service["spec"]["ports"] == ports:
        return
    meta = {"name": name, "namespace": namespace, "labels": service["metadata"].get("labels") or {}}
    spec = {"selector": service["spec"]["selector"], "ports": ports}
    kube.apply({"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec})


def _replica_set(kube: Kube, namespace: str, deployment: Object) -> Object | None:
    """That of the Deployment's current revision."""
    revision = (deployment["metadata"].get("annotations") or {}).get(rollout.REVISION)
    for found in kube.list("ReplicaSet", namespace, labels=deployment["spec"]["selector"]["matchLabels"]):
        annotations = found["metadata"].get("annotations") or {}
        if annotations.get(rollout.REVISION) == revision and rollout.owned_by(found, deployment["metadata"]["uid"]):
            return found
    return None
