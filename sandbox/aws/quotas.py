"""Service Quotas: a small labelled table, overridable by the control API so that tests can make a quota run out.

Gap: moto answers Service Quotas for VPC only and enforces nothing. Values are the defaults of new accounts as of 2026
(Service Quotas User Guide; Amazon VPC quotas; EKS service quotas; EC2 On-Demand instance quotas; RDS quotas).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.aws.errors import Answer, AwsError, json_answer
from sandbox.aws.requests import Call
from sandbox.aws.settings import Settings

VPCS = "L-F678F1CE"
INTERNET_GATEWAYS = "L-A4707A72"
NAT_PER_ZONE = "L-FE5A380F"
ADDRESSES = "L-0263D0A3"
VCPUS = "L-1216C47A"
CLUSTERS = "L-1194D53C"
DATABASES = "L-7B6409FD"
LOAD_BALANCERS = "L-E9E9831D"


@dataclass(frozen=True)
class Quota:
    service: str
    code: str
    name: str
    value: float


TABLE = [
    Quota("vpc", VPCS, "VPCs per Region", 5),
    Quota("vpc", INTERNET_GATEWAYS, "Internet gateways per Region", 5),
    Quota("vpc", NAT_PER_ZONE, "NAT gateways per Availability Zone", 5),
    Quota("vpc", "L-407747CB", "Subnets per VPC", 200),
    Quota("vpc", "L-E79EC296", "VPC security groups per Region", 2500),
    Quota("ec2", ADDRESSES, "EC2-VPC Elastic IPs", 5),
    Quota("ec2", VCPUS, "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", 64),
    Quota("eks", CLUSTERS, "Clusters", 100),
    Quota("eks", "L-6D54EA21", "Managed node groups per cluster", 30),
    Quota("rds", DATABASES, "DB instances", 40),
    Quota("elasticloadbalancing", LOAD_BALANCERS, "Classic Load Balancers per Region", 20),
]


@dataclass(frozen=True)
class Quotas:
    """The table under the overrides in `settings`."""

    settings: Settings

    def limit(self, code: str) -> float:
        """The value in force of a quota in TABLE."""
        return float(self.settings.quotas.get(code, next(quota.value for quota in TABLE if quota.code == code)))

    def answer(self, call: Call) -> Answer:
        """Service Quotas' own operations; raises AwsError for unknown codes and other operations."""
        handler: Callable[[Call], dict[str, Any]] | None = {
            "GetServiceQuota": self._get,
            "GetAWSDefaultServiceQuota": self._get_default,
            "ListServiceQuotas": self._list,
            "ListAWSDefaultServiceQuotas": self._list,
        }.get(call.operation)
        if handler is None:
            raise AwsError("SandboxNotImplemented", f"the sandbox does not implement {call.name}", 501)
        return json_answer(handler(call), content_type="application/x-amz-json-1.1")

    def _get(self, call: Call) -> dict[str, Any]:
        quota = self._find(call)
        return {"Quota": _wire(call, quota, self.limit(quota.code))}

    def _get_default(self, call: Call) -> dict[str, Any]:
        quota = self._find(call)
        return {"Quota": _wire(call, quota, quota.value)}

    def _list(self, call: Call) -> dict[str, Any]:
        listed = [quota for quota in TABLE if quota.service == call.params.get("ServiceCode")]
        return {"Quotas": [_wire(call, quota, self.limit(quota.code)) for quota in listed]}

    def _find(self, call: Call) -> Quota:
        wanted = call.params.get("ServiceCode"), call.params.get("QuotaCode")
        for quota in TABLE:
            if (quota.service, quota.code) == wanted:
                return quota
        raise AwsError(
            "NoSuchResourceException", f"The request failed because the specified quota {wanted} is unknown."
        )


def _wire(call: Call, quota: Quota, value: float) -> dict[str, Any]:
    return {
        "ServiceCode": quota.service,
        "ServiceName": quota.service,
        "QuotaArn": f"arn:aws:servicequotas:{call.region}:{call.account}:{quota.service}/{quota.code}",
        "QuotaCode": quota.code,
        "QuotaName": quota.name,
        "Value": value,
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
        "QuotaAppliedAtLevel": "ACCOUNT",
    }
