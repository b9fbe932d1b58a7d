"""Keeps as many pods of each ReplicaSet as its spec says."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sandbox.kubernetes.controllers.events import Recorder
from sandbox.kubernetes.controllers.objects import (
    Object,
    controller_ref,
    is_terminating,
    labels_of,
    matches_labels,
    name_of,
    namespace_of,
    with_condition,
)
from sandbox.kubernetes.controllers.pods import (
    PodMaker,
    deletion_rank,
    is_active,
    is_available,
    is_ready,
    pod_from,
    pods_of,
    seconds_to_available,
)
from sandbox.kubernetes.controllers.queue import Key
from sandbox.kubernetes.controllers.runtime import Again, Controller
from sandbox.kubernetes.errors import ApiError, NotFound

if TYPE_CHECKING:
    from sandbox.kubernetes.store import Store

KIND = "replicasets.apps"


class ReplicaSets(Controller):
    """The replicaset-controller."""

    def __init__(self, store: "Store") -> None:
        super().__init__(store)
        self._maker = PodMaker(store, Recorder(store, "replicaset-controller"))

    def keys(self, change: str, kind: str, obj: Object) -> Iterable[Key]:
        """ReplicaSets, and those of changed pods."""
        if kind == KIND and change != "DELETED":
            yield namespace_of(obj), name_of(obj)
        owner = controller_ref(obj) if kind == "pods" else None
        if owner and owner["kind"] == "ReplicaSet":
            yield namespace_of(obj), owner["name"]

    def reconcile(self, key: Key) -> Again:
        """Make or remove pods, then say in the status what there is."""
        try:
            replica_set = self.store.get(KIND, *key)
        except NotFound:
            return None
        failure = None
        try:
            if not is_terminating(replica_set):
                self._scale(replica_set)
        except ApiError as error:
            failure = error
        again = self._write_status(replica_set, failure)
        if failure:
            raise failure
        return again

    def _scale(self, replica_set: Object) -> None:
        active = [pod for pod in pods_of(self.store, replica_set) if is_active(pod)]
        surplus = len(active) - replicas_of(replica_set)
        for pod in sorted(active, key=deletion_rank)[: max(surplus, 0)]:
            self._maker.delete(replica_set, pod)
        for _ in range(-surplus):
            self._maker.create(replica_set, pod_from(replica_set["spec"]["template"], replica_set))

    def _write_status(self, replica_set: Object, failure: ApiError | None) -> Again:
        active = [pod for pod in pods_of(self.store, replica_set) if is_active(pod)]
        status = replica_set_status(replica_set, active) | _failure(replica_set, failure)
        if status != replica_set.get("status"):
            self.store.update(KIND, replica_set | {"status": status}, subresource="status")
        return next_available(active, min_ready_seconds(replica_set))


def _failure(replica_set: Object, failure: ApiError | None) -> Object:
    """The condition ReplicaFailure while pods are refused."""
    if failure is None:
        return {}
    condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": str(failure)}
    return {"conditions": with_condition((replica_set.get("status") or {}).get("conditions") or [], condition)}


def replicas_of(obj: Object) -> int:
    """spec.replicas of a workload, 1 when not given."""
    replicas = obj["spec"].get("replicas")
    return 1 if replicas is None else int(replicas)


def min_ready_seconds(obj: Object) -> int:
    """spec.minReadySeconds of a workload."""
    return int(obj["spec"].get("minReadySeconds") or 0)


def next_available(pods: Iterable[Object], min_ready: int) -> Again:
    """Seconds until the next ready pod becomes available, None when none will by time alone."""
    waits = [wait for pod in pods if is_ready(pod) and (wait := seconds_to_available(pod, min_ready)) > 0]
    return min(waits, default=None)


def replica_set_status(replica_set: Object, active: list[Object]) -> Object:
    """The status of a ReplicaSet with these active pods."""
    wanted = (replica_set["spec"]["template"].get("metadata") or {}).get("labels") or {}
    minimum = min_ready_seconds(replica_set)
    status: Object = {
        "replicas": len(active),
        "fullyLabeledReplicas": sum(matches_labels(wanted, labels_of(pod)) for pod in active),
        "readyReplicas": sum(is_ready(pod) for pod in active),
        "availableReplicas": sum(is_available(pod, minimum) for pod in active),
    }
    present = {key: value for key, value in status.items() if value or key == "replicas"}
    return present | {"observedGeneration": replica_set["metadata"].get("generation", 1)}
