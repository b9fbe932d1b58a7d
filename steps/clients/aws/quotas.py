"""The AWS quotas that an installation can meet: names, codes, and how to raise one.

Codes as in the Service Quotas console (https://docs.aws.amazon.com/general/latest/gr/aws-service-information.html);
defaults are what a new account has, used when Service Quotas itself may not be asked.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Quota:
    """One quota: `service` and `code` as Service Quotas names them, `default` of a new account."""

    service: str
    code: str
    name: str
    default: int

    def remedy(self, region: str) -> str:
        return (
            f'Remove what is no longer used, or raise "{self.name}": aws service-quotas request-service-quota-increase '
            f"--service-code {self.service} --quota-code {self.code} --region {region} --desired-value N; then retry."
        )


VPCS = Quota("vpc", "L-F678F1CE", "VPCs per Region", 5)
INTERNET_GATEWAYS = Quota("vpc", "L-A4707A72", "Internet gateways per Region", 5)
NAT_GATEWAYS = Quota("vpc", "L-FE5A380F", "NAT gateways per Availability Zone", 5)
ADDRESSES = Quota("ec2", "L-0263D0A3", "EC2-VPC Elastic IPs", 5)
STANDARD_VCPUS = Quota("ec2", "L-1216C47A", "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", 5)
CLUSTERS = Quota("eks", "L-1194D53C", "Clusters", 100)
DB_INSTANCES = Quota("rds", "L-7B6409FD", "DB instances", 40)
DB_STORAGE = Quota("rds", "L-7ADDB58A", "Total storage for all DB instances", 100_000)

_BY_ERROR = {
    "AddressLimitExceeded": ADDRESSES,
    "InstanceQuotaExceeded": DB_INSTANCES,
    "InstanceQuotaExceededFault": DB_INSTANCES,
    "InternetGatewayLimitExceeded": INTERNET_GATEWAYS,
    "NatGatewayLimitExceeded": NAT_GATEWAYS,
    "StorageQuotaExceeded": DB_STORAGE,
    "StorageQuotaExceededFault": DB_STORAGE,
    "VcpuLimitExceeded": STANDARD_VCPUS,
    "VpcLimitExceeded": VPCS,
}
_BY_ACTION = {"eks:CreateCluster": CLUSTERS}


def quota_of(error_code: str, action: str = "") -> Quota | None:
    """The quota that an AWS error code speaks of; codes shared by many quotas are told apart by the action."""
    return _BY_ERROR.get(error_code) or _BY_ACTION.get(action)
