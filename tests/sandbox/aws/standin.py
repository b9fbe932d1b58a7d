"""An AWS stand-in as a process of its own, and what tests of it need: clients, a network, waiting."""

import http.client
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import boto3
from botocore.config import Config

from sandbox.aws.credentials import own_credentials
from sandbox.processes import free_port, spawn, stop, wait_until_listening

REPOSITORY = Path(__file__).resolve().parents[3]
REGION = "us-west-2"
ACCOUNT = "123456789012"


@dataclass
class StandIn:
    """One sandbox's AWS, without clusters behind EKS unless `clusters`.

    `attempts`: how often botocore tries a call; `environment`: what its process has beyond ours.
    """

    home: Path
    speed: str = "max"
    attempts: int = 1
    port: int = field(default_factory=free_port)
    process: Any = None
    environment: dict[str, str] = field(default_factory=dict)
    clusters: bool = False
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)

    def start(self) -> "StandIn":
        command = [sys.executable, "-m", "sandbox.aws", "--home", str(self.home), "--port", str(self.port)]
        command += ["--speed", self.speed, "--parent-pipe", *([] if self.clusters else ["--no-clusters"])]
        environment = os.environ | self.environment
        self.process = spawn(command, log=self.home / "aws.log", cwd=REPOSITORY, env=environment)
        wait_until_listening(self.port, self.process)
        return self

    def kill(self) -> None:
        """As a power cut would."""
        self.close_clients()
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()

    def stop(self) -> int:
        self.close_clients()
        return stop(self.process)

    def client(self, service: str, access_key: str | None = None) -> Any:
        own = own_credentials(self.home)
        key = service, access_key or own.access_key
        if key not in self._clients:
            self._clients[key] = boto3.client(
                service,  # type: ignore[call-overload]
                endpoint_url=f"http://127.0.0.1:{self.port}",
                region_name=REGION,
                aws_access_key_id=key[1],
                aws_secret_access_key=own.secret_key,
                config=Config(retries={"mode": "standard", "total_max_attempts": self.attempts}),
            )
        return self._clients[key]

    def close_clients(self) -> None:
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """The control API's answer; one without a body is None."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, f"/_sandbox{path}", json.dumps(body))
            answer = connection.getresponse()
            found = json.loads(answer.read())
        finally:
            connection.close()
        assert answer.status == 200, found
        return found

    def fault(self, **rule: Any) -> None:
        self.control("POST", "/faults", rule)

    def calls(self, operation: str) -> list[dict[str, Any]]:
        return [call for call in self.control("GET", "/calls") if call["operation"] == operation]


def until(look: Callable[[], Any], wanted: Any = True, timeout: float = 15.0) -> None:
    """Poll until `look()` is `wanted`."""
    deadline = time.monotonic() + timeout
    while (found := look()) != wanted:
        assert time.monotonic() < deadline, f"still {found!r}, not {wanted!r}"
        time.sleep(0.02)


@dataclass
class Network:
    """A VPC with two public and two private subnets, gateway, NAT and routes, as the guide has it."""

    vpc: str
    public: list[str]
    private: list[str]
    gateway: str
    nat: str
    address: str
    tables: list[str]


class HasClients(Protocol):
    """Whoever talks to the sandbox's AWS."""

    def client(self, service: str) -> Any: ...


def make_network(aws: HasClients) -> Network:
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="192.168.0.0/16")["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"192.168.{32 * index}.0/19", AvailabilityZone=REGION + "ab"[index % 2])[
            "Subnet"
        ]["SubnetId"]
        for index in range(4)
    ]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=subnets[0], AllocationId=address)["NatGateway"]["NatGatewayId"]
    network = Network(vpc, subnets[:2], subnets[2:], gateway, nat, address, [])
    targets = [(network.public, {"GatewayId": gateway}), (network.private, {"NatGatewayId": nat})]
    for members, target in targets:
        table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **target)
        for subnet in members:
            ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        network.tables.append(table)
    until(lambda: nat_state(aws, nat), "available")
    return network


def delete_network(aws: StandIn, network: Network) -> None:
    ec2 = aws.client("ec2")
    ec2.delete_nat_gateway(NatGatewayId=network.nat)
    until(lambda: nat_state(aws, network.nat), "deleted")
    ec2.release_address(AllocationId=network.address)
    for subnet in network.public + network.private:
        ec2.delete_subnet(SubnetId=subnet)
    for table in network.tables:
        ec2.delete_route_table(RouteTableId=table)
    ec2.detach_internet_gateway(InternetGatewayId=network.gateway, VpcId=network.vpc)
    ec2.delete_internet_gateway(InternetGatewayId=network.gateway)
    ec2.delete_vpc(VpcId=network.vpc)


def nat_state(aws: HasClients, nat: str) -> str:
    return str(aws.client("ec2").describe_nat_gateways(NatGatewayIds=[nat])["NatGateways"][0]["State"])


def make_role(aws: HasClients, name: str, service: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    role = aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)
    return str(role["Role"]["Arn"])
