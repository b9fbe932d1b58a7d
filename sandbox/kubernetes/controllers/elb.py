"""The AWS side of Services of type LoadBalancer: one classic load balancer and one security group each.

As the AWS cloud provider does it (k8s.io/cloud-provider-aws/pkg/providers/v1): names come from the Service's uid, every
call looks before it acts, so a call whose answer was lost is simply repeated.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from sandbox.kubernetes.settings import Settings

# Known to the AWS stand-in only; see its credentials.
ACCESS_KEY = "AKIASANDBOXINTERNAL0"
SECRET_KEY = "sandbox-internal"  # noqa: S105 -- stands for no real secret
TIMEOUT_SECONDS = 10
NO_SUBNETS = "could not find any suitable subnets for creating the ELB"


class LoadBalancerError(Exception):
    """What AWS lacks or refuses, in the words that go into the Service's event."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A load balancer as a Service asks for it. `ports` maps the listener's port to the node port behind it."""

    name: str
    service: str
    ports: Mapping[int, int]
    internal: bool
    idle_timeout: int
    tags: Mapping[str, str]


class Elb:
    """Makes and removes classic load balancers in one cluster's VPC; blocking, so call it in a thread."""

    def __init__(self, settings: Settings) -> None:
        self._cluster = settings.cluster
        session = _session(settings)
        self._eks, self._ec2, self._elb = (_client(session, name, settings) for name in ("eks", "ec2", "elb"))

    def ensure(self, wanted: Wanted) -> datetime:
        """Have the load balancer as wanted; returns when it was made. Raises LoadBalancerError or what boto3 raises."""
        found = self._find(wanted.name)
        if found is None:
            self._create(wanted)
            found = self._find(wanted.name)
        if found is None:
            raise LoadBalancerError(f"load balancer {wanted.name} is not there yet after its creation")
        self._set_listeners(found, wanted)
        self._set_idle_timeout(wanted)
        created: datetime = found["CreatedTime"]
        return created

    def delete(self, name: str) -> bool:
        """Remove the load balancer and its security group; False while AWS still holds the group."""
        if self._find(name) is not None:
            self._elb.delete_load_balancer(LoadBalancerName=name)
        for group in self._security_groups(name):
            try:
                self._ec2.delete_security_group(GroupId=group["GroupId"])
            except ClientError as error:
                if _code(error) == "DependencyViolation":
                    return False
                if _code(error) != "InvalidGroup.NotFound":
                    raise
        return True

    def close(self) -> None:
        """Close the connections."""
        for client in (self._eks, self._ec2, self._elb):
            client.close()

    def _find(self, name: str) -> dict[str, Any] | None:
        try:
            answer = self._elb.describe_load_balancers(LoadBalancerNames=[name])
        except ClientError as error:
            if _code(error) in ("LoadBalancerNotFound", "AccessPointNotFound"):
                return None
            raise
        found: list[dict[str, Any]] = answer["LoadBalancerDescriptions"]
        return found[0] if found else None

    def _create(self, wanted: Wanted) -> None:
        vpc = self._eks.describe_cluster(name=self._cluster)["cluster"]["resourcesVpcConfig"]["vpcId"]
        try:
            self._elb.create_load_balancer(
                LoadBalancerName=wanted.name,
                Listeners=[_listener(port, node_port) for port, node_port in wanted.ports.items()],
                Subnets=self._subnets(vpc, internal=wanted.internal),
                SecurityGroups=[self._ensure_security_group(vpc, wanted)],
                Tags=_tags(wanted.tags),
                **({"Scheme": "internal"} if wanted.internal else {}),
            )
        except ClientError as error:
            if _code(error) != "DuplicateLoadBalancerName":
                raise

    def _subnets(self, vpc: str, *, internal: bool) -> list[str]:
        """One subnet per zone, by the role tag that AWS documents for load balancers; raises LoadBalancerError."""
        role = "kubernetes.io/role/internal-elb" if internal else "kubernetes.io/role/elb"
        filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "tag-key", "Values": [role]}]
        subnets = self._ec2.describe_subnets(Filters=filters)["Subnets"]
        by_zone = {each["AvailabilityZone"]: each["SubnetId"] for each in sorted(subnets, key=_subnet_id, reverse=True)}
        if not by_zone:
            raise LoadBalancerError(NO_SUBNETS)
        return [by_zone[zone] for zone in sorted(by_zone)]

    def _security_groups(self, name: str) -> list[dict[str, Any]]:
        filters = [{"Name": "group-name", "Values": [f"k8s-elb-{name}"]}]
        found: list[dict[str, Any]] = self._ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
        return found

    def _ensure_security_group(self, vpc: str, wanted: Wanted) -> str:
        """The load balancer's own group, open on its ports to everybody."""
        present = self._security_groups(wanted.name)
        group = str(present[0]["GroupId"]) if present else self._create_security_group(vpc, wanted)
        permissions = [_open_port(port) for port in wanted.ports]
        try:
            self._ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=permissions)
        except ClientError as error:
            if _code(error) != "InvalidPermission.Duplicate":
                raise
        return group

    def _create_security_group(self, vpc: str, wanted: Wanted) -> str:
        made = self._ec2.create_security_group(
            GroupName=f"k8s-elb-{wanted.name}",
            Description=f"Security group for Kubernetes ELB {wanted.name} ({wanted.service})",
            VpcId=vpc,
            TagSpecifications=[{"ResourceType": "security-group", "Tags": _tags(wanted.tags)}],
        )
        return str(made["GroupId"])

    def _set_listeners(self, found: dict[str, Any], wanted: Wanted) -> None:
        listeners = [each["Listener"] for each in found["ListenerDescriptions"]]
        present = {each["LoadBalancerPort"]: each["InstancePort"] for each in listeners}
        stale = [port for port, node_port in present.items() if wanted.ports.get(port) != node_port]
        for port in stale:  # one by one: asked for several at once, moto 5.2.5 keeps them all
            self._elb.delete_load_balancer_listeners(LoadBalancerName=wanted.name, LoadBalancerPorts=[port])
        missing = [_listener(port, to) for port, to in wanted.ports.items() if present.get(port) != to]
        if missing:
            self._elb.create_load_balancer_listeners(LoadBalancerName=wanted.name, Listeners=missing)

    def _set_idle_timeout(self, wanted: Wanted) -> None:
        answer = self._elb.describe_load_balancer_attributes(LoadBalancerName=wanted.name)
        settings = answer["LoadBalancerAttributes"].get("ConnectionSettings") or {}
        if settings.get("IdleTimeout") != wanted.idle_timeout:
            attributes = {"ConnectionSettings": {"IdleTimeout": wanted.idle_timeout}}
            self._elb.modify_load_balancer_attributes(LoadBalancerName=wanted.name, LoadBalancerAttributes=attributes)


