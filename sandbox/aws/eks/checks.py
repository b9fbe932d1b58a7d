"""What EKS checks before it makes something: roles, subnets, instance types.

EKS User Guide, "Amazon EKS cluster IAM role", "Amazon EKS node IAM role", "Amazon EKS VPC and subnet considerations";
messages as EKS words them.
"""

import json
from typing import Any
from urllib.parse import unquote

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.iam.models import iam_backends

from sandbox.aws.ec2.backend import ec2_of
from sandbox.aws.eks.store import invalid


def role(account: str, arn: str, trusted: str) -> None:
    """Raises AwsError unless the role exists and trusts the service `trusted` (eks.amazonaws.com ...)."""
    name = arn.rsplit("/", 1)[-1]
    for found in iam_backends[account]["aws"].roles.values():
        if found.name == name and _trusts(found.assume_role_policy_document, trusted):
            return
    raise invalid(
        f"Role with arn: {arn}, could not be assumed because it does not exist or the trusted entity is not correct"
    )


def subnets(account: str, region: str, subnet_ids: list[str]) -> list[Any]:
    """moto's Subnet objects; raises AwsError when one does not exist or they are of several VPCs."""
    ec2 = ec2_of(account, region)
    found = []
    for subnet_id in subnet_ids:
        try:
            found.append(ec2.get_subnet(subnet_id))
        except EC2ClientError as problem:
            raise invalid(f"The subnet ID '{subnet_id}' does not exist") from problem
    if len({subnet.vpc_id for subnet in found}) != 1:
        raise invalid("Subnets provided belong to different VPCs")
    return found


def two_zones(found: list[Any]) -> None:
    if len({subnet.availability_zone for subnet in found}) < 2:
        raise invalid("Subnets specified must be in at least two different AZs")


def security_groups(account: str, region: str, group_ids: list[str], vpc_id: str) -> None:
    for group_id in group_ids:
        group = ec2_of(account, region).get_security_group_from_id(group_id)
        if group is None or group.vpc_id != vpc_id:
            raise invalid(f"The security group '{group_id}' does not exist in VPC {vpc_id}")


def vcpus(instance_types: list[str]) -> int:
    """vCPUs of the first type; raises AwsError when a type does not exist."""
    unknown = [name for name in instance_types if name not in INSTANCE_TYPES]
    if unknown:
        raise invalid(f"The following supplied instance types do not exist: [{', '.join(unknown)}]")
    return int(INSTANCE_TYPES[instance_types[0]]["VCpuInfo"]["DefaultVCpus"])


def _trusts(document: Any, service: str) -> bool:
    policy = document if isinstance(document, dict) else json.loads(unquote(document))
    statements = policy.get("Statement", [])
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = statement.get("Principal", {})
        services = principal.get("Service", []) if isinstance(principal, dict) else []
        if statement.get("Effect") == "Allow" and service in ([services] if isinstance(services, str) else services):
            return True
    return False
