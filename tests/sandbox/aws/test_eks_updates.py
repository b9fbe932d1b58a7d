"""EKS's updates: one at a time of each thing, done or failed at their end; nodes that come, go and are rolled."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.aws.snapshot import WAIT
from tests.sandbox.aws.standin import Network, StandIn, make_network, make_role, until
from tests.sandbox.aws.test_eks import (
    add_nodes,
    code,
    create_cluster,
    delete_cluster,
    group_status,
    remove_nodes,
    status,
)

VCPUS = "L-1216C47A"


def instances(aws: StandIn) -> set[str]:
    """Network interfaces of the group's nodes."""
    found = aws.client("ec2").describe_network_interfaces(Filters=[{"Name": "description", "Values": ["aws-K8S-*"]}])
    return {one["NetworkInterfaceId"] for one in found["NetworkInterfaces"]}


def outcome(aws: StandIn, update: dict[str, Any], **of: str) -> str:
    return str(aws.client("eks").describe_update(name="one", updateId=update["id"], **of)["update"]["status"])


def scale(aws: StandIn, count: int) -> dict[str, Any]:
    sizes = {"minSize": count, "maxSize": count, "desiredSize": count}
    answer = aws.client("eks").update_nodegroup_config(clusterName="one", nodegroupName="default", scalingConfig=sizes)
    return dict(answer["update"])


@pytest.fixture
def cluster(aws: StandIn, roles: dict[str, str], network: Network) -> Iterator[None]:
    create_cluster(aws, roles, network, version="1.32")
    until(lambda: status(aws), "ACTIVE")
    yield
    aws.control("PUT", "/settings", {"failing_updates": []})
    delete_cluster(aws)


@pytest.fixture
def nodes(aws: StandIn, roles: dict[str, str], network: Network, cluster: None) -> Iterator[None]:
    add_nodes(aws, roles, network)
    until(lambda: group_status(aws), "ACTIVE")
    yield
    remove_nodes(aws)


def test_a_cluster_takes_one_update_at_a_time_and_shows_it_at_its_end(aws: StandIn, cluster: None) -> None:
    eks = aws.client("eks")
    update = eks.update_cluster_config(name="one", resourcesVpcConfig={"publicAccessCidrs": ["10.0.0.0/8"]})["update"]
    other = code(lambda: eks.update_cluster_version(name="one", version="1.33"))
    assert other == (
        "ResourceInUseException",
        f"Cannot VersionUpdate because cluster one currently has update {update['id']} in progress",
    )
    before = eks.describe_cluster(name="one")["cluster"]
    assert before["status"] == "UPDATING"
    assert before["resourcesVpcConfig"]["publicAccessCidrs"] == ["0.0.0.0/0"]
    until(lambda: outcome(aws, update), "Successful")
    after = eks.describe_cluster(name="one")["cluster"]["resourcesVpcConfig"]
    assert after == before["resourcesVpcConfig"] | {"publicAccessCidrs": ["10.0.0.0/8"]}
    same = code(lambda: eks.update_cluster_config(name="one", resourcesVpcConfig={"publicAccessCidrs": ["10.0.0.0/8"]}))
    assert same[0] == "InvalidParameterException"
    assert "already at the desired configuration" in same[1]


def test_an_update_that_is_to_fail_says_why_and_changes_nothing(aws: StandIn, cluster: None) -> None:
    eks = aws.client("eks")
    aws.control("PUT", "/settings", {"failing_updates": ["VersionUpdate"]})
    update = eks.update_cluster_version(name="one", version="1.33", clientRequestToken="t-1")["update"]
    until(lambda: outcome(aws, update), "Failed")
    assert status(aws) == "ACTIVE"
    assert eks.describe_cluster(name="one")["cluster"]["version"] == "1.32"
    described = eks.describe_update(name="one", updateId=update["id"])["update"]
    assert described["errors"][0]["errorMessage"]
    aws.control("PUT", "/settings", {"failing_updates": []})
    again = eks.update_cluster_version(name="one", version="1.33", clientRequestToken="t-1")["update"]
    assert again["id"] == update["id"], "a token makes nothing twice"
    assert eks.describe_cluster(name="one")["cluster"]["version"] == "1.32"


