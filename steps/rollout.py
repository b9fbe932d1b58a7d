"""Is a Deployment ready, and if not, why? What `kubectl rollout status` means by it (design.md §5).

Sources: kubectl `pkg/polymorphichelpers/rollout_status.go`; Kubernetes documentation, "Pod Lifecycle".
A Deployment that exceeds its progress deadline is not given up for that alone: the deadline is Podium's, and the pods
say more. One that still has old pods to end is not ready.
"""

from typing import Any

from steps import pods
from steps.clients.kubernetes import Kube, Object
from steps.waiting import Pending

REVISION = "deployment.kubernetes.io/revision"


def await_deployment(kube: Kube, namespace: str, name: str) -> dict[str, Any] | Pending:
    """`{"ready": replicas}` once the newest generation is fully rolled out and available.

    WORKLOAD_FAILED or IMAGE_PULL_FAILED when its newest pods cannot start (see steps/pods.py).
    """
    deployment = kube.get("Deployment", name, namespace)
    if deployment is None:
        return Pending(f"Deployment {name} does not exist yet")
    missing = unfinished(deployment)
    if missing is None:
        return {"ready": int((deployment.get("status") or {}).get("availableReplicas") or 0)}
    if not is_seen(deployment):  # until then its newest pods are those of the generation before
        return Pending(f"{name}: {missing}")
    trouble = pods.diagnose(kube, namespace, newest_pods(kube, namespace, deployment))
    return Pending(f"{name}: {trouble or _creation_failure(deployment) or missing}")


def unfinished(deployment: Object) -> str | None:
    """What is missing, in a few words; None when the rollout is complete."""
    status, wanted = deployment.get("status") or {}, int(deployment["spec"].get("replicas", 1))
    if not is_seen(deployment):
        return "waiting for the controller to see the change"
    updated = int(status.get("updatedReplicas") or 0)
    if updated < wanted:
        return f"{updated} of {wanted} new pods made"
    if int(status.get("replicas") or 0) > updated:
        return f"{int(status['replicas']) - updated} old pods to be replaced yet"
    available = int(status.get("availableReplicas") or 0)
    if available < updated:
        return f"{available} of {updated} pods ready"
    return None


def is_seen(deployment: Object) -> bool:
    """Whether the controller has acted on the Deployment as it is now: status and revision speak of it."""
    observed = int((deployment.get("status") or {}).get("observedGeneration") or 0)
    return observed >= int(deployment["metadata"].get("generation") or 0)


def newest_pods(kube: Kube, namespace: str, deployment: Object) -> list[Object]:
    """The pods of the Deployment's current revision: an older revision's troubles no longer matter."""
    selector = deployment["spec"]["selector"]["matchLabels"]
    revision = (deployment["metadata"].get("annotations") or {}).get(REVISION)
    uid = deployment["metadata"].get("uid")
    for replica_set in kube.list("ReplicaSet", namespace, labels=selector):
        meta = replica_set["metadata"]
        if (meta.get("annotations") or {}).get(REVISION) == revision and owned_by(replica_set, uid):
            return [pod for pod in kube.list("Pod", namespace, labels=selector) if owned_by(pod, meta.get("uid"))]
    return []


def owned_by(found: Object, uid: str | None) -> bool:
    return any(reference.get("uid") == uid for reference in found["metadata"].get("ownerReferences") or [])


def _creation_failure(deployment: Object) -> str | None:
    """Why the API refuses the pods themselves (quota, admission), from the condition ReplicaFailure."""
    conditions = (deployment.get("status") or {}).get("conditions") or []
    for each in conditions:
        if each.get("type") == "ReplicaFailure" and each.get("status") == "True":
            return f"pods are refused: {str(each.get('message', ''))[:200]}"
    return None
