"""Binds pending pods to nodes, or says in the PodScheduled condition and an event why it cannot."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sandbox.kubernetes.controllers.events import Recorder
from sandbox.kubernetes.controllers.objects import (
    Object,
    find_condition,
    is_terminating,
    name_of,
    namespace_of,
    with_condition,
)
from sandbox.kubernetes.controllers.placement import place
from sandbox.kubernetes.controllers.pods import is_finished
from sandbox.kubernetes.controllers.queue import Key
from sandbox.kubernetes.controllers.runtime import Again, Controller
from sandbox.kubernetes.errors import NotFound

if TYPE_CHECKING:
    from sandbox.kubernetes.store import Store

PROFILE = "default-scheduler"


class Scheduler(Controller):
    """The kube-scheduler: one pod at a time, each seeing where the ones before went."""

    def __init__(self, store: "Store") -> None:
        super().__init__(store)
        self._recorder = Recorder(store, PROFILE)

    def keys(self, change: str, kind: str, obj: Object) -> Iterable[Key]:
        """Pods without a node; all of those when a node changed or a pod freed its place."""
        if kind == "pods" and change != "DELETED" and _waits(obj):
            yield namespace_of(obj), name_of(obj)
        freed = kind == "pods" and (change == "DELETED" or is_finished(obj))
        if freed or kind == "nodes":
            for entry in self.store.entries("pods"):
                if _waits(entry.object):
                    yield entry.key

    def reconcile(self, key: Key) -> Again:
        """Bind one pod, or note why not."""
        try:
            pod = self.store.get("pods", *key)
        except NotFound:
            return None
        if _waits(pod):
            nodes = [entry.object for entry in self.store.entries("nodes")]
            node, why = place(pod, nodes, (entry.object for entry in self.store.entries("pods")))
            if node:
                self._bind(pod, node)
            else:
                self._refuse(pod, why)
        return None

    def _bind(self, pod: Object, node: str) -> None:
        pod["spec"]["nodeName"] = node
        bound = self.store.update("pods", pod, subresource="binding")
        self._set_condition(bound, {"type": "PodScheduled", "status": "True"})
        where = f"{namespace_of(pod)}/{name_of(pod)}"
        self._recorder.normal(pod, "Scheduled", f"Successfully assigned {where} to {node}")

    def _refuse(self, pod: Object, why: str) -> None:
        if (find_condition(pod, "PodScheduled") or {}).get("message") == why:
            return
        refused = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": why}
        refused["observedGeneration"] = pod["metadata"].get("generation", 1)
        self._set_condition(pod, refused)
        self._recorder.warning(pod, "FailedScheduling", why)

    def _set_condition(self, pod: Object, condition: Object) -> None:
        status = pod.get("status") or {}
        conditions = with_condition(status.get("conditions") or [], condition | {"lastProbeTime": None})
        self.store.update("pods", pod | {"status": status | {"conditions": conditions}}, subresource="status")


def _waits(pod: Object) -> bool:
    """Whether this scheduler has to find a node for the pod."""
    spec = pod["spec"]
    ours = spec.get("schedulerName", PROFILE) == PROFILE and not spec.get("schedulingGates")
    return ours and not spec.get("nodeName") and not is_terminating(pod) and not is_finished(pod)
