"""Namespaces, pods, Deployments and Services as the tests of nodes and of diagnosis want them, and a node agent."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sandbox.processes import spawn, stop
from steps.clients.kubernetes import Kube, Object
from tests.cluster.conftest import APP_PYTHON
from tests.cluster.planes import ROOT, Plane, until

SHELL = "postgres:16"  # an image with a shell
WEB = "registry.example/coredns:1"  # an image that answers 200 to everything


@contextmanager
def namespace(plane: Plane, name: str) -> Iterator[str]:
    """A namespace whose pods are admitted, deleted afterwards."""
    with plane.http() as http:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        http.post("/api/v1/namespaces", json=body).raise_for_status()
        until(lambda: http.get(f"/api/v1/namespaces/{name}/serviceaccounts/default").status_code == 200)
        yield name
        http.delete(f"/api/v1/namespaces/{name}").raise_for_status()


@contextmanager
def agent(plane: Plane, folder: Path, node: str, *options: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A node agent of one node, which is ready; its Node goes with it."""
    command = [sys.executable, "-m", "sandbox.nodes", "--kubeconfig", str(plane.kubeconfig), "--dir", str(folder)]
    command += ["--node", node, "--app-python", str(APP_PYTHON), "--speed", "max", "--parent-pipe", "--pod-network"]
    folder.mkdir(parents=True, exist_ok=True)
    process = spawn([*command, *options], log=folder / "agent.log", cwd=ROOT)
    client = plane.client()
    try:
        until(lambda: process.poll() is not None or is_ready(client.get("Node", node)), 60)
        assert process.poll() is None, (folder / "agent.log").read_text()[-3000:]
        yield process
    finally:
        stop(process)
        with plane.http() as http:
            assert http.delete(f"/api/v1/nodes/{node}").status_code in {200, 404}
        client.close()


def container(image: str = SHELL, script: str = "", **more: Any) -> Object:
    """A container `c`, with a shell that runs the script if there is one."""
    command = {"command": ["bash", "-c", script]} if script else {}
    return {"name": "c", "image": image, **command, **more}


def web(**more: Any) -> Object:
    """A container that answers on port 8181, named web."""
    return container(WEB, ports=[{"containerPort": 8181, "name": "web"}], **more)


def pod(place: str, name: str, contents: Object, **spec: Any) -> Object:
    """A pod of one container, labelled `app`: its name."""
    metadata = {"name": name, "namespace": place, "labels": {"app": name}}
    spec = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [contents], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def deployment(place: str, name: str, contents: Object, replicas: int = 1, **spec: Any) -> Object:
    """A Deployment of one container, labelled `app`: its name."""
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [contents], **spec},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": place},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template},
    }


def service(place: str, name: str, port: int = 80, target: int | str = "web", **spec: Any) -> Object:
    """A Service of the pods labelled `app`: its name."""
    ports = [{"name": "http", "port": port, "targetPort": target}]
    metadata = {"name": name, "namespace": place}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"selector": {"app": name}, "ports": ports, **spec},
    }


def found(kube: Kube, kind: str, name: str, place: str) -> Object:
    """An object that is there."""
    item = kube.get(kind, name, place)
    assert item is not None
    return item


def when(kube: Kube, name: str, place: str, condition: Callable[[Object], object], seconds: float = 30) -> Object:
    """The pod, once the condition on its status holds; AssertionError with the last status seen."""
    seen: Object = {}

    def holds() -> bool:
        seen.update(found(kube, "Pod", name, place))
        return bool(condition(seen.get("status") or {}))

    try:
        until(holds, seconds)
    except AssertionError as error:
        raise AssertionError(json.dumps(seen.get("status"), indent=1)) from error
    return seen


def is_ready(item: Object | None) -> bool:
    """The condition Ready."""
    conditions = ((item or {}).get("status") or {}).get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def phase(*wanted: str) -> Callable[[Object], bool]:
    """Whether a status has one of these phases."""
    return lambda status: status.get("phase") in wanted
