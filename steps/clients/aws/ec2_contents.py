"""EC2: what stands in a VPC and keeps AWS from deleting it, and everything that carries a tag, whatever it is.

Amazon VPC User Guide, "Delete your VPC": gateways, endpoints, subnets, groups, route tables and network ACLs go first.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from steps.clients.aws.base import ServiceClient, tag_dict, translated

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

GONE = frozenset({"deleted", "deleting"})


@dataclass(frozen=True)
class Thing:
    """Something of EC2. `kind` as in its ARN: subnet, security-group, vpc-endpoint, …"""

    kind: str
    id: str
    tags: dict[str, str]


class Contents(ServiceClient):
    """What is in VPCs."""

    service = "ec2"

    @property
    def _api(self) -> "EC2Client":
        api: EC2Client = self.connection.client("ec2")
        return api

    @translated
    def of_vpc(self, vpc_id: str) -> list[Thing]:
        """What must go before the VPC, without network interfaces and what AWS made with the VPC."""
        return [*self._parts(vpc_id), *self._gateways(vpc_id), *self._endpoints(vpc_id)]

    @translated
    def tagged(self, key: str, value: str) -> list[Thing]:
        """Everything with this tag, of any kind. AWS lists some things for up to an hour after they are gone."""
        filters: list[Any] = [{"Name": "key", "Values": [key]}, {"Name": "value", "Values": [value]}]
        pages = self._api.get_paginator("describe_tags").paginate(Filters=filters)
        return [
            Thing(str(one.get("ResourceType", "")), one.get("ResourceId", ""), {key: value})
            for page in pages
            for one in page["Tags"]
        ]

    def _parts(self, vpc_id: str) -> list[Thing]:
        here: list[Any] = [{"Name": "vpc-id", "Values": [vpc_id]}]
        subnets = self._api.describe_subnets(Filters=here)["Subnets"]
        groups = self._api.describe_security_groups(Filters=here)["SecurityGroups"]
        tables = self._api.describe_route_tables(Filters=here)["RouteTables"]
        lists = self._api.describe_network_acls(Filters=here)["NetworkAcls"]
        others = [group for group in groups if group.get("GroupName") != "default"]
        made = [table for table in tables if not any(link.get("Main") for link in table.get("Associations", []))]
        own = [one for one in lists if not one.get("IsDefault")]
        return [
            *(Thing("subnet", one.get("SubnetId", ""), tag_dict(one.get("Tags"))) for one in subnets),
            *(Thing("security-group", one.get("GroupId", ""), tag_dict(one.get("Tags"))) for one in others),
            *(Thing("route-table", one.get("RouteTableId", ""), tag_dict(one.get("Tags"))) for one in made),
            *(Thing("network-acl", one.get("NetworkAclId", ""), tag_dict(one.get("Tags"))) for one in own),
        ]

    def _gateways(self, vpc_id: str) -> list[Thing]:
        attached: list[Any] = [{"Name": "attachment.vpc-id", "Values": [vpc_id]}]
        gateways = self._api.describe_internet_gateways(Filters=attached)["InternetGateways"]
        vpns = self._api.describe_vpn_gateways(Filters=attached)["VpnGateways"]
        usable = [one for one in vpns if str(one.get("State")) not in GONE]
        return [
            *(
                Thing("internet-gateway", one.get("InternetGatewayId", ""), tag_dict(one.get("Tags")))
                for one in gateways
            ),
            *(Thing("vpn-gateway", one.get("VpnGatewayId", ""), tag_dict(one.get("Tags"))) for one in usable),
        ]

    def _endpoints(self, vpc_id: str) -> list[Thing]:
        here: list[Any] = [{"Name": "vpc-id", "Values": [vpc_id]}]
        found = self._api.describe_vpc_endpoints(Filters=here)["VpcEndpoints"]
        there = [one for one in found if str(one.get("State", "")).lower() not in GONE]
        return [Thing("vpc-endpoint", one.get("VpcEndpointId", ""), tag_dict(one.get("Tags"))) for one in there]
