"""Roles, control plane, add-ons, nodes: made once, adopted, refused when another's, deleted."""

import pytest

from steps import addons, cluster, egress, existing, identity, nodes
from steps.clients.aws import Aws
from steps.errors import Code, PodiumError, TransientError
from steps.names import Owner
from steps.waiting import Pending
from tests.steps_aws.building import Built, settled
from tests.steps_aws.conftest import Cloud

VERSION = "1.33"
ANYWHERE = ["0.0.0.0/0"]


def ensure(aws: Aws, owner: Owner, built: Built) -> str:
    role = identity.ensure_cluster_role(aws, owner)
    return cluster.ensure_cluster(aws, owner, VERSION, role, [*built.public, *built.private], ANYWHERE)


def ensure_nodes(aws: Aws, owner: Owner, built: Built) -> str:
    network_owner = Owner("built-conductor", "operation")
    nat = egress.ensure_nat_gateway(aws, network_owner, built.public[0], egress.ensure_address(aws, network_owner))
    settled(egress.await_nat_gateway, aws, nat)
    egress.ensure_private_routes(aws, network_owner, built.vpc_id, nat, built.private)
    role = identity.ensure_node_role(aws, owner)
    return nodes.ensure_node_group(aws, owner, owner.names.cluster, "default", role, built.private, "t3.medium", 2, 20)


@pytest.fixture(scope="module")
def active(environment: Cloud, shared_aws: Aws, built: Built) -> Owner:
    """An installation whose control plane is up."""

    owner = Owner("shared-conductor", "operation")
    settled(cluster.await_cluster, shared_aws, ensure(shared_aws, owner, built))
    return owner


def test_roles_have_the_policies_of_eks_and_are_made_once(aws: Aws, owner: Owner) -> None:
    arn = identity.ensure_node_role(aws, owner)
    assert identity.ensure_node_role(aws, owner) == arn
    assert arn.endswith(f":role/{owner.installation}-node")
    names = {policy.rsplit("/", 1)[1] for policy in aws.iam.policies(owner.names.node_role)}
    assert names == {"AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryReadOnly"}


@pytest.mark.parametrize("call", ["CreateRole", "AttachRolePolicy"])
def test_a_role_whose_answer_was_lost_is_adopted(aws: Aws, owner: Owner, cloud: Cloud, call: str) -> None:
    cloud.fault(match=f"iam:{call}", kind="lost")
    identity.ensure_cluster_role(aws, owner)
    assert len(aws.iam.policies(owner.names.cluster_role)) == 1


def test_a_persons_role_of_that_name_is_name_taken(aws: Aws, owner: Owner) -> None:
    aws.iam.make_role(owner.names.cluster_role, "eks.amazonaws.com", "a person's", {})
    with pytest.raises(PodiumError) as caught:
        identity.ensure_cluster_role(aws, owner)
    assert caught.value.code is Code.NAME_TAKEN
    identity.delete_identity(aws, owner)
    assert aws.iam.role(owner.names.cluster_role) is not None


def test_the_control_plane_is_made_once_and_says_how_to_reach_it(aws: Aws, owner: Owner, built: Built) -> None:
    name = ensure(aws, owner, built)
    assert ensure(aws, owner, built) == name
    found = settled(cluster.await_cluster, aws, name)
    assert found["cluster_name"] == name
    assert found["cluster_endpoint"].startswith("https://")
    assert found["cluster_security_group_id"].startswith("sg-")
    assert found["oidc_issuer"].startswith("https://oidc.eks.")
    assert found["kubernetes_version"] == VERSION
    assert existing.look_up_cluster(aws, name) == found


def test_a_lost_answer_leaves_one_control_plane(aws: Aws, owner: Owner, built: Built, cloud: Cloud) -> None:
    cloud.fault(match="eks:CreateCluster", kind="lost")
    name = ensure(aws, owner, built)
    assert settled(cluster.await_cluster, aws, name)["cluster_name"] == name


def test_a_cluster_without_our_tag_is_name_taken(aws: Aws, owner: Owner, built: Built) -> None:
    role = identity.ensure_cluster_role(aws, owner)
    aws.eks.make_cluster(
        owner.names.cluster,
        version=VERSION,
        role_arn=role,
        subnet_ids=built.private,
        public_access_cidrs=ANYWHERE,
        token="a-person",
        tags={"team": "somebody"},
    )
    with pytest.raises(PodiumError) as caught:
        ensure(aws, owner, built)
    assert caught.value.code is Code.NAME_TAKEN
    assert f"the EKS cluster {owner.names.cluster}" in caught.value.message
    cluster.delete_cluster(aws, owner)
    assert aws.eks.cluster(owner.names.cluster) is not None


