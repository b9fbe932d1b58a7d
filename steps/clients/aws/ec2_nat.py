"""EC2: elastic IP addresses and NAT gateways."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from steps.clients.aws.base import ServiceClient, Tolerate, tag_dict, tag_filters, tag_list, translated

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

FAILED = "failed"
IN_USE = "InvalidIPAddress.InUse"
GONE = frozenset({"deleted"})
USABLE = frozenset({"pending", "available"})


@dataclass(frozen=True)
class Address:
    """An elastic IP; `association_id` is None while nothing uses it, `interface_id` is what does."""

    allocation_id: str
    public_ip: str
    association_id: str | None
    interface_id: str | None
    tags: dict[str, str]


@dataclass(frozen=True)
class NatGateway:
    """A NAT gateway. `state`: pending, available, failed, deleting, deleted; `failure`: AWS's reason when failed."""

    id: str
    state: str
    failure: str
    public_ip: str
    subnet_id: str
    tags: dict[str, str]


class Nat(ServiceClient):
    """The way out of the private subnets."""

    service = "ec2"

    @property
    def _api(self) -> "EC2Client":
        api: EC2Client = self.connection.client("ec2")
        return api

    @translated
    def addresses(self, tags: Mapping[str, str] | None = None) -> list[Address]:
        answer = self._api.describe_addresses(Filters=tag_filters(tags or {}))
        found = [
            Address(
                one["AllocationId"],
                one.get("PublicIp", ""),
                one.get("AssociationId"),
                one.get("NetworkInterfaceId"),
                tag_dict(one.get("Tags")),
            )
            for one in answer["Addresses"]
            if "AllocationId" in one
        ]
        return sorted(found, key=lambda address: address.allocation_id)

    @translated
    def make_address(self, tags: Mapping[str, str]) -> str:
        answer = self._api.allocate_address(
            Domain="vpc",
            TagSpecifications=[{"ResourceType": "elastic-ip", "Tags": tag_list(tags)}],
        )
        return answer["AllocationId"]

    @translated
    def release_address(self, allocation_id: str) -> bool:
        """Whether it is gone now; False while something uses it."""
        with Tolerate("InvalidAllocationID.NotFound", IN_USE) as refused:
            self._api.release_address(AllocationId=allocation_id)
        return refused.code != IN_USE

    @translated
    def gateways(self, tags: Mapping[str, str] | None = None) -> list[NatGateway]:
        """All NAT gateways, those deleted within the last hour too."""
        pages = self._api.get_paginator("describe_nat_gateways").paginate(Filters=tag_filters(tags or {}))
        found = [_nat_gateway(dict(one)) for page in pages for one in page["NatGateways"]]
        return sorted(found, key=lambda gateway: gateway.id)

    @translated
    def gateway(self, nat_id: str) -> NatGateway | None:
        with Tolerate("NatGatewayNotFound", "InvalidNatGatewayID.NotFound"):
            for one in self._api.describe_nat_gateways(NatGatewayIds=[nat_id])["NatGateways"]:
                return _nat_gateway(dict(one))
        return None

    @translated
    def usable_in(self, subnet_id: str) -> list[NatGateway]:
        """The subnet's NAT gateways that work or are about to, whoever made them."""
        filters: list[Any] = [{"Name": "subnet-id", "Values": [subnet_id]}]
        found = [_nat_gateway(dict(one)) for one in self._api.describe_nat_gateways(Filters=filters)["NatGateways"]]
        return [gateway for gateway in found if gateway.state in USABLE]

    @translated
    def make_gateway(self, subnet_id: str, allocation_id: str, token: str, tags: Mapping[str, str]) -> str:
        answer = self._api.create_nat_gateway(
            SubnetId=subnet_id,
            AllocationId=allocation_id,
            ClientToken=token,
            TagSpecifications=[{"ResourceType": "natgateway", "Tags": tag_list(tags)}],
        )
        return answer["NatGateway"]["NatGatewayId"]

    @translated
    def delete_gateway(self, nat_id: str) -> None:
        with Tolerate("NatGatewayNotFound", "InvalidNatGatewayID.NotFound"):
            self._api.delete_nat_gateway(NatGatewayId=nat_id)


def _nat_gateway(one: dict[str, Any]) -> NatGateway:
    addresses = one.get("NatGatewayAddresses") or [{}]
    return NatGateway(
        one["NatGatewayId"],
        one.get("State", ""),
        " ".join(filter(None, (one.get("FailureCode"), one.get("FailureMessage")))),
        addresses[0].get("PublicIp", ""),
        one.get("SubnetId", ""),
        tag_dict(one.get("Tags")),
    )
