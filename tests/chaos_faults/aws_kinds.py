"""How a request to AWS fails: besides what happens to any request, what the service itself answers."""

from collections.abc import Iterator
from typing import Any

from sandbox.aws.errors import JSON_SERVICES, REST_JSON_SERVICES
from steps.errors import Code, Fault
from tests.chaos_faults.kinds import CANARY, Combination, Request, numbered, ways_of

QUOTAS = {
    "ec2:AllocateAddress": "AddressLimitExceeded",
    "ec2:AuthorizeSecurityGroupIngress": "RulesPerSecurityGroupLimitExceeded",
    "ec2:CreateInternetGateway": "InternetGatewayLimitExceeded",
    "ec2:CreateNatGateway": "NatGatewayLimitExceeded",
    "ec2:CreateRoute": "RouteLimitExceeded",
    "ec2:CreateRouteTable": "RouteTableLimitExceeded",
    "ec2:CreateSecurityGroup": "SecurityGroupLimitExceeded",
    "ec2:CreateSubnet": "SubnetLimitExceeded",
    "ec2:CreateVpc": "VpcLimitExceeded",
    "ecr:CreateRepository": "LimitExceededException",
    "eks:CreateAddon": "ResourceLimitExceededException",
    "eks:CreateCluster": "ResourceLimitExceededException",
    "eks:CreateNodegroup": "ResourceLimitExceededException",
    "iam:AttachRolePolicy": "LimitExceeded",
    "iam:CreateOpenIDConnectProvider": "LimitExceeded",
    "iam:CreateRole": "LimitExceeded",
    "rds:CreateDBInstance": "StorageQuotaExceeded",
    "rds:CreateDBSubnetGroup": "DBSubnetGroupQuotaExceeded",
    "rds:DeleteDBInstance": "SnapshotQuotaExceeded",
    "secretsmanager:CreateSecret": "LimitExceededException",
    "secretsmanager:PutSecretValue": "LimitExceededException",
}
"""Each service's own code for a quota, as its API reference lists it under the operation's errors."""
WITHOUT_QUOTA = (
    *("AddTags", "Associate", "Attach", "Delete", "Detach", "Disassociate", "Modify", "Release", "Replace", "Restore"),
    *("Revoke",),
)
"""Beginnings of the operations that add nothing which is counted."""
READING = ("BatchCheck", "BatchGet", "Describe", "Get", "List", "Simulate")
TRANSIENT = frozenset({Code.AWS_UNAVAILABLE})


def combinations(calls: list[str]) -> Iterator[Combination]:
    """`calls`: service:Operation of each request of a step, in order. Each of them in each way."""
    for request in numbered((name, not _operation(name).startswith(READING)) for name in calls):
        where: dict[str, Any] = {"match": f"^{request.name}$", "skip": request.number, "times": 1, "message": CANARY}
        for way, rule in ways_of(request).items():
            yield Combination(request, way, where | rule, TRANSIENT)
        if request.writes:
            yield Combination(request, "reset, done, repeated by botocore", where | {"kind": "lost"}, frozenset())
        yield from _refused(request, where)


def _refused(request: Request, where: dict[str, Any]) -> Iterator[Combination]:
    """Access denied and, for what adds something that is counted, a quota that is used up."""
    service, operation = request.name.partition(":")[0], _operation(request.name)
    denied = frozenset({Code.AWS_ACCESS_DENIED})
    yield Combination(request, "denied", where | _denial(service), denied, False, Fault.USER, operation)
    if request.name in QUOTAS:
        rule = where | {"kind": "error", "code": QUOTAS[request.name], "status": 400}
        yield Combination(request, "quota", rule, frozenset({Code.AWS_QUOTA_EXCEEDED}), False, Fault.USER, operation)
    elif request.writes:
        assert operation.startswith(WITHOUT_QUOTA), f"{request.name}: which quota can stop it?"


def _denial(service: str) -> dict[str, Any]:
    """As the service words it: the codes are those of the API references' "Common errors"."""
    if service == "ec2":
        return {"kind": "error", "code": "UnauthorizedOperation", "status": 403}
    if service in REST_JSON_SERVICES or service in JSON_SERVICES:
        return {"kind": "error", "code": "AccessDeniedException", "status": 400}
    return {"kind": "error", "code": "AccessDenied", "status": 403}


def _operation(name: str) -> str:
    return name.partition(":")[2]
