"""What the cluster itself says of an object: its newest warning Event.

A pod's status does not tell why a probe fails or a volume is not mounted, nor a Job's why its pods are refused; the
Events about them do. They are kept for an hour, and reading them is a permission of its own: without it nothing
is said. Source: Kubernetes API reference, "Event v1 core".
"""

from collections.abc import Collection
from datetime import UTC, datetime

from steps.clients.kubernetes import Kube, Object
from steps.errors import Code, PodiumError
from steps.scrubbing import scrub

NOT_STARTED = frozenset({"FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox", "FailedPostStartHook"})
"""Why a pod that has a node does not start its containers."""
UNHEALTHY = frozenset({"Unhealthy"})
"""What a failing probe is told by."""
REFUSED = frozenset({"FailedCreate"})
"""Why a controller may not make its pods (quota, admission)."""
_LONGEST = 300  # characters


def last_warning(kube: Kube, found: Object, reasons: Collection[str]) -> str | None:
    """The message of the newest warning about the object with one of these reasons, scrubbed and cut."""
    metadata = found["metadata"]
    if not metadata.get("uid"):
        return None
    about = {"involvedObject.uid": metadata["uid"], "type": "Warning"}
    try:
        events = kube.list("Event", metadata.get("namespace"), fields=about)
    except PodiumError as refusal:
        if refusal.code is Code.KUBERNETES_ACCESS_DENIED:
            return None
        raise
    fitting = [event for event in events if event.get("reason") in reasons]
    if not fitting:
        return None
    return scrub(" ".join(str(max(fitting, key=_moment).get("message", "")).split()))[:_LONGEST]


def _moment(event: Object) -> datetime:
    """When it was last seen."""
    series = event.get("series") or {}
    times = [series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime")]
    text = next((time for time in times if time), event["metadata"].get("creationTimestamp"))
    return datetime.fromisoformat(text) if text else datetime.min.replace(tzinfo=UTC)
