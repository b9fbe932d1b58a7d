"""Cluster, add-ons and node groups brought to another spec: once, after lost answers too, and anew after a failure."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from steps import addon_changes, addons, cluster, cluster_changes, identity, node_changes, nodes
from steps.clients.aws import Aws
from steps.eks_updates import Attempt
from steps.errors import Code, PodiumError
from steps.names import Owner
from steps.waiting import Pending
from tests.steps_aws.building import Built, settled
from tests.steps_aws.conftest import Cloud, Person
from tests.steps_aws.test_cluster import ANYWHERE, ensure_nodes

CIDRS = ["10.0.0.0/8", "172.16.0.0/12"]


@pytest.fixture
def active(aws: Aws, owner: Owner, built: Built) -> Owner:
    """An installation whose control plane, of Kubernetes 1.32, is up."""
    role = identity.ensure_cluster_role(aws, owner)
    subnets = [*built.public, *built.private]
    settled(cluster.await_cluster, aws, cluster.ensure_cluster(aws, owner, "1.32", role, subnets, ANYWHERE))
    return owner


@pytest.fixture
def with_nodes(aws: Aws, active: Owner, built: Built) -> Iterator[Owner]:
    """The same with two nodes in the group `default`."""
    settled(nodes.await_node_group, aws, active.names.cluster, ensure_nodes(aws, active, built))
    yield active
    nodes.delete_node_group(aws, active)
    assert settled(nodes.await_node_group_deleted, aws, active) is True


def failure(look: Any, *args: Any) -> PodiumError:
    with pytest.raises(PodiumError) as caught:
        settled(look, *args)
    return caught.value


@pytest.mark.parametrize("lost", [False, True])
def test_access_is_changed_once(aws: Aws, active: Owner, cloud: Cloud, lost: bool) -> None:
    if lost:
        cloud.fault(match="eks:UpdateClusterConfig", kind="lost")
    for _ in range(2):
        cluster_changes.ensure_access(aws, active, CIDRS)
    found = settled(cluster_changes.await_access, aws, active, CIDRS, Attempt())
    assert found["cluster_name"] == active.names.cluster
    cluster_changes.ensure_access(aws, active, CIDRS[::-1])
    there = aws.eks.cluster(active.names.cluster)
    assert there is not None
    assert there.status == "ACTIVE"
    assert set(there.public_access_cidrs) == set(CIDRS)


def test_a_change_waits_for_an_update_that_is_under_way(aws: Aws, active: Owner, person: Person) -> None:
    person("eks").update_cluster_config(name=active.names.cluster, deletionProtection=True)
    cluster_changes.ensure_access(aws, active, CIDRS)
    settled(cluster_changes.await_access, aws, active, CIDRS, Attempt())
    person("eks").update_cluster_config(name=active.names.cluster, deletionProtection=False)
    cluster_changes.ensure_version(aws, active, "1.33")
    assert settled(cluster_changes.await_version, aws, active, "1.33", Attempt())["kubernetes_version"] == "1.33"


def test_a_failed_update_is_reported_with_ekss_reason_and_begun_anew_by_a_retry(
    aws: Aws, active: Owner, cloud: Cloud
) -> None:
    cloud.settings(failing_updates=["VersionUpdate", "EndpointAccessUpdate"])
    cluster_changes.ensure_version(aws, active, "1.33")
    error = failure(cluster_changes.await_version, aws, active, "1.33", Attempt())
    assert error.code is Code.AWS_RESOURCE_FAILED
    assert "PodEvictionFailure: Reached max retries" in error.message
    assert "1.33" in error.message
    cluster_changes.ensure_access(aws, active, CIDRS)
    assert "SecurityGroupNotFound" in failure(cluster_changes.await_access, aws, active, CIDRS, Attempt()).message
    cloud.settings(failing_updates=[])
    assert settled(cluster_changes.await_version, aws, active, "1.33", Attempt())["kubernetes_version"] == "1.33"
    settled(cluster_changes.await_access, aws, active, CIDRS, Attempt())


@pytest.mark.parametrize("lost", [False, True])
def test_the_control_plane_goes_up_once_and_by_one_minor_only(
    aws: Aws, active: Owner, cloud: Cloud, lost: bool
) -> None:
    if lost:
        cloud.fault(match="eks:UpdateClusterVersion", kind="lost")
    for _ in range(2):
        cluster_changes.ensure_version(aws, active, "1.33")
    settled(cluster_changes.await_version, aws, active, "1.33", Attempt())
    cluster_changes.ensure_version(aws, active, "1.33")
    for version, remedy in (("1.32", "1.33 or newer"), ("1.35", "1.34")):
        with pytest.raises(PodiumError) as caught:
            cluster_changes.ensure_version(aws, active, version)
        assert caught.value.code is Code.INVALID_SPEC
        assert remedy in caught.value.remedy


def test_somebody_elses_cluster_is_not_changed(aws: Aws, owner: Owner, built: Built, person: Person) -> None:
    role = identity.ensure_cluster_role(aws, owner)
    person("eks").create_cluster(
        name=owner.names.cluster, roleArn=role, resourcesVpcConfig={"subnetIds": built.private}, version="1.33"
    )
    with pytest.raises(PodiumError) as caught:
        cluster_changes.ensure_access(aws, owner, CIDRS)
    assert caught.value.code is Code.NAME_TAKEN
    with pytest.raises(PodiumError) as caught:
        cluster_changes.ensure_version(aws, owner, "1.34")
    assert caught.value.code is Code.NAME_TAKEN


def test_an_addon_is_brought_to_ekss_default_and_never_back(aws: Aws, active: Owner, cloud: Cloud) -> None:
    name, wanted = active.names.cluster, {"enableNetworkPolicy": "true"}
    settled(addons.await_addon, aws, name, addons.ensure_addon(aws, active, name, "vpc-cni", wanted))
    cloud.fault(match="eks:UpdateAddon", kind="lost")
    for _ in range(2):
        assert addon_changes.ensure_addon_version(aws, active, name, "vpc-cni", "1.33") == "v1.21.33-eksbuild.1"
    version = "v1.21.33-eksbuild.1"
    assert settled(addon_changes.await_addon_version, aws, active, name, "vpc-cni", version, Attempt()) == version
    found = aws.eks.addon(name, "vpc-cni")
    assert found is not None
    assert found.configuration == wanted
    assert addon_changes.ensure_addon_version(aws, active, name, "vpc-cni", "1.31") == version
    assert settled(addon_changes.await_addon_version, aws, active, name, "vpc-cni", version, Attempt()) == version


def test_an_addon_that_could_not_be_updated_is_tried_again_by_a_retry(aws: Aws, active: Owner, cloud: Cloud) -> None:
    name, version = active.names.cluster, "v1.33.3-eksbuild.2"
    settled(addons.await_addon, aws, name, addons.ensure_addon(aws, active, name, "kube-proxy"))
    cloud.settings(failing_updates=["AddonUpdate"])
    assert addon_changes.ensure_addon_version(aws, active, name, "kube-proxy", "1.33") == version
    args = (aws, active, name, "kube-proxy", version)
    error = failure(addon_changes.await_addon_version, *args, Attempt())
    assert "ConfigurationConflict" in error.message
    cloud.settings(failing_updates=[])
    assert settled(addon_changes.await_addon_version, *args, Attempt()) == version


def test_an_addon_whose_update_failed_is_configured_again(aws: Aws, active: Owner, cloud: Cloud) -> None:
    name = active.names.cluster
    settled(addons.await_addon, aws, name, addons.ensure_addon(aws, active, name, "kube-proxy"))
    cloud.settings(failing_updates=["AddonUpdate"])
    addons.ensure_addon(aws, active, name, "kube-proxy", {"mode": "ipvs"})
    assert "UPDATE_FAILED" in failure(addons.await_addon, aws, name, "kube-proxy").message
    cloud.settings(failing_updates=[])
    addons.ensure_addon(aws, active, name, "kube-proxy", {"mode": "ipvs"})
    settled(addons.await_addon, aws, name, "kube-proxy")
    found = aws.eks.addon(name, "kube-proxy")
    assert found is not None
    assert found.configuration == {"mode": "ipvs"}


def test_a_persons_addon_may_be_configured_in_yaml(aws: Aws, active: Owner, person: Person) -> None:
    person("eks").create_addon(
        clusterName=active.names.cluster, addonName="metrics-server", configurationValues="replicas: 1\n"
    )
    addons.delete_addons(aws, active)
    found = aws.eks.addon(active.names.cluster, "metrics-server")
    assert found is not None
    assert found.configuration == {"replicas": 1}


@pytest.mark.parametrize("lost", [False, True])
def test_a_group_is_scaled_once(aws: Aws, with_nodes: Owner, cloud: Cloud, lost: bool) -> None:
    if lost:
        cloud.fault(match="eks:UpdateNodegroupConfig", kind="lost")
    for _ in range(2):
        node_changes.ensure_size(aws, with_nodes, "default", 3)
    assert settled(node_changes.await_size, aws, with_nodes, "default", 3, Attempt()) == {"nodes": 3}
    node_changes.ensure_size(aws, with_nodes, "default", 3)
    found = aws.eks.node_group(with_nodes.names.cluster, "default")
    assert found is not None
    assert (found.status, found.sizes) == ("ACTIVE", (3, 3, 3))


def test_a_failed_scaling_and_a_failed_roll_are_begun_anew_by_a_retry(
    aws: Aws, with_nodes: Owner, cloud: Cloud
) -> None:
    cluster_changes.ensure_version(aws, with_nodes, "1.33")
    settled(cluster_changes.await_version, aws, with_nodes, "1.33", Attempt())
    cloud.settings(failing_updates=["VersionUpdate", "ConfigUpdate"])
    node_changes.ensure_size(aws, with_nodes, "default", 1)
    error = failure(node_changes.await_size, aws, with_nodes, "default", 1, Attempt())
    assert "InsufficientFreeAddresses" in error.message
    node_changes.ensure_node_version(aws, with_nodes, "default", "1.33")
    error = failure(node_changes.await_node_version, aws, with_nodes, "default", "1.33", Attempt())
    assert "PodEvictionFailure" in error.message
    assert "retry" in error.remedy
    cloud.settings(failing_updates=[])
    assert settled(node_changes.await_size, aws, with_nodes, "default", 1, Attempt()) == {"nodes": 1}
    assert settled(node_changes.await_node_version, aws, with_nodes, "default", "1.33", Attempt()) == "1.33"


def test_what_keeps_nodes_from_coming_is_shown_while_they_are_awaited(
    aws: Aws, with_nodes: Owner, cloud: Cloud
) -> None:
    cloud.quotas(L_1216C47A=4)
    node_changes.ensure_size(aws, with_nodes, "default", 3)
    attempt = Attempt()
    shown = settled(
        lambda: _shows(node_changes.await_size(aws, with_nodes, "default", 3, attempt), "VcpuLimitExceeded")
    )
    assert "DEGRADED" in shown
    cloud.quotas()
    settled(node_changes.await_size, aws, with_nodes, "default", 3, attempt)


def _shows(found: Any, word: str) -> str | Pending:
    return found.detail if isinstance(found, Pending) and word in found.detail else Pending("not yet")


def test_the_names_of_groups_that_replace_others_are_eks_names() -> None:
    longest = "a" * 63
    names = {
        node_changes.replacement_name(group, kind, disk)
        for group in ("default", longest)
        for kind in ("t3.medium", "t3.large")
        for disk in (20, 30)
    }
    assert len(names) == 8
    assert all(len(name) <= 63 and name[0].isalnum() for name in names)
    assert node_changes.replacement_name("default", "t3.large", 20).startswith("default-")


def test_another_type_disk_or_name_gets_a_group_beside_the_old_one_and_every_interruption_goes_on(
    aws: Aws, with_nodes: Owner, built: Built, cloud: Cloud
) -> None:
    owner, name = with_nodes, with_nodes.names.cluster
    role = identity.ensure_node_role(aws, owner)

    def choose(group: str, kind: str, disk: int = 20) -> str:
        return node_changes.choose_group(aws, owner, group, kind, disk)

    def make(group: str, kind: str, disk: int = 20) -> None:
        nodes.ensure_node_group(aws, owner, name, group, role, built.private, kind, 1, disk)
        settled(nodes.await_node_group, aws, name, group)

    assert choose("default", "t3.medium") == "default"
    assert choose("workers", "t3.medium") == "workers"
    other = choose("default", "t3.large")
    assert other != choose("default", "t3.medium", 30)
    make(other, "t3.large")
    assert choose("default", "t3.large") == other, "interrupted beside the old group"
    cloud.fault(match="eks:DeleteNodegroup", kind="lost")
    nodes.delete_node_group(aws, owner, other)
    assert settled(nodes.await_node_group_deleted, aws, owner, other) is True
    assert aws.eks.node_groups(name) == [other]
    assert choose("default", "t3.large") == other, "interrupted behind the old group, whose name is free again"
    assert choose("default", "t3.medium") == "default"
    assert node_changes.group_names(aws, owner) == [other]


def test_a_persons_node_group_is_neither_changed_nor_deleted(
    aws: Aws, with_nodes: Owner, built: Built, person: Person
) -> None:
    owner, name = with_nodes, with_nodes.names.cluster
    role = identity.ensure_node_role(aws, owner)
    person("eks").create_nodegroup(
        clusterName=name,
        nodegroupName="gpu",
        nodeRole=role,
        subnets=built.private,
        scalingConfig={"minSize": 0, "maxSize": 1, "desiredSize": 0},
    )
    settled(nodes.await_node_group, aws, name, "gpu")
    assert node_changes.choose_group(aws, owner, "gpu", "t3.medium", 20) == "gpu"
    with pytest.raises(PodiumError) as caught:
        nodes.ensure_node_group(aws, owner, name, "gpu", role, built.private, "t3.medium", 1, 20)
    assert caught.value.code is Code.NAME_TAKEN
    assert node_changes.group_names(aws, owner) == ["default"]
    nodes.delete_node_group(aws, owner)
    assert settled(nodes.await_node_group_deleted, aws, owner) is True
    assert aws.eks.node_groups(name) == ["gpu"]


def test_what_is_gone_cannot_be_changed(aws: Aws, owner: Owner, active: Owner) -> None:
    nobody, name = Owner("nobodys", "operation"), active.names.cluster
    calls: list[Callable[[], object]] = [
        lambda: cluster_changes.ensure_access(aws, nobody, CIDRS),
        lambda: node_changes.ensure_size(aws, active, "none", 2),
        lambda: addon_changes.ensure_addon_version(aws, active, name, "coredns", "1.33"),
    ]
    for call in calls:
        with pytest.raises(PodiumError) as caught:
            call()
        assert caught.value.code is Code.AWS_RESOURCE_FAILED
