"""Why a pod does not start, told by its status, with its last log lines.

When to give up at once and when to wait: a Secret may still be on its way, a node may still be coming, a database may
need a moment. So a crash counts from the third restart, a missing Secret (also a mounted one) after three minutes, no
room on the nodes after ten; an image that was tried and put into back-off counts at once. A failing readiness probe
never counts: it is what the pod waits for, and the deadline of the wait shows it.

A pod that was reported is marked. A later look, which is a retry, deletes the marked pod, so that its controller makes
a fresh one at once instead of after up to five minutes of back-off.
"""

from datetime import UTC, datetime
from typing import Any

from steps.clients.kubernetes import Kube, Object
from steps.errors import Code, PodiumError
from steps.object_events import NOT_STARTED, UNHEALTHY, last_warning
from steps.scrubbing import last_lines, scrub

REPORTED = "podium/failure-reported"
RESTARTS_TO_FAIL = 3
CONFIGURATION_SECONDS = 180
"""How long a pod may miss a Secret or ConfigMap."""
SCHEDULING_SECONDS = 600
"""How long a pod may find no room; nodes take two to three minutes to join."""
IMAGE_FAILED = frozenset({"ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
IMAGE_TRYING = frozenset({"ErrImagePull", "RegistryUnavailable"})
STARTING = frozenset({"ContainerCreating", "PodInitializing"})
STOPPED = frozenset({137, 143})
"""Exit codes of a container that was sent SIGKILL or SIGTERM: by its node, after a failing probe."""
MEMORY_REMEDY = (
    "It was killed for using more memory than its limit: use a smaller image or workload, or raise the limit."
)
CONFIGURATION_REMEDY = "Make what it names available in the namespace, then retry."
CONFIGURATION = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})


