"""The ways in which a request to AWS fails, and what Podium must make of each."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sandbox.aws.errors import JSON_SERVICES, REST_JSON_SERVICES

CANARY = "canary-4711-never-shown"
HANG_SECONDS = 1.5
"""How long the stand-in stays silent: longer than the impatient client waits."""
ONCE, REPEATED, IMPATIENT = "once", "repeated", "impatient"
"""Which client makes the request: one try, two tries within botocore, or one that waits for a third of a second."""


@dataclass(frozen=True)
class Kind:
    """One way to fail. `code`: of the error that must come of it, None: botocore itself gets over it.

    `writes_only`: it makes a difference only where there is an effect that may have come about.
    """

    name: str
    rule: dict[str, Any] = field(default_factory=dict)
    code: str | None = "AWS_UNAVAILABLE"
    transient: bool = True
    writes_only: bool = False
    client: str = ONCE


KINDS = (
    Kind("throttled", {"kind": "throttle"}),
    Kind("500", {"kind": "5xx"}),
    Kind("timeout", {"kind": "hang", "seconds": HANG_SECONDS}, client=IMPATIENT),
    Kind("reset", {"kind": "reset"}),
    Kind("page", {"kind": "html"}),
    Kind("empty answer", {"kind": "empty"}),
    Kind("half an answer", {"kind": "truncated"}),
    Kind("broken off", {"kind": "broken"}),
    Kind("denied", {}, "AWS_ACCESS_DENIED", transient=False),
    Kind("quota", {}, "AWS_QUOTA_EXCEEDED", transient=False, writes_only=True),
    Kind("throttled, done", {"kind": "throttle", "after": True}, writes_only=True),
    Kind("500, done", {"kind": "5xx", "after": True}, writes_only=True),
    Kind("timeout, done", {"kind": "hang", "after": True, "seconds": HANG_SECONDS}, writes_only=True, client=IMPATIENT),
    Kind("reset, done", {"kind": "lost"}, writes_only=True),
    Kind("page, done", {"kind": "html", "after": True}, writes_only=True),
    Kind("reset, done, repeated by botocore", {"kind": "lost"}, None, writes_only=True, client=REPEATED),
)
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
    "Associate", "Attach", "Delete", "Detach", "Disassociate", "Modify", "Release", "Replace", "Revoke", "AddTags", "Restore",
)  # fmt: skip
"""Beginnings of the operations that add nothing which is counted."""
READING = ("BatchCheck", "BatchGet", "Describe", "Get", "List", "Simulate")


@dataclass(frozen=True)
class Request:
    """One request of a step: which operation, and its how-manieth call of it (from 0)."""

    name: str
    number: int

    @property
    def writes(self) -> bool:
        return not self.name.partition(":")[2].startswith(READING)


@dataclass(frozen=True)
class Combination:
    """A request that fails in one way."""

    request: Request
    kind: Kind

    def __str__(self) -> str:
        return f"{self.request.name}#{self.request.number} {self.kind.name}"

    @property
    def rule(self) -> dict[str, Any]:
        """For the stand-in."""
        where = {"match": f"^{self.request.name}$", "skip": self.request.number, "times": 1, "message": CANARY}
        if self.kind.name == "denied":
            return where | _denied(self.request.name)
        if self.kind.name == "quota":
            return where | {"kind": "error", "code": QUOTAS[self.request.name], "status": 400}
        return where | self.kind.rule


def requests_of(calls: list[str]) -> list[Request]:
    """Every write, and of each reading operation the first and the last: those between are the same to Podium."""
    found: list[Request] = []
    for name in dict.fromkeys(calls):
        count = calls.count(name)
        numbers = range(count) if Request(name, 0).writes else sorted({0, count - 1})
        found += [Request(name, number) for number in numbers]
    return found


def combinations(requests: list[Request]) -> Iterator[Combination]:
    """Each request in each way that makes sense for it."""
    for request in requests:
        for kind in KINDS:
            if kind.writes_only and not request.writes:
                continue
            if kind.name == "quota" and request.name not in QUOTAS:
                operation = request.name.partition(":")[2]
                assert operation.startswith(WITHOUT_QUOTA), f"{request.name}: which quota can stop it?"
                continue
            yield Combination(request, kind)


def _denied(name: str) -> dict[str, Any]:
    """As the service words it: the codes are those of the API references' "Common errors"."""
    service = name.partition(":")[0]
    if service == "ec2":
        return {"kind": "error", "code": "UnauthorizedOperation", "status": 403}
    if service in REST_JSON_SERVICES or service in JSON_SERVICES:
        return {"kind": "error", "code": "AccessDeniedException", "status": 400}
    return {"kind": "error", "code": "AccessDenied", "status": 403}
