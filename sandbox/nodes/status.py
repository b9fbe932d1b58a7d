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


def phase(policy: str, init: list[ContainerRecord], main: list[ContainerRecord], *, stopped: bool = False) -> str:
    """The Pod's phase (kubernetes/pkg/kubelet/kubelet_pods.go, getPhase). `stopped`: it was deleted, and has ended."""
    if stopped and (ended := [record.terminated for record in main if record.terminated]) and len(ended) == len(main):
        return "Failed" if any(each["exitCode"] for each in ended) else "Succeeded"
    return _lasting_phase(policy, init, main)


def _lasting_phase(policy: str, init: list[ContainerRecord], main: list[ContainerRecord]) -> str:
    """The phase of a Pod that nobody has deleted."""
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


@dataclass(frozen=True)
class Stage:
    """How far the Pod as a whole is: whether its containers may start (volumes, ports), whether it was stopped."""

    prepared: bool = True
    stopped: bool = False


def pod_status(
    pod: Object,
    addresses: Object,
    init: list[ContainerRecord],
    main: list[ContainerRecord],
    before: Object,
    stage: Stage | None = None,
) -> Object:
    """The status as it is: `addresses` (podIP, hostIP…) and what the records say; `before` was reported last."""
    stage = stage or Stage()
    now_phase = phase(pod["spec"].get("restartPolicy", "Always"), init, main, stopped=stage.stopped)
    status: Object = {
        "phase": now_phase,
        "startTime": before.get("startTime") or clock.now(),
        "conditions": _conditions(now_phase, init, main, before.get("conditions") or [], stage),
        "containerStatuses": [record.report() for record in main],
        **addresses,
    }
    if init:
        status["initContainerStatuses"] = [record.report() for record in init]
    generation = (pod.get("metadata") or {}).get("generation")
    if generation:  # since 1.33 a Pod has one, and its status says which of them it is about
        own = [condition for condition in status["conditions"] if condition["type"] in OWN_CONDITIONS]
        for condition in own:
            condition["observedGeneration"] = generation
        status["observedGeneration"] = generation
    return status


def status_patch(status: Object, before: Object) -> Object:
    """A strategic merge patch that makes `status` of what is in the API: other writers' conditions stay as they are."""
    own = [condition for condition in status["conditions"] if condition["type"] in OWN_CONDITIONS]
    patch = status | {"conditions": [{"reason": None, "message": None} | condition for condition in own]}
    if before.get("podIPs") and before["podIPs"] != status["podIPs"]:
        patch["podIPs"] = [{"$patch": "replace"}, *status["podIPs"]]
    return patch


def _conditions(
    now_phase: str, init: list[ContainerRecord], main: list[ContainerRecord], before: list[Object], stage: Stage
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
        "PodReadyToStartContainers": None if stage.prepared and not done else ("", ""),
        "Initialized": None if initialized else not_initialized,
        "ContainersReady": why,
        "Ready": why,
    }
    others = [condition for condition in before if condition["type"] not in OWN_CONDITIONS]
    return [_condition(kind, reason, before) for kind, reason in facts.items()] + others


def _condition(kind: str, reason: tuple[str, str] | None, before: list[Object]) -> Object:
    condition: dict[str, Any] = {"type": kind, "status": "False" if reason else "True"}
    if reason:
        condition |= {name: text for name, text in zip(("reason", "message"), reason, strict=True) if text}
    old = next((item for item in before if item["type"] == kind), {})
    same = old.get("status") == condition["status"]
    return condition | {"lastTransitionTime": old["lastTransitionTime"] if same else clock.now()}
