"""KEDA's ScaledObject: as many application pods as the length of a DBOS queue asks for."""

from datetime import UTC, datetime
from typing import Any

from steps import app, objects
from steps.clients.kubernetes import Kube
from steps.names import Owner
from steps.waiting import Pending

COMPONENT = "autoscaling"
NAME = "dbos-app-scaledobject"
FINALIZER = "finalizer.keda.sh"
KEDA_SECONDS = 60.0
"""How long KEDA may take to let go of a ScaledObject that is deleted; it takes about one."""


def ensure_scaled_object(
    kube: Kube,
    owner: Owner,
    namespace: str,
    queue: str,
    target: int,
    minimum: int,
    maximum: int,
    polling_seconds: int,
    cooldown_seconds: int,
) -> str:
    """Apply the ScaledObject: `target` workflows of `queue` per pod, between `minimum` and `maximum` pods."""
    scaled = objects.load(COMPONENT, owner, namespace)["ScaledObject"]
    spec = scaled["spec"]
    spec["minReplicaCount"], spec["maxReplicaCount"] = minimum, maximum
    spec["pollingInterval"], spec["cooldownPeriod"] = polling_seconds, cooldown_seconds
    metadata = spec["triggers"][0]["metadata"]
    metadata["url"] = f"http://{app.NAME}.{namespace}.svc.cluster.local:{app.PORT}/metrics/{queue}"
    metadata["targetValue"] = str(target)
    objects.apply_component(kube, owner, namespace, COMPONENT, [scaled])
    return NAME


def await_scaled_object(kube: Kube, namespace: str) -> dict[str, Any] | Pending:
    """`{"ready": True}` once KEDA says so: it reached the metric and made the HorizontalPodAutoscaler."""
    found = kube.get("ScaledObject", NAME, namespace)
    if found is None:
        return Pending(f"ScaledObject {NAME} does not exist yet")
    ready = objects.condition(found, "Ready")
    if ready.get("status") == "True":
        return {"ready": True}
    return Pending(f"KEDA: {ready.get('message') or 'has not looked at the ScaledObject yet'}")


def delete_scaled_object(kube: Kube, owner: Owner, namespace: str) -> dict[str, Any] | Pending:
    """Delete it; `{"deleted": True}` once it is gone, and with it what scaled the application.

    KEDA lets go of it, so it must not be uninstalled before. A KEDA that does not answer is done without: its
    autoscaler goes with the ScaledObject, by its owner reference.
    """
    objects.prune(kube, owner, namespace, COMPONENT, keep=set())
    for found in kube.list("ScaledObject", namespace, labels=objects.labels(owner, COMPONENT)):
        meta = found["metadata"]
        since = datetime.fromisoformat(meta["deletionTimestamp"]) if "deletionTimestamp" in meta else datetime.now(UTC)
        if (datetime.now(UTC) - since).total_seconds() > KEDA_SECONDS:
            others = [each for each in meta.get("finalizers") or [] if each != FINALIZER]
            kube.patch("ScaledObject", meta["name"], namespace, {"metadata": {"finalizers": others}})
        return Pending(f"KEDA has not let go of ScaledObject {meta['name']} yet")
    return {"deleted": True}
