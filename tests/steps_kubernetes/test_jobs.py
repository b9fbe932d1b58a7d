"""Jobs: once per generation, reported once when they fail, started again by a retry."""

from typing import Any

import pytest

from steps import jobs, migration
from steps.clients.kubernetes import Kube
from steps.errors import Code, PodiumError
from steps.names import Owner
from steps.waiting import Pending
from tests.steps_kubernetes.recorded_api import RecordedApi

JOBS = "/apis/batch/v1/namespaces/dbos/jobs"
PODS = "/api/v1/namespaces/dbos/pods"
FAILED = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "Job has reached the limit"}


def start(kube: Kube, owner: Owner, generation: str = "1") -> str:
    job = migration.ensure_job(kube, owner, "dbos", "reg/dbos-migrate:latest", "dbos_app_role", generation)
    assert isinstance(job, str)
    return job


def look(kube: Kube, job: str) -> Any:
    return migration.await_job(kube, "dbos", job)


def finish(api: RecordedApi, job: str, condition: dict[str, Any], **status: Any) -> None:
    """As the Job controller leaves it, with the labels and fields that the API adds."""
    found = api.objects[f"{JOBS}/{job}"]
    found["status"] = status | {"conditions": [condition]}
    found["metadata"] |= {"uid": "u-1", "resourceVersion": "7"}
    found["spec"]["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": "u-1"}}
    found["spec"]["template"]["metadata"]["labels"] |= {
        "batch.kubernetes.io/controller-uid": "u-1",
        "batch.kubernetes.io/job-name": job,
        "controller-uid": "u-1",
        "job-name": job,
    }


def put_pod(api: RecordedApi, job: str, log: str) -> None:
    ended = {"terminated": {"exitCode": 2, "reason": "Error"}}
    api.objects[f"{PODS}/{job}-x"] = {
        "metadata": {"name": f"{job}-x", "labels": {"job-name": job}},
        "status": {"phase": "Failed", "containerStatuses": [{"name": "migrate", "state": ended}]},
    }
    api.answer(f"GET {PODS}/{job}-x/log", 200, log)


def test_a_job_is_started_once_per_generation_and_never_beside_another(
    api: RecordedApi, kube: Kube, owner: Owner
) -> None:
    first = start(kube, owner)
    assert start(kube, owner) == first
    second = migration.ensure_job(kube, owner, "dbos", "reg/dbos-migrate:2", "dbos_app_role", "2")
    assert second == Pending(f"Job {first} of an earlier operation still runs")
    finish(api, first, {"type": "Complete", "status": "True"}, succeeded=1)
    assert start(kube, owner, "2") != first
    assert len(api.applied) == 2


def test_earlier_generations_are_removed(api: RecordedApi, kube: Kube, owner: Owner) -> None:
    first = start(kube, owner)
    finish(api, first, FAILED)
    second = start(kube, owner, "2")
    migration.delete_earlier_jobs(kube, owner, "dbos", second)
    assert [name for name in api.objects if name.startswith(f"{JOBS}/")] == [f"{JOBS}/{second}"]


def test_a_complete_job_ends_the_wait(api: RecordedApi, kube: Kube, owner: Owner) -> None:
    job = start(kube, owner)
    assert look(kube, job) == Pending(f"Job {job}: running")
    finish(api, job, {"type": "Complete", "status": "True"}, succeeded=1)
    assert look(kube, job) == {"succeeded": 1, "tries": 1}


def test_a_failed_job_is_reported_with_its_last_words(api: RecordedApi, kube: Kube, owner: Owner) -> None:
    job = start(kube, owner)
    finish(api, job, FAILED, failed=4)
    put_pod(api, job, "migrating\nFATAL: cannot reach postgresql://postgres:canary@db:5432/dbos_app\n")
    with pytest.raises(PodiumError) as caught:
        look(kube, job)
    assert caught.value.code is Code.JOB_FAILED
    assert caught.value.retryable
    assert "BackoffLimitExceeded" in caught.value.message
    assert "(exit code 2, Error); its last lines:\nmigrating\nFATAL: cannot reach" in caught.value.message
    assert "canary" not in caught.value.message


def test_the_next_look_after_a_report_starts_the_job_again(api: RecordedApi, kube: Kube, owner: Owner) -> None:
    job = start(kube, owner)
    finish(api, job, FAILED)
    with pytest.raises(PodiumError):
        look(kube, job)
    assert look(kube, job) == Pending(f"Job {job} failed before: started again")
    again = api.applied[-1]
    assert again["metadata"]["name"] == f"{job}-2"
    assert again["spec"]["template"] == migration_template(api.applied[0])
    assert "selector" not in again["spec"]
    finish(api, f"{job}-2", {"type": "Complete", "status": "True"}, succeeded=1)
    assert look(kube, job) == {"succeeded": 1, "tries": 2}


def migration_template(job: dict[str, Any]) -> dict[str, Any]:
    template: dict[str, Any] = job["spec"]["template"]
    own = {key: value for key, value in template["metadata"]["labels"].items() if key.startswith(("app.", "podium/"))}
    return template | {"metadata": {"labels": own}}


def test_ensure_starts_a_failed_job_again(api: RecordedApi, kube: Kube, owner: Owner) -> None:
    job = start(kube, owner)
    finish(api, job, FAILED)
    assert start(kube, owner) == job
    assert [each["metadata"]["name"] for each in api.applied] == [job, f"{job}-2"]


def test_a_pod_that_cannot_start_is_reported_before_the_job_gives_up(
    api: RecordedApi, kube: Kube, owner: Owner
) -> None:
    job = start(kube, owner)
    put_pod(api, job, "")
    state = {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}
    api.objects[f"{PODS}/{job}-x"]["status"] = {"containerStatuses": [{"name": "migrate", "state": state}]}
    with pytest.raises(PodiumError) as caught:
        look(kube, job)
    assert caught.value.code is Code.IMAGE_PULL_FAILED


def test_all_generations_are_deleted(api: RecordedApi, kube: Kube, owner: Owner) -> None:
    finish(api, start(kube, owner, "1"), FAILED)
    start(kube, owner, "2")
    migration.delete_job(kube, owner, "dbos")
    assert not [path for path in api.objects if path.startswith(JOBS)]


def test_names_fit_kubernetes(owner: Owner) -> None:
    assert len(jobs.job_name("podium-db-separation", "x" * 500)) <= 52
