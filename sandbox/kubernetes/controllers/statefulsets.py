"""Runs StatefulSets: pods with ordinal names, made in order and replaced from the highest ordinal down."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sandbox.kubernetes.controllers.events import Recorder
from sandbox.kubernetes.controllers.objects import (
    Object,
    controller_ref,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    stable_hash,
)
from sandbox.kubernetes.controllers.pods import (
    PodMaker,
    is_active,
    is_available,
    is_finished,
    is_ready,
    pod_from,
    pods_of,
)
from sandbox.kubernetes.controllers.queue import Key
from sandbox.kubernetes.controllers.replicasets import min_ready_seconds, next_available, replicas_of
from sandbox.kubernetes.controllers.runtime import Again, Controller
from sandbox.kubernetes.errors import NotFound

if TYPE_CHECKING:
    from sandbox.kubernetes.store import Store

KIND = "statefulsets.apps"
HASH_LABEL = "controller-revision-hash"


class StatefulSets(Controller):
    """The statefulset-controller, without volume claims (the sandbox has no volumes to provision)."""

    def __init__(self, store: "Store") -> None:
        super().__init__(store)
        self._maker = PodMaker(store, Recorder(store, "statefulset-controller"))

    def keys(self, change: str, kind: str, obj: Object) -> Iterable[Key]:
        """StatefulSets, and those of changed pods."""
        if kind == KIND and change != "DELETED":
            yield namespace_of(obj), name_of(obj)
        owner = controller_ref(obj) if kind == "pods" else None
        if owner and owner["kind"] == "StatefulSet":
            yield namespace_of(obj), owner["name"]

    def reconcile(self, key: Key) -> Again:
        """Make, remove or replace one pod (all at once with podManagementPolicy Parallel), write the status."""
        try:
            stateful_set = self.store.get(KIND, *key)
        except NotFound:
            return None
        if not is_terminating(stateful_set):
            self._step(stateful_set)
        return self._write_status(stateful_set)

    def _step(self, stateful_set: Object) -> None:
        pods = {_ordinal(pod): pod for pod in pods_of(self.store, stateful_set)}
        at_once = stateful_set["spec"].get("podManagementPolicy") == "Parallel"
        wanted = range(replicas_of(stateful_set))
        for ordinal in wanted:
            busy = self._fill(stateful_set, ordinal, pods.get(ordinal))
            if busy and not at_once:
                return
        for ordinal in sorted(set(pods) - set(wanted), reverse=True):
            self._remove(stateful_set, pods[ordinal])
            if not at_once:
                return
        self._replace_outdated(stateful_set, [pods[ordinal] for ordinal in reversed(wanted) if ordinal in pods])

    def _fill(self, stateful_set: Object, ordinal: int, pod: Object | None) -> bool:
        """Have a pod at `ordinal`; says whether the next one must wait for it."""
        if pod is None:
            self._maker.create(stateful_set, _pod(stateful_set, ordinal))
            return True
        if is_finished(pod):
            self._remove(stateful_set, pod)
        return not (is_active(pod) and is_ready(pod))

    def _remove(self, stateful_set: Object, pod: Object) -> None:
        if not is_terminating(pod):
            self._maker.delete(stateful_set, pod)

    def _replace_outdated(self, stateful_set: Object, pods: list[Object]) -> None:
        """Delete the outdated pod with the highest ordinal, once all others are ready (an unready one goes first)."""
        strategy = stateful_set["spec"].get("updateStrategy") or {}
        if strategy.get("type", "RollingUpdate") != "RollingUpdate":
            return
        partition = int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
        for pod in pods:
            if is_terminating(pod):
                return
            if _ordinal(pod) >= partition and labels_of(pod).get(HASH_LABEL) != _revision(stateful_set):
                self._maker.delete(stateful_set, pod)
                return
            if not is_ready(pod):
                return

    def _write_status(self, stateful_set: Object) -> Again:
        pods = [pod for pod in pods_of(self.store, stateful_set) if is_active(pod)]
        status = _status(stateful_set, pods)
        if status != stateful_set.get("status"):
            self.store.update(KIND, stateful_set | {"status": status}, subresource="status")
        return next_available(pods, min_ready_seconds(stateful_set))


def _ordinal(pod: Object) -> int:
    return int(name_of(pod).rpartition("-")[2])


def _revision(stateful_set: Object) -> str:
    return f"{name_of(stateful_set)}-{stable_hash(stateful_set['spec']['template'])}"


def _pod(stateful_set: Object, ordinal: int) -> Object:
    name = f"{name_of(stateful_set)}-{ordinal}"
    labels = {
        "statefulset.kubernetes.io/pod-name": name,
        "apps.kubernetes.io/pod-index": str(ordinal),
        HASH_LABEL: _revision(stateful_set),
    }
    pod = pod_from(stateful_set["spec"]["template"], stateful_set, name=name, labels=labels)
    pod["spec"] |= {"hostname": name, "subdomain": stateful_set["spec"].get("serviceName", "")}
    return pod


def _status(stateful_set: Object, pods: list[Object]) -> Object:
    revision = _revision(stateful_set)
    updated = sum(labels_of(pod).get(HASH_LABEL) == revision for pod in pods)
    done = updated == len(pods) == replicas_of(stateful_set)
    before = (stateful_set.get("status") or {}).get("currentRevision", revision)
    return {
        "observedGeneration": stateful_set["metadata"].get("generation", 1),
        "replicas": len(pods),
        "readyReplicas": sum(is_ready(pod) for pod in pods),
        "availableReplicas": sum(is_available(pod, min_ready_seconds(stateful_set)) for pod in pods),
        "updatedReplicas": updated,
        "currentReplicas": updated if done else len(pods) - updated,
        "currentRevision": revision if done else before,
        "updateRevision": revision,
        "collisionCount": 0,
    }
