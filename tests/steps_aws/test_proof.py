"""The proof of an uninstall finds whatever is left, keeps what was kept on purpose, and says what it asked."""

import json
from contextlib import suppress

import pytest

from steps import addons, cluster, database, egress, identity, leftovers, network, nodes, proof, registry, secret_store
from steps.clients.aws import Aws, AwsTarget
from steps.errors import TransientError
from steps.names import Owner
from steps.sweep import sweep
from steps.waiting import Blocked
from tests.steps_aws.building import Built, build_network, settled
from tests.steps_aws.conftest import REGION, Cloud, Person

PURPOSES = ("license-key", "app-role-password")


def scope_of(owner: Owner, *, data_kept: bool = False) -> proof.Scope:
    names = (owner.names.app_repository, owner.names.migrate_repository)
    return proof.Scope(repositories=names, purposes=PURPOSES, data_kept=data_kept)


def install(aws: Aws, owner: Owner) -> Built:
    """Everything that Podium makes in AWS."""
    built = build_network(aws, owner)
    nat = egress.ensure_nat_gateway(aws, owner, built.public[0], egress.ensure_address(aws, owner))
    settled(egress.await_nat_gateway, aws, nat)
    egress.ensure_private_routes(aws, owner, built.vpc_id, nat, built.private)
    name = cluster.ensure_cluster(
        aws, owner, "1.34", identity.ensure_cluster_role(aws, owner), built.private, ["0.0.0.0/0"]
    )
    group = database.ensure_subnet_group(aws, owner, built.private)
    firewall = database.ensure_security_group(aws, owner, built.vpc_id)
    instance = database.ensure_instance(aws, owner, "16", "db.t4g.micro", 20, 1, group, firewall)
    found = settled(cluster.await_cluster, aws, name)
    identity.ensure_oidc_provider(aws, owner, found["oidc_issuer"])
    database.ensure_ingress_rule(aws, owner, firewall, found["cluster_security_group_id"])
    nodes.ensure_node_group(
        aws, owner, name, "default", identity.ensure_node_role(aws, owner), built.private, "t3.large", 2, 20
    )
    addons.ensure_addon(aws, owner, name, "vpc-cni", {"enableNetworkPolicy": "true"})
    registry.ensure_repositories(aws, owner, [owner.names.app_repository, owner.names.migrate_repository])
    for purpose in PURPOSES:
        secret_store.ensure_password(aws, owner, purpose)
    settled(nodes.await_node_group, aws, name, "default")
    settled(database.await_instance, aws, instance)
    return built


def uninstall(aws: Aws, owner: Owner, data: database.Data) -> dict[str, str | None]:
    """In the order in which the workflow does it."""
    database.delete_ingress_rules(aws, owner)
    begun = database.delete_instance(aws, owner, data)
    nodes.delete_node_group(aws, owner)
    assert settled(nodes.await_node_group_deleted, aws, owner) is True
    assert settled(addons.await_addons_deleted, aws, owner) is True
    cluster.delete_cluster(aws, owner)
    assert settled(cluster.await_cluster_deleted, aws, owner) is True
    kept = settled(database.await_instance_deleted, aws, owner, data, begun["snapshot"])
    assert settled(database.await_subnet_group_deleted, aws, owner) is True
    assert settled(database.await_security_group_deleted, aws, owner) is True
    assert settled(leftovers.await_swept, aws, owner, data) == {"left": []}
    assert settled(identity.await_identity_deleted, aws, owner) is True
    egress.delete_nat_gateway(aws, owner)
    assert settled(egress.await_nat_gateway_deleted, aws, owner) is True
    assert settled(egress.await_address_released, aws, owner) is True
    assert settled(egress.await_private_routes_deleted, aws, owner) is True
    assert settled(network.await_network_deleted, aws, owner) is True
    registry.delete_repositories(aws, owner)
    secret_store.delete_secrets(aws, owner, PURPOSES)
    assert settled(secret_store.await_secrets_deleted, aws, owner, PURPOSES) is True
    return kept


