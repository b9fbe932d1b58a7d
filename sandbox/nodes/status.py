"""A Pod's status from the states of its containers, as the kubelet's `generateAPIPodStatus` makes it. Pure."""

from dataclasses import dataclass, field
from typing import Any

from sandbox.nodes import clock
from sandbox.nodes.api import Object

OWN_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready")


@dataclass
class ContainerRecord:
    """What is reported of one container; `state` and `last_state` are ContainerState objects."""

    name: str
    image: str
    state: Object
    last_state: Object = field(default_factory=dict)
    ready: bool = False
    started: bool = False
    restart_count: int = 0
    container_id: str = ""

    def report(self) -> Object:
        """The entry of status.containerStatuses."""
        return {
            "name": self.name,
            "image": self.image,
            "imageID": f"sandbox://{self.image}" if self.container_id else "",
            "containerID": self.container_id,
            "state": self.state,
            "lastState": self.last_state,
            "ready": self.ready,
            "started": self.started,
            "restartCount": self.restart_count,
        }

    @property
    def terminated(self) -> Object | None:
        """The terminated state, None while it runs or waits."""
        return self.state.get("terminated")


def waiting(reason: str, message: str = "") -> Object:
    """A waiting ContainerState."""
    return {"waiting": {"reason": reason} | ({"message": message} if message else {})}


def phase(policy: str, init: list[ContainerRecord], main: list[ContainerRecord]) -> str:
    """The Pod's phase (kubernetes/pkg/kubelet/kubelet_pods.go, getPhase)."""
    if any(record.terminated and record.terminated["exitCode"] for record in init) and policy == "Never":
        return "Failed"
    if not all(record.terminated and record.terminated["exitCode"] == 0 for record in init):
        return "Pending"
    if any("waiting" in record.state and not record.last_state for record in main):
        return "Pending"
    if policy == "Always" or any("running" in record.state for record in main):
        return "Running"
    codes = [(record.terminated or record.last_state.get("terminated", {})).get("exitCode", 1) for record in main]
    if all(code == 0 for code in codes) and all(record.terminated for record in main):
        return "Succeeded"
    return "Failed" if policy == "Never" else "Running"


def pod_status(
    pod: Object, addresses: Object, init: list[ContainerRecord], main: list[ContainerRecord], before: Object
) -> Object:
    """The status to patch: `addresses` (podIP, hostIP…) and what the records say; `before` was reported last."""
    now_phase = phase(pod["spec"].get("restartPolicy", "Always"), init, main)
    status: Object = {
        "phase": now_phase,
        "startTime": before.get("startTime") or clock.now(),
        "conditions": _conditions(now_phase, init, main, before.get("conditions") or []),
        "containerStatuses": [record.report() for record in main],
        **addresses,
    }
    if init:
        status["initContainerStatuses"] = [record.report() for record in init]
    return status


def _conditions(
    now_phase: str, init: list[ContainerRecord], main: list[ContainerRecord], before: list[Object]
) -> list[Object]:
    """The kubelet's own conditions, and after them everybody else's (PodScheduled is the scheduler's)."""
    done = now_phase in {"Succeeded", "Failed"}
    initialized = all(record.terminated and record.terminated["exitCode"] == 0 for record in init)
    unready = [record.name for record in main if not record.ready]
    why: tuple[str, str] | None = None
    if done and now_phase == "Succeeded":
        why = ("PodCompleted", "")
    elif done:
        why = ("PodFailed", "")
    elif unready:
        why = ("ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]")
    incomplete = [record.name for record in init if not (record.terminated and record.terminated["exitCode"] == 0)]
    not_initialized = ("ContainersNotInitialized", f"containers with incomplete status: [{' '.join(incomplete)}]")
    facts: dict[str, tuple[str, str] | None] = {
        "PodReadyToStartContainers": ("PodCompleted", "") if done else None,
        "Initialized": None if initialized else not_initialized,
        "ContainersReady": why,
        "Ready": why,
    }
    others = [condition for condition in before if condition["type"] not in OWN_CONDITIONS]
    return [_condition(kind, reason, before) for kind, reason in facts.items()] + others


def _condition(kind: str, reason: tuple[str, str] | None, before: list[Object]) -> Object:
    condition: dict[str, Any] = {"type": kind, "status": "False" if reason else "True"}
    if reason:
        condition |= {"reason": reason[0]} | ({"message": reason[1]} if reason[1] else {})
    old = next((item for item in before if item["type"] == kind), {})
    same = old.get("status") == condition["status"]
    return condition | {"lastTransitionTime": old["lastTransitionTime"] if same else clock.now()}
