"""What nodes and controllers say in Events, where a status does not tell."""

from typing import Any

import pytest

from steps import rollout
from steps.clients.kubernetes import Kube
from steps.errors import PodiumError
from steps.object_events import UNHEALTHY, last_warning
from steps.waiting import Pending
from tests.steps_kubernetes.recorded_api import RecordedApi
from tests.steps_kubernetes.test_rollout import CRASHED, READY, ago, put_deployment, put_pod, waiting

EVENTS = "GET /api/v1/namespaces/dbos/events"
POD = {"metadata": {"name": "app", "namespace": "dbos", "uid": "u-1"}}


def event(reason: str, message: str, last: str | None, **more: Any) -> dict[str, Any]:
    return {"metadata": {}, "reason": reason, "message": message, "lastTimestamp": last, **more}


def told(api: RecordedApi, *events: dict[str, Any]) -> None:
    api.answer(EVENTS, 200, {"kind": "EventList", "items": list(events)})


def unready() -> dict[str, Any]:
    return {"phase": "Running", "containerStatuses": [{"name": "c", "ready": False, "state": {"running": {}}}]}


def test_the_newest_warning_of_the_object_counts_without_its_secrets(api: RecordedApi, kube: Kube) -> None:
    old = event("Unhealthy", "Readiness probe failed: old", "2026-01-01T00:00:00Z")
    new = event("Unhealthy", "Readiness probe failed:\n password=canary", None, eventTime="2026-01-01T00:00:01.5Z")
    told(api, new, old, event("BackOff", "later", "2026-01-01T00:00:09Z"))
    assert last_warning(kube, POD, UNHEALTHY) == "Readiness probe failed: password=[hidden]"
    assert api.queries[EVENTS]["fieldSelector"] == ["involvedObject.uid=u-1,type=Warning"]


def test_without_the_permission_nothing_is_said(api: RecordedApi, kube: Kube) -> None:
    api.answer(EVENTS, 403, {"kind": "Status", "reason": "Forbidden", "message": "no", "code": 403})
    assert last_warning(kube, POD, UNHEALTHY) is None


def look(api: RecordedApi, kube: Kube, status: dict[str, Any]) -> Any:
    put_deployment(api, READY | {"availableReplicas": 0})
    put_pod(api, status)
    for path, found in api.objects.items():
        if "/pods/" in path:
            found["metadata"] |= {"uid": "u-1", "namespace": "dbos"}
    return rollout.await_deployment(kube, "dbos", "dbos-app")


def test_a_pod_that_runs_but_is_not_ready_waits_for_its_probe(api: RecordedApi, kube: Kube) -> None:
    told(api, event("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503", ago(1)))
    expected = "dbos-app: not ready: Readiness probe failed: HTTP probe failed with statuscode: 503"
    assert look(api, kube, unready()) == Pending(expected)


@pytest.mark.parametrize(("age", "fails"), [(60, False), (200, True)])
def test_a_volume_that_cannot_be_mounted_is_waited_for_three_minutes(
    api: RecordedApi, kube: Kube, age: int, fails: bool
) -> None:
    told(api, event("FailedMount", 'MountVolume.SetUp failed: secret "gone" not found', ago(1)))
    unprepared = {"type": "PodReadyToStartContainers", "status": "False"}
    status = waiting("ContainerCreating") | {"startTime": ago(age), "conditions": [unprepared]}
    if fails:
        with pytest.raises(PodiumError, match='secret "gone" not found'):
            look(api, kube, status)
    else:
        assert look(api, kube, status) == Pending('dbos-app: MountVolume.SetUp failed: secret "gone" not found')


def test_a_container_that_its_node_stopped_ends_with_the_probes_words(api: RecordedApi, kube: Kube) -> None:
    told(api, event("Unhealthy", "Liveness probe failed: no heart beat", ago(1)))
    killed = {"terminated": {"exitCode": 143, "reason": "Error"}}
    with pytest.raises(PodiumError, match=r"exit code 143 \(Error\): Liveness probe failed: no heart beat"):
        look(api, kube, waiting("CrashLoopBackOff", restartCount=3, lastState=killed))


def test_a_command_that_is_not_there_is_named(api: RecordedApi, kube: Kube) -> None:
    message = 'exec: "serve": executable file not found in $PATH'
    ended = {"terminated": CRASHED["terminated"] | {"exitCode": 128, "reason": "StartError", "message": message}}
    with pytest.raises(PodiumError, match='exec: "serve": executable file not found'):
        look(api, kube, waiting("CrashLoopBackOff", restartCount=3, lastState=ended))
