"""EKS with real Kubernetes behind it: one version, a real API, real nodes, and all of it again after kill -9."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.aws.eks.control_planes import VARIABLE
from tests.cluster.planes import Plane, until
from tests.sandbox.aws.standin import ACCOUNT, REGION, Network, StandIn, make_network, make_role

NAME = "real"
MINUTE = 60.0  # seconds: enough on a busy machine


@pytest.fixture(scope="module")
def aws() -> Iterator[StandIn]:
    with tempfile.TemporaryDirectory(prefix="sandbox-aws-") as folder:
        started = StandIn(Path(folder), environment={VARIABLE: "real"}, clusters=True).start()
        yield started
        started.stop()


@pytest.fixture(scope="module")
def network(aws: StandIn) -> Network:
    return make_network(aws)


def test_only_the_version_of_the_programs_is_offered(aws: StandIn, network: Network) -> None:
    offered = aws.client("eks").describe_cluster_versions()["clusterVersions"]
    assert [version["clusterVersion"] for version in offered] == ["1.34"]
    with pytest.raises(ClientError, match=r"unsupported Kubernetes version 1\.33"):
        _create(aws, network, make_role(aws, "refused", "eks.amazonaws.com"), version="1.33")


def test_a_cluster_with_nodes_and_an_addon_survives_kill_9_and_is_deleted_without_a_trace(
    aws: StandIn, network: Network
) -> None:
    _create(aws, network, make_role(aws, "cluster", "eks.amazonaws.com"))
    until(lambda: _status(aws) == "ACTIVE", MINUTE)
    plane = Plane(aws.home / "clusters" / f"{ACCOUNT}-{REGION}-{NAME}")
    assert _version(plane) == "v1.34"
    eks, node_role = aws.client("eks"), make_role(aws, "node", "ec2.amazonaws.com")
    eks.create_nodegroup(clusterName=NAME, nodegroupName="default", nodeRole=node_role, subnets=network.private)
    eks.create_addon(clusterName=NAME, addonName="coredns")
    until(lambda: _addon(aws) == "ACTIVE", MINUTE)
    before = _uids(plane)
    assert len(before) == 2  # a managed node group's default

    aws.kill()
    until(lambda: plane.processes() == [])
    aws.start()

    until(lambda: plane.processes("kube-scheduler") != [] and _answers(plane), MINUTE)
    assert _uids(plane) == before
    aws.client("eks").delete_nodegroup(clusterName=NAME, nodegroupName="default")
    until(lambda: aws.client("eks").list_nodegroups(clusterName=NAME)["nodegroups"] == [], MINUTE)
    aws.client("eks").delete_cluster(name=NAME)
    until(lambda: aws.client("eks").list_clusters()["clusters"] == [], MINUTE)
    assert plane.processes() == []
    assert not plane.directory.exists()


def _create(aws: StandIn, network: Network, role: str, **more: Any) -> None:
    subnets = {"subnetIds": network.public + network.private}
    aws.client("eks").create_cluster(name=NAME, roleArn=role, resourcesVpcConfig=subnets, **more)


def _status(aws: StandIn) -> str:
    return str(aws.client("eks").describe_cluster(name=NAME)["cluster"]["status"])


def _addon(aws: StandIn) -> str:
    return str(aws.client("eks").describe_addon(clusterName=NAME, addonName="coredns")["addon"]["status"])


def _version(plane: Plane) -> str:
    with plane.http() as http:
        return str(http.get("/version").raise_for_status().json()["gitVersion"]).rpartition(".")[0]


def _answers(plane: Plane) -> bool:
    return (plane.directory / "ready").exists()


def _uids(plane: Plane) -> set[str]:
    """Of the nodes."""
    client = plane.client()
    try:
        return {str(node["metadata"]["uid"]) for node in client.list("Node")}
    finally:
        client.close()
