"""Pods as their controllers see them: made from a template, counted by state, removed."""

from typing import TYPE_CHECKING

from sandbox.kubernetes.controllers.events import Recorder
from sandbox.kubernetes.controllers.objects import (
    Object,
    age,
    find_condition,
    has_condition,
    is_terminating,
    name_of,
    namespace_of,
    owned_by,
    owner_reference,
    uid_of,
)
from sandbox.kubernetes.errors import ApiError
from sandbox.kubernetes.metadata import generated_name

if TYPE_CHECKING:
    from sandbox.kubernetes.store import Store

FINISHED_PHASES = ("Succeeded", "Failed")


def phase_of(pod: Object) -> str:
    """status.phase, Pending before the kubelet has said anything."""
    return str((pod.get("status") or {}).get("phase") or "Pending")


def is_finished(pod: Object) -> bool:
    """Whether the pod has ended for good."""
    return phase_of(pod) in FINISHED_PHASES


def is_active(pod: Object) -> bool:
    """Whether the pod counts as one of its controller's replicas."""
    return not is_finished(pod) and not is_terminating(pod)


def is_ready(pod: Object) -> bool:
    """Whether the pod's Ready condition is True."""
    return has_condition(pod, "Ready")


def is_available(pod: Object, min_ready_seconds: int) -> bool:
    """Whether the pod has been ready for that long."""
    return is_ready(pod) and seconds_to_available(pod, min_ready_seconds) <= 0


def seconds_to_available(pod: Object, min_ready_seconds: int) -> float:
    """Seconds until a ready pod counts as available; 0 or less when it does."""
    if min_ready_seconds <= 0:
        return 0.0
    condition = find_condition(pod, "Ready") or {}
    return min_ready_seconds - age(condition["lastTransitionTime"])


def pods_of(store: "Store", owner: Object) -> list[Object]:
    """All pods that `owner` controls, in whatever state."""
    return owned_by(store.list("pods", namespace_of(owner)), owner)


def pod_from(
    template: Object, owner: Object, *, name: str | None = None, labels: dict[str, str] | None = None
) -> Object:
    """A pod of `owner` made from a pod template; without `name` it gets the owner's and a random suffix."""
    metadata = template.get("metadata") or {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name or generated_name(f"{name_of(owner)}-"),
            "namespace": namespace_of(owner),
            "labels": (metadata.get("labels") or {}) | (labels or {}),
            "annotations": dict(metadata.get("annotations") or {}),
            "ownerReferences": [owner_reference(owner)],
            **({} if name else {"generateName": f"{name_of(owner)}-"}),
        },
        "spec": dict(template["spec"]),
        "status": {"phase": "Pending"},
    }


class PodMaker:
    """Makes and removes the pods of one owner, each time with the event that says so."""

    def __init__(self, store: "Store", recorder: Recorder) -> None:
        self._store = store
        self._recorder = recorder

    def create(self, owner: Object, pod: Object) -> None:
        """Make `pod`; raises what the store says when it is refused, after recording FailedCreate."""
        try:
            made = self._store.create("pods", pod)
        except ApiError as error:
            self._recorder.warning(owner, "FailedCreate", f"Error creating: {error}")
            raise
        self._recorder.normal(owner, "SuccessfulCreate", f"Created pod: {name_of(made)}")

    def delete(self, owner: Object, pod: Object) -> None:
        """Ask for the pod's end, with its own grace period."""
        self._store.delete("pods", namespace_of(pod), name_of(pod), preconditions_uid=uid_of(pod))
        self._recorder.normal(owner, "SuccessfulDelete", f"Deleted pod: {name_of(pod)}")


def deletion_rank(pod: Object) -> tuple[bool, bool, bool, str]:
    """Sorts pods with the ones to give up first in front: unscheduled, pending, unready, youngest last made."""
    scheduled = bool(pod["spec"].get("nodeName"))
    return (scheduled, phase_of(pod) == "Running", is_ready(pod), _older_last(pod))


def _older_last(pod: Object) -> str:
    """A key by which younger pods sort before older ones (digits complemented: there is no negative text)."""
    digits = str.maketrans("0123456789", "9876543210")
    return str(pod["metadata"].get("creationTimestamp", "")).translate(digits)
