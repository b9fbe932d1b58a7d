"""The control plane itself: it is real, it guards itself, it survives what kills it, and it leaves nothing behind."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.processes import free_port
from steps.clients.kubernetes import Kube
from tests.cluster.planes import Plane, until

Object = dict[str, Any]


@pytest.fixture
def own_plane(tmp_path: Path) -> Iterator[Plane]:
    """Another control plane, beside the shared one, that the test may kill."""
    plane = Plane(tmp_path / "cluster")
    plane.directory.mkdir()
    plane.start(free_port(), "other")
    yield plane
    plane.stop()


@pytest.fixture
def place(kube: Kube, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace for one test."""
    name = request.node.name.removeprefix("test_").replace("_", "-")[:50].rstrip("-")
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    kube.delete("Namespace", name, None)


def test_a_service_account_without_a_role_may_not_read_secrets(control_plane: Plane, place: str) -> None:
    path, user = f"/api/v1/namespaces/{place}/secrets", f"system:serviceaccount:{place}:default"
    status, body = _get(control_plane, path, _token_of_service_account(control_plane, place, "default"))
    assert status == 403
    assert body["message"] == (
        f'secrets is forbidden: User "{user}" cannot list resource "secrets" in API group "" in the namespace "{place}"'
    )
    until(lambda: (user, path, 403) in _audited(control_plane))


def test_nobody_enters_without_a_good_token(control_plane: Plane) -> None:
    assert _get(control_plane, "/api/v1/namespaces", "made-up")[0] == 401


def test_a_deployment_makes_a_replica_set_that_makes_a_pod_that_no_node_takes(kube: Kube, place: str) -> None:
    kube.apply(_deployment(place))
    labels = {"app": "web"}
    until(lambda: len(kube.list("Pod", place, labels=labels)) == 1)
    [pod], [replica_set] = (kube.list(kind, place, labels=labels) for kind in ("Pod", "ReplicaSet"))
    assert pod["metadata"]["ownerReferences"][0]["name"] == replica_set["metadata"]["name"]
    until(lambda: _scheduled(kube, pod) == "Unschedulable")


def test_a_deleted_namespace_takes_its_objects_along(kube: Kube, place: str) -> None:
    kube.apply(_deployment(place))
    kube.delete("Namespace", place, None)
    until(lambda: kube.get("Namespace", place) is None)
    assert kube.list("Deployment", place) == []


def test_nothing_runs_on_and_nothing_is_lost_after_kill_9(own_plane: Plane) -> None:
    assert own_plane.process is not None
    before = _remember(own_plane, "remembered")
    programs, port = own_plane.processes(), int(own_plane.endpoint.rpartition(":")[2])
    assert len(programs) >= 7  # itself and six programs
    own_plane.process.kill()
    own_plane.process.wait()
    own_plane.process.communicate()
    until(lambda: own_plane.processes() == [])
    own_plane.start(port, "other")
    client = own_plane.client()
    found = client.get("ConfigMap", "remembered", "default")
    client.close()
    assert found is not None
    assert found["metadata"]["uid"] == before["metadata"]["uid"]


def test_two_clusters_stand_side_by_side_and_one_ends_without_a_trace(
    control_plane: Plane, own_plane: Plane, kube: Kube
) -> None:
    _remember(own_plane, "only-here")
    assert kube.get("ConfigMap", "only-here", "default") is None
    assert _get(control_plane, "/api/v1/namespaces", own_plane.token)[0] == 401
    assert own_plane.stop() == 0
    assert own_plane.processes() == []
    assert kube.get("Namespace", "default") is not None


def test_a_program_that_ends_is_started_again(own_plane: Plane) -> None:
    [before] = own_plane.processes("kube-scheduler")
    os.kill(before, signal.SIGKILL)
    until(lambda: own_plane.processes("kube-scheduler") not in ([], [before]))


def _deployment(namespace: str) -> Object:
    labels = {"app": "web"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": namespace, "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "containers": [{"name": "web", "image": "example.test/web:1"}],
                    "nodeSelector": {"no-node": "has-this"},
                },
            },
        },
    }


def _get(plane: Plane, path: str, token: str) -> tuple[int, Object]:
    with plane.http(token) as http:
        answer = http.get(path)
    return answer.status_code, answer.json()


def _token_of_service_account(plane: Plane, namespace: str, name: str) -> str:
    account = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}"
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    with plane.http() as http:
        until(lambda: http.get(account).status_code == 200)
        made: Object = http.post(f"{account}/token", json=request).raise_for_status().json()
    return str(made["status"]["token"])


def _audited(plane: Plane) -> set[tuple[str, str, int]]:
    """(user, URI, status) of all answers."""
    lines = (plane.directory / "audit.log").read_text().splitlines()
    events = [json.loads(line) for line in lines if line.endswith("}")]  # the last one may be half written
    return {
        (event["user"]["username"], event["requestURI"], event.get("responseStatus", {}).get("code", 0))
        for event in events
    }


def _scheduled(kube: Kube, pod: Object) -> str:
    """The reason in the pod's condition PodScheduled."""
    found = kube.get("Pod", pod["metadata"]["name"], pod["metadata"]["namespace"]) or {}
    conditions = found.get("status", {}).get("conditions", [])
    return next((str(each.get("reason")) for each in conditions if each["type"] == "PodScheduled"), "")


def _remember(plane: Plane, name: str) -> Object:
    client = plane.client()
    made = client.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}})
    client.close()
    return made
