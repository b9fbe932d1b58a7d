"""A cluster for tests: a store in memory, the controllers, a kubelet, and short ways to make and await objects."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sandbox.kubernetes.controllers import controllers, run
from sandbox.kubernetes.controllers.runtime import Reconciler
from sandbox.kubernetes.errors import NotFound
from sandbox.kubernetes.settings import Settings
from sandbox.kubernetes.store import Store
from tests.sandbox.kubernetes_controllers.kubelet import Kubelet

Object = dict[str, Any]
NAMESPACE = "dbos"


class Cluster:
    """Use inside `async with`; `replacing` puts a controller made for the test in the place of one of its class."""

    def __init__(self, directory: Path, replacing: Callable[[Store], Reconciler] | None = None) -> None:
        self.store = Store()
        self.settings = Settings("test", "123456789012", "us-west-2", "http://127.0.0.1:1", float("inf"), directory)
        self._replacing = replacing
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Cluster":
        self.make("namespaces", {"metadata": {"name": NAMESPACE}})
        self.make("serviceaccounts", {"metadata": {"name": "default"}})
        chosen = controllers(self.store, self.settings)
        if self._replacing:
            replacement = self._replacing(self.store)
            chosen = [replacement if type(each) is type(replacement) else each for each in chosen]
        self._tasks = run(self.store, chosen)
        self._kubelet = Kubelet(self.store)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._kubelet.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.store.close()

    def make(self, kind: str, obj: Object) -> Object:
        """Create `obj`, in the test's namespace when it is of a namespaced kind."""
        if self.store.registry.by_key(kind).namespaced:
            obj["metadata"].setdefault("namespace", NAMESPACE)
        return self.store.create(kind, obj, field_manager="test")

    def node(self, name: str, cpu: str = "2", **status: Any) -> Object:
        """A node that is Ready."""
        self.make("nodes", {"metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}}, "spec": {}})
        node = self.store.get("nodes", None, name)
        node["status"] = {
            "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-01T00:00:00Z"}],
            "allocatable": {"cpu": cpu, "memory": "4Gi", "pods": "17"},
            **status,
        }
        return self.store.update("nodes", node, subresource="status")

    def get(self, kind: str, name: str, namespace: str = NAMESPACE) -> Object:
        """The object as it is now; an empty one when it is not there."""
        namespaced = self.store.registry.by_key(kind).namespaced
        return self.store.peek(kind, namespace if namespaced else None, name) or {}

    def change(self, kind: str, name: str, **spec: Any) -> Object:
        """Set fields of the spec."""
        obj = self.store.get(kind, NAMESPACE, name)
        obj["spec"] |= spec
        return self.store.update(kind, obj)

    def names(self, kind: str) -> list[str]:
        """Names of the objects of that kind in the test's namespace."""
        return [each["metadata"]["name"] for each in self.store.list(kind, NAMESPACE)]

    def reasons(self) -> set[str]:
        """Reasons of all events."""
        return {each["reason"] for each in self.store.list("events")}


async def eventually(holds: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait until `holds()` is true; fails with its last value after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := _value(holds)):
        assert time.monotonic() < deadline, f"still {value!r} after {seconds} s"
        await asyncio.sleep(0.005)


def _value(holds: Callable[[], object]) -> object:
    try:
        return holds()
    except (NotFound, KeyError, IndexError) as error:
        return None if error else False


def pod_template(image: str = "ready", **spec: Any) -> Object:
    """A pod template of one container, labelled app=web."""
    container = {"name": "main", "image": image, "ports": [{"name": "http", "containerPort": 8080}]}
    return {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container], **spec}}


def deployment(name: str = "web", image: str = "ready", **spec: Any) -> Object:
    """A Deployment of one replica."""
    return {
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": pod_template(image), **spec},
    }


def job(name: str = "migrate", image: str = "succeeds", **spec: Any) -> Object:
    """A Job whose pods are not restarted."""
    return {"metadata": {"name": name}, "spec": {"template": pod_template(image, restartPolicy="Never"), **spec}}
