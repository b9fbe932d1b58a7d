"""A Pod's phase and conditions follow from its containers as the kubelet's do."""

import pytest

from sandbox.nodes.api import Object
from sandbox.nodes.status import ContainerRecord, phase, pod_status, waiting

RUNNING: Object = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}


def ended(code: int) -> Object:
    """A terminated state."""
    return {"terminated": {"exitCode": code}}


def record(state: Object, last: Object | None = None, *, ready: bool = False) -> ContainerRecord:
    """One container called c."""
    return ContainerRecord("c", "image", state, last or {}, ready=ready)


@pytest.mark.parametrize(
    ("policy", "states", "expected"),
    [
        ("Always", [waiting("ContainerCreating")], "Pending"),
        ("Always", [RUNNING, waiting("ErrImagePull")], "Pending"),
        ("Always", [RUNNING, RUNNING], "Running"),
        ("Always", [ended(1)], "Running"),
        ("Never", [ended(0), ended(0)], "Succeeded"),
        ("Never", [ended(0), ended(2)], "Failed"),
        ("Never", [ended(1), RUNNING], "Running"),
        ("OnFailure", [ended(1)], "Running"),
        ("OnFailure", [ended(0)], "Succeeded"),
    ],
)
def test_the_phase_follows_from_the_containers(policy: str, states: list[Object], expected: str) -> None:
    assert phase(policy, [], [record(state) for state in states]) == expected


def test_a_crash_loop_is_running_and_an_unfinished_init_container_pending() -> None:
    assert phase("Always", [], [record(waiting("CrashLoopBackOff"), ended(1))]) == "Running"
    assert phase("Always", [record(RUNNING)], [record(waiting("PodInitializing"))]) == "Pending"
    assert phase("Never", [record(ended(1))], [record(waiting("PodInitializing"))]) == "Failed"


def conditions(status: Object) -> dict[str, tuple[str, str]]:
    """Condition type -> (status, lastTransitionTime)."""
    return {item["type"]: (item["status"], item.get("lastTransitionTime", "")) for item in status["conditions"]}


def test_conditions_keep_their_time_until_they_change_and_the_schedulers_stays() -> None:
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": "t0"}
    ready = {"type": "Ready", "status": "False", "lastTransitionTime": "t1"}
    before = {"conditions": [scheduled, ready], "startTime": "t0"}
    unready = pod_status({"spec": {}}, {"podIP": "ip"}, [], [record(RUNNING)], before)
    assert conditions(unready)["Ready"] == ("False", "t1")
    assert conditions(unready)["PodScheduled"] == ("True", "t0")
    assert unready["startTime"] == "t0"
    now_ready = conditions(pod_status({"spec": {}}, {}, [], [record(RUNNING, ready=True)], unready))
    assert now_ready["Ready"][0] == now_ready["ContainersReady"][0] == "True"
    assert now_ready["Ready"][1] not in {"t1", ""}