def test_nodes_follow_the_control_plane_before_it_goes_further(aws: StandIn, nodes: None) -> None:
    eks = aws.client("eks")
    ahead = code(lambda: eks.update_nodegroup_version(clusterName="one", nodegroupName="default", version="1.33"))
    assert ahead[0] == "InvalidRequestException"
    eks.update_cluster_version(name="one", version="1.33")
    until(lambda: status(aws), "ACTIVE")
    behind = code(lambda: eks.update_cluster_version(name="one", version="1.34"))
    assert "Nodegroups default must be updated to match cluster version 1.33" in behind[1]
    before = instances(aws)
    update = eks.update_nodegroup_version(clusterName="one", nodegroupName="default", version="1.33")["update"]
    busy = code(lambda: eks.update_nodegroup_version(clusterName="one", nodegroupName="default", version="1.33"))
    assert busy[0] == "ResourceInUseException"
    until(lambda: outcome(aws, update, nodegroupName="default"), "Successful")
    found = eks.describe_nodegroup(clusterName="one", nodegroupName="default")["nodegroup"]
    assert (found["status"], found["version"]) == ("ACTIVE", "1.33")
    assert len(instances(aws)) == 2
    assert not instances(aws) & before


def test_a_group_is_as_large_as_it_is_told(aws: StandIn, nodes: None) -> None:
    before = instances(aws)
    update = scale(aws, 3)
    assert group_status(aws) == "UPDATING"
    until(lambda: outcome(aws, update, nodegroupName="default"), "Successful")
    until(lambda: len(instances(aws)), 3)
    assert before < instances(aws)
    scale(aws, 1)
    until(lambda: len(instances(aws)), 1)
    wrong = {"minSize": 2, "desiredSize": 1}
    eks = aws.client("eks")
    until(lambda: group_status(aws), "ACTIVE")
    refused = code(lambda: eks.update_nodegroup_config(clusterName="one", nodegroupName="default", scalingConfig=wrong))
    assert refused[0] == "InvalidParameterException"


def test_nodes_beyond_the_quota_come_when_it_is_raised(aws: StandIn, nodes: None) -> None:
    aws.control("PUT", "/settings", {"quotas": {VCPUS: 4.0}})
    scale(aws, 3)
    until(lambda: group_status(aws), "DEGRADED")
    found = aws.client("eks").describe_nodegroup(clusterName="one", nodegroupName="default")["nodegroup"]
    assert found["health"]["issues"][0]["code"] == "AsgInstanceLaunchFailures"
    aws.control("PUT", "/settings", {"quotas": {}})
    until(lambda: (group_status(aws), len(instances(aws))), ("ACTIVE", 3))


def test_an_addon_is_updated_once_at_a_time_or_fails_to_be(aws: StandIn, cluster: None) -> None:
    eks = aws.client("eks")
    eks.create_addon(clusterName="one", addonName="kube-proxy")
    until(lambda: eks.describe_addon(clusterName="one", addonName="kube-proxy")["addon"]["status"], "ACTIVE")
    aws.control("PUT", "/settings", {"failing_updates": ["AddonUpdate"]})
    newer = {"clusterName": "one", "addonName": "kube-proxy", "addonVersion": "v1.33.3-eksbuild.2"}
    update = eks.update_addon(**newer)["update"]
    assert code(lambda: eks.update_addon(**newer))[0] == "ResourceInUseException"
    until(lambda: outcome(aws, update, addonName="kube-proxy"), "Failed")
    found = eks.describe_addon(clusterName="one", addonName="kube-proxy")["addon"]
    assert (found["status"], found["addonVersion"]) == ("UPDATE_FAILED", "v1.32.3-eksbuild.2")
    aws.control("PUT", "/settings", {"failing_updates": []})
    update = eks.update_addon(**newer)["update"]
    until(lambda: outcome(aws, update, addonName="kube-proxy"), "Successful")
    found = eks.describe_addon(clusterName="one", addonName="kube-proxy")["addon"]
    assert (found["status"], found["addonVersion"]) == ("ACTIVE", "v1.33.3-eksbuild.2")


def test_updates_under_way_go_on_after_kill_9() -> None:
    with tempfile.TemporaryDirectory(prefix="sandbox-aws-") as folder:
        own = StandIn(Path(folder), speed="300").start()
        network = make_network(own)
        roles = {"cluster": make_role(own, "c", "eks.amazonaws.com"), "node": make_role(own, "n", "ec2.amazonaws.com")}
        create_cluster(own, roles, network, version="1.32")
        until(lambda: status(own), "ACTIVE")
        add_nodes(own, roles, network)
        until(lambda: group_status(own), "ACTIVE")
        update = own.client("eks").update_cluster_version(name="one", version="1.33")["update"]
        sizes = scale(own, 3)
        time.sleep(WAIT + 0.3)  # what the sandbox promises: an answer is safe half a second later
        own.kill()
        own.start()
        until(lambda: outcome(own, update), "Successful")
        until(lambda: outcome(own, sizes, nodegroupName="default"), "Successful")
        assert own.client("eks").describe_cluster(name="one")["cluster"]["version"] == "1.33"
        until(lambda: len(instances(own)), 3)
        own.stop()
