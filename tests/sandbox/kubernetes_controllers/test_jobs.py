"""Jobs: completion, retries, deadlines."""

from typing import Any

from tests.sandbox.kubernetes_controllers.cluster import NAMESPACE, Cluster, eventually, job


def _condition(cluster: Cluster, kind: str) -> dict[str, Any]:
    conditions = cluster.get("jobs.batch", "migrate").get("status", {}).get("conditions", [])
    found: dict[str, Any] = next((each for each in conditions if each["type"] == kind), {})
    return found


def _status(cluster: Cluster) -> dict[str, Any]:
    status: dict[str, Any] = cluster.get("jobs.batch", "migrate")["status"]
    return status


async def test_a_job_whose_pod_succeeds_is_complete(cluster: Cluster) -> None:
    cluster.make("jobs.batch", job())
    await eventually(lambda: _condition(cluster, "Complete").get("status") == "True")
    assert _status(cluster)["succeeded"] == 1
    assert _status(cluster)["completionTime"] >= _status(cluster)["startTime"]
    [pod] = cluster.store.list("pods", NAMESPACE)
    assert pod["metadata"]["labels"]["batch.kubernetes.io/job-name"] == "migrate"
    assert {"SuccessfulCreate", "Completed"} <= cluster.reasons()


async def test_completions_run_as_many_side_by_side_as_allowed(cluster: Cluster) -> None:
    cluster.make("jobs.batch", job(completions=3, parallelism=2))
    await eventually(lambda: _condition(cluster, "Complete"))
    assert _status(cluster)["succeeded"] == 3
    assert len(cluster.names("pods")) == 3


async def test_a_job_fails_when_its_pods_failed_more_often_than_allowed(cluster: Cluster) -> None:
    cluster.make("jobs.batch", job(image="fails", backoffLimit=1))
    await eventually(lambda: _condition(cluster, "Failed"))
    assert _condition(cluster, "Failed")["reason"] == "BackoffLimitExceeded"
    assert _condition(cluster, "Failed")["message"] == "Job has reached the specified backoff limit"
    assert _status(cluster)["failed"] == 2
    assert "BackoffLimitExceeded" in cluster.reasons()


async def test_restarts_count_against_the_limit_where_the_kubelet_restarts(cluster: Cluster) -> None:
    obj = job(image="restarts", backoffLimit=3)
    obj["spec"]["template"]["spec"]["restartPolicy"] = "OnFailure"
    cluster.make("jobs.batch", obj)
    await eventually(lambda: _condition(cluster, "Failed").get("reason") == "BackoffLimitExceeded")
    assert cluster.names("pods") == []


async def test_a_job_past_its_deadline_fails_and_its_pods_end(cluster: Cluster) -> None:
    cluster.make("jobs.batch", job(image="ready", activeDeadlineSeconds=1))
    await eventually(lambda: _condition(cluster, "Failed"))
    assert _condition(cluster, "Failed")["reason"] == "DeadlineExceeded"
    assert cluster.names("pods") == []
    assert "active" not in _status(cluster)


async def test_a_suspended_job_runs_only_when_resumed(cluster: Cluster) -> None:
    cluster.make("jobs.batch", job(suspend=True))
    await eventually(lambda: _condition(cluster, "Suspended").get("status") == "True")
    assert cluster.names("pods") == []
    cluster.change("jobs.batch", "migrate", suspend=False)
    await eventually(lambda: _condition(cluster, "Complete"))
    assert _condition(cluster, "Suspended")["status"] == "False"


async def test_a_finished_job_is_deleted_with_its_pods_after_its_time_to_live(cluster: Cluster) -> None:
    cluster.make("jobs.batch", job(ttlSecondsAfterFinished=1))
    await eventually(lambda: _condition(cluster, "Complete"))
    await eventually(lambda: not cluster.names("jobs.batch") and not cluster.names("pods"))
