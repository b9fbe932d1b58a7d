"""EC2: what blocks deletes, what takes time, what is not made twice."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.aws.standin import Network, StandIn, nat_state, until


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_a_nat_gateway_is_pending_before_it_is_available_and_its_interface_goes_with_it(
    aws: StandIn, network: Network
) -> None:
    ec2 = aws.client("ec2")
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=network.public[1], AllocationId=address)["NatGateway"]["NatGatewayId"]
    assert nat_state(aws, nat) == "pending"
    until(lambda: nat_state(aws, nat), "available")
    with pytest.raises(ClientError) as error:
        ec2.release_address(AllocationId=address)
    assert code(error) == "InvalidIPAddress.InUse"
    with pytest.raises(ClientError) as error:
        ec2.delete_subnet(SubnetId=network.public[1])
    assert code(error) == "DependencyViolation"
    ec2.delete_nat_gateway(NatGatewayId=nat)
    assert nat_state(aws, nat) == "deleting"
    until(lambda: nat_state(aws, nat), "deleted")
    ec2.release_address(AllocationId=address)
    interfaces = ec2.describe_network_interfaces(Filters=[{"Name": "subnet-id", "Values": [network.public[1]]}])
    assert interfaces["NetworkInterfaces"] == []


def test_a_nat_gateway_in_a_vpc_without_internet_gateway_fails(aws: StandIn) -> None:
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/24")["Subnet"]["SubnetId"]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
    until(lambda: nat_state(aws, nat), "failed")
    found = ec2.describe_nat_gateways(NatGatewayIds=[nat])["NatGateways"][0]
    assert found["FailureCode"] == "Gateway.NotAttached"
    ec2.release_address(AllocationId=address)
    ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_vpc(VpcId=vpc)


def test_nat_gateways_are_found_by_tag(aws: StandIn, network: Network) -> None:
    ec2 = aws.client("ec2")
    ec2.create_tags(Resources=[network.nat], Tags=[{"Key": "podium:installation", "Value": "a"}])

    def found(value: str) -> int:
        filters = [{"Name": "tag:podium:installation", "Values": [value]}]
        return len(ec2.describe_nat_gateways(Filters=filters)["NatGateways"])

    assert (found("a"), found("b")) == (1, 0)


def test_the_same_client_token_makes_one_thing_and_other_parameters_are_a_mismatch(
    aws: StandIn, network: Network
) -> None:
    ec2 = aws.client("ec2")
    first = ec2.create_route_table(VpcId=network.vpc, ClientToken="t-1")["RouteTable"]["RouteTableId"]
    again = ec2.create_route_table(VpcId=network.vpc, ClientToken="t-1")["RouteTable"]["RouteTableId"]
    assert first == again
    with pytest.raises(ClientError) as error:
        ec2.create_route_table(VpcId=network.vpc, ClientToken="t-1", DryRun=False)
    assert code(error) == "IdempotentParameterMismatch"
    ec2.delete_route_table(RouteTableId=first)


def test_security_groups_that_others_refer_to_and_vpcs_with_groups_cannot_be_deleted(
    aws: StandIn, network: Network
) -> None:
    ec2 = aws.client("ec2")
    one, two = (
        ec2.create_security_group(GroupName=name, Description=name, VpcId=network.vpc)["GroupId"] for name in ("x", "y")
    )
    pair = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [{"GroupId": one}]}
    ec2.authorize_security_group_ingress(GroupId=two, IpPermissions=[pair])
    refusals: list[Callable[[], Any]] = [
        lambda: ec2.delete_security_group(GroupId=one),
        lambda: ec2.delete_vpc(VpcId=network.vpc),
        lambda: ec2.detach_internet_gateway(InternetGatewayId=network.gateway, VpcId=network.vpc),
    ]
    for refused in refusals:
        with pytest.raises(ClientError) as error:
            refused()
        assert code(error) == "DependencyViolation"
    ec2.delete_security_group(GroupId=two)
    ec2.delete_security_group(GroupId=one)


def test_a_quota_that_runs_out_is_reported_and_enforced(aws: StandIn) -> None:
    aws.control("PUT", "/settings", {"quotas": {"L-F678F1CE": 1.0}})
    quota = aws.client("service-quotas").get_service_quota(ServiceCode="vpc", QuotaCode="L-F678F1CE")
    assert quota["Quota"]["Value"] == 1.0
    with pytest.raises(ClientError) as error:
        aws.client("ec2").create_vpc(CidrBlock="10.1.0.0/16")
    assert code(error) == "VpcLimitExceeded"


def test_subnets_with_a_load_balancer_stay_until_its_interfaces_are_gone(aws: StandIn, network: Network) -> None:
    ec2, elb = aws.client("ec2"), aws.client("elb")
    group = ec2.create_security_group(GroupName="elb", Description="elb", VpcId=network.vpc)["GroupId"]
    listener = {"Protocol": "TCP", "LoadBalancerPort": 80, "InstancePort": 30080}
    elb.create_load_balancer(
        LoadBalancerName="lb", Listeners=[listener], Subnets=network.public, SecurityGroups=[group]
    )
    with pytest.raises(ClientError) as error:
        ec2.delete_security_group(GroupId=group)
    assert code(error) == "DependencyViolation"
    elb.delete_load_balancer(LoadBalancerName="lb")
    mine = [{"Name": "description", "Values": ["ELB lb"]}]
    until(lambda: ec2.describe_network_interfaces(Filters=mine)["NetworkInterfaces"], [])
    ec2.delete_security_group(GroupId=group)
