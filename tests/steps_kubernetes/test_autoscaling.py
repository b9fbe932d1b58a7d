"""The ScaledObject's end: KEDA lets go of it, or is done without."""

from datetime import UTC, datetime, timedelta
from typing import Any

from steps import autoscaling
from steps.clients.kubernetes import Kube
from steps.names import Owner
from steps.waiting import Pending
from tests.steps_kubernetes.recorded_api import RecordedApi

PATH = "/apis/keda.sh/v1alpha1/namespaces/dbos/scaledobjects/dbos-app-scaledobject"
HELD = Pending("KEDA has not let go of ScaledObject dbos-app-scaledobject yet")


def scaled(api: RecordedApi, kube: Kube, owner: Owner, *finalizers: str) -> dict[str, Any]:
    """A ScaledObject that stays when it is deleted, as one with finalizers does."""
    autoscaling.ensure_scaled_object(kube, owner, "dbos", "taskQueue", 2, 1, 10, 15, 60)
    api.objects[PATH]["metadata"]["finalizers"] = list(finalizers)
    api.answer(f"DELETE {PATH}", 200, {"kind": "Status"})
    return api.objects[PATH]


def delete(kube: Kube, owner: Owner) -> Any:
    return autoscaling.delete_scaled_object(kube, owner, "dbos")


def ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_what_is_not_there_is_deleted(kube: Kube, owner: Owner) -> None:
    assert delete(kube, owner) == {"deleted": True}


def test_keda_is_waited_for(api: RecordedApi, kube: Kube, owner: Owner) -> None:
    """Uninstalled before, it would never let go, and the namespace could never be deleted."""
    found = scaled(api, kube, owner, autoscaling.FINALIZER)
    assert delete(kube, owner) == HELD
    found["metadata"]["deletionTimestamp"] = ago(5)
    assert delete(kube, owner) == HELD
    assert api.objects[PATH]["metadata"]["finalizers"] == [autoscaling.FINALIZER]
    del api.objects[PATH]
    assert delete(kube, owner) == {"deleted": True}


def test_a_keda_that_does_not_answer_is_done_without(api: RecordedApi, kube: Kube, owner: Owner) -> None:
    scaled(api, kube, owner, "somebody/else", autoscaling.FINALIZER)["metadata"]["deletionTimestamp"] = ago(90)
    assert delete(kube, owner) == HELD
    assert api.objects[PATH]["metadata"]["finalizers"] == ["somebody/else"]
