"""Jobs that run once per generation of an operation: started, awaited, and started again on a retry.

A Job's pod template cannot be changed and its name is taken until it is deleted. So a Job is named after its purpose
and generation, and a new try after a failure gets the next number: `dbos-migrate-1a2b3c4d`, `…-2`, `…-3`. The failed
ones stay, with their pods and logs. `restartPolicy: Never` keeps those; with OnFailure the last pod is deleted.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

from steps import objects, pods
from steps.clients.kubernetes import Kube, Object
from steps.errors import Code, PodiumError
from steps.names import Owner
from steps.object_events import REFUSED, last_warning
from steps.scrubbing import last_lines, scrub
from steps.waiting import Pending

LABEL_JOB = "podium/job"
LABEL_TRY = "podium/try"
REPORTED = pods.REPORTED


def job_name(purpose: str, generation: str) -> str:
    """The name of a generation's first Job; what `await_job` and the label `podium/job` go by."""
    return f"{purpose}-{hashlib.sha256(generation.encode()).hexdigest()[:8]}"


def ensure_job(kube: Kube, owner: Owner, job: Object) -> str:
    """Start the Job unless it runs or is complete; anew when its last try failed. Returns its (base) name."""
    name = job["metadata"]["name"]
    tries = _tries(kube, job["metadata"]["namespace"], name)
    if not tries:
        objects.find(kube, owner, "Job", name, job["metadata"]["namespace"])
        objects.apply(kube, owner, _numbered(job, 1))
    elif failure_reason(tries[-1]) is not None:
        objects.apply(kube, owner, _numbered(job, _try_number(tries[-1]) + 1))
    return str(name)


def await_job(kube: Kube, namespace: str, name: str) -> dict[str, Any] | Pending:
    """`{"succeeded": n, "tries": n}` when the Job is complete.

    JOB_FAILED, with the pod's exit code and last log lines, once per try: the next look, which is a retry, starts it
    again. WORKLOAD_FAILED or IMAGE_PULL_FAILED when its pod cannot start.
    """
    tries = _tries(kube, namespace, name)
    if not tries:
        return Pending(f"Job {name} does not exist yet")
    job = tries[-1]
    if objects.condition(job, "Complete").get("status") == "True":
        return {"succeeded": int((job.get("status") or {}).get("succeeded") or 0), "tries": len(tries)}
    reason = failure_reason(job)
    if reason is not None:
        return _report_or_repeat(kube, namespace, job, reason)
    trouble = pods.diagnose(kube, namespace, _pods(kube, namespace, job)) or last_warning(kube, job, REFUSED)
    failed = int((job.get("status") or {}).get("failed") or 0)
    return Pending(
        f"Job {job['metadata']['name']}: {trouble or (f'{failed} tries failed, trying again' if failed else 'running')}"
    )


def delete_jobs(kube: Kube, owner: Owner, namespace: str, component: str) -> None:
    """Delete all Jobs of a component, with their pods."""
    for job in kube.list("Job", namespace, labels=objects.labels(owner, component)):
        kube.delete("Job", job["metadata"]["name"], namespace)


def other_jobs(kube: Kube, owner: Owner, namespace: str, component: str, name: str) -> list[Object]:
    """The Jobs of a component, of all generations but the one of this (base) name."""
    found = kube.list("Job", namespace, labels=objects.labels(owner, component))
    return [job for job in found if job["metadata"]["labels"].get(LABEL_JOB) != name]


def is_over(job: Object) -> bool:
    """Complete, or failed for good, or on its way out."""
    ended = objects.condition(job, "Complete").get("status") == "True" or failure_reason(job) is not None
    return ended or "deletionTimestamp" in job["metadata"]


def failure_reason(job: Object) -> str | None:
    """Why the Job failed for good (its condition Failed), None when it has not."""
    failed = objects.condition(job, "Failed")
    if failed.get("status") != "True":
        return None
    return f"{failed.get('reason', 'Failed')}: {failed.get('message', '')}"