def diagnose(kube: Kube, namespace: str, pods: list[Object]) -> str | None:
    """What these pods wait for, in a few words; None when nothing is wrong.

    Raises WORKLOAD_FAILED or IMAGE_PULL_FAILED for the first pod that cannot start; marks it as reported.
    """
    remarks = [_look_at(kube, namespace, pod) for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    return next((remark for remark in remarks if remark), None)


def _look_at(kube: Kube, namespace: str, pod: Object) -> str | None:
    """What this pod waits for. Raises its failure the first time, deletes the pod the second time."""
    failure = _failure(kube, namespace, pod)
    if failure is None:
        return waiting_reason(pod) or _unready_reason(kube, pod)
    if (pod["metadata"].get("annotations") or {}).get(REPORTED):
        kube.delete("Pod", pod["metadata"]["name"], namespace)
        return f"starting pod {pod['metadata']['name']} afresh"
    _mark(kube, namespace, pod)
    raise failure


def waiting_reason(pod: Object) -> str | None:
    """What a pod that may yet start waits for."""
    unscheduled = _unscheduled(pod)
    if unscheduled:
        return f"Unschedulable: {unscheduled.get('message', '')}"[:300]
    for container in container_statuses(pod):
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") not in STARTING | {None}:
            return scrub(f"{waiting['reason']}: {waiting.get('message', '')}")[:300]
    return None


def _unready_reason(kube: Kube, pod: Object) -> str | None:
    """Why a pod that has a node is not ready, as the node tells: by Events."""
    states = [container.get("state") or {} for container in container_statuses(pod) if not container.get("ready")]
    if any("running" in state for state in states):
        failing = last_warning(kube, pod, UNHEALTHY)
        return f"not ready: {failing}" if failing else None
    if any((state.get("waiting") or {}).get("reason") in STARTING for state in states):
        return last_warning(kube, pod, NOT_STARTED)
    return None


def _failure(kube: Kube, namespace: str, pod: Object) -> PodiumError | None:
    """The error a pod is in for good, None while it may still start."""
    unscheduled = _unscheduled(pod)
    if unscheduled and _age(unscheduled.get("lastTransitionTime")) > SCHEDULING_SECONDS:
        return _workload_failed(
            pod,
            f"finds no room: {unscheduled.get('message', '')}",
            "Add nodes, choose a larger nodes.instance_type, or remove the taint or label that it names; then retry.",
        )
    unmounted = _unmounted(kube, pod)
    if unmounted:
        return _workload_failed(pod, f"cannot be set up: {unmounted}", CONFIGURATION_REMEDY)
    for container in container_statuses(pod):
        failure = _container_failure(kube, namespace, pod, container)
        if failure is not None:
            return failure
    return None


def _container_failure(kube: Kube, namespace: str, pod: Object, container: dict[str, Any]) -> PodiumError | None:
    waiting = (container.get("state") or {}).get("waiting") or {}
    reason, message = waiting.get("reason", ""), scrub(str(waiting.get("message", "")))[:300]
    if reason in IMAGE_FAILED:
        return PodiumError.by_user(
            Code.IMAGE_PULL_FAILED,
            f"Pod {pod['metadata']['name']} cannot pull the image {container.get('image')}: {reason}: {message}",
            "Push the image, or correct its name in the spec, or let the nodes pull it; then retry.",
        )
    if reason == "CrashLoopBackOff" and int(container.get("restartCount") or 0) >= RESTARTS_TO_FAIL:
        return _crashed(kube, namespace, pod, container)
    if reason in CONFIGURATION and _age((pod.get("status") or {}).get("startTime")) > CONFIGURATION_SECONDS:
        return _workload_failed(pod, f"cannot be set up: {reason}: {message}", CONFIGURATION_REMEDY)
    return None


def _unmounted(kube: Kube, pod: Object) -> str | None:
    """Why a pod's volumes are not there after as long as it may miss a Secret."""
    status = pod.get("status") or {}
    conditions = {each.get("type"): each.get("status") for each in status.get("conditions") or []}
    if conditions.get("PodReadyToStartContainers") != "False" or _age(status.get("startTime")) <= CONFIGURATION_SECONDS:
        return None
    return last_warning(kube, pod, NOT_STARTED) if status.get("phase") == "Pending" else None


def _crashed(kube: Kube, namespace: str, pod: Object, container: dict[str, Any]) -> PodiumError:
    ended = (container.get("lastState") or {}).get("terminated") or {}
    reason = ended.get("reason", "Error")
    name = pod["metadata"]["name"]
    log = last_lines(kube.pod_logs(namespace, name, container=container.get("name"), tail=20, previous=True))
    remedy = MEMORY_REMEDY if reason == "OOMKilled" else "Mend what its last log lines say, then retry."
    return _workload_failed(
        pod,
        f"keeps ending with exit code {ended.get('exitCode', '?')} ({reason}){_cause(kube, pod, ended)}"
        + (f"; its last lines:\n{log}" if log else ""),
        remedy,
    )


def _cause(kube: Kube, pod: Object, ended: dict[str, Any]) -> str:
    """What the node says of an end: the runtime's message, or the probe after which it stopped the container."""
    message = scrub(str(ended.get("message") or "")).strip()[:300]
    if not message and ended.get("exitCode") in STOPPED and ended.get("reason") == "Error":
        message = last_warning(kube, pod, UNHEALTHY) or ""
    return f": {message}" if message else ""


def _workload_failed(pod: Object, what: str, remedy: str) -> PodiumError:
    return PodiumError.by_user(Code.WORKLOAD_FAILED, f"Pod {pod['metadata']['name']} {what}", remedy)


def _mark(kube: Kube, namespace: str, pod: Object) -> None:
    changes = {"metadata": {"annotations": {REPORTED: datetime.now(UTC).isoformat(timespec="seconds")}}}
    kube.patch("Pod", pod["metadata"]["name"], namespace, changes)


def _unscheduled(pod: Object) -> dict[str, Any] | None:
    for each in (pod.get("status") or {}).get("conditions") or []:
        if each.get("type") == "PodScheduled" and each.get("status") == "False":
            found: dict[str, Any] = each
            return found
    return None


def container_statuses(pod: Object) -> list[dict[str, Any]]:
    """The statuses of a pod's containers, those of init containers first."""
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def _age(timestamp: str | None) -> float:
    """Seconds since a Kubernetes timestamp (RFC 3339); 0 without one."""
    if not timestamp:
        return 0.0
    return (datetime.now(UTC) - datetime.fromisoformat(timestamp)).total_seconds()
