"""A client of AWS that changes nothing: what it sends, what it says instead, and what the steps notice with it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.model import ServiceModel

from steps import database, egress, identity, network, registry, secret_store
from steps.clients.aws import Aws, AwsTarget, permissions
from steps.errors import Code, PodiumError
from steps.names import Owner
from steps.noticing import noticed
from steps.readonly import Difference, Kind, Records, Stopped, reading_aws, recording
from steps.readonly.aws import is_read
from tests.steps_aws.building import CIDR, PUBLIC, ZONES, Built, build_network
from tests.steps_aws.conftest import REGION, Cloud, Person


@pytest.fixture
def reading(cloud: Cloud) -> Iterator[Aws]:
    client = reading_aws(AwsTarget(REGION))
    yield client
    client.close()


def differences(step: Callable[..., object], *arguments: Any) -> list[Difference]:
    """What a step notes; it may end where it needs what is not there."""
    kept = Records()
    with recording(kept):
        try:
            step(*arguments)
        except Stopped:
            assert kept.differences, "it stopped and said nothing"
    return kept.differences


def changes(cloud: Cloud) -> list[str]:
    return [call["operation"] for call in cloud.calls() if not is_read(call["operation"])]


def test_every_call_that_podium_may_make_is_a_read_or_is_kept_back() -> None:
    kept_back = {call for call in permissions.calls() if not is_read(call.partition(":")[2])}
    assert {"ec2:CreateVpc", "iam:AttachRolePolicy", "rds:ModifyDBInstance", "eks:UpdateAddon"} <= kept_back
    verbs = ("Describe", "List", "Get", "Head", "Batch", "Simulate")
    assert all(call.partition(":")[2].startswith(verbs) for call in permissions.calls() - kept_back)


@pytest.mark.parametrize("service", ["ec2", "eks", "iam", "rds", "ecr", "secretsmanager"])
def test_nothing_that_makes_changes_or_deletes_counts_as_a_read(service: str, reading: Aws) -> None:
    model: ServiceModel = reading.connection.client(service).meta.service_model
    writing = ("Create", "Delete", "Put", "Update", "Modify", "Attach", "Detach", "Run", "Terminate", "Tag", "Untag")
    assert [name for name in model.operation_names if name.startswith(writing) and is_read(name)] == []


def test_what_is_missing_is_noted_and_not_made(reading: Aws, owner: Owner, cloud: Cloud) -> None:
    before = changes(cloud)
    (vpc,) = differences(network.ensure_vpc, reading, owner, CIDR)
    assert (vpc.kind, vpc.resource.type, vpc.field) == (Kind.MISSING, "VPC", None)
    (role,) = differences(identity.ensure_node_role, reading, owner)
    assert (role.resource.type, role.resource.name) == ("IAM role", owner.names.node_role)
    (repository,) = differences(registry.ensure_repositories, reading, owner, [owner.names.app_repository])
    assert repository.resource.name == owner.names.app_repository
    (password,) = differences(secret_store.ensure_password, reading, owner, "app-role-password")
    assert (password.kind, password.resource.type) == (Kind.MISSING, "Secret")
    assert (password.expected, password.found) == (None, None)
    assert changes(cloud) == before


def test_a_healthy_network_has_no_differences(aws: Aws, reading: Aws, owner: Owner, cloud: Cloud) -> None:
    build_network(aws, owner)
    before = changes(cloud)
    assert differences(build_network, reading, owner) == []
    assert changes(cloud) == before


def test_what_changes_nothing_but_a_part_goes_on_to_the_next(
    aws: Aws, reading: Aws, owner: Owner, person: Person
) -> None:
    built = build_network(aws, owner)
    ec2 = person("ec2")
    ec2.modify_vpc_attribute(VpcId=built.vpc_id, EnableDnsHostnames={"Value": False})
    (table,) = aws.network.route_tables(built.vpc_id, owner.tags("routes-public"))
    ec2.delete_route(RouteTableId=table.id, DestinationCidrBlock="0.0.0.0/0")
    ec2.delete_tags(Resources=[built.private[0]], Tags=[{"Key": "kubernetes.io/role/internal-elb"}])
    ec2.modify_subnet_attribute(SubnetId=built.public[0], MapPublicIpOnLaunch={"Value": False})
    found = {one.field: one for one in differences(build_network, reading, owner)}
    assert found["enableDnsHostnames"].resource.name == built.vpc_id
    assert (found["routes[0.0.0.0/0]"].expected, found["routes[0.0.0.0/0]"].found) == (built.gateway_id, None)
    assert found["tags"].expected == {"kubernetes.io/role/internal-elb": "1"}
    assert (found["tags"].resource.type, found["tags"].resource.name) == ("Subnet", built.private[0])
    assert found["mapPublicIpOnLaunch"].resource.name == built.public[0]
    assert len(found) == 4
    build_network(aws, owner)
    assert differences(build_network, reading, owner) == []


def test_a_subnet_that_got_another_route_table_gets_its_own_back(aws: Aws, owner: Owner, person: Person) -> None:
    built = build_network(aws, owner)
    ec2 = person("ec2")
    other = ec2.create_route_table(VpcId=built.vpc_id)["RouteTable"]["RouteTableId"]
    (table,) = aws.network.route_tables(built.vpc_id, owner.tags("routes-public"))
    ec2.replace_route_table_association(AssociationId=table.subnets[built.public[1]], RouteTableId=other)
    build_network(aws, owner)
    (table,) = aws.network.route_tables(built.vpc_id, owner.tags("routes-public"))
    assert set(table.subnets) == set(built.public)


def untag(person: Person, resource: str) -> None:
    tags = [{"Key": "podium:installation"}, {"Key": "podium:resource"}]
    person("ec2").delete_tags(Resources=[resource], Tags=tags)


def ensure_again(aws: Aws, owner: Owner, built: Built) -> None:
    """As the phase does once it knows the VPC's id."""
    network.ensure_vpc(aws, owner, CIDR, built.vpc_id)
    network.ensure_internet_gateway(aws, owner, built.vpc_id)
    network.ensure_subnets(aws, owner, built.vpc_id, "public", PUBLIC, ZONES, owner.names.cluster)
    network.ensure_public_routes(aws, owner, built.vpc_id, built.gateway_id, built.public)


