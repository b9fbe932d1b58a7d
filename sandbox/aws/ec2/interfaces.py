"""Network interfaces that AWS services put into subnets, and that block deletes while they are there.

Gap: moto's EKS, RDS and ELB make no interfaces (EKS User Guide, "Amazon EKS networking requirements"; Amazon VPC User
Guide, "Delete your subnet": a subnet must hold no requester-managed interfaces).
"""

from collections.abc import Collection, Iterable
from typing import Any


def attach(
    ec2: Any, owner: str, *, subnet_ids: Iterable[str], group_ids: Iterable[str], description: str, service: str
) -> list[Any]:
    """Put one interface of `owner` (an ARN or id) into each subnet; returns moto's NetworkInterface objects."""
    made = []
    for subnet_id in subnet_ids:
        interface = ec2.create_network_interface(
            ec2.get_subnet(subnet_id), None, group_ids=list(group_ids), description=description
        )
        interface.requester_managed = True
        interface.requester_id = service
        interface.status = "in-use"
        interface.sandbox_owner = owner
        made.append(interface)
    return made


def detach(ec2: Any, owner: str, addresses: Collection[str] | None = None) -> None:
    """Remove the interfaces of `owner` with these private addresses, or every one."""
    for interface in owned(ec2, owner):
        if addresses is None or interface.private_ip_address in addresses:
            del ec2.enis[interface.id]


def leave(ec2: Any, owner: str) -> None:
    """Nodes that end before the CNI has tidied up leave its interfaces behind, attached to nothing.

    EKS User Guide, "Troubleshoot problems with Amazon EKS clusters and nodes": they hold subnets and security groups.
    """
    for interface in owned(ec2, owner):
        interface.status = "available"
        interface.requester_managed = False
        interface.sandbox_owner = None


def owned(ec2: Any, owner: str) -> list[Any]:
    return [found for found in ec2.enis.values() if getattr(found, "sandbox_owner", None) == owner]
