"""EC2: network interfaces (the usual reason why AWS refuses a delete) and volumes (what a cluster's claims leave)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from steps.clients.aws.base import ServiceClient, Tolerate, tag_dict, tag_filters, translated

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

FREE = "available"


@dataclass(frozen=True)
class Interface:
    """A network interface. `status`: available (attached to nothing), in-use, …; `kind`: interface, nat_gateway,
    vpc_endpoint, …; `instance_id` is empty unless it is an instance's; `by_aws`: a service made it and removes it."""

    id: str
    status: str
    kind: str
    description: str
    vpc_id: str
    subnet_id: str
    group_ids: tuple[str, ...]
    instance_id: str
    by_aws: bool
    tags: dict[str, str]


@dataclass(frozen=True)
class Volume:
    """An EBS volume. `state`: creating, available, in-use, deleting, deleted, error."""

    id: str
    state: str
    tags: dict[str, str]


class Interfaces(ServiceClient):
    """Network interfaces and volumes."""

    service = "ec2"

    @property
    def _api(self) -> "EC2Client":
        api: EC2Client = self.connection.client("ec2")
        return api

    @translated
    def inside(self, vpc_id: str) -> list[Interface]:
        return self._interfaces([{"Name": "vpc-id", "Values": [vpc_id]}])

    @translated
    def using(self, group_id: str) -> list[Interface]:
        """Those that have this security group."""
        return self._interfaces([{"Name": "group-id", "Values": [group_id]}])

    @translated
    def tagged(self, tags: Mapping[str, str]) -> list[Interface]:
        return self._interfaces(tag_filters(tags))

    @translated
    def numbered(self, interface_id: str) -> Interface | None:
        """The interface of this id."""
        found = self._interfaces([{"Name": "network-interface-id", "Values": [interface_id]}])
        return found[0] if found else None

    @translated
    def delete(self, interface_id: str) -> bool:
        """Whether it is gone now; one that is in use again stays."""
        with Tolerate("InvalidNetworkInterfaceID.NotFound"):
            with Tolerate("InvalidNetworkInterface.InUse", "InvalidParameterValue") as refused:
                self._api.delete_network_interface(NetworkInterfaceId=interface_id)
            return refused.code is None
        return True

    @translated
    def volumes(self, tags: Mapping[str, str]) -> list[Volume]:
        pages = self._api.get_paginator("describe_volumes").paginate(Filters=tag_filters(tags))
        found = [
            Volume(one["VolumeId"], one.get("State", ""), tag_dict(one.get("Tags")))
            for page in pages
            for one in page["Volumes"]
        ]
        return sorted(found, key=lambda volume: volume.id)

    @translated
    def delete_volume(self, volume_id: str) -> None:
        """Begin to delete it; one that is still attached stays."""
        with Tolerate("InvalidVolume.NotFound", "VolumeInUse"):
            self._api.delete_volume(VolumeId=volume_id)

    @translated
    def instances(self, instance_ids: list[str]) -> dict[str, tuple[str, dict[str, str]]]:
        """{id: (state, tags)} of those that EC2 still knows. `state`: pending, running, shutting-down, terminated, …"""
        filters: list[Any] = [{"Name": "instance-id", "Values": instance_ids}]
        pages = self._api.get_paginator("describe_instances").paginate(Filters=filters)
        return {
            one["InstanceId"]: (str(one["State"].get("Name", "")), tag_dict(one.get("Tags")))
            for page in pages
            for reservation in page["Reservations"]
            for one in reservation["Instances"]
        }

    def _interfaces(self, filters: list[Any]) -> list[Interface]:
        pages = self._api.get_paginator("describe_network_interfaces").paginate(Filters=filters)
        found = [_interface(dict(one)) for page in pages for one in page["NetworkInterfaces"]]
        return sorted(found, key=lambda interface: interface.id)


def _interface(one: dict[str, Any]) -> Interface:
    return Interface(
        one["NetworkInterfaceId"],
        one.get("Status", ""),
        one.get("InterfaceType", ""),
        one.get("Description", ""),
        one.get("VpcId", ""),
        one.get("SubnetId", ""),
        tuple(group["GroupId"] for group in one.get("Groups", [])),
        (one.get("Attachment") or {}).get("InstanceId", ""),
        bool(one.get("RequesterManaged")),
        tag_dict(one.get("TagSet")),
    )
