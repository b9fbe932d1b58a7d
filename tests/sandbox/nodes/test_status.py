"""A Pod's phase and conditions follow from its containers as the kubelet's do."""

import pytest

from sandbox.nodes.api import Object
from sandbox.nodes.status import ContainerRecord, Stage, phase, pod_status, status_patch, waiting

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


def test_a_deleted_pod_that_has_ended_has_a_final_phase() -> None:
    assert phase("Always", [], [record(ended(0))], stopped=True) == "Succeeded"
    assert phase("Always", [], [record(ended(143))], stopped=True) == "Failed"
    assert phase("Always", [], [record(RUNNING)], stopped=True) == "Running"


def test_a_pod_without_its_volumes_is_not_ready_to_start_containers() -> None:
    status = pod_status({"spec": {}}, {}, [], [record(waiting("ContainerCreating"))], {}, Stage(prepared=False))
    assert conditions(status)["PodReadyToStartContainers"][0] == "False"


def test_the_status_tells_which_generation_it_is_about_and_its_patch_leaves_others_conditions_alone() -> None:
    pod = {"metadata": {"generation": 3}, "spec": {}}
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": "t0"}
    before = {"conditions": [scheduled], "podIPs": [{"ip": "192.168.1.2"}]}
    addresses = {"podIP": "192.168.1.3", "podIPs": [{"ip": "192.168.1.3"}]}
    status = pod_status(pod, addresses, [], [record(RUNNING, ready=True)], before)
    assert status["observedGeneration"] == 3
    patch = status_patch(status, before)
    assert {condition["type"] for condition in patch["conditions"]} == {
        "PodReadyToStartContainers",
        "Initialized",
        "ContainersReady",
        "Ready",
    }
    assert all(condition["reason"] is None for condition in patch["conditions"])
    assert patch["podIPs"] == [{"$patch": "replace"}, {"ip": "192.168.1.3"}]
