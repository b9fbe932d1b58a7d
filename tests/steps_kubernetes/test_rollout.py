"""Readiness and its diagnosis, from statuses as a cluster reports them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from steps import rollout
from steps.clients.kubernetes import Kube
from steps.errors import Code, PodiumError
from steps.waiting import Pending
from tests.steps_kubernetes.recorded_api import RecordedApi

APPS = "/apis/apps/v1/namespaces/dbos"
PODS = "/api/v1/namespaces/dbos/pods"
POD = f"{PODS}/dbos-app-7d9f-x2k4p"
LABELS = {"app": "dbos-app"}
READY = {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "readyReplicas": 2}


def ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def put_deployment(api: RecordedApi, status: dict[str, Any]) -> None:
    api.objects[f"{APPS}/deployments/dbos-app"] = {
        "metadata": {
            "name": "dbos-app",
            "uid": "d-1",
            "generation": 2,
            "annotations": {"deployment.kubernetes.io/revision": "2"},
        },
        "spec": {"replicas": 2, "selector": {"matchLabels": LABELS}},
        "status": status,
    }
    for revision in ("1", "2"):
        api.objects[f"{APPS}/replicasets/dbos-app-{revision}"] = {
            "metadata": {
                "name": f"dbos-app-{revision}",
                "uid": f"rs-{revision}",
                "labels": LABELS,
                "annotations": {"deployment.kubernetes.io/revision": revision},
                "ownerReferences": [{"uid": "d-1"}],
            },
        }


def put_pod(api: RecordedApi, status: dict[str, Any], *, replica_set: str = "rs-2") -> None:
    api.objects[POD] = {
        "metadata": {
            "name": "dbos-app-7d9f-x2k4p",
            "labels": LABELS,
            "ownerReferences": [{"uid": replica_set}],
        },
        "status": status,
    }


def waiting(reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    container = {
        "name": "dbos-app",
        "image": "reg/dbos-app:latest",
        "state": {"waiting": {"reason": reason, "message": message}},
    }
    return {"phase": "Pending", "startTime": ago(30), "containerStatuses": [container | more]}


CRASHED = {"terminated": {"exitCode": 1, "reason": "Error"}}


def look(kube: Kube) -> Any:
    return rollout.await_deployment(kube, "dbos", "dbos-app")


def test_a_complete_rollout_is_ready(api: RecordedApi, kube: Kube) -> None:
    put_deployment(api, READY)
    assert look(kube) == {"ready": 2}


@pytest.mark.parametrize(
    ("status", "detail"),
    [
        ({}, "waiting for the controller to see the change"),
        (READY | {"observedGeneration": 1}, "waiting for the controller to see the change"),
        (READY | {"updatedReplicas": 1}, "1 of 2 new pods made"),
        (READY | {"replicas": 3}, "1 old pods to be replaced yet"),
        (READY | {"availableReplicas": 1}, "1 of 2 pods ready"),
    ],
)
def test_an_unfinished_rollout_says_what_is_missing(
    api: RecordedApi, kube: Kube, status: dict[str, Any], detail: str
) -> None:
    put_deployment(api, status)
    assert look(kube) == Pending(f"dbos-app: {detail}")


def test_pods_refused_by_the_api_are_named(api: RecordedApi, kube: Kube) -> None:
    refused = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: pods=10"}
    put_deployment(api, READY | {"updatedReplicas": 0, "conditions": [refused]})
    assert look(kube) == Pending("dbos-app: pods are refused: exceeded quota: pods=10")


def test_an_image_that_cannot_be_pulled_fails_with_a_remedy(api: RecordedApi, kube: Kube) -> None:
    put_deployment(api, READY | {"availableReplicas": 0})
    put_pod(api, waiting("ImagePullBackOff", 'Back-off pulling image "reg/dbos-app:latest"'))
    with pytest.raises(PodiumError) as caught:
        look(kube)
    assert caught.value.code is Code.IMAGE_PULL_FAILED
    assert caught.value.retryable
    assert "reg/dbos-app:latest" in caught.value.message
    assert "Push the image" in caught.value.remedy


def test_a_retry_starts_the_reported_pod_afresh(api: RecordedApi, kube: Kube) -> None:
    put_deployment(api, READY | {"availableReplicas": 0})
    put_pod(api, waiting("ImagePullBackOff"))
    with pytest.raises(PodiumError):
        look(kube)
    assert look(kube) == Pending("dbos-app: starting pod dbos-app-7d9f-x2k4p afresh")
    assert POD not in api.objects


def test_the_first_failed_pull_is_waited_out(api: RecordedApi, kube: Kube) -> None:
    put_deployment(api, READY | {"availableReplicas": 0})
    put_pod(api, waiting("ErrImagePull", "connection reset"))
    assert look(kube) == Pending("dbos-app: ErrImagePull: connection reset")


def test_a_crash_loop_fails_with_the_last_log_lines_without_their_secrets(api: RecordedApi, kube: Kube) -> None:
    put_deployment(api, READY | {"availableReplicas": 0})
    put_pod(api, waiting("CrashLoopBackOff", restartCount=3, lastState=CRASHED))
    api.answer(
        f"GET {POD}/log", 200, "starting\ncannot connect to postgresql://dbos_app_role:canary@db:5432/dbos_app\n"
    )
    with pytest.raises(PodiumError) as caught:
        look(kube)
    assert caught.value.code is Code.WORKLOAD_FAILED
    assert "keeps ending with exit code 1 (Error); its last lines:\nstarting\ncannot connect" in caught.value.message
    assert "canary" not in caught.value.message


def test_two_crashes_are_not_yet_a_failure(api: RecordedApi, kube: Kube) -> None:
    put_deployment(api, READY | {"availableReplicas": 0})
    put_pod(api, waiting("CrashLoopBackOff", "back-off 20s", restartCount=2, lastState=CRASHED))
    assert look(kube) == Pending("dbos-app: CrashLoopBackOff: back-off 20s")


def test_memory_that_runs_out_is_said(api: RecordedApi, kube: Kube) -> None:
    put_deployment(api, READY | {"availableReplicas": 0})
    killed = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    put_pod(api, waiting("CrashLoopBackOff", restartCount=4, lastState=killed))
    with pytest.raises(PodiumError, match=r"exit code 137 \(OOMKilled\)") as caught:
        look(kube)
    assert "memory" in caught.value.remedy


@pytest.mark.parametrize(("age", "fails"), [(60, False), (200, True)])
def test_a_missing_secret_is_waited_for_three_minutes(api: RecordedApi, kube: Kube, age: int, fails: bool) -> None:
    put_deployment(api, READY | {"availableReplicas": 0})
    put_pod(api, waiting("CreateContainerConfigError", 'secret "dbos-app-db" not found') | {"startTime": ago(age)})
    if fails:
        with pytest.raises(PodiumError, match='secret "dbos-app-db" not found'):
            look(kube)
    else:
        assert look(kube) == Pending('dbos-app: CreateContainerConfigError: secret "dbos-app-db" not found')


@pytest.mark.parametrize(("age", "fails"), [(60, False), (700, True)])
def test_no_room_on_the_nodes_is_waited_for_ten_minutes(api: RecordedApi, kube: Kube, age: int, fails: bool) -> None:
    put_deployment(api, READY | {"availableReplicas": 0})
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/2 nodes are available: 2 Insufficient cpu.",
        "lastTransitionTime": ago(age),
    }
    put_pod(api, {"phase": "Pending", "conditions": [condition]})
    if fails:
        with pytest.raises(PodiumError, match="2 Insufficient cpu") as caught:
            look(kube)
        assert "nodes.instance_type" in caught.value.remedy
    else:
        assert look(kube) == Pending("dbos-app: Unschedulable: 0/2 nodes are available: 2 Insufficient cpu.")


def test_troubles_of_the_revision_before_do_not_count(api: RecordedApi, kube: Kube) -> None:
    put_deployment(api, READY | {"availableReplicas": 1})
    put_pod(api, waiting("ImagePullBackOff"), replica_set="rs-1")
    assert look(kube) == Pending("dbos-app: 1 of 2 pods ready")


def test_pods_are_not_judged_before_the_controller_has_seen_the_change(api: RecordedApi, kube: Kube) -> None:
    """Its newest pods are until then those of the generation before, whose failure is none of the new one."""
    put_deployment(api, READY | {"observedGeneration": 1, "availableReplicas": 0})
    put_pod(api, waiting("ImagePullBackOff"))
    assert look(kube) == Pending("dbos-app: waiting for the controller to see the change")
    assert "annotations" not in api.objects[POD]["metadata"]
