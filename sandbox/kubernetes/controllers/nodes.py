"""Watches the nodes' heartbeats: a silent node becomes NotReady and tainted, later its pods are evicted.

Also removes the pods of nodes that are gone. Silence is measured by this process's own clock from the last heartbeat
it saw (as the real controller does), so that a sandbox stopped overnight does not evict everything at its start.
"""

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from sandbox.kubernetes.controllers.events import Recorder
from sandbox.kubernetes.controllers.objects import (
    Object,
    find_condition,
    is_terminating,
    name_of,
    namespace_of,
    uid_of,
    with_condition,
)
from sandbox.kubernetes.controllers.placement import tolerates
from sandbox.kubernetes.controllers.pods import is_finished, is_ready
from sandbox.kubernetes.controllers.queue import Key
from sandbox.kubernetes.controllers.runtime import Again, Controller
from sandbox.kubernetes.metadata import now

if TYPE_CHECKING:
    from sandbox.kubernetes.store import Store

LEASES = "leases.coordination.k8s.io"
LEASE_NAMESPACE = "kube-node-lease"
GRACE_SECONDS = 40.0
EVICTION_SECONDS = 300.0
UNREACHABLE = "node.kubernetes.io/unreachable"
NOT_READY = "node.kubernetes.io/not-ready"
POD_KEY = "pods of"


class Nodes(Controller):
    """The node-lifecycle- and pod-garbage-collector-controllers. Times in seconds."""

    def __init__(self, store: "Store", grace: float = GRACE_SECONDS, eviction: float = EVICTION_SECONDS) -> None:
        super().__init__(store)
        self._grace = grace
        self._eviction = eviction
        self._recorder = Recorder(store, "node-controller")
        self._heard: dict[str, tuple[str, float]] = {}

    def keys(self, change: str, kind: str, obj: Object) -> Iterable[Key]:
        """Nodes, those whose lease changed, and those that a pod is bound to (they may be gone)."""
        if kind == "nodes":
            yield "", name_of(obj)
        if kind == LEASES and namespace_of(obj) == LEASE_NAMESPACE:
            yield "", name_of(obj)
        if kind == "pods" and change != "DELETED" and obj["spec"].get("nodeName"):
            node = obj["spec"]["nodeName"]
            if self.store.peek("nodes", None, node) is None:
                yield "", node

    def reconcile(self, key: Key) -> Again:
        """Judge one node by its last heartbeat; says when its silence would become too long."""
        name = key[1]
        node = self.store.peek("nodes", None, name)
        if node is None:
            self._heard.pop(name, None)
            self._remove_pods(name)
            return None
        silence = self._silence(name, node)
        if silence < self._grace:
            self._taint(name)
            return self._grace - silence + 0.01
        self._declare_unknown(name)
        self._taint(name)
        remaining = self._grace + self._eviction - silence
        if remaining > 0:
            return remaining + 0.01
        self._evict(name)
        return None

    def _silence(self, name: str, node: Object) -> float:
        """Seconds since this process saw the heartbeat change."""
        lease = self.store.peek(LEASES, LEASE_NAMESPACE, name)
        renewed = ((lease or {}).get("spec") or {}).get("renewTime", "")
        heartbeat = f"{renewed} {(find_condition(node, 'Ready') or {}).get('lastHeartbeatTime', '')}"
        known, since = self._heard.get(name, ("", 0.0))
        if known != heartbeat:
            since = time.monotonic()
            self._heard[name] = (heartbeat, since)
        return time.monotonic() - since

    def _declare_unknown(self, name: str) -> None:
        node = self.store.get("nodes", None, name)
        if (find_condition(node, "Ready") or {}).get("status") == "Unknown":
            return
        unknown = {
            **(find_condition(node, "Ready") or {"type": "Ready"}),
            "status": "Unknown",
            "reason": "NodeStatusUnknown",
            "message": "Kubelet stopped posting node status.",
            "lastTransitionTime": now(),
        }
        status = node.get("status") or {}
        conditions = [*(each for each in status.get("conditions") or [] if each["type"] != "Ready"), unknown]
        self.store.update("nodes", node | {"status": status | {"conditions": conditions}}, subresource="status")
        self._recorder.normal(node, "NodeNotReady", f"Node {name} status is now: NodeNotReady")
        self._mark_pods_unready(name)

    def _mark_pods_unready(self, name: str) -> None:
        for pod in self._pods_on(name):
            if is_ready(pod):
                status = pod["status"]
                unready = {"type": "Ready", "status": "False", "lastProbeTime": None}
                status["conditions"] = with_condition(status["conditions"], unready)
                self.store.update("pods", pod, subresource="status")

    def _taint(self, name: str) -> None:
        """Have the taints that the Ready condition asks for, and no others of this controller's."""
        node = self.store.get("nodes", None, name)
        state = (find_condition(node, "Ready") or {}).get("status", "False")
        key = {"True": None, "False": NOT_READY}.get(state, UNREACHABLE)
        before = node["spec"].get("taints") or []
        wanted = [(key, effect) for effect in ("NoSchedule", "NoExecute")] if key else []
        taints = [each for each in before if each["key"] not in (UNREACHABLE, NOT_READY)]
        present = {(each["key"], each["effect"]): each for each in before}
        taints += [present.get(each) or {"key": each[0], "effect": each[1], "timeAdded": now()} for each in wanted]
        if taints != before:
            node["spec"]["taints"] = taints
            self.store.update("nodes", node)

    def _evict(self, name: str) -> None:
        """Ask for the end of the node's pods; as on a real one they stay Terminating until it is back or gone."""
        taint = {"key": UNREACHABLE, "effect": "NoExecute"}
        for pod in self._pods_on(name):
            if not is_terminating(pod) and not is_finished(pod) and not _stays(pod, taint):
                self._recorder.normal(
                    pod, "TaintManagerEviction", f"Marking for deletion Pod {namespace_of(pod)}/{name_of(pod)}"
                )
                self.store.delete("pods", namespace_of(pod), name_of(pod), preconditions_uid=uid_of(pod))

    def _remove_pods(self, name: str) -> None:
        """Remove at once what was bound to a node that is gone: no kubelet will."""
        for pod in self._pods_on(name):
            self.store.delete("pods", namespace_of(pod), name_of(pod), grace_seconds=0, preconditions_uid=uid_of(pod))

    def _pods_on(self, name: str) -> list[Object]:
        return [entry.copy() for entry in self.store.entries("pods") if entry.object["spec"].get("nodeName") == name]


def _stays(pod: Object, taint: Object) -> bool:
    """Whether the pod tolerates an unreachable node for ever (as DaemonSet pods do)."""
    forever = [each for each in pod["spec"].get("tolerations") or [] if each.get("tolerationSeconds") is None]
    return tolerates({"spec": {"tolerations": forever}}, taint)
