"""Deletes that something of somebody else's keeps from succeeding: it is named, and they go on when it goes."""

import json
from typing import Any

import pytest

from steps import cluster, database, egress, identity, network, nodes
from steps.clients.aws import Aws
from steps.names import Owner
from steps.waiting import Blocked, Pending
from tests.steps_aws.building import Built, blocked, build_network, settled
from tests.steps_aws.conftest import Cloud, Person

VERSION = "1.34"
ANYWHERE = ["0.0.0.0/0"]


def tags(**values: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in values.items()]


def listed(found: Blocked) -> list[tuple[str, str]]:
    """(last part of the ARN, owner) of what is in the way."""
    return [(one["arn"].rpartition("/")[2].rpartition(":")[2], one["owner"]) for one in found.resources]


@pytest.fixture
def active(aws: Aws, owner: Owner) -> tuple[Owner, Built]:
    """An own, active cluster in a network of its own."""
    built = build_network(aws, owner)
    role = identity.ensure_cluster_role(aws, owner)
    settled(cluster.await_cluster, aws, cluster.ensure_cluster(aws, owner, VERSION, role, built.private, ANYWHERE))
    return owner, built


def test_an_instance_in_the_vpc_blocks_it_until_it_is_terminated(aws: Aws, owner: Owner, person: Person) -> None:
    built = build_network(aws, owner)
    ec2 = person("ec2")
    image = ec2.describe_images()["Images"][0]["ImageId"]
    stack = {"ResourceType": "instance", "Tags": tags(Name="bastion")}
    started = ec2.run_instances(
        ImageId=image, MinCount=1, MaxCount=1, SubnetId=built.private[0], TagSpecifications=[stack]
    )
    instance = started["Instances"][0]["InstanceId"]
    network.delete_network(aws, owner)
    found = blocked(network.await_network_deleted, aws, owner)
    assert listed(found) == [(instance, "somebody else")]
    assert built.vpc_id in found.what
    assert f"the instance {instance} in {built.private[0]} is running" in found.resources[0]["why"]
    ec2.terminate_instances(InstanceIds=[instance])
    assert settled(network.await_network_deleted, aws, owner) is True
    assert aws.network.vpc(built.vpc_id) is None


def test_what_blocks_a_vpc_is_named_with_its_owner(aws: Aws, owner: Owner, person: Person) -> None:
    built = build_network(aws, owner)
    ec2, elb = person("ec2"), person("elb")
    group = ec2.create_security_group(GroupName="web", Description="x", VpcId=built.vpc_id)["GroupId"]
    ec2.create_tags(Resources=[group], Tags=tags(**{"podium:installation": "dev"}))
    elb.create_load_balancer(
        LoadBalancerName="a0123",
        Listeners=[{"Protocol": "TCP", "LoadBalancerPort": 80, "InstancePort": 80}],
        Subnets=[built.public[0]],
        SecurityGroups=[group],
        Tags=tags(**{"kubernetes.io/cluster/shop": "owned", "kubernetes.io/service-name": "web/front"}),
    )
    other = ec2.create_subnet(VpcId=built.vpc_id, CidrBlock="192.168.200.0/24")["Subnet"]["SubnetId"]
    acl = ec2.create_network_acl(VpcId=built.vpc_id)["NetworkAcl"]["NetworkAclId"]
    ec2.create_tags(Resources=[acl], Tags=tags(**{"alpha.eksctl.io/cluster-name": "old"}))
    found = blocked(network.await_network_deleted, aws, owner)
    assert sorted(listed(found)) == sorted(
        [
            ("a0123", "the Service web/front of the EKS cluster shop"),
            (group, "the Podium installation dev"),
            (other, "somebody else"),
            (acl, "the eksctl cluster old"),
        ]
    )
    assert {one["arn"].split(":")[0] for one in found.resources} == {"arn"}
    elb.delete_load_balancer(LoadBalancerName="a0123")
    ec2.delete_subnet(SubnetId=other)
    ec2.delete_network_acl(NetworkAclId=acl)
    assert [one[0] for one in listed(blocked(network.await_network_deleted, aws, owner))] == [group]
    settled(lambda: Pending("of the load balancer") if aws.interfaces.using(group) else True)
    ec2.delete_security_group(GroupId=group)
    assert settled(network.await_network_deleted, aws, owner) is True


def test_an_elastic_ip_that_somebody_uses_is_not_released(aws: Aws, owner: Owner, person: Person) -> None:
    built = build_network(aws, owner)
    ec2 = person("ec2")
    address = egress.ensure_address(aws, owner)
    interface = ec2.create_network_interface(SubnetId=built.public[0], Description="a person's")["NetworkInterface"]
    used = ec2.associate_address(AllocationId=address, NetworkInterfaceId=interface["NetworkInterfaceId"])
    egress.release_address(aws, owner)
    found = blocked(egress.await_address_released, aws, owner)
    assert listed(found) == [(interface["NetworkInterfaceId"], "somebody else")]
    ec2.disassociate_address(AssociationId=used["AssociationId"])
    assert settled(egress.await_address_released, aws, owner) is True


