"""The status of a Deployment from its ReplicaSets, without any I/O.

Source of the reasons and texts: k8s.io/kubernetes/pkg/controller/deployment (sync.go, progress.go).
"""

from collections.abc import Sequence

from sandbox.kubernetes.controllers.objects import (
    Object,
    age,
    annotations_of,
    find_condition,
    name_of,
    with_condition,
)
from sandbox.kubernetes.controllers.replicasets import replicas_of
from sandbox.kubernetes.controllers.rollout import Bounds
from sandbox.kubernetes.metadata import now

_STILL = ("NewReplicaSetAvailable", "ProgressDeadlineExceeded", "DeploymentPaused")  # no rollout is under way
DEFAULT_PROGRESS_DEADLINE_SECONDS = 600
HISTORY = "deployment.kubernetes.io/revision-history"
"""On a ReplicaSet: its earlier revisions, where its template has come back."""


def deployment_status(deployment: Object, new: Object | None, old: Sequence[Object], limits: Bounds) -> Object:
    """The whole status: counts and the conditions Available and Progressing."""
    counts = _counts(deployment, new, old)
    conditions = list((deployment.get("status") or {}).get("conditions") or [])
    conditions = with_condition(conditions, _available(deployment, counts, limits))
    progressing = _progressing(deployment, new, counts)
    if progressing:
        conditions = with_condition(conditions, progressing)
    failure = find_condition(new or {}, "ReplicaFailure")
    conditions = [each for each in conditions if each["type"] != "ReplicaFailure"]
    if failure:
        told = (failure[field] for field in ("type", "status", "reason", "message"))
        conditions = with_condition(conditions, _condition(deployment, *told))
    status = {key: value for key, value in counts.items() if value}
    return status | {"observedGeneration": deployment["metadata"].get("generation", 1), "conditions": conditions}


def seconds_to_deadline(deployment: Object, status: Object) -> float | None:
    """Seconds until a rollout that stands still misses its progress deadline; None when none is under way."""
    condition = find_condition({"status": status}, "Progressing")
    if condition is None or condition["reason"] in _STILL:
        return None
    return max(0.0, _deadline(deployment) - age(condition["lastUpdateTime"])) + 1.0


def _deadline(deployment: Object) -> int:
    seconds = deployment["spec"].get("progressDeadlineSeconds")
    return DEFAULT_PROGRESS_DEADLINE_SECONDS if seconds is None else int(seconds)


def _counts(deployment: Object, new: Object | None, old: Sequence[Object]) -> dict[str, int]:
    every = [*old, *([new] if new else [])]
    replicas, ready, available = (_total(every, field) for field in ("replicas", "readyReplicas", "availableReplicas"))
    return {
        "replicas": replicas,
        "updatedReplicas": _total([new] if new else [], "replicas"),
        "readyReplicas": ready,
        "availableReplicas": available,
        "unavailableReplicas": max(0, sum(replicas_of(each) for each in every) - available),
    }


def _total(replica_sets: Sequence[Object], field: str) -> int:
    return sum(int((each.get("status") or {}).get(field) or 0) for each in replica_sets)


def _available(deployment: Object, counts: dict[str, int], limits: Bounds) -> Object:
    enough = counts["availableReplicas"] >= replicas_of(deployment) - limits.unavailable
    if enough:
        return _condition(
            deployment, "Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability."
        )
    return _condition(
        deployment,
        "Available",
        "False",
        "MinimumReplicasUnavailable",
        "Deployment does not have minimum availability.",
    )


def _progressing(deployment: Object, new: Object | None, counts: dict[str, int]) -> Object | None:
    old = find_condition(deployment, "Progressing")
    if deployment["spec"].get("paused") and (old or {}).get("reason") != "ProgressDeadlineExceeded":
        return _condition(deployment, "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused")
    if old and old["reason"] == "DeploymentPaused":
        old = _condition(deployment, "Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed")
    if new is None:
        return old
    subject = f'ReplicaSet "{name_of(new)}"'
    if old is not None and _stays_complete(old, counts):
        return old
    if _complete(deployment, counts):
        message = f"{subject} has successfully progressed."
        return _condition(deployment, "Progressing", "True", "NewReplicaSetAvailable", message)
    return _under_way(deployment, new, counts, old)


def _under_way(deployment: Object, new: Object, counts: dict[str, int], old: Object | None) -> Object:
    """The condition Progressing of a rollout that is not complete; `old` as it was."""
    subject = f'ReplicaSet "{name_of(new)}"'
    if old is None or (f'"{name_of(new)}"' not in old["message"] and HISTORY not in annotations_of(new)):
        message = f'Created new replica set "{name_of(new)}"'
        return _condition(deployment, "Progressing", "True", "NewReplicaSetCreated", message)
    if _moved(deployment, counts):
        return _updated(
            _condition(deployment, "Progressing", "True", "ReplicaSetUpdated", f"{subject} is progressing.")
        )
    return _timed_out(deployment, subject) if _overdue(deployment, old) else old


def _stays_complete(progressing: Object, counts: dict[str, int]) -> bool:
    """Whether a rollout that was complete is not undone by what the counts say: no pod of another template is there."""
    return bool(progressing["reason"] == "NewReplicaSetAvailable" and counts["replicas"] == counts["updatedReplicas"])


def _complete(deployment: Object, counts: dict[str, int]) -> bool:
    wanted = replicas_of(deployment)
    return all(counts[field] == wanted for field in ("replicas", "updatedReplicas", "availableReplicas"))


def _overdue(deployment: Object, progressing: Object) -> bool:
    """Whether a rollout that has not ended stood still for longer than its deadline."""
    ended = progressing["reason"] in ("NewReplicaSetAvailable", "ProgressDeadlineExceeded")
    paused = deployment["spec"].get("paused")
    return not ended and not paused and age(progressing["lastUpdateTime"]) > _deadline(deployment)


def _timed_out(deployment: Object, subject: str) -> Object:
    message = f"{subject} has timed out progressing."
    return _condition(deployment, "Progressing", "False", "ProgressDeadlineExceeded", message)


def _moved(deployment: Object, counts: dict[str, int]) -> bool:
    """Whether the rollout is further on than the status says: more new, ready or available, or fewer old replicas."""
    status = deployment.get("status") or {}
    before = {field: int(status.get(field) or 0) for field in counts}
    more = any(counts[field] > before[field] for field in ("updatedReplicas", "readyReplicas", "availableReplicas"))
    fewer_old = counts["replicas"] - counts["updatedReplicas"] < before["replicas"] - before["updatedReplicas"]
    return more or fewer_old


def _condition(deployment: Object, kind: str, status: str, reason: str, message: str) -> Object:
    """The condition, with its lastUpdateTime kept while nothing about it changes."""
    old = find_condition(deployment, kind)
    new = {"type": kind, "status": status, "reason": reason, "message": message}
    if old and all(old.get(field) == value for field, value in new.items()):
        return old
    return _updated(new)


def _updated(condition: Object) -> Object:
    return condition | {"lastUpdateTime": now()}
