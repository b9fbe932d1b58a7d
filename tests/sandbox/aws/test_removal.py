"""What AWS does when things are deleted: what stays for a while, what is refused, what is kept."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.aws.standin import Network, StandIn, until


def refused(call: Callable[..., Any], **params: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(**params)
    return str(error.value.response["Error"]["Code"])


def interfaces(aws: StandIn, **filters: str) -> list[dict[str, Any]]:
    wanted = [{"Name": name.replace("_", "-"), "Values": [value]} for name, value in filters.items()]
    found: list[dict[str, Any]] = aws.client("ec2").describe_network_interfaces(Filters=wanted)["NetworkInterfaces"]
    return found


def test_an_application_load_balancer_holds_its_subnets_for_a_while_after_its_end(
    aws: StandIn, network: Network
) -> None:
    elbv2, ec2 = aws.client("elbv2"), aws.client("ec2")
    subnets = [
        ec2.create_subnet(VpcId=network.vpc, CidrBlock=f"192.168.{n}.0/24", AvailabilityZone=zone)["Subnet"]
        for n, zone in ((240, "us-west-2a"), (241, "us-west-2b"))
    ]
    ids = [subnet["SubnetId"] for subnet in subnets]
    arn = elbv2.create_load_balancer(Name="front", Subnets=ids)["LoadBalancers"][0]["LoadBalancerArn"]
    [found] = interfaces(aws, subnet_id=ids[0])
    assert found["Description"] == "ELB app/front/" + arn.rpartition("/")[2]
    assert found["Status"] == "in-use"
    on, off = ([{"Key": "deletion_protection.enabled", "Value": value}] for value in ("true", "false"))
    elbv2.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=on)
    assert refused(elbv2.delete_load_balancer, LoadBalancerArn=arn) == "OperationNotPermitted"
    elbv2.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=off)
    elbv2.delete_load_balancer(LoadBalancerArn=arn)
    assert refused(ec2.delete_subnet, SubnetId=ids[0]) == "DependencyViolation"
    until(lambda: len(interfaces(aws, subnet_id=ids[0])), 0)
    for subnet in ids:
        ec2.delete_subnet(SubnetId=subnet)


def test_a_vpc_with_a_network_acl_of_its_own_is_not_deleted(aws: StandIn) -> None:
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    acl = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    assert refused(ec2.delete_vpc, VpcId=vpc) == "DependencyViolation"
    ec2.delete_network_acl(NetworkAclId=acl)
    ec2.delete_vpc(VpcId=vpc)


def test_a_cluster_with_a_fargate_profile_is_not_deleted(aws: StandIn, network: Network) -> None:
    eks, iam = aws.client("eks"), aws.client("iam")

    def role(name: str, service: str) -> str:
        allow = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        return str(iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"])

    vpc: dict[str, Any] = {"subnetIds": network.private}
    eks.create_cluster(name="far", roleArn=role("far", "eks.amazonaws.com"), resourcesVpcConfig=vpc)
    until(lambda: eks.describe_cluster(name="far")["cluster"]["status"], "ACTIVE")
    pods = role("far-pods", "eks-fargate-pods.amazonaws.com")
    profile: dict[str, Any] = {"clusterName": "far", "fargateProfileName": "batch"}
    eks.create_fargate_profile(**profile, podExecutionRoleArn=pods, selectors=[{"namespace": "b"}])
    assert eks.list_fargate_profiles(clusterName="far")["fargateProfileNames"] == ["batch"]
    assert refused(eks.delete_cluster, name="far") == "ResourceInUseException"
    eks.delete_fargate_profile(**profile)
    assert refused(eks.describe_fargate_profile, **profile) == "ResourceNotFoundException"
    eks.delete_cluster(name="far")
    until(lambda: eks.list_clusters()["clusters"], [])


def test_a_last_snapshot_is_complete_when_its_instance_is_gone_and_has_tags_of_its_own(aws: StandIn) -> None:
    rds = aws.client("rds")
    rds.create_db_instance(
        DBInstanceIdentifier="last",
        Engine="postgres",
        DBInstanceClass="db.t4g.micro",
        AllocatedStorage=20,
        MasterUsername="postgres",
        ManageMasterUserPassword=True,
        CopyTagsToSnapshot=True,
        Tags=[{"Key": "a", "Value": "b"}],
    )
    assert refused(rds.delete_db_instance, DBInstanceIdentifier="last", FinalDBSnapshotIdentifier="x") == (
        "InvalidDBInstanceState"
    )
    until(
        lambda: rds.describe_db_instances(DBInstanceIdentifier="last")["DBInstances"][0]["DBInstanceStatus"],
        "available",
    )
    assert refused(rds.delete_db_instance, DBInstanceIdentifier="last", FinalDBSnapshotIdentifier="x--y").startswith(
        "InvalidParameterValue"
    )
    rds.delete_db_instance(DBInstanceIdentifier="last", FinalDBSnapshotIdentifier="words", DeleteAutomatedBackups=False)

    def snapshot() -> dict[str, Any]:
        return dict(rds.describe_db_snapshots(DBSnapshotIdentifier="words")["DBSnapshots"][0])

    assert snapshot()["Status"] == "creating"
    until(lambda: snapshot()["Status"], "available")
    rds.add_tags_to_resource(ResourceName=snapshot()["DBSnapshotArn"], Tags=[{"Key": "kept", "Value": "true"}])
    assert {tag["Key"] for tag in snapshot()["TagList"]} == {"a", "kept"}
    [backup] = rds.describe_db_instance_automated_backups(DBInstanceIdentifier="last")["DBInstanceAutomatedBackups"]
    assert backup["Status"] == "retained"
    rds.delete_db_instance_automated_backup(DbiResourceId=backup["DbiResourceId"])
    assert rds.describe_db_instance_automated_backups(DBInstanceIdentifier="last")["DBInstanceAutomatedBackups"] == []


def test_a_terminated_instances_interface_goes_with_it(aws: StandIn, network: Network) -> None:
    ec2 = aws.client("ec2")
    subnet = ec2.create_subnet(VpcId=network.vpc, CidrBlock="192.168.250.0/24")["Subnet"]["SubnetId"]
    image = ec2.describe_images()["Images"][0]["ImageId"]
    made = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnet)["Instances"][0]
    [found] = interfaces(aws, subnet_id=subnet)
    assert found["Attachment"]["InstanceId"] == made["InstanceId"]
    assert refused(ec2.delete_subnet, SubnetId=subnet) == "DependencyViolation"
    ec2.terminate_instances(InstanceIds=[made["InstanceId"]])
    ec2.delete_subnet(SubnetId=subnet)