@pytest.mark.parametrize("part", ["vpc", "gateway", "subnet", "table"])
def test_a_part_of_the_network_without_its_tags_is_not_made_a_second_time(
    aws: Aws, owner: Owner, person: Person, part: str
) -> None:
    built = build_network(aws, owner)
    (table,) = aws.network.route_tables(built.vpc_id, owner.tags("routes-public"))
    resource = {"vpc": built.vpc_id, "gateway": built.gateway_id, "subnet": built.public[0], "table": table.id}[part]
    untag(person, resource)
    with pytest.raises(PodiumError) as caught:
        ensure_again(aws, owner, built)
    assert caught.value.code is Code.NAME_TAKEN
    command = caught.value.remedy.partition("aws ec2 create-tags ")[2].partition(";")[0]
    assert f"--resources {resource} " in command
    tags = [dict(pair.split("=") for pair in one.split(",")) for one in command.partition("--tags ")[2].split()]
    person("ec2").create_tags(Resources=[resource], Tags=tags)
    assert build_network(aws, owner) == built


def test_a_nat_gateway_or_its_address_without_their_tags_are_not_made_a_second_time(
    aws: Aws, owner: Owner, person: Person
) -> None:
    built = build_network(aws, owner)
    address = egress.ensure_address(aws, owner)
    nat = egress.ensure_nat_gateway(aws, owner, built.public[0], address)
    (there,) = aws.nat.addresses(owner.tags("nat-address"))
    untag(person, nat)
    with pytest.raises(PodiumError, match=nat) as caught:
        egress.ensure_nat_gateway(aws, owner, built.public[0], address)
    assert caught.value.code is Code.NAME_TAKEN
    untag(person, address)
    with pytest.raises(PodiumError, match=address):
        egress.ensure_address(aws, owner, there.public_ip)


def test_a_rule_that_is_there_is_not_asked_for_again(aws: Aws, reading: Aws, owner: Owner, built: Built) -> None:
    group = database.ensure_security_group(aws, owner, built.vpc_id)
    source = database.ensure_security_group(aws, Owner(f"x{owner.installation}", "1"), built.vpc_id)
    (missing,) = differences(database.ensure_ingress_rule, reading, owner, group, source)
    assert (missing.field, missing.expected, missing.resource.name) == ("ingress", f"tcp 5432 from {source}", group)
    database.ensure_ingress_rule(aws, owner, group, source)
    assert differences(database.ensure_ingress_rule, reading, owner, group, source) == []


def test_no_secret_is_in_what_is_noted(reading: Aws, owner: Owner, cloud: Cloud) -> None:
    def all_with_secrets() -> None:
        reading.connection.client("rds").modify_db_instance(
            DBInstanceIdentifier="db", MasterUserPassword="canary-1", AllocatedStorage=30
        )
        reading.connection.client("secretsmanager").update_secret(SecretId="s", SecretString="canary-2")

    found = differences(all_with_secrets)
    assert found[0].expected == {"AllocatedStorage": 30}
    assert "canary" not in repr(found)


def test_a_request_that_comes_past_the_first_guard_is_refused_by_the_second(reading: Aws) -> None:
    events = reading.connection.client("ec2").meta.events
    with pytest.raises(AssertionError, match="AllocateAddress"):
        events.emit("before-send.ec2.AllocateAddress", request=None)
    assert events.emit("before-send.ec2.DescribeVpcs", request=None)


def test_a_reading_client_is_of_no_use_outside_of_a_comparison(reading: Aws, owner: Owner) -> None:
    with pytest.raises(RuntimeError, match="outside of a comparison"):
        network.ensure_vpc(reading, owner, CIDR)


def test_what_is_noticed_outside_of_a_comparison_is_nobodys() -> None:
    noticed("count", expected=1, found=2)
    kept = Records()
    with recording(kept):
        assert kept.differences == []


def test_private_routes_are_compared_with_their_nat_gateway(aws: Aws, reading: Aws, owner: Owner) -> None:
    built = build_network(aws, owner)
    nat = egress.ensure_nat_gateway(aws, owner, built.public[0], egress.ensure_address(aws, owner))
    egress.ensure_private_routes(aws, owner, built.vpc_id, nat, built.private)
    assert differences(egress.ensure_private_routes, reading, owner, built.vpc_id, nat, built.private) == []
