"""A request to AWS that would change something, told as the difference that it would mend."""

import re
from collections.abc import Mapping
from typing import Any

from steps.names import TAG_RESOURCE
from steps.noticing import take
from steps.readonly.records import Difference, Kind, Resource

_VERB = re.compile(r"^[A-Z][a-z]+")
_HIDDEN = re.compile(r"password|secret|token|description|^tags$|tagspecifications", re.IGNORECASE)
_TYPES = {
    "Vpc": "VPC",
    "VpcAttribute": "VPC",
    "InternetGateway": "InternetGateway",
    "Subnet": "Subnet",
    "SubnetAttribute": "Subnet",
    "RouteTable": "RouteTable",
    "RouteTableAssociation": "RouteTable",
    "Route": "RouteTable",
    "Address": "ElasticIP",
    "NatGateway": "NatGateway",
    "SecurityGroup": "Security group",
    "SecurityGroupIngress": "Security group",
    "Role": "IAM role",
    "RolePolicy": "IAM role",
    "AssumeRolePolicy": "IAM role",
    "OpenIDConnectProvider": "OIDC provider",
    "Cluster": "EKS cluster",
    "ClusterConfig": "EKS cluster",
    "ClusterVersion": "EKS cluster",
    "Addon": "EKS add-on",
    "Nodegroup": "EKS node group",
    "NodegroupConfig": "EKS node group",
    "NodegroupVersion": "EKS node group",
    "DBSubnetGroup": "DB subnet group",
    "DBInstance": "RDS instance",
    "Repository": "ECR repository",
    "Secret": "Secret",
    "SecretValue": "Secret",
}
"""What an operation is about (its name without the verb), as the plan calls it (workflows/plan.py)."""
_PARTS = ("Route", "Tags")
"""Parts of a thing: it is changed when one is made or deleted."""
_PREFIXES = {"vpc": "VPC", "igw": "InternetGateway", "subnet": "Subnet", "rtb": "RouteTable", "nat": "NatGateway"}
_FIELDS = {
    "VpcAttribute": "dns",
    "SubnetAttribute": "mapPublicIpOnLaunch",
    "Route": "routes[0.0.0.0/0]",
    "RouteTable": "associations",
    "InternetGateway": "attachments",
    "SecurityGroupIngress": "ingress",
    "Tags": "tags",
    "RolePolicy": "attachedPolicies",
    "SecretValue": "value",
}
_KINDS = {
    "Create": Kind.MISSING,
    "Allocate": Kind.MISSING,
    "Run": Kind.MISSING,
    "Delete": Kind.EXTRA,
    "Release": Kind.EXTRA,
}
"""By verb; every other one changes something."""
_NAMES = (
    *("addonName", "nodegroupName", "name", "repositoryName", "RoleName", "DBInstanceIdentifier", "DBSubnetGroupName"),
    *("GroupName", "Url", "RouteTableId", "GroupId", "SubnetId", "InternetGatewayId", "NatGatewayId", "VpcId"),
    *("AllocationId", "SecretId", "Name", "resourceArn", "ResourceArn"),
)
"""Parameters that name a thing, the narrower before the wider."""


def difference_of(operation: str, parameters: Mapping[str, Any]) -> Difference:
    """`operation` is AWS's name, e.g. AttachRolePolicy. No value of a secret is in what it returns."""
    verb = _VERB.match(operation)
    begin = verb.group() if verb else operation
    noun = operation.removeprefix(begin)
    kind = Kind.CHANGED if noun in _PARTS else _KINDS.get(begin, Kind.CHANGED)
    resource = Resource(_type(noun, parameters) or operation, _name(parameters))
    if kind is not Kind.CHANGED:
        return Difference(kind, resource, f"{resource.type} {resource.name} {_WORDS[kind]} ({operation}).")
    told = take()
    if told is not None:
        words = f"{told.field} of {resource.type} {resource.name} is not as it was applied ({operation})."
        return Difference(kind, resource, words, told.field, told.expected, told.found)
    expected = {key: value for key, value in parameters.items() if key not in _NAMES[:9] and not _HIDDEN.search(key)}
    words = f"{resource.type} {resource.name} is not as it was applied ({operation})."
    return Difference(kind, resource, words, _FIELDS.get(noun), _plain(expected), None)


def _type(noun: str, parameters: Mapping[str, Any]) -> str:
    """EC2's tags are of anything: its id says of what."""
    if noun != "Tags":
        return _TYPES.get(noun, noun)
    prefix = str((parameters.get("Resources") or [""])[0]).partition("-")[0]
    return _PREFIXES.get(prefix, "EC2 resource")


_WORDS = {Kind.MISSING: "is not there", Kind.EXTRA: "is there and not wanted any more"}


def _name(parameters: Mapping[str, Any]) -> str:
    """By its own name, or by the part that the installation's tag says it is."""
    for specification in parameters.get("TagSpecifications") or ():
        tags = {tag["Key"]: tag["Value"] for tag in specification.get("Tags", ())}
        if TAG_RESOURCE in tags and "Name" in tags:
            return f"{tags['Name']} ({tags[TAG_RESOURCE]})"
    named = next((str(parameters[key]) for key in _NAMES if parameters.get(key)), "")
    return named or ", ".join(str(one) for one in parameters.get("Resources") or ())


def _plain(value: Any) -> Any:
    """As JSON."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items() if not _HIDDEN.search(str(key))}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value if isinstance(value, str | int | float | bool | type(None)) else str(value)
