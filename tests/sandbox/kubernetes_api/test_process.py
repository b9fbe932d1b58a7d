"""The process: what survives it, how it ends, what it writes."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.server import StandIn


@pytest.fixture
def own(tmp_path: Path) -> Iterator[StandIn]:
    """A server that the test may kill."""
    started = StandIn(tmp_path, "http://127.0.0.1:1")
    started.start()
    yield started
    started.stop()


def test_all_survives_a_kill_and_it_ends_with_its_parent(own: StandIn) -> None:
    token = own.token
    with own.client() as client:
        made = client.post("/api/v1/namespaces", json={"metadata": {"name": "kept"}}).json()
        names = {"plural": "things", "kind": "Thing"}
        schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
        version = {"name": "v1", "served": True, "storage": True, "schema": schema}
        spec = {"group": "example.com", "scope": "Cluster", "names": names, "versions": [version]}
        crd = {"metadata": {"name": "things.example.com"}, "spec": spec}
        client.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", json=crd).raise_for_status()
        while client.get("/apis/example.com/v1/things").status_code == 404:
            continue
        one = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "one"}}
        client.post("/apis/example.com/v1/things", json=one).raise_for_status()
    own.kill()
    own.start()
    assert own.token == token
    with own.client() as client:
        again = client.get("/api/v1/namespaces/kept").json()
        assert again["metadata"]["uid"] == made["metadata"]["uid"]
        things = client.get("/apis/example.com/v1/things").json()
        assert [each["metadata"]["name"] for each in things["items"]] == ["one"]
        old = client.get("/api/v1/namespaces", params={"watch": "true", "resourceVersion": "1"})
        assert (old.json()["type"], old.json()["object"]["code"]) == ("ERROR", 410)

    assert own.close_pipe() == 0


def test_secrets_on_disk_are_private(server: StandIn) -> None:
    for name in ("admin.kubeconfig", "apiserver.key"):
        assert stat.S_IMODE((server.directory / name).stat().st_mode) == 0o600
