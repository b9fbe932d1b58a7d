"""State outlives the process, also when that is killed; sandboxes do not disturb each other."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from sandbox.aws.rds.slots import first_server_url
from sandbox.aws.snapshot import WAIT
from tests.sandbox.aws.standin import StandIn, make_network, make_role, nat_state, until
from tests.sandbox.aws.test_rds import connect, create, describe


@pytest.fixture(scope="module")
def own() -> Iterator[StandIn]:
    """A stand-in of these tests' own, whose changes take a moment (a cluster 1.8 s)."""
    with tempfile.TemporaryDirectory(prefix="sandbox-aws-") as folder:
        aws = StandIn(Path(folder), speed="300").start()
        yield aws
        aws.stop()


def test_sandboxes_side_by_side_have_keys_ports_and_servers_of_their_own(own: StandIn, aws: StandIn) -> None:
    assert own.client("sts").meta.endpoint_url != aws.client("sts").meta.endpoint_url
    own.client("ec2").create_security_group(GroupName="only-mine", Description="d")
    mine = [{"Name": "group-name", "Values": ["only-mine"]}]
    assert aws.client("ec2").describe_security_groups(Filters=mine)["SecurityGroups"] == []
    urls = first_server_url(own.home), first_server_url(aws.home)
    assert urls[0] != urls[1]
    until(lambda: [_answers(url) for url in urls], [True, True])


def test_everything_answered_half_a_second_ago_survives_kill_9(own: StandIn) -> None:
    network = make_network(own)
    role = make_role(own, "r", "eks.amazonaws.com")
    own.client("iam").attach_role_policy(RoleName="r", PolicyArn="arn:aws:iam::aws:policy/AmazonEKSClusterPolicy")
    own.client("rds").create_db_subnet_group(
        DBSubnetGroupName="db", DBSubnetGroupDescription="d", SubnetIds=network.private
    )
    create(own)
    subnets = network.public + network.private
    created = own.client("eks").create_cluster(
        name="c", roleArn=role, resourcesVpcConfig={"subnetIds": subnets}, clientRequestToken="token-1"
    )["cluster"]
    until(lambda: describe(own)["DBInstanceStatus"], "available")
    with connect(own, describe(own)) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1")
    own.control("PUT", "/settings", {"autopush": False})
    ec2 = own.client("ec2")
    ec2.delete_nat_gateway(NatGatewayId=network.nat)
    endpoint = describe(own)["Endpoint"]
    create(own, "half-made")

    time.sleep(WAIT + 0.3)  # what the sandbox promises: an answer is safe half a second later
    own.kill()
    own.start()

    until(lambda: nat_state(own, network.nat), "deleted")
    attached = own.client("iam").list_attached_role_policies(RoleName="r")["AttachedPolicies"]
    assert [policy["PolicyName"] for policy in attached] == ["AmazonEKSClusterPolicy"]
    assert describe(own)["Endpoint"] == endpoint
    with connect(own, describe(own)) as connection:
        assert connection.execute("SELECT * FROM kept").fetchone() == (1,)
    until(lambda: describe(own, "half-made")["DBInstanceStatus"], "available")
    connect(own, describe(own, "half-made")).close()
    eks = own.client("eks")
    until(lambda: eks.describe_cluster(name="c")["cluster"]["status"], "ACTIVE")
    again = eks.create_cluster(
        name="c", roleArn=role, resourcesVpcConfig={"subnetIds": subnets}, clientRequestToken="token-1"
    )["cluster"]
    assert again["createdAt"] == created["createdAt"]
    assert own.control("GET", "/settings")["autopush"] is False


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True
