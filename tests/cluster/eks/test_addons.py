"""EKS's add-ons on a real cluster: their objects are valid, and their pods come up."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.kubernetes import addons
from tests.cluster.planes import Plane, until

VERSIONS = {"vpc-cni": "v1.21.34-eksbuild.1", "coredns": "v1.12.34-eksbuild.1", "kube-proxy": "v1.34.3-eksbuild.2"}
SYSTEM = "/apis/apps/v1/namespaces/kube-system"


def get(plane: Plane, path: str) -> dict[str, Any]:
    with plane.http() as http:
        return dict(http.get(path).raise_for_status().json())


@pytest.fixture
def none_yet(control_plane: Plane) -> Iterator[Path]:
    """The cluster's folder, without add-ons before and after."""
    yield control_plane.directory
    for name in VERSIONS:
        addons.remove(control_plane.directory, name)


def test_they_come_up_on_the_nodes(control_plane: Plane, nodes: Path, none_yet: Path) -> None:
    for name, version in VERSIONS.items():
        addons.install(none_yet, name, version, {})
    for name in VERSIONS:
        until(lambda name=name: addons.ready(none_yet, name), 60)  # type: ignore[misc]
    for name in ("aws-node", "kube-proxy"):
        daemon_set = get(control_plane, f"{SYSTEM}/daemonsets/{name}")
        assert (daemon_set["status"]["numberReady"], daemon_set["status"]["desiredNumberScheduled"]) == (1, 1)
    dns = get(control_plane, f"{SYSTEM}/deployments/coredns")
    assert dns["status"]["availableReplicas"] == 2
    assert dns["spec"]["template"]["spec"]["containers"][0]["image"].endswith(":v1.12.34-eksbuild.1")
    assert get(control_plane, "/api/v1/namespaces/kube-system/services/kube-dns")["spec"]["clusterIP"] == "10.100.0.10"


def test_a_configuration_rolls_out(control_plane: Plane, nodes: Path, none_yet: Path) -> None:
    addons.install(none_yet, "vpc-cni", VERSIONS["vpc-cni"], {})
    until(lambda: addons.ready(none_yet, "vpc-cni"), 60)
    addons.install(none_yet, "vpc-cni", VERSIONS["vpc-cni"], {"enableNetworkPolicy": "true"})
    until(lambda: addons.ready(none_yet, "vpc-cni"), 60)
    daemon_set = get(control_plane, f"{SYSTEM}/daemonsets/aws-node")
    assert daemon_set["status"]["updatedNumberScheduled"] == 1
    assert "--enable-network-policy=true" in json.dumps(daemon_set["spec"])


def test_applying_the_same_version_again_changes_nothing(control_plane: Plane, none_yet: Path) -> None:
    addons.install(none_yet, "kube-proxy", VERSIONS["kube-proxy"], {})
    before = get(control_plane, f"{SYSTEM}/daemonsets/kube-proxy")["metadata"]["generation"]
    addons.install(none_yet, "kube-proxy", VERSIONS["kube-proxy"], {})
    assert get(control_plane, f"{SYSTEM}/daemonsets/kube-proxy")["metadata"]["generation"] == before


@pytest.mark.parametrize("manifest", sorted(addons.FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_api_server_has_nothing_to_warn_of(control_plane: Plane, manifest: Path) -> None:
    kinds = {"ServiceAccount": "api/v1", "ConfigMap": "api/v1", "Service": "api/v1"}
    with control_plane.http() as http:
        for obj in yaml.safe_load_all(manifest.read_text()):
            root, plural = kinds.get(obj["kind"], "apis/apps/v1"), obj["kind"].lower() + "s"
            path = f"/{root}/namespaces/{obj['metadata']['namespace']}/{plural}"
            answer = http.post(path, json=obj, params={"dryRun": "All", "fieldValidation": "Strict"})
            assert answer.status_code == 201, answer.text
            assert "warning" not in answer.headers