def test_a_role_with_somebodys_policy_or_profile_stays_until_they_are_gone(
    aws: Aws, owner: Owner, person: Person
) -> None:
    iam, role = person("iam"), owner.names.node_role
    identity.ensure_node_role(aws, owner)
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    iam.put_role_policy(RoleName=role, PolicyName="buckets", PolicyDocument=json.dumps(document))
    iam.create_instance_profile(InstanceProfileName=role)
    iam.add_role_to_instance_profile(InstanceProfileName=role, RoleName=role)
    identity.delete_identity(aws, owner)
    found = blocked(identity.await_identity_deleted, aws, owner)
    assert [one["arn"].split(":")[5] for one in found.resources] == [f"role/{role}", f"instance-profile/{role}"]
    assert '"buckets"' in found.resources[0]["why"]
    assert aws.iam.policies(role), "nothing of a role that stays is taken away"
    iam.delete_role_policy(RoleName=role, PolicyName="buckets")
    iam.remove_role_from_instance_profile(InstanceProfileName=role, RoleName=role)
    assert identity.await_identity_deleted(aws, owner) is True
    iam.delete_instance_profile(InstanceProfileName=role)


def test_a_cluster_with_somebodys_nodes_stays_until_they_are_gone(
    aws: Aws, active: tuple[Owner, Built], person: Person
) -> None:
    owner, built = active
    eks, name = person("eks"), owner.names.cluster
    made = eks.create_nodegroup(
        clusterName=name,
        nodegroupName="gpu",
        nodeRole=identity.ensure_node_role(aws, owner),
        subnets=built.private,
        tags={"alpha.eksctl.io/cluster-name": name},
        scalingConfig={"minSize": 0, "maxSize": 1, "desiredSize": 0},
    )["nodegroup"]
    settled(nodes.await_node_group, aws, name, "gpu")
    cluster.delete_cluster(aws, owner)
    found = blocked(cluster.await_cluster_deleted, aws, owner)
    assert found.resources == (
        {
            "arn": made["nodegroupArn"],
            "why": "the node group gpu is ACTIVE",
            "owner": f"the eksctl cluster {name}",
        },
    )
    eks.delete_nodegroup(clusterName=name, nodegroupName="gpu")
    assert settled(cluster.await_cluster_deleted, aws, owner) is True


def test_a_node_group_that_eks_fails_to_delete_blocks_and_is_tried_again(
    aws: Aws, active: tuple[Owner, Built], cloud: Cloud
) -> None:
    owner, built = active
    role, name = identity.ensure_node_role(aws, owner), owner.names.cluster
    nodes.ensure_node_group(aws, owner, name, "default", role, built.public, "t3.large", 1, 20)
    settled(nodes.await_node_group, aws, name, "default")
    cloud.settings(failing_deletes=["default"])
    found = blocked(nodes.await_node_group_deleted, aws, owner)
    assert "Ec2SecurityGroupDeletionFailure" in found.resources[0]["why"]
    assert "/default/" in found.resources[0]["arn"]
    cloud.settings(failing_deletes=[])
    assert settled(nodes.await_node_group_deleted, aws, owner) is True


def test_a_cluster_with_fargate_profiles_or_protection_stays(
    aws: Aws, active: tuple[Owner, Built], person: Person
) -> None:
    owner, _ = active
    eks, name = person("eks"), owner.names.cluster
    trust: dict[str, Any] = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "eks-fargate-pods.amazonaws.com"},
            "Action": "sts:AssumeRole",
        },
    }
    role = person("iam").create_role(RoleName=f"{name}-pods", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    eks.create_fargate_profile(
        clusterName=name, fargateProfileName="batch", podExecutionRoleArn=role["Arn"], selectors=[{"namespace": "b"}]
    )
    eks.update_cluster_config(name=name, deletionProtection=True)
    settled(cluster.await_cluster, aws, name)
    found = blocked(cluster.await_cluster_deleted, aws, owner)
    assert ["deletion protection" in one["why"] for one in found.resources] == [True, False]
    assert found.resources[1]["why"] == "the Fargate profile batch is in the cluster"
    eks.delete_fargate_profile(clusterName=name, fargateProfileName="batch")
    eks.update_cluster_config(name=name, deletionProtection=False)
    assert settled(cluster.await_cluster_deleted, aws, owner) is True


def test_a_subnet_group_and_a_security_group_that_others_use_stay(
    aws: Aws, owner: Owner, built: Built, person: Person
) -> None:
    group = database.ensure_subnet_group(aws, owner, built.private)
    firewall = database.ensure_security_group(aws, owner, built.vpc_id)
    theirs = f"{owner.installation}-report"
    person("rds").create_db_instance(
        DBInstanceIdentifier=theirs,
        Engine="postgres",
        EngineVersion="16",
        DBInstanceClass="db.t4g.micro",
        AllocatedStorage=20,
        MasterUsername="postgres",
        ManageMasterUserPassword=True,
        DBSubnetGroupName=group,
        VpcSecurityGroupIds=[firewall],
    )
    ec2 = person("ec2")
    naming = ec2.create_security_group(GroupName=theirs, Description="x", VpcId=built.vpc_id)["GroupId"]
    ec2.authorize_security_group_ingress(
        GroupId=naming,
        IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "UserIdGroupPairs": [{"GroupId": firewall}]},
        ],
    )
    assert listed(blocked(database.await_subnet_group_deleted, aws, owner)) == [(theirs, "somebody else")]
    found = listed(blocked(database.await_security_group_deleted, aws, owner))
    assert (naming, "somebody else") in found
    assert (theirs, "somebody else") in found
    settled(database.await_instance, aws, theirs)
    person("rds").delete_db_instance(DBInstanceIdentifier=theirs, SkipFinalSnapshot=True)
    assert settled(database.await_subnet_group_deleted, aws, owner) is True
    assert listed(blocked(database.await_security_group_deleted, aws, owner)) == [(naming, "somebody else")]
    ec2.delete_security_group(GroupId=naming)
    assert settled(database.await_security_group_deleted, aws, owner) is True