def _session(settings: Settings) -> boto3.Session:
    """Credentials for the cluster's account: the sandbox's own key, or a role assumed in another account."""
    own = boto3.Session(aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY, region_name=settings.region)
    sts = _client(own, "sts", settings)
    if sts.get_caller_identity()["Account"] == settings.account:
        return own
    role = f"arn:aws:iam::{settings.account}:role/sandbox-internal"
    granted = sts.assume_role(RoleArn=role, RoleSessionName=settings.cluster[:64])["Credentials"]
    return boto3.Session(
        aws_access_key_id=granted["AccessKeyId"],
        aws_secret_access_key=granted["SecretAccessKey"],
        aws_session_token=granted["SessionToken"],
        region_name=settings.region,
    )


def _client(session: boto3.Session, service: str, settings: Settings) -> Any:
    """A client that gives up after seconds, not minutes: the controller tries again by itself."""
    config = Config(
        connect_timeout=TIMEOUT_SECONDS,
        read_timeout=TIMEOUT_SECONDS,
        retries={"mode": "standard", "total_max_attempts": 3},
    )
    anything: Any = session
    return anything.client(service, endpoint_url=settings.aws_endpoint, config=config)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _subnet_id(subnet: dict[str, Any]) -> str:
    return str(subnet["SubnetId"])


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _listener(port: int, node_port: int) -> dict[str, Any]:
    return {"Protocol": "TCP", "LoadBalancerPort": port, "InstanceProtocol": "TCP", "InstancePort": node_port}


def _open_port(port: int) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