def test_a_whole_uninstall_is_proven_and_the_snapshot_is_kept(aws: Aws, owner: Owner, cloud: Cloud) -> None:
    cloud.settings(leave_interfaces=True)
    built = install(aws, owner)
    left = proof.find_leftovers(aws, owner, scope_of(owner))
    kinds = {
        "/".join(one["arn"].split(":")[2::3]).split("/")[0] + one["arn"].split(":")[5].split("/")[0] for one in left
    }
    assert {"ec2vpc", "ec2subnet", "ec2natgateway", "ec2elastic-ip", "ekscluster", "rdsdb", "iamrole"} <= kinds
    assert {"iamoidc-provider", "rdssubgrp", "secretsmanagersecret", "ecrrepository"} <= kinds
    blocked = proof.prove(aws, owner, scope_of(owner))
    assert isinstance(blocked, Blocked)
    assert len(blocked.resources) == len(left)
    kept = uninstall(aws, owner, "retain")
    found = proof.prove(aws, owner, scope_of(owner, data_kept=True))
    assert isinstance(found, dict)
    assert found["leftovers"] == []
    assert [one["arn"] for one in found["retained"]] == [kept["snapshot_arn"]]
    assert "last snapshot" in found["retained"][0]["why"]
    asked = {one["service"] for one in found["services"]}
    assert asked >= {"ec2", "eks", "rds", "iam", "ecr", "secretsmanager", "elasticloadbalancing", "logs", "tag"}
    assert found["checked_at"].endswith("+00:00")
    assert json.loads(json.dumps(found)) == found
    assert aws.network.vpc(built.vpc_id) is None


def test_a_whole_uninstall_with_its_data_leaves_nothing_and_the_name_can_be_used_again(aws: Aws, owner: Owner) -> None:
    install(aws, owner)
    assert uninstall(aws, owner, "delete")["snapshot"] is None
    found = proof.prove(aws, owner, scope_of(owner))
    assert isinstance(found, dict)
    assert found["retained"] == []
    assert all(one["found"] == 0 for one in found["services"]), found["services"]
    again = Owner(owner.installation, "another operation")
    install(aws, again)
    uninstall(aws, again, "retain")
    assert isinstance(proof.prove(aws, again, scope_of(again, data_kept=True)), dict)


DELETES = (
    "ec2:RevokeSecurityGroupIngress",
    "ec2:RevokeSecurityGroupEgress",
    "ec2:DeleteNatGateway",
    "ec2:ReleaseAddress",
    "ec2:DisassociateRouteTable",
    "ec2:DeleteRouteTable",
    "ec2:DeleteSecurityGroup",
    "ec2:DeleteNetworkInterface",
    "ec2:DeleteSubnet",
    "ec2:DetachInternetGateway",
    "ec2:DeleteInternetGateway",
    "ec2:DeleteVpc",
    "eks:DeleteNodegroup",
    "eks:DeleteAddon",
    "eks:DeleteCluster",
    "rds:DeleteDBInstance",
    "rds:AddTagsToResource",
    "rds:DeleteDBSubnetGroup",
    "iam:DetachRolePolicy",
    "iam:DeleteRole",
    "iam:DeleteOpenIDConnectProvider",
    "ecr:DeleteRepository",
    "secretsmanager:DeleteSecret",
)


def test_every_delete_whose_answer_is_lost_once_is_gone_on_from(aws: Aws, owner: Owner, cloud: Cloud) -> None:
    cloud.settings(leave_interfaces=True)
    install(aws, owner)
    for call in DELETES:
        cloud.fault(match=f"{call}$", kind="lost")
    kept = uninstall(aws, owner, "retain")
    found = proof.prove(aws, owner, scope_of(owner, data_kept=True))
    assert isinstance(found, dict)
    assert [one["arn"] for one in found["retained"]] == [kept["snapshot_arn"]]


def test_an_uninstall_that_dies_after_every_delete_once_and_starts_over_is_proven(owner: Owner, cloud: Cloud) -> None:
    aws = Aws(AwsTarget(REGION), attempts=1)
    cloud.settings(leave_interfaces=True)
    install(aws, owner)
    for call in DELETES:
        cloud.fault(match=f"{call}$", kind="lost")
    for _ in range(len(DELETES) + 1):
        with suppress(TransientError):
            kept = uninstall(aws, owner, "retain")
            break
    found = proof.prove(aws, owner, scope_of(owner, data_kept=True))
    aws.close()
    assert isinstance(found, dict)
    assert [one["arn"] for one in found["retained"]] == [kept["snapshot_arn"]]


def test_deleting_what_never_was_is_proven_too(aws: Aws, owner: Owner) -> None:
    assert uninstall(aws, owner, "retain")["snapshot"] is None
    assert isinstance(proof.prove(aws, owner, scope_of(owner, data_kept=True)), dict)


