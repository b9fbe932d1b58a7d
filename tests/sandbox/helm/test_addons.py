"""EKS add-ons put their objects into the cluster."""

from pathlib import Path
from typing import Any

import pytest

from sandbox.helm.kube import Kube
from sandbox.kubernetes import addons
from tests.sandbox.aws.standin import until


def _containers(kube: Kube, kind: str, name: str) -> dict[str, dict[str, Any]]:
    template = kube.get(kind, "kube-system", name)["spec"]["template"]
    return {container["name"]: container for container in template["spec"]["containers"]}


def test_the_vpc_cni_enforces_network_policies_when_configured(cluster_dir: Path, kube: Kube) -> None:
    addons.install(cluster_dir, "vpc-cni", "v1.19.0-eksbuild.1", {"enableNetworkPolicy": "true"})
    containers = _containers(kube, "DaemonSet", "aws-node")
    assert "--enable-network-policy=true" in containers["aws-eks-nodeagent"]["args"]
    assert containers["aws-node"]["image"].endswith("/amazon-k8s-cni:v1.19.0-eksbuild.1")
    assert {"name": "ENABLE_NETWORK_POLICY", "value": "true"} in containers["aws-node"]["env"]
    until(lambda: addons.ready(cluster_dir, "vpc-cni"))
    addons.install(cluster_dir, "vpc-cni", "v1.19.0-eksbuild.1", {})
    containers = _containers(kube, "DaemonSet", "aws-node")
    assert "--enable-network-policy=false" in containers["aws-eks-nodeagent"]["args"]


def test_coredns_is_degraded_without_nodes(cluster_dir: Path, kube: Kube) -> None:
    addons.install(cluster_dir, "coredns", "v1.11.3-eksbuild.1", {"replicaCount": 3})
    assert kube.get("Deployment", "kube-system", "coredns")["spec"]["replicas"] == 3
    assert kube.get("Service", "kube-system", "kube-dns")["spec"]["clusterIP"] == "10.100.0.10"
    assert not addons.ready(cluster_dir, "coredns")


def test_a_removed_add_on_leaves_nothing_and_can_be_removed_again(cluster_dir: Path, kube: Kube) -> None:
    addons.install(cluster_dir, "kube-proxy", "v1.34.0-eksbuild.2", {})
    addons.remove(cluster_dir, "kube-proxy")
    addons.remove(cluster_dir, "kube-proxy")
    assert kube.find("DaemonSet", "kube-system", "kube-proxy") is None
    assert not addons.ready(cluster_dir, "kube-proxy")


def test_an_unknown_add_on_is_refused(cluster_dir: Path) -> None:
    with pytest.raises(addons.UnknownAddon, match="only coredns, kube-proxy, vpc-cni"):
        addons.install(cluster_dir, "nonsense", "v1", {})
