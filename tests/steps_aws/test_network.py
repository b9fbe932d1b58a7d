"""VPC, gateway, subnets, routes, NAT: made once, adopted, merged, deleted."""

import pytest

from steps import egress, network
from steps.clients.aws import Aws, AwsTarget
from steps.errors import Code, PodiumError, TransientError
from steps.names import Owner
from steps.waiting import Pending
from tests.steps_aws.building import CIDR, PRIVATE, PUBLIC, ZONES, build_network, settled
from tests.steps_aws.conftest import REGION, Cloud


def test_a_network_ensured_twice_is_made_once(aws: Aws, owner: Owner) -> None:
    first = build_network(aws, owner)
    assert build_network(aws, owner) == first
    assert len(aws.network.vpcs(owner.tags("vpc"))) == 1
    assert len(aws.network.subnets(first.vpc_id)) == 4
    assert len(aws.network.route_tables(first.vpc_id, owner.tags("routes-public"))) == 1


def test_subnets_carry_what_kubernetes_looks_for(aws: Aws, owner: Owner) -> None:
    built = build_network(aws, owner)
    subnets = {subnet.id: subnet for subnet in aws.network.subnets(built.vpc_id)}
    public, private = subnets[built.public[0]], subnets[built.private[1]]
    assert public.tags["kubernetes.io/role/elb"] == "1"
    assert public.tags[f"kubernetes.io/cluster/{owner.names.cluster}"] == "shared"
    assert public.public_ips
    assert private.tags["kubernetes.io/role/internal-elb"] == "1"
    assert not private.public_ips
    assert (private.cidr, private.zone) == (PRIVATE[1], ZONES[1])
    assert aws.network.has_dns(built.vpc_id)


@pytest.mark.parametrize("call", ["CreateVpc", "CreateInternetGateway", "CreateSubnet"])
def test_a_lost_answer_leaves_exactly_one(aws: Aws, owner: Owner, cloud: Cloud, call: str) -> None:
    cloud.fault(match=f"ec2:{call}", kind="lost")
    built = build_network(aws, owner)
    assert [vpc.id for vpc in aws.network.vpcs(owner.tags("vpc"))] == [built.vpc_id]
    assert [gateway.id for gateway in aws.network.gateways(owner.tags("internet-gateway"))] == [built.gateway_id]
    assert len(aws.network.subnets(built.vpc_id)) == 4
    assert len(aws.network.route_tables(built.vpc_id, owner.tags("routes-public"))) == 1


CHANGES = (
    "CreateVpc",
    "ModifyVpcAttribute",
    "CreateInternetGateway",
    "AttachInternetGateway",
    "CreateSubnet",
    "ModifySubnetAttribute",
    "CreateRouteTable",
    "CreateRoute",
    "AssociateRouteTable",
    "AllocateAddress",
    "CreateNatGateway",
)


@pytest.mark.parametrize("call", CHANGES)
def test_a_crash_after_any_change_leaves_exactly_one_of_each(cloud: Cloud, owner: Owner, call: str) -> None:
    aws = Aws(AwsTarget(REGION), attempts=1)
    cloud.fault(match=f"ec2:{call}$", kind="lost")
    with pytest.raises(TransientError):
        build_all(aws, owner)
    vpc_id = build_all(aws, owner)
    assert [vpc.id for vpc in aws.network.vpcs(owner.tags("vpc"))] == [vpc_id]
    assert len(aws.network.gateways(owner.tags("internet-gateway"))) == 1
    assert len(aws.network.subnets(vpc_id)) == 4
    assert len(aws.network.route_tables(vpc_id)) == 3  # ours, and the VPC's own
    assert len(aws.nat.addresses(owner.tags("nat-address"))) == 1
    assert len(aws.nat.gateways(owner.tags("nat"))) == 1
    aws.close()


def build_all(aws: Aws, owner: Owner) -> str:
    built = build_network(aws, owner)
    nat = egress.ensure_nat_gateway(aws, owner, built.public[0], egress.ensure_address(aws, owner))
    egress.ensure_private_routes(aws, owner, built.vpc_id, nat, built.private)
    return built.vpc_id


def test_of_two_own_vpcs_the_used_one_stays(aws: Aws, owner: Owner) -> None:
    built = build_network(aws, owner)
    for _ in range(3):
        aws.network.make_vpc(CIDR, owner.tags("vpc"))
    assert network.ensure_vpc(aws, owner, CIDR) == built.vpc_id
    assert len(aws.network.vpcs(owner.tags("vpc"))) == 1


def test_another_installations_vpc_is_left_alone(aws: Aws, owner: Owner) -> None:
    other = Owner(f"x{owner.installation}", "operation")
    theirs = network.ensure_vpc(aws, other, CIDR)
    ours = network.ensure_vpc(aws, owner, CIDR)
    assert theirs != ours
    network.delete_network(aws, owner)
    assert [vpc.id for vpc in aws.network.vpcs(other.tags("vpc"))] == [theirs]


