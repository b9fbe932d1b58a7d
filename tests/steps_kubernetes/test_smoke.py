"""The smoke test's report and its failures."""

import pytest

from steps import autoscaling, ingress, smoke
from steps.clients.kubernetes import Kube
from steps.errors import Code, PodiumError, TransientError
from steps.waiting import Pending
from tests.steps_kubernetes.recorded_api import RecordedApi

APP = "/api/v1/namespaces/dbos/services/dbos-app:8080/proxy"
APPS = "/api/v1/namespaces/dbos/services/conductor:8090/proxy/v2/orgs/local/apps"
TOKENS = "/api/v1/namespaces/dbos/services/conductor:8090/proxy/v2/orgs/local/tokens"
EXECUTORS = "/api/v1/namespaces/dbos/services/conductor:8090/proxy/v2/orgs/local/apps/dbos-app/executors"


@pytest.fixture
def healthy(api: RecordedApi) -> RecordedApi:
    api.answer(f"GET {APPS}", 200, [])
    api.answer(f"GET {APP}/workflow/t-1", 200, {"workflow_id": "t-1", "status": "started"})
    api.answer(f"GET {APP}/last_step/t-1", 200, {"last_step": 2})
    api.answer(f"GET {APP}/enqueue/1", 200, {"workflow_id": "w", "duration": 1})
    api.answer(f"GET {APP}/metrics/taskQueue", 200, {"queue_length": 1})
    api.answer(
        f"GET {EXECUTORS}", 200, [{"executorId": "e-1", "status": "HEALTHY"}, {"executorId": "e", "status": "DEAD"}]
    )
    return api


def test_the_report_shows_the_four_calls_and_the_executors(healthy: RecordedApi, kube: Kube) -> None:
    report = smoke.run_smoke_test(kube, "dbos", "dbos-app", "t-1")
    assert report["passed"] is True
    assert report["executors"] == ["e-1"]
    assert [call["call"] for call in report["calls"]] == [
        "GET /workflow/t-1",
        "GET /last_step/t-1",
        "GET /enqueue/1",
        "GET /metrics/taskQueue",
    ]
    assert healthy.calls[-1] == f"GET {EXECUTORS}"


def test_ones_own_application_need_not_answer_the_samples_calls(healthy: RecordedApi, kube: Kube) -> None:
    report = smoke.run_smoke_test(kube, "dbos", "dbos-app", "t-1", is_sample=False)
    assert report == {"passed": True, "calls": [], "executors": ["e-1"]}
    assert healthy.calls == [f"GET {APPS}", f"GET {EXECUTORS}"]


@pytest.mark.parametrize(("status", "body"), [(404, {"detail": "Not Found"}), (200, {"other": 1}), (200, "<html>")])
def test_a_wrong_answer_fails_and_is_shown(api: RecordedApi, kube: Kube, status: int, body: object) -> None:
    api.answer(f"GET {APP}/workflow/t-1", status, body)
    with pytest.raises(PodiumError, match=f"GET /workflow/t-1 answered {status}") as caught:
        smoke.run_smoke_test(kube, "dbos", "dbos-app", "t-1")
    assert caught.value.code is Code.SMOKE_TEST_FAILED


def test_an_application_in_trouble_is_asked_again(api: RecordedApi, kube: Kube) -> None:
    api.answer(f"GET {APP}/workflow/t-1", 500, {"error": "no connection"})
    with pytest.raises(TransientError) as caught:
        smoke.run_smoke_test(kube, "dbos", "dbos-app", "t-1")
    assert caught.value.code is Code.SMOKE_TEST_FAILED


def test_an_executor_is_waited_for(api: RecordedApi, kube: Kube) -> None:
    api.answer(f"GET {APPS}", 200, [])
    api.answer(f"GET {EXECUTORS}", 200, [{"executorId": "e", "status": "DEAD"}])
    found = smoke.await_executor(kube, "dbos", "dbos-app")
    assert found == Pending("Conductor lists no healthy executor of dbos-app yet (DEAD)")


@pytest.mark.parametrize(("status", "body"), [(404, {"detail": "Not Found"}), (200, "<html>")])
def test_a_conductor_without_the_http_api_lists_no_executor_and_none_is_waited_for(
    api: RecordedApi, kube: Kube, status: int, body: object
) -> None:
    for path in (EXECUTORS, APPS, TOKENS):
        api.answer(f"GET {path}", status, body)
    assert smoke.await_executor(kube, "dbos", "dbos-app") == {"executors": []}


def test_a_conductor_that_does_not_know_the_application_fails_the_test(api: RecordedApi, kube: Kube) -> None:
    api.answer(f"GET {EXECUTORS}", 404, {"detail": "no such application"})
    api.answer(f"GET {APPS}", 200, [])
    with pytest.raises(PodiumError) as caught:
        smoke.await_executor(kube, "dbos", "dbos-app")
    assert caught.value.code is Code.CONDUCTOR_REJECTED


def test_progress_is_waited_for(healthy: RecordedApi, kube: Kube) -> None:
    assert smoke.await_workflow_progress(kube, "dbos", "t-1") == {"last_step": 2}
    assert smoke.await_workflow_progress(kube, "dbos", "t-1", 3) == Pending("the workflow has completed 2 of 3 steps")
    assert len(healthy.calls) == 2


def test_an_ingress_is_ready_with_its_address(api: RecordedApi, kube: Kube) -> None:
    assert isinstance(ingress.await_ingress(kube, "dbos"), Pending)
    api.objects["/apis/networking.k8s.io/v1/namespaces/dbos/ingresses/dbos-ingress"] = {
        "metadata": {},
        "status": {"loadBalancer": {"ingress": [{"hostname": "x.elb.amazonaws.com"}]}},
    }
    assert ingress.await_ingress(kube, "dbos") == {"address": "x.elb.amazonaws.com"}


def test_a_scaled_object_is_ready_when_keda_says_so(api: RecordedApi, kube: Kube) -> None:
    path = "/apis/keda.sh/v1alpha1/namespaces/dbos/scaledobjects/dbos-app-scaledobject"
    refused = {"type": "Ready", "status": "False", "message": "error calling metrics API"}
    api.objects[path] = {"metadata": {}, "status": {"conditions": [refused]}}
    assert autoscaling.await_scaled_object(kube, "dbos") == Pending("KEDA: error calling metrics API")
    api.objects[path] = {"metadata": {}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    assert autoscaling.await_scaled_object(kube, "dbos") == {"ready": True}
