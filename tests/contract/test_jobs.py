"""Jobs: success, failure, deadlines, suspension, time to live."""

# ruff: noqa: E501 (a row of a table of messages is a line)

from typing import Any

import pytest

from tests.contract.kube import Kube
from tests.contract.kubelet import end_all, pods_of, run_all
from tests.contract.objects import container, job
from tests.contract.widgets import conditions

JOBS = "jobs.batch"


def _until(kube: Kube, name: str, kind: str, status: str = "True") -> Any:
    """The Job, once the condition is so."""
    kube.until(lambda: conditions(kube.get(JOBS, name)).get(kind) == status)
    return kube.get(JOBS, name)


def _reason(obj: Any, kind: str) -> tuple[str, str]:
    [found] = [each for each in obj["status"]["conditions"] if each["type"] == kind]
    return found["reason"], found["message"]


def test_a_job_makes_pods_of_its_own(kube: Kube) -> None:
    made = kube.made(JOBS, job("j", suspend=False))
    [pod] = pods_of(kube, "batch.kubernetes.io/job-name=j")
    meta = pod["metadata"]
    assert (meta["generateName"], meta["labels"]["controller-uid"]) == ("j-", made["metadata"]["uid"])
    [owner] = meta["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["controller"], owner["blockOwnerDeletion"]) == ("Job", "j", True, True)
    status = kube.until(lambda: kube.get(JOBS, "j")["status"].get("active") and kube.get(JOBS, "j"))["status"]
    assert (status["active"], status["ready"], "startTime" in status) == (1, 0, True)


def test_a_job_completes(kube: Kube) -> None:
    kube.made(JOBS, job("j", suspend=False))
    run_all(kube, "job-name=j")
    kube.until(lambda: kube.get(JOBS, "j")["status"].get("ready") == 1)
    end_all(kube, "job-name=j", "Succeeded")
    obj = _until(kube, "j", "Complete")
    assert conditions(obj) == {"SuccessCriteriaMet": "True", "Complete": "True"}
    assert _reason(obj, "Complete") == ("CompletionsReached", "Reached expected number of succeeded pods")
    status = obj["status"]
    assert (status["succeeded"], status["terminating"], status["uncountedTerminatedPods"]) == (1, 0, {})
    assert status["completionTime"]
    assert "active" not in status


def test_a_job_fails_when_its_pods_do_too_often(kube: Kube) -> None:
    kube.made(JOBS, job("j", suspend=False, backoffLimit=0))
    end_all(kube, "job-name=j", "Failed")
    obj = _until(kube, "j", "Failed")
    assert conditions(obj) == {"FailureTarget": "True", "Failed": "True"}
    assert _reason(obj, "Failed") == ("BackoffLimitExceeded", "Job has reached the specified backoff limit")
    assert obj["status"]["failed"] == 1
    assert "completionTime" not in obj["status"]


def test_a_failure_within_the_limit_is_counted(kube: Kube) -> None:
    kube.made(JOBS, job("j", suspend=False, backoffLimit=1))
    end_all(kube, "job-name=j", "Failed")
    kube.until(lambda: kube.get(JOBS, "j")["status"].get("failed") == 1)
    assert conditions(kube.get(JOBS, "j")) == {}


def test_a_job_past_its_deadline_fails(kube: Kube) -> None:
    kube.made(JOBS, job("j", suspend=False, activeDeadlineSeconds=1))
    obj = _until(kube, "j", "Failed")
    assert _reason(obj, "Failed") == ("DeadlineExceeded", "Job was active longer than specified deadline")
    assert obj["status"]["failed"] == 1
    kube.until(lambda: not kube.items("pods"))


def test_a_finished_job_goes_after_its_time_to_live(kube: Kube) -> None:
    kube.made(JOBS, job("j", suspend=False, ttlSecondsAfterFinished=1))
    end_all(kube, "job-name=j", "Succeeded")
    kube.until(lambda: kube.gone(JOBS, "j"))
    kube.until(lambda: not kube.items("pods"))


def test_a_suspended_job_waits(kube: Kube) -> None:
    kube.made(JOBS, job("j"))
    obj = _until(kube, "j", "Suspended")
    assert _reason(obj, "Suspended") == ("JobSuspended", "Job suspended")
    assert "startTime" not in obj["status"]
    kube.patch(JOBS, "j", {"spec": {"suspend": False}}, "merge")
    assert _reason(_until(kube, "j", "Suspended", "False"), "Suspended") == ("JobResumed", "Job resumed")
    pods_of(kube, "job-name=j")


def test_several_pods_run_in_parallel(kube: Kube) -> None:
    kube.made(JOBS, job("j", suspend=False, completions=3, parallelism=2))
    end_all(kube, "job-name=j", "Succeeded", 2)
    kube.until(lambda: len(kube.items("pods", labelSelector="job-name=j")) == 3)
    kube.until(lambda: kube.get(JOBS, "j")["status"].get("succeeded") == 2)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"template": {"metadata": {"labels": {"a": "b"}}}}, "spec.template"),
        ({"completions": 3}, "spec.completions"),
        ({"selector": {"matchLabels": {"a": "b"}}}, "spec.selector"),
    ],
)
def test_what_a_job_runs_may_not_change(kube: Kube, change: Any, field: str) -> None:
    kube.made(JOBS, job("j", suspend=False, parallelism=0))
    kube.until(lambda: kube.get(JOBS, "j")["status"].get("startTime"))
    status, body = kube.patch(JOBS, "j", {"spec": change}, "merge")
    immutable = [
        cause["field"] for cause in body["details"]["causes"] if cause["message"].endswith("field is immutable")
    ]
    assert (status, immutable) == (422, [field])
    assert kube.patch(JOBS, "j", {"spec": {"backoffLimit": 3}}, "merge")[0] == 200


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"backoffLimit": -1}, "spec.backoffLimit: Invalid value: -1: must be greater than or equal to 0"),
        ({"template": {"spec": {"containers": [container()]}}}, 'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'),
        ({"completionMode": "X"}, 'spec.completionMode: Unsupported value: "X": supported values: "NonIndexed", "Indexed"'),
        ({"template": {"spec": {"restartPolicy": "Never"}}}, "spec.template.spec.containers: Required value"),
        ({"ttlSecondsAfterFinished": -1}, "spec.ttlSecondsAfterFinished: Invalid value: -1: must be greater than or equal to 0"),
    ],
)  # fmt: skip
def test_jobs_are_checked(kube: Kube, spec: Any, text: str) -> None:
    status, body = kube.create(JOBS, job("j", **spec))
    assert (status, body["message"]) == (422, f'Job.batch "j" is invalid: {text}')