def test_a_subnet_range_somebody_else_uses_is_name_taken(aws: Aws, owner: Owner) -> None:
    vpc_id = network.ensure_vpc(aws, owner, CIDR)
    aws.network.make_subnet(vpc_id, PUBLIC[0], ZONES[0], {"Name": "a person's"})
    with pytest.raises(PodiumError) as caught:
        network.ensure_subnets(aws, owner, vpc_id, "public", PUBLIC, ZONES, owner.names.cluster)
    assert caught.value.code is Code.NAME_TAKEN
    assert PUBLIC[0] in caught.value.message
    assert "Key=podium:installation,Value=" in caught.value.remedy


def test_the_nat_gateway_passes_through_pending_and_routes(aws: Aws, owner: Owner) -> None:
    built = build_network(aws, owner)
    address = egress.ensure_address(aws, owner)
    nat = egress.ensure_nat_gateway(aws, owner, built.public[0], address)
    assert egress.ensure_nat_gateway(aws, owner, built.public[0], address) == nat
    found = settled(egress.await_nat_gateway, aws, nat)
    assert found["nat_gateway_id"] == nat
    assert found["public_ip"]
    table = egress.ensure_private_routes(aws, owner, built.vpc_id, nat, built.private)
    assert egress.ensure_private_routes(aws, owner, built.vpc_id, nat, built.private) == table
    [routes] = aws.network.route_tables(built.vpc_id, owner.tags("routes-private"))
    assert routes.default_target == nat
    assert set(routes.subnets) == set(built.private)


@pytest.mark.parametrize("call", ["AllocateAddress", "CreateNatGateway"])
def test_a_lost_answer_leaves_one_address_and_one_nat_gateway(aws: Aws, owner: Owner, cloud: Cloud, call: str) -> None:
    built = build_network(aws, owner)
    cloud.fault(match=f"ec2:{call}", kind="lost")
    address = egress.ensure_address(aws, owner)
    nat = egress.ensure_nat_gateway(aws, owner, built.public[0], address)
    assert [one.allocation_id for one in aws.nat.addresses(owner.tags("nat-address"))] == [address]
    assert [one.id for one in aws.nat.gateways(owner.tags("nat"))] == [nat]


def test_a_whole_network_is_deleted_and_deleting_again_is_fine(aws: Aws, owner: Owner) -> None:
    built = build_network(aws, owner)
    nat = egress.ensure_nat_gateway(aws, owner, built.public[0], egress.ensure_address(aws, owner))
    settled(egress.await_nat_gateway, aws, nat)
    egress.ensure_private_routes(aws, owner, built.vpc_id, nat, built.private)
    for _ in range(2):
        egress.delete_private_routes(aws, owner)
        egress.delete_nat_gateway(aws, owner)
        settled(egress.await_nat_gateway_deleted, aws, owner)
        egress.release_address(aws, owner)
        network.delete_network(aws, owner)
    assert aws.network.vpc(built.vpc_id) is None
    assert aws.nat.addresses(owner.tags("nat-address")) == []


@pytest.mark.parametrize("steps_done", [0, 1, 2, 3])
def test_a_network_is_deleted_in_any_half_state(aws: Aws, owner: Owner, steps_done: int) -> None:
    vpc_id = ""
    if steps_done > 0:
        vpc_id = network.ensure_vpc(aws, owner, CIDR)
    if steps_done > 1:
        network.ensure_internet_gateway(aws, owner, vpc_id)
    if steps_done > 2:
        network.ensure_subnets(aws, owner, vpc_id, "public", PUBLIC, ZONES, owner.names.cluster)
    egress.delete_nat_gateway(aws, owner)
    assert egress.await_nat_gateway_deleted(aws, owner) is True
    network.delete_network(aws, owner)
    assert aws.network.vpcs(owner.tags("vpc")) == []


def test_a_network_is_not_blocked_by_what_podium_is_about_to_delete(aws: Aws, owner: Owner) -> None:
    built = build_network(aws, owner)
    nat = egress.ensure_nat_gateway(aws, owner, built.public[0], egress.ensure_address(aws, owner))
    network.delete_network(aws, owner)
    found = network.await_network_deleted(aws, owner)
    assert isinstance(found, Pending)
    assert nat in found.detail
    settled(egress.await_nat_gateway_deleted, aws, owner)
    assert settled(egress.await_address_released, aws, owner) is True
    assert egress.await_private_routes_deleted(aws, owner) is True
    assert settled(network.await_network_deleted, aws, owner) is True


@pytest.mark.parametrize("call", ["DeleteSubnet", "DetachInternetGateway", "DeleteInternetGateway", "DeleteVpc"])
def test_a_crash_after_any_delete_is_gone_on_from(cloud: Cloud, owner: Owner, call: str) -> None:
    aws = Aws(AwsTarget(REGION), attempts=1)
    built = build_network(aws, owner)
    cloud.fault(match=f"ec2:{call}$", kind="lost")
    with pytest.raises(TransientError):
        network.delete_network(aws, owner)
    assert settled(network.await_network_deleted, aws, owner) is True
    assert aws.network.vpc(built.vpc_id) is None
    aws.close()


def test_a_nat_gateway_that_is_not_there_is_pending(aws: Aws) -> None:
    assert isinstance(egress.await_nat_gateway(aws, "nat-0123456789abcdef0"), Pending)
