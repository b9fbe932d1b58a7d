"""The AWS side of load balancers, against the sandbox's AWS as a process of its own."""

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest

from sandbox.kubernetes.controllers.elb import Elb, LoadBalancerError, Wanted
from sandbox.kubernetes.settings import Settings
from sandbox.processes import free_port, spawn, stop, wait_until_listening

REGION = "us-west-2"
STATEMENT = {"Effect": "Allow", "Principal": {"Service": "eks.amazonaws.com"}, "Action": "sts:AssumeRole"}
TRUST = {"Version": "2012-10-17", "Statement": [STATEMENT]}
NAME = "a0123456789abcdef0123456789abcde"
WANTED = Wanted(
    name=NAME,
    service="ingress-nginx/ingress-nginx-controller",
    ports={80: 30080, 443: 30443},
    internal=False,
    idle_timeout=3600,
    tags={
        "kubernetes.io/cluster/test": "owned",
        "kubernetes.io/service-name": "ingress-nginx/ingress-nginx-controller",
    },
)


class Aws:
    """Clients of the user of the sandbox."""

    def __init__(self, endpoint: str, credentials: dict[str, str]) -> None:
        session: Any = boto3.Session(
            aws_access_key_id=credentials["access_key"],
            aws_secret_access_key=credentials["secret_key"],
            region_name=REGION,
        )
        self.endpoint = endpoint
        self.ec2, self.eks, self.iam, self.elb = (
            session.client(name, endpoint_url=endpoint) for name in ("ec2", "eks", "iam", "elb")
        )

    def close(self) -> None:
        for client in (self.ec2, self.eks, self.iam, self.elb):
            client.close()

    def make_cluster(self) -> list[str]:
        """A cluster `test` in a VPC of two public subnets, which are returned."""
        vpc = self.ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
        gateway = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        subnets = [
            self.ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.1.{index}.0/24", AvailabilityZone=f"{REGION}{zone}")
            for index, zone in enumerate("ab")
        ]
        ids = [subnet["Subnet"]["SubnetId"] for subnet in subnets]
        role = self.iam.create_role(RoleName="cluster", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
        self.eks.create_cluster(name="test", roleArn=role, resourcesVpcConfig={"subnetIds": ids})
        return ids


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    home = tmp_path_factory.mktemp("aws")
    port = free_port()
    command = [sys.executable, "-m", "sandbox.aws", "--home", str(home), "--port", str(port)]
    process = spawn([*command, "--speed", "max", "--no-clusters", "--parent-pipe"], log=home / "aws.log")
    try:
        wait_until_listening(port, process, 30)
        made = Aws(f"http://127.0.0.1:{port}", json.loads((home / "aws" / "credentials.json").read_text()))
        yield made
        made.close()
    finally:
        stop(process)


@pytest.fixture(scope="module")
def subnets(aws: Aws) -> list[str]:
    return aws.make_cluster()


@pytest.fixture
def elb(aws: Aws, subnets: list[str]) -> Iterator[Elb]:
    settings = Settings("test", "123456789012", REGION, aws.endpoint, float("inf"), Path("unused"))
    made = Elb(settings)
    yield made
    made.close()


def test_without_tagged_subnets_there_is_no_load_balancer(elb: Elb) -> None:
    with pytest.raises(LoadBalancerError, match="could not find any suitable subnets for creating the ELB"):
        elb.ensure(WANTED)


def test_a_load_balancer_is_made_once_changed_and_removed_without_a_trace(
    elb: Elb, aws: Aws, subnets: list[str]
) -> None:
    aws.ec2.create_tags(Resources=subnets, Tags=[{"Key": "kubernetes.io/role/elb", "Value": "1"}])
    created = elb.ensure(WANTED)
    assert elb.ensure(WANTED) == created
    [found] = aws.elb.describe_load_balancers()["LoadBalancerDescriptions"]
    assert (found["LoadBalancerName"], sorted(found["Subnets"])) == (NAME, sorted(subnets))
    attributes = aws.elb.describe_load_balancer_attributes(LoadBalancerName=NAME)["LoadBalancerAttributes"]
    assert attributes["ConnectionSettings"]["IdleTimeout"] == 3600
    [tags] = aws.elb.describe_tags(LoadBalancerNames=[NAME])["TagDescriptions"]
    assert {tag["Key"]: tag["Value"] for tag in tags["Tags"]} == WANTED.tags
    [group] = aws.ec2.describe_security_groups(GroupIds=found["SecurityGroups"])["SecurityGroups"]
    assert group["GroupName"] == f"k8s-elb-{NAME}"
    assert sorted(each["FromPort"] for each in group["IpPermissions"]) == [80, 443]
    elb.ensure(replace(WANTED, ports={80: 31000}, idle_timeout=60))
    [found] = aws.elb.describe_load_balancers()["LoadBalancerDescriptions"]
    listeners = [each["Listener"] for each in found["ListenerDescriptions"]]
    assert [(each["LoadBalancerPort"], each["InstancePort"]) for each in listeners] == [(80, 31000)]
    while not elb.delete(NAME):
        assert aws.elb.describe_load_balancers()["LoadBalancerDescriptions"] == []
    groups = aws.ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": [f"k8s-elb-{NAME}"]}])
    assert groups["SecurityGroups"] == []
    assert elb.delete(NAME)
