"""Runs Jobs to completion: pods one after another or side by side, a back-off after failures, a deadline."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sandbox.kubernetes.controllers.events import Recorder
from sandbox.kubernetes.controllers.job_status import (
    backoff_seconds,
    decide,
    is_finished,
    job_counts,
    parallelism,
    with_outcome,
)
from sandbox.kubernetes.controllers.objects import (
    Object,
    age,
    controller_ref,
    find_condition,
    is_terminating,
    name_of,
    namespace_of,
    uid_of,
    with_condition,
)
from sandbox.kubernetes.controllers.pods import PodMaker, is_active, pod_from, pods_of
from sandbox.kubernetes.controllers.queue import Key
from sandbox.kubernetes.controllers.runtime import Again, Controller
from sandbox.kubernetes.errors import ApiError, NotFound
from sandbox.kubernetes.metadata import now

if TYPE_CHECKING:
    from sandbox.kubernetes.store import Store

KIND = "jobs.batch"


class Jobs(Controller):
    """The job-controller, and the ttl-after-finished-controller. `speed` divides the back-off (at least 1 s stays)."""

    def __init__(self, store: "Store", speed: float) -> None:
        super().__init__(store)
        self._recorder = Recorder(store, "job-controller")
        self._maker = PodMaker(store, self._recorder)
        self._speed = speed

    def keys(self, change: str, kind: str, obj: Object) -> Iterable[Key]:
        """Jobs, and those of changed pods."""
        if kind == KIND and change != "DELETED":
            yield namespace_of(obj), name_of(obj)
        owner = controller_ref(obj) if kind == "pods" else None
        if owner and owner["kind"] == "Job":
            yield namespace_of(obj), owner["name"]

    def reconcile(self, key: Key) -> Again:
        """Take the Job one step further."""
        try:
            job = self.store.get(KIND, *key)
        except NotFound:
            return None
        if is_terminating(job):
            return None
        return self._expire(job) if is_finished(job) else self._advance(job)

    def _expire(self, job: Object) -> Again:
        """Delete a finished Job when its time to live is over."""
        ttl = job["spec"].get("ttlSecondsAfterFinished")
        if ttl is None:
            return None
        finished = find_condition(job, "Complete") or find_condition(job, "Failed") or {}
        remaining = int(ttl) - age(finished["lastTransitionTime"])
        if remaining > 0:
            return remaining
        self.store.delete(KIND, namespace_of(job), name_of(job), preconditions_uid=uid_of(job))
        return None

    def _advance(self, job: Object) -> Again:
        status = dict(job.get("status") or {})
        if job["spec"].get("suspend"):
            return self._suspend(job, status)
        status = self._started(job, status)
        pods = pods_of(self.store, job)
        outcome = decide(job | {"status": status}, pods)
        wait = failure = None
        if outcome:
            self._stop_pods(job, pods)
        else:
            try:
                wait = self._run_pods(job, pods)
            except ApiError as error:
                failure = error
        stopped = len([pod for pod in pods if is_active(pod)]) if outcome and outcome.kind == "Failed" else 0
        failed = max(status.get("failed", 0), job_counts(pods)["failed"] + stopped)  # those stopped count, too
        pods = pods_of(self.store, job)
        status |= job_counts(pods) | ({"failed": failed} if outcome else {})
        if outcome:
            status = with_outcome(status, outcome, still_running=any(not _ended(pod) for pod in pods))
        self._write(job, status)
        if failure:
            raise failure
        return _earliest(wait, _seconds_to_deadline(job, status))

    def _started(self, job: Object, status: Object) -> Object:
        """The status of a Job that runs: with its start time, resumed if it was suspended."""
        if find_condition(job, "Suspended") and (find_condition(job, "Suspended") or {})["status"] == "True":
            resumed = {"type": "Suspended", "status": "False", "reason": "JobResumed", "message": "Job resumed"}
            resumed["lastProbeTime"] = now()
            status["conditions"] = with_condition(status["conditions"], resumed)
            self._recorder.normal(job, "Resumed", "Job resumed")
            status["startTime"] = now()
        status.setdefault("startTime", now())
        return status

    def _suspend(self, job: Object, status: Object) -> Again:
        self._stop_pods(job, pods_of(self.store, job))
        if (find_condition(job, "Suspended") or {}).get("status") != "True":
            self._recorder.normal(job, "Suspended", "Job suspended")
            suspended = {"type": "Suspended", "status": "True", "reason": "JobSuspended", "message": "Job suspended"}
            suspended["lastProbeTime"] = now()
            status["conditions"] = with_condition(status.get("conditions") or [], suspended)
        status.pop("startTime", None)
        self._write(job, status | job_counts(pods_of(self.store, job)))
        return None

    def _stop_pods(self, job: Object, pods: list[Object]) -> None:
        for pod in filter(is_active, pods):
            self._maker.delete(job, pod)

    def _run_pods(self, job: Object, pods: list[Object]) -> Again:
        """Make missing pods, or say how long the back-off after the last failure still lasts."""
        counts = job_counts(pods)
        missing = parallelism(job, counts["succeeded"]) - counts["active"] - counts["terminating"]
        if missing <= 0:
            return None
        wait = backoff_seconds(pods, self._speed)
        if wait > 0:
            return wait
        for _ in range(missing):
            self._maker.create(job, _pod(job))
        return None

    def _write(self, job: Object, status: Object) -> None:
        if status == job.get("status"):
            return
        self.store.update(KIND, job | {"status": status}, subresource="status")
        for kind in ("Complete", "Failed"):
            condition = find_condition({"status": status}, kind)
            if condition and kind == "Complete":
                self._recorder.normal(job, "Completed", "Job completed")
            elif condition:
                self._recorder.warning(job, condition["reason"], condition["message"])


def _ended(pod: Object) -> bool:
    return not is_active(pod) and not is_terminating(pod)


def _pod(job: Object) -> Object:
    """A pod of the Job, with the labels that the API documents for finding it."""
    identity = {"job-name": name_of(job), "controller-uid": uid_of(job)}
    labels = identity | {f"batch.kubernetes.io/{key}": value for key, value in identity.items()}
    return pod_from(job["spec"]["template"], job, labels=labels)


def _seconds_to_deadline(job: Object, status: Object) -> Again:
    deadline = job["spec"].get("activeDeadlineSeconds")
    if deadline is None or is_finished({"status": status}):
        return None
    return max(0.0, int(deadline) - age(status["startTime"])) + 0.1


def _earliest(*waits: Again) -> Again:
    return min((wait for wait in waits if wait is not None), default=None)
