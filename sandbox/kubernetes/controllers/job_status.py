"""What a Job's pods mean for the Job, without any I/O (source: k8s.io/kubernetes/pkg/controller/job)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.kubernetes.controllers.objects import Object, age, has_condition, is_terminating, with_condition
from sandbox.kubernetes.controllers.pods import is_active, is_ready, phase_of
from sandbox.kubernetes.metadata import now

DEFAULT_BACKOFF_LIMIT = 6
FIRST_BACKOFF_SECONDS = 10.0
LONGEST_BACKOFF_SECONDS = 600.0
SHORTEST_BACKOFF_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a Job ends: `Complete` or `Failed`, with the reason and text of its condition."""

    kind: str
    reason: str
    message: str


COMPLETE = Outcome("Complete", "CompletionsReached", "Reached expected number of succeeded pods")
DEADLINE = Outcome("Failed", "DeadlineExceeded", "Job was active longer than specified deadline")
BACKOFF_LIMIT = Outcome("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")

# The condition that is set while pods of a Job whose outcome is known still end.
_ANNOUNCEMENTS = {"Complete": "SuccessCriteriaMet", "Failed": "FailureTarget"}


def is_finished(job: Object) -> bool:
    """Whether the Job is Complete or Failed."""
    return has_condition(job, "Complete") or has_condition(job, "Failed")


def decide(job: Object, pods: Sequence[Object]) -> Outcome | None:
    """How the Job ends, once that is known; an outcome announced before stays."""
    for condition in (job.get("status") or {}).get("conditions") or []:
        for kind, announcement in _ANNOUNCEMENTS.items():
            if condition["type"] == announcement and condition["status"] == "True":
                return Outcome(kind, condition["reason"], condition["message"])
    if _overdue(job):
        return DEADLINE
    if _too_many_failures(job, pods):
        return BACKOFF_LIMIT
    return COMPLETE if _completed(job, pods) else None


def with_outcome(status: Object, outcome: Outcome, *, still_running: bool) -> Object:
    """`status` with the outcome announced, and with the final condition once no pod runs any more."""
    conditions = list(status.get("conditions") or [])
    kinds = [_ANNOUNCEMENTS[outcome.kind], *([] if still_running else [outcome.kind])]
    for kind in kinds:
        new = {"type": kind, "status": "True", "reason": outcome.reason, "message": outcome.message}
        conditions = with_condition(conditions, new | {"lastProbeTime": now()})
    finished = {"completionTime": now()} if outcome.kind == "Complete" and not still_running else {}
    return status | {"conditions": conditions} | finished


def job_counts(pods: Sequence[Object]) -> dict[str, Any]:
    """The counts of a Job's status; no pod waits to be counted, because here counting and writing are one."""
    active = [pod for pod in pods if is_active(pod)]
    return {
        "active": len(active),
        "ready": sum(is_ready(pod) for pod in active),
        "succeeded": sum(phase_of(pod) == "Succeeded" for pod in pods),
        "failed": sum(phase_of(pod) == "Failed" for pod in pods),
        "terminating": sum(is_terminating(pod) and phase_of(pod) in ("Pending", "Running") for pod in pods),
        "uncountedTerminatedPods": {},
    }


def parallelism(job: Object, succeeded: int) -> int:
    """How many pods shall be active now."""
    limit = job["spec"].get("parallelism")
    limit = 1 if limit is None else int(limit)
    completions = _completions(job)
    if completions is None:
        return 0 if succeeded else limit
    return min(limit, completions - succeeded)


def backoff_seconds(pods: Sequence[Object], speed: float) -> float:
    """Seconds still to wait after the last failure: 10 s doubled with each one, divided by `speed`, at least 1 s."""
    ended = [moment for pod in pods if phase_of(pod) == "Failed" and (moment := _ended_at(pod))]
    if not ended:
        return 0.0
    pause = min(FIRST_BACKOFF_SECONDS * 2.0 ** (len(ended) - 1), LONGEST_BACKOFF_SECONDS) / speed
    return max(pause, SHORTEST_BACKOFF_SECONDS) - min(age(moment) for moment in ended)


def _completions(job: Object) -> int | None:
    """spec.completions; 1 when neither it nor parallelism is given, None for a Job that ends with its first success."""
    completions = job["spec"].get("completions")
    if completions is None:
        return 1 if job["spec"].get("parallelism") is None else None
    return int(completions)


def _completed(job: Object, pods: Sequence[Object]) -> bool:
    counts = job_counts(pods)
    completions = _completions(job)
    if completions is None:
        return bool(counts["succeeded"] > 0 and counts["active"] == 0)
    return bool(counts["succeeded"] >= completions)


def _backoff_limit(job: Object) -> int:
    limit = job["spec"].get("backoffLimit")
    return DEFAULT_BACKOFF_LIMIT if limit is None else int(limit)


def _too_many_failures(job: Object, pods: Sequence[Object]) -> bool:
    """Whether more pods failed than allowed or, where the kubelet restarts containers, it did so too often."""
    limit = _backoff_limit(job)
    if job_counts(pods)["failed"] > limit:
        return True
    if job["spec"]["template"]["spec"].get("restartPolicy") != "OnFailure":
        return False
    restarts = sum(_restarts(pod) for pod in pods if is_active(pod))
    return restarts >= max(limit, 1)


def _restarts(pod: Object) -> int:
    status = pod.get("status") or {}
    statuses = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    return sum(int(each.get("restartCount") or 0) for each in statuses)


def _overdue(job: Object) -> bool:
    deadline = job["spec"].get("activeDeadlineSeconds")
    start = (job.get("status") or {}).get("startTime")
    return deadline is not None and start is not None and age(start) >= int(deadline)


def _ended_at(pod: Object) -> str | None:
    """When the last container of a failed pod ended."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    moments = [((each.get("state") or {}).get("terminated") or {}).get("finishedAt") for each in statuses]
    known = [moment for moment in moments if moment]
    latest: str | None = max(known, default=pod["metadata"].get("creationTimestamp"))
    return latest
