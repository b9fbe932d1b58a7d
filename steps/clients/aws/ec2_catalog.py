"""EC2: what the region offers and what runs there: regions, zones, instance types, vCPUs in use."""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from steps.clients.aws.base import ServiceClient, Tolerate, translated

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

STANDARD_FAMILIES = tuple("acdhimrtz")
"""First letters of the instance types that count against the quota "Running On-Demand Standard instances"."""


@dataclass(frozen=True)
class Zone:
    """An availability zone; `id` (use1-az3) is the same in all accounts, `name` (us-east-1a) is not."""

    name: str
    id: str


def is_standard(instance_type: str) -> bool:
    return instance_type.startswith(STANDARD_FAMILIES)


class Catalog(ServiceClient):
    """What EC2 offers in the region."""

    service = "ec2"

    @property
    def _api(self) -> "EC2Client":
        api: EC2Client = self.connection.client("ec2")
        return api

    @translated
    def region_status(self, region: str) -> str:
        """`opt-in-not-required`, `opted-in`, `not-opted-in`, or `unknown`."""
        with Tolerate("InvalidParameterValue"):
            answer = self._api.describe_regions(RegionNames=[region], AllRegions=True)
            for one in answer["Regions"]:
                return str(one.get("OptInStatus", "unknown"))
        return "unknown"

    @translated
    def zones(self) -> list[Zone]:
        """Availability zones that are available: no local or wavelength zones."""
        answer = self._api.describe_availability_zones(
            Filters=[{"Name": "state", "Values": ["available"]}, {"Name": "zone-type", "Values": ["availability-zone"]}]
        )
        zones = [Zone(one["ZoneName"], one.get("ZoneId", "")) for one in answer["AvailabilityZones"]]
        return sorted(zones, key=lambda zone: zone.name)

    @translated
    def zones_offering(self, instance_type: str) -> list[str]:
        """Names of the zones where this instance type can be had."""
        pages = self._api.get_paginator("describe_instance_type_offerings").paginate(
            LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": [instance_type]}]
        )
        return sorted({one["Location"] for page in pages for one in page["InstanceTypeOfferings"]})

    @translated
    def vcpus(self, instance_types: list[str]) -> dict[str, int]:
        """vCPUs of each instance type; unknown types are left out."""
        with Tolerate("InvalidInstanceType"):
            wanted: Any = instance_types
            pages = self._api.get_paginator("describe_instance_types").paginate(InstanceTypes=wanted)
            found = [one for page in pages for one in page["InstanceTypes"]]
            return {str(one["InstanceType"]): one["VCpuInfo"]["DefaultVCpus"] for one in found}
        return {}

    @translated
    def standard_vcpus_in_use(self) -> int:
        """vCPUs of the account's pending and running on-demand standard instances in the region."""
        pages = self._api.get_paginator("describe_instances").paginate(
            Filters=[{"Name": "instance-state-name", "Values": ["pending", "running"]}]
        )
        running = Counter(
            str(instance["InstanceType"])
            for page in pages
            for reservation in page["Reservations"]
            for instance in reservation["Instances"]
            if instance.get("InstanceLifecycle") != "spot"
            and str(instance["InstanceType"]).startswith(STANDARD_FAMILIES)
        )
        vcpus = self.vcpus(sorted(running)) if running else {}
        return sum(vcpus.get(kind, 0) * count for kind, count in running.items())

    @translated
    def vpc_count(self) -> int:
        return sum(len(page["Vpcs"]) for page in self._api.get_paginator("describe_vpcs").paginate())

    @translated
    def internet_gateway_count(self) -> int:
        pages = self._api.get_paginator("describe_internet_gateways").paginate()
        return sum(len(page["InternetGateways"]) for page in pages)

    @translated
    def address_count(self) -> int:
        return sum(1 for one in self._api.describe_addresses()["Addresses"] if one.get("Domain", "vpc") == "vpc")

    @translated
    def nat_gateways_by_zone(self) -> dict[str, int]:
        """NAT gateways that count against the quota, by zone name."""
        pages = self._api.get_paginator("describe_nat_gateways").paginate(
            Filters=[{"Name": "state", "Values": ["pending", "available", "deleting"]}]
        )
        subnets = Counter(one["SubnetId"] for page in pages for one in page["NatGateways"])
        if not subnets:
            return {}
        answer = self._api.get_paginator("describe_subnets").paginate(
            Filters=[{"Name": "subnet-id", "Values": sorted(subnets)}]
        )
        by_zone: Counter[str] = Counter()
        for page in answer:
            for one in page["Subnets"]:
                by_zone[one["AvailabilityZone"]] += subnets[one["SubnetId"]]
        return dict(by_zone)