def test_a_cluster_being_made_is_pending_and_deleted_when_that_is_over(aws: Aws, owner: Owner, built: Built) -> None:
    aws.eks.make_cluster(
        owner.names.cluster,
        version=VERSION,
        role_arn=identity.ensure_cluster_role(aws, owner),
        subnet_ids=built.private,
        public_access_cidrs=ANYWHERE,
        token=owner.client_token("cluster"),
        tags=owner.tags("cluster"),
    )
    assert isinstance(cluster.await_cluster(aws, owner.names.cluster), Pending)
    cluster.delete_cluster(aws, owner)
    assert settled(cluster.await_cluster_deleted, aws, owner) is True


def test_the_oidc_provider_is_made_once_and_found_by_its_tag(aws: Aws, active: Owner) -> None:
    issuer = existing.look_up_cluster(aws, active.names.cluster)["oidc_issuer"]
    arn = identity.ensure_oidc_provider(aws, active, issuer)
    assert identity.ensure_oidc_provider(aws, active, issuer) == arn
    assert arn in aws.iam.providers()


@pytest.mark.parametrize("lost", [False, True])
def test_addons_are_made_once_with_their_configuration(aws: Aws, active: Owner, cloud: Cloud, lost: bool) -> None:
    name = active.names.cluster
    if lost:
        cloud.fault(match="eks:CreateAddon", kind="lost")
    addon, wanted = ("kube-proxy", None) if lost else ("vpc-cni", {"enableNetworkPolicy": "true"})
    assert addons.ensure_addon(aws, active, name, addon, wanted) == addon
    assert addons.ensure_addon(aws, active, name, addon, wanted) == addon
    assert settled(addons.await_addon, aws, name, addon).startswith("v")
    found = aws.eks.addon(name, addon)
    assert found is not None
    assert found.configuration == (wanted or {})


@pytest.mark.parametrize("lost", [False, True])
def test_a_node_group_is_made_once_replaced_after_deletion_and_deleted(
    aws: Aws, active: Owner, built: Built, cloud: Cloud, lost: bool
) -> None:
    name = active.names.cluster
    if lost:
        cloud.fault(match="eks:(Create|Delete)Nodegroup", kind="lost", times=2)
    assert ensure_nodes(aws, active, built) == "default"
    assert ensure_nodes(aws, active, built) == "default"
    assert settled(nodes.await_node_group, aws, name, "default") == {"nodes": 2}
    for _ in range(2):
        nodes.delete_node_group(aws, active)
        assert settled(nodes.await_node_group_deleted, aws, active) is True


def test_a_role_that_eks_does_not_know_yet_is_waited_for(aws: Aws, owner: Owner, built: Built, cloud: Cloud) -> None:
    cloud.fault(match="eks:CreateCluster", kind="error", code="InvalidParameterException")
    assert ensure(aws, owner, built) == owner.names.cluster


def test_a_refusal_that_has_nothing_to_do_with_a_young_role_is_reported(aws: Aws, owner: Owner, built: Built) -> None:
    with pytest.raises(PodiumError) as caught:
        cluster.ensure_cluster(aws, owner, VERSION, "arn:aws:iam::123456789012:role/none", built.private, ANYWHERE)
    assert caught.value.code is Code.AWS_INVALID_REQUEST


def test_a_cluster_is_deleted_and_deleting_again_is_fine(aws: Aws, owner: Owner, built: Built) -> None:
    settled(cluster.await_cluster, aws, ensure(aws, owner, built))
    cluster.delete_cluster(aws, owner)
    with pytest.raises(TransientError):
        ensure(aws, owner, built)
    assert settled(cluster.await_cluster_deleted, aws, owner) is True
    addons.delete_addons(aws, owner)
    nodes.delete_node_group(aws, owner)
    cluster.delete_cluster(aws, owner)
    assert cluster.await_cluster_deleted(aws, owner) is True
    for _ in range(2):
        identity.delete_identity(aws, owner)
    assert aws.iam.role(owner.names.cluster_role) is None


def test_a_cluster_made_anew_in_the_same_operation_gets_a_token_of_its_own(
    aws: Aws, owner: Owner, built: Built
) -> None:
    settled(cluster.await_cluster, aws, ensure(aws, owner, built))
    cluster.delete_cluster(aws, owner)
    settled(cluster.await_cluster_deleted, aws, owner)
    assert settled(cluster.await_cluster, aws, ensure(aws, owner, built))["cluster_name"] == owner.names.cluster


def test_waiting_for_a_cluster_that_is_gone_is_an_error(aws: Aws) -> None:
    with pytest.raises(PodiumError) as caught:
        cluster.await_cluster(aws, "nobodys")
    assert caught.value.code is Code.AWS_RESOURCE_FAILED
    with pytest.raises(PodiumError) as caught:
        existing.look_up_cluster(aws, "nobodys")
    assert caught.value.details[0]["field"] == "cluster.existing_name"
