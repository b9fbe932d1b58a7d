"""What a kubelet does to pods, done by the test: their status."""

from datetime import UTC, datetime
from typing import Any

from tests.contract.kube import Kube
from tests.contract.objects import Object


def now() -> str:
    """The present as metav1.Time prints it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _ready(status: str) -> list[Object]:
    return [{"type": kind, "status": status, "lastTransitionTime": now()} for kind in ("Ready", "ContainersReady")]


def run(kube: Kube, name: str, address: str = "192.168.9.9", *, ready: bool = True) -> None:
    """The pod runs, with that address."""
    addresses = {"podIP": address, "podIPs": [{"ip": address}]}
    status = {"phase": "Running", "conditions": _ready("True" if ready else "False")} | addresses
    kube.set_status("pods", name, status)


def end(kube: Kube, name: str, phase: str) -> None:
    """The pod has Succeeded or Failed."""
    state = {"terminated": {"exitCode": 0 if phase == "Succeeded" else 1, "startedAt": now(), "finishedAt": now()}}
    container = {"name": "main", "image": "example/app:1", "imageID": "", "ready": False, "restartCount": 0}
    containers = {"containerStatuses": [container | {"state": state}]}
    kube.set_status("pods", name, {"phase": phase, "conditions": _ready("False")} | containers)


def pods_of(kube: Kube, selector: str, count: int = 1) -> list[Any]:
    """The pods, once there are that many."""

    def there() -> list[Any]:
        found = kube.items("pods", labelSelector=selector)
        return found if len(found) == count else []

    found: list[Any] = kube.until(there)
    return found


def run_all(kube: Kube, selector: str, count: int = 1) -> None:
    """All of them run."""
    for pod in pods_of(kube, selector, count):
        run(kube, pod["metadata"]["name"])


def end_all(kube: Kube, selector: str, phase: str, count: int = 1) -> None:
    """All of them have ended."""
    for pod in pods_of(kube, selector, count):
        end(kube, pod["metadata"]["name"], phase)
