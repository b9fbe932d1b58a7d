"""EC2: VPCs, internet gateways, subnets, route tables.

`make_x` returns the new id; none of these calls but CreateRouteTable takes a client token, so callers look again after
making one. `delete_x` of something that is gone already is success; False: AWS refuses, something still uses it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from steps.clients.aws.base import ServiceClient, Tolerate, tag_dict, tag_filters, tag_list, translated
from steps.noticing import noticed

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

IN_USE = "DependencyViolation"
DUPLICATE_SUBNET = "InvalidSubnet.Conflict"


@dataclass(frozen=True)
class Vpc:
    """A VPC: id, address range, tags."""

    id: str
    cidr: str
    tags: dict[str, str]


@dataclass(frozen=True)
class InternetGateway:
    """An internet gateway and the VPCs (at most one) it is attached to."""

    id: str
    vpc_ids: tuple[str, ...]
    tags: dict[str, str]


@dataclass(frozen=True)
class Subnet:
    """A subnet; `public_ips`: whether what starts in it gets a public address."""

    id: str
    vpc_id: str
    zone: str
    cidr: str
    public_ips: bool
    tags: dict[str, str]


@dataclass(frozen=True)
class RouteTable:
    """A route table: where 0.0.0.0/0 goes (None: nowhere), and its associations as {subnet id: association id}."""

    id: str
    vpc_id: str
    default_target: str | None
    subnets: dict[str, str]
    is_main: bool
    tags: dict[str, str]


class Network(ServiceClient):
    """VPCs and what makes them route."""

    service = "ec2"

    @property
    def _api(self) -> "EC2Client":
        api: EC2Client = self.connection.client("ec2")
        return api

    # VPCs

    @translated
    def vpcs(self, tags: Mapping[str, str]) -> list[Vpc]:
        """All VPCs with these tags, lowest id first."""
        pages = self._api.get_paginator("describe_vpcs").paginate(Filters=tag_filters(tags))
        found = [
            Vpc(vpc["VpcId"], vpc["CidrBlock"], tag_dict(vpc.get("Tags"))) for page in pages for vpc in page["Vpcs"]
        ]
        return sorted(found, key=lambda vpc: vpc.id)

    @translated
    def vpc(self, vpc_id: str) -> Vpc | None:
        with Tolerate("InvalidVpcID.NotFound", "InvalidVpcID.Malformed"):
            return _vpc(dict(self._api.describe_vpcs(VpcIds=[vpc_id])["Vpcs"][0]))
        return None

    @translated
    def make_vpc(self, cidr: str, tags: Mapping[str, str]) -> str:
        answer = self._api.create_vpc(
            CidrBlock=cidr,
            TagSpecifications=[{"ResourceType": "vpc", "Tags": tag_list(tags)}],
        )
        return answer["Vpc"]["VpcId"]

    @translated
    def switch_on_dns(self, vpc_id: str) -> None:
        """DNS support and DNS host names, which EKS nodes and RDS endpoints need."""
        support, names = self._dns(vpc_id)
        if not support:
            noticed("enableDnsSupport", expected=True, found=False)
            self._api.modify_vpc_attribute(VpcId=vpc_id, EnableDnsSupport={"Value": True})
        if not names:
            noticed("enableDnsHostnames", expected=True, found=False)
            self._api.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": True})

    @translated
    def has_dns(self, vpc_id: str) -> bool:
        return all(self._dns(vpc_id))

    def _dns(self, vpc_id: str) -> tuple[bool, bool]:
        """Whether DNS support, and host names, are on."""
        support = self._api.describe_vpc_attribute(VpcId=vpc_id, Attribute="enableDnsSupport")
        names = self._api.describe_vpc_attribute(VpcId=vpc_id, Attribute="enableDnsHostnames")
        return support["EnableDnsSupport"].get("Value", False), names["EnableDnsHostnames"].get("Value", False)

    @translated
    def delete_vpc(self, vpc_id: str) -> bool:
        with Tolerate("InvalidVpcID.NotFound", IN_USE) as refused:
            self._api.delete_vpc(VpcId=vpc_id)
        return refused.code != IN_USE

    # internet gateways

    @translated
    def gateways(self, tags: Mapping[str, str]) -> list[InternetGateway]:
        return self._gateways(tag_filters(tags))

    def _gateways(self, filters: list[Any]) -> list[InternetGateway]:
        pages = self._api.get_paginator("describe_internet_gateways").paginate(Filters=filters)
        found = [
            InternetGateway(
                one["InternetGatewayId"],
                tuple(attachment["VpcId"] for attachment in one.get("Attachments", [])),
                tag_dict(one.get("Tags")),
            )
            for page in pages
            for one in page["InternetGateways"]
        ]
        return sorted(found, key=lambda gateway: gateway.id)

    @translated
    def attached(self, vpc_id: str) -> list[InternetGateway]:
        """The VPC's internet gateways (at most one), whoever made it."""
        return self._gateways([{"Name": "attachment.vpc-id", "Values": [vpc_id]}])

    @translated
    def make_gateway(self, tags: Mapping[str, str]) -> str:
        answer = self._api.create_internet_gateway(
            TagSpecifications=[{"ResourceType": "internet-gateway", "Tags": tag_list(tags)}]
        )
        return answer["InternetGateway"]["InternetGatewayId"]

    @translated
    def attach_gateway(self, gateway_id: str, vpc_id: str) -> None:
        with Tolerate("Resource.AlreadyAssociated"):
            self._api.attach_internet_gateway(InternetGatewayId=gateway_id, VpcId=vpc_id)

    @translated
    def delete_gateway(self, gateway: InternetGateway) -> bool:
        """Detach, then delete."""
        with Tolerate("InvalidInternetGatewayID.NotFound", "Gateway.NotAttached", IN_USE) as refused:
            for vpc_id in gateway.vpc_ids:
                self._api.detach_internet_gateway(InternetGatewayId=gateway.id, VpcId=vpc_id)
        if refused.code == IN_USE:
            return False
        with Tolerate("InvalidInternetGatewayID.NotFound", IN_USE) as refused:
            self._api.delete_internet_gateway(InternetGatewayId=gateway.id)
        return refused.code != IN_USE

    # subnets

    @translated
    def subnets(self, vpc_id: str | None = None, tags: Mapping[str, str] | None = None) -> list[Subnet]:
        """Subnets of a VPC, with these tags, or both; ordered by zone."""
        filters = tag_filters(tags or {})
        if vpc_id:
            filters.append({"Name": "vpc-id", "Values": [vpc_id]})
        pages = self._api.get_paginator("describe_subnets").paginate(Filters=filters)
        found = [
            Subnet(
                one["SubnetId"],
                one["VpcId"],
                one["AvailabilityZone"],
                one["CidrBlock"],
                one["MapPublicIpOnLaunch"],
                tag_dict(one.get("Tags")),
            )
            for page in pages
            for one in page["Subnets"]
        ]
        return sorted(found, key=lambda subnet: (subnet.zone, subnet.id))

    @translated
    def make_subnet(self, vpc_id: str, cidr: str, zone: str, tags: Mapping[str, str]) -> str | None:
        """The new subnet's id, or None when one with this address range is there already."""
        with Tolerate(DUPLICATE_SUBNET):
            answer = self._api.create_subnet(
                VpcId=vpc_id,
                CidrBlock=cidr,
                AvailabilityZone=zone,
                TagSpecifications=[{"ResourceType": "subnet", "Tags": tag_list(tags)}],
            )
            return answer["Subnet"]["SubnetId"]
        return None

    @translated
    def tag(self, resource_id: str, tags: Mapping[str, str]) -> None:
        """Give these tags to a thing that has the installation's (steps/clients/aws/permissions.py)."""
        self._api.create_tags(Resources=[resource_id], Tags=tag_list(tags))

    @translated
    def give_public_ips(self, subnet_id: str) -> None:
        self._api.modify_subnet_attribute(SubnetId=subnet_id, MapPublicIpOnLaunch={"Value": True})

    @translated
    def delete_subnet(self, subnet_id: str) -> bool:
        with Tolerate("InvalidSubnetID.NotFound", IN_USE) as refused:
            self._api.delete_subnet(SubnetId=subnet_id)
        return refused.code != IN_USE

    # route tables

    @translated
    def route_tables(self, vpc_id: str | None = None, tags: Mapping[str, str] | None = None) -> list[RouteTable]:
        filters = tag_filters(tags or {})
        if vpc_id:
            filters.append({"Name": "vpc-id", "Values": [vpc_id]})
        pages = self._api.get_paginator("describe_route_tables").paginate(Filters=filters)
        found = [_route_table(dict(one)) for page in pages for one in page["RouteTables"]]
        return sorted(found, key=lambda table: table.id)

    @translated
    def make_route_table(self, vpc_id: str, token: str, tags: Mapping[str, str]) -> str:
        answer = self._api.create_route_table(
            VpcId=vpc_id,
            ClientToken=token,
            TagSpecifications=[{"ResourceType": "route-table", "Tags": tag_list(tags)}],
        )
        return answer["RouteTable"]["RouteTableId"]

    @translated
    def route_everything(self, table: RouteTable, *, gateway_id: str = "", nat_id: str = "") -> None:
        """Send 0.0.0.0/0 to the internet gateway or NAT gateway, whatever it was before."""
        if table.default_target == (gateway_id or nat_id):
            return
        noticed("routes[0.0.0.0/0]", expected=gateway_id or nat_id, found=table.default_target)
        route: dict[str, Any] = {"RouteTableId": table.id, "DestinationCidrBlock": "0.0.0.0/0"}
        route |= {"GatewayId": gateway_id} if gateway_id else {"NatGatewayId": nat_id}
        with Tolerate("RouteAlreadyExists") as refused:
            if table.default_target is None:
                self._api.create_route(**route)
        if table.default_target is not None or refused.code:
            self._api.replace_route(**route)

    @translated
    def reassociate(self, association_id: str, table_id: str) -> None:
        """Give the subnet of this association another route table."""
        self._api.replace_route_table_association(AssociationId=association_id, RouteTableId=table_id)

    @translated
    def associate(self, table_id: str, subnet_id: str) -> None:
        with Tolerate("Resource.AlreadyAssociated"):
            self._api.associate_route_table(RouteTableId=table_id, SubnetId=subnet_id)

    @translated
    def delete_route_table(self, table: RouteTable) -> bool:
        """Take it from its subnets, then delete it."""
        for association in table.subnets.values():
            with Tolerate("InvalidAssociationID.NotFound"):
                self._api.disassociate_route_table(AssociationId=association)
        with Tolerate("InvalidRouteTableID.NotFound", IN_USE) as refused:
            self._api.delete_route_table(RouteTableId=table.id)
        return refused.code != IN_USE


def _vpc(one: dict[str, Any]) -> Vpc:
    return Vpc(one["VpcId"], one["CidrBlock"], tag_dict(one.get("Tags")))


def _route_table(one: dict[str, Any]) -> RouteTable:
    routes = [route for route in one.get("Routes", []) if route.get("DestinationCidrBlock") == "0.0.0.0/0"]
    target = routes[0].get("NatGatewayId") or routes[0].get("GatewayId") or "unknown" if routes else None
    associations = one.get("Associations", [])
    return RouteTable(
        one["RouteTableId"],
        one["VpcId"],
        target,
        {a["SubnetId"]: a["RouteTableAssociationId"] for a in associations if a.get("SubnetId")},
        any(a.get("Main") for a in associations),
        tag_dict(one.get("Tags")),
    )
