"""Keeps one pod of each DaemonSet on every node that it is meant for."""

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
from sandbox.kubernetes.controllers.placement import matches_node, tolerates
from sandbox.kubernetes.controllers.pods import PodMaker, is_active, is_available, is_ready, phase_of, pod_from, pods_of
from sandbox.kubernetes.controllers.queue import Key
from sandbox.kubernetes.controllers.replicasets import min_ready_seconds, next_available
from sandbox.kubernetes.controllers.runtime import Again, Controller
from sandbox.kubernetes.errors import NotFound

if TYPE_CHECKING:
    from sandbox.kubernetes.store import Store

KIND = "daemonsets.apps"
HASH_LABEL = "controller-revision-hash"

# What every DaemonSet pod tolerates (documented under "Taints and tolerations" of DaemonSet).
_TOLERATED = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/not-ready", "NoSchedule"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)


class DaemonSets(Controller):
    """The daemonset-controller. Updates replace one unavailable pod at a time (maxUnavailable 1)."""

    def __init__(self, store: "Store") -> None:
        super().__init__(store)
        self._maker = PodMaker(store, Recorder(store, "daemonset-controller"))

    def keys(self, change: str, kind: str, obj: Object) -> Iterable[Key]:
        """DaemonSets, those of changed pods, and all when a node changed."""
        if kind == KIND and change != "DELETED":
            yield namespace_of(obj), name_of(obj)
        owner = controller_ref(obj) if kind == "pods" else None
        if owner and owner["kind"] == "DaemonSet":
            yield namespace_of(obj), owner["name"]
        if kind == "nodes":
            yield from (entry.key for entry in self.store.entries(KIND))

    def reconcile(self, key: Key) -> Again:
        """Make missing pods, remove those too many, failed or outdated, write the status."""
        try:
            daemon_set = self.store.get(KIND, *key)
        except NotFound:
            return None
        template = _daemon_template(daemon_set)
        wanted = self._eligible_nodes(template)
        if not is_terminating(daemon_set):
            self._spread(daemon_set, template, wanted)
            self._replace_outdated(daemon_set)
        return self._write_status(daemon_set, wanted)

    def _eligible_nodes(self, template: Object) -> set[str]:
        nodes = [entry.object for entry in self.store.entries("nodes")]
        return {name_of(node) for node in nodes if not is_terminating(node) and _belongs(template, node)}

    def _spread(self, daemon_set: Object, template: Object, wanted: set[str]) -> None:
        present = set()
        for pod in pods_of(self.store, daemon_set):
            node = _target(pod)
            surplus = node not in wanted or (node in present and is_active(pod))
            if not is_terminating(pod) and (surplus or phase_of(pod) == "Failed"):
                self._maker.delete(daemon_set, pod)
            present.add(node)
        for node in sorted(wanted - present):
            self._maker.create(daemon_set, _pod_for(daemon_set, template, node))

    def _replace_outdated(self, daemon_set: Object) -> None:
        strategy = (daemon_set["spec"].get("updateStrategy") or {}).get("type", "RollingUpdate")
        pods = pods_of(self.store, daemon_set)
        outdated = [pod for pod in pods if is_active(pod) and not _is_current(daemon_set, pod)]
        if strategy != "RollingUpdate" or not outdated:
            return
        for pod in outdated:
            if not is_ready(pod):
                self._maker.delete(daemon_set, pod)
        if all(is_ready(pod) and not is_terminating(pod) for pod in pods):
            self._maker.delete(daemon_set, outdated[0])

    def _write_status(self, daemon_set: Object, wanted: set[str]) -> Again:
        pods = [pod for pod in pods_of(self.store, daemon_set) if is_active(pod)]
        status = _status(daemon_set, wanted, pods)
        if status != daemon_set.get("status"):
            self.store.update(KIND, daemon_set | {"status": status}, subresource="status")
        return next_available(pods, min_ready_seconds(daemon_set))


def _daemon_template(daemon_set: Object) -> Object:
    """The pod template with the tolerations that every daemon pod has."""
    template = daemon_set["spec"]["template"]
    added = [{"key": key, "operator": "Exists", "effect": effect} for key, effect in _TOLERATED]
    tolerations = [*(template["spec"].get("tolerations") or []), *added]
    return {**template, "spec": template["spec"] | {"tolerations": tolerations}}


def _belongs(template: Object, node: Object) -> bool:
    """Whether a daemon pod is meant for the node: selector, affinity, taints; room is the scheduler's business."""
    taints = [each for each in node["spec"].get("taints") or [] if each.get("effect") in ("NoSchedule", "NoExecute")]
    return matches_node(template, node) and all(tolerates(template, taint) for taint in taints)


def _pod_for(daemon_set: Object, template: Object, node: str) -> Object:
    """A pod that the scheduler can bind to that node only."""
    pod = pod_from(template, daemon_set, labels={HASH_LABEL: _hash(daemon_set)})
    field = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [field]}}
    pod["spec"]["affinity"] = {**(pod["spec"].get("affinity") or {}), "nodeAffinity": required}
    return pod


def _target(pod: Object) -> str:
    """The node that a daemon pod is for."""
    if pod["spec"].get("nodeName"):
        return str(pod["spec"]["nodeName"])
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    fields = [field for term in required.get("nodeSelectorTerms") or [] for field in term.get("matchFields") or []]
    return str(fields[0]["values"][0]) if fields else ""


def _hash(daemon_set: Object) -> str:
    return stable_hash(daemon_set["spec"]["template"])


def _is_current(daemon_set: Object, pod: Object) -> bool:
    return labels_of(pod).get(HASH_LABEL) == _hash(daemon_set)


def _status(daemon_set: Object, wanted: set[str], pods: list[Object]) -> Object:
    minimum = min_ready_seconds(daemon_set)
    placed = {_target(pod): pod for pod in pods if _target(pod) in wanted}
    available = sum(is_available(pod, minimum) for pod in placed.values())
    status = {
        "desiredNumberScheduled": len(wanted),
        "currentNumberScheduled": len(placed),
        "numberMisscheduled": sum(_target(pod) not in wanted for pod in pods),
        "numberReady": sum(is_ready(pod) for pod in placed.values()),
        "observedGeneration": daemon_set["metadata"].get("generation", 1),
    }
    optional = {
        "updatedNumberScheduled": sum(_is_current(daemon_set, pod) for pod in placed.values()),
        "numberAvailable": available,
        "numberUnavailable": len(wanted) - available,
    }
    return status | {key: value for key, value in optional.items() if value}