def test_things_of_people_with_the_tag_are_kept_and_named(aws: Aws, owner: Owner, person: Person) -> None:
    tags = [{"Key": "podium:installation", "Value": owner.installation}]
    queue = person("s3")
    queue.create_bucket(
        Bucket=f"{owner.installation}-logs", CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
    )
    queue.put_bucket_tagging(Bucket=f"{owner.installation}-logs", Tagging={"TagSet": tags})
    ec2 = person("ec2")
    template = ec2.create_launch_template(
        LaunchTemplateName=owner.installation,
        LaunchTemplateData={"InstanceType": "t3.micro"},
        TagSpecifications=[{"ResourceType": "launch-template", "Tags": tags}],
    )["LaunchTemplate"]["LaunchTemplateId"]
    person("logs").create_log_group(logGroupName=f"/aws/eks/{owner.names.cluster}/cluster")
    found = proof.prove(aws, owner, scope_of(owner))
    assert isinstance(found, dict)
    kept = {one["arn"].rpartition(":")[2].rpartition("/")[2]: one["owner"] for one in found["retained"]}
    assert kept[f"{owner.installation}-logs"] == "somebody else"
    assert kept[template] == "somebody else"
    assert kept["cluster"] == "whoever keeps the data"


def test_secrets_marked_for_deletion_and_free_volumes_are_leftovers(aws: Aws, owner: Owner, person: Person) -> None:
    kept = secret_store.ensure_password(aws, owner, "license-key")["secret"]
    person("secretsmanager").delete_secret(SecretId=kept, RecoveryWindowInDays=7)
    ec2 = person("ec2")
    tag = {"Key": f"kubernetes.io/cluster/{owner.names.cluster}", "Value": "owned"}
    volume = ec2.create_volume(
        AvailabilityZone="us-west-2a", Size=1, TagSpecifications=[{"ResourceType": "volume", "Tags": [tag]}]
    )["VolumeId"]
    left = {one["arn"] for one in proof.find_leftovers(aws, owner, scope_of(owner))}
    assert left == {kept, aws.arn("ec2", f"volume/{volume}")}
    retained = sweep(aws, owner, scope_of(owner, data_kept=True))
    assert list(retained.left) == [kept]
    assert list(retained.kept) == [aws.arn("ec2", f"volume/{volume}")]
    secret_store.delete_secrets(aws, owner)
    assert settled(secret_store.await_secrets_deleted, aws, owner) is True
    ec2.delete_volume(VolumeId=volume)


def test_a_repository_with_images_stays_and_one_under_another_name_is_found_by_its_tag(
    aws: Aws, owner: Owner, cloud: Cloud
) -> None:
    other = f"{owner.installation}-other"
    registry.ensure_repositories(aws, owner, [owner.names.app_repository, other])
    cloud.push(owner.names.app_repository, "latest")
    found = sweep(aws, owner, scope_of(owner))
    assert [arn.partition("/")[2] for arn in found.left] == [other]
    assert [arn.partition("/")[2] for arn in found.kept] == [owner.names.app_repository]


@pytest.mark.parametrize("cluster_given", [True, False])
def test_what_was_given_is_left_and_listed(
    aws: Aws, owner: Owner, built: Built, person: Person, cluster_given: bool
) -> None:
    name = f"{owner.installation}-theirs"
    if cluster_given:
        aws.eks.make_cluster(
            name,
            version="1.34",
            role_arn=identity.ensure_cluster_role(aws, owner),
            subnet_ids=built.private,
            public_access_cidrs=["0.0.0.0/0"],
            token=name,
            tags={},
        )
    aws.ecr.make_repository(f"{owner.installation}-images", {"team": "x"})
    left = proof.what_is_left(
        aws,
        owner,
        vpc_id=built.vpc_id,
        subnet_ids=built.private,
        cluster=name,
        database_host="db.example.com",
        repositories=[f"{owner.installation}-images", "nobodys"],
    )
    names = [one["arn"].rpartition("/")[2] for one in left]
    expected = [built.vpc_id, *built.private, *([name] if cluster_given else [])]
    assert sorted(names) == sorted([*expected, "db.example.com", f"{owner.installation}-images"])
    assert {one["owner"] for one in left} == {"the Podium installation built-conductor", "somebody else"}