def _report_or_repeat(kube: Kube, namespace: str, job: Object, reason: str) -> Pending:
    name = job["metadata"]["name"]
    if (job["metadata"].get("annotations") or {}).get(REPORTED):
        kube.apply(_numbered(_again(job), _try_number(job) + 1))
        return Pending(f"Job {name} failed before: started again")
    kube.patch("Job", name, namespace, {"metadata": {"annotations": {REPORTED: "true"}}})
    failed = _failed_container(_pods(kube, namespace, job))
    remedy = "Mend what its last log lines say, then retry: the Job is started again."
    if failed is not None and failed.ended.get("reason") == "OOMKilled":
        remedy = pods.MEMORY_REMEDY
    words = "" if failed is None else _last_words(kube, namespace, failed)
    raise PodiumError.by_provider(Code.JOB_FAILED, f"Job {namespace}/{name} failed: {scrub(reason)}{words}", remedy)


@dataclass(frozen=True)
class _Failed:
    """A container of a Job's newest pod and its terminated state ({} when it has none)."""

    pod: str
    container: str | None
    ended: dict[str, Any]


def _failed_container(found: list[Object]) -> _Failed | None:
    """The first one that ended badly, an init container too; else the first of all. None without a pod."""
    if not found:
        return None
    newest = max(found, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))
    statuses = pods.container_statuses(newest)
    ends = [(status, (status.get("state") or {}).get("terminated") or {}) for status in statuses]
    status, ended = next((each for each in ends if each[1].get("exitCode")), ends[0] if ends else ({}, {}))
    return _Failed(newest["metadata"]["name"], status.get("name"), ended)


def _last_words(kube: Kube, namespace: str, failed: _Failed) -> str:
    """Exit code, the runtime's message and last log lines of the container that failed."""
    ended = failed.ended
    log = last_lines(kube.pod_logs(namespace, failed.pod, container=failed.container, tail=20))
    exit_code = f" (exit code {ended['exitCode']}, {ended.get('reason', 'Error')})" if "exitCode" in ended else ""
    message = scrub(str(ended.get("message") or "")).strip()[:300]
    return exit_code + (f": {message}" if message else "") + (f"; its last lines:\n{log}" if log else "")


def _pods(kube: Kube, namespace: str, job: Object) -> list[Object]:
    return kube.list("Pod", namespace, labels={"job-name": job["metadata"]["name"]})


def _tries(kube: Kube, namespace: str, name: str) -> list[Object]:
    """The Jobs of that base name, oldest first."""
    return sorted(kube.list("Job", namespace, labels={LABEL_JOB: name}), key=_try_number)


def _try_number(job: Object) -> int:
    return int(job["metadata"]["labels"][LABEL_TRY])


def _numbered(job: Object, number: int) -> Object:
    """The Job as its `number`th try."""
    base = job["metadata"]["labels"].get(LABEL_JOB, job["metadata"]["name"])
    metadata = job["metadata"] | {
        "name": base if number == 1 else f"{base}-{number}",
        "labels": job["metadata"]["labels"] | {LABEL_JOB: base, LABEL_TRY: str(number)},
    }
    return job | {"metadata": metadata}


def _again(job: Object) -> Object:
    """A manifest from a Job as the API returns it: without what the API and the Job's controller added."""
    template = dict(job["spec"]["template"])
    added = ("controller-uid", "job-name")
    own = {
        key: value
        for key, value in (template.get("metadata", {}).get("labels") or {}).items()
        if key.removeprefix("batch.kubernetes.io/") not in added
    }
    template["metadata"] = {"labels": own}
    kept = {key: job["spec"][key] for key in ("backoffLimit", "activeDeadlineSeconds") if key in job["spec"]}
    metadata = {key: job["metadata"][key] for key in ("name", "namespace", "labels")}
    metadata["labels"] = {
        key: value for key, value in metadata["labels"].items() if key.removeprefix("batch.kubernetes.io/") not in added
    }
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {**kept, "template": template}}
