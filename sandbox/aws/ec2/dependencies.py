"""DependencyViolation where AWS has it, so that an uninstall in the wrong order fails here too.

Gap: moto lets a subnet go with interfaces in it, a security group that is in use or referenced, a VPC with groups,
network ACLs, gateways or interfaces, an internet gateway under mapped addresses, an address that is in use (EC2 API
Reference, "Error codes": DependencyViolation, InvalidIPAddress.InUse; Amazon VPC User Guide, "Delete your VPC").
"""

from collections.abc import Iterable
from typing import Any

from moto.ec2.exceptions import DependencyViolationError, EC2ClientError
from moto.ec2.models import EC2Backend


class DependencyChecks(EC2Backend):
    """Refuses what AWS refuses, then does what moto does."""

    def delete_subnet(self, subnet_id: str) -> Any:
        if any(found.subnet.id == subnet_id for found in self.enis.values()):
            raise DependencyViolationError(f"The subnet '{subnet_id}' has dependencies and cannot be deleted.")
        deleted = super().delete_subnet(subnet_id)
        for table in self.route_tables.values():  # AWS disassociates by itself; moto would block the table for ever
            links = table._associations
            for link in [link for link, target in links.items() if target == subnet_id]:
                del links[link]
        return deleted

    def delete_network_interface(self, eni_id: str) -> None:
        if getattr(self.enis.get(eni_id), "sandbox_owner", None):
            raise EC2ClientError("InvalidParameterValue", f"Network interface '{eni_id}' is currently in use.")
        super().delete_network_interface(eni_id)

    def terminate_instances(self, instance_ids: list[str]) -> Any:
        """An instance's first interface goes with it (EC2 User Guide, "Elastic network interfaces"); moto keeps it."""
        terminated = super().terminate_instances(instance_ids)
        for eni in list(self.enis.values()):
            if eni.instance is not None and eni.instance.id in instance_ids and eni.device_index == 0:
                self.enis.pop(eni.id)
        return terminated

    def delete_security_group(self, name: str | None = None, group_id: str | None = None) -> Any:
        group = self.get_security_group_by_name_or_id(group_id or name)
        if group is not None and (self._used(group.id) or self._referenced(group.id)):
            raise DependencyViolationError(f"resource {group.id} has a dependent object")
        return super().delete_security_group(name=name, group_id=group_id)

    def delete_vpc(self, vpc_id: str) -> Any:
        if vpc_id in self.vpcs and self._vpc_in_use(vpc_id):
            raise DependencyViolationError(f"The vpc '{vpc_id}' has dependencies and cannot be deleted.")
        return super().delete_vpc(vpc_id)

    def detach_internet_gateway(self, internet_gateway_id: str, vpc_id: str) -> None:
        if any(address.association_id and address.eni and address.eni.vpc_id == vpc_id for address in self.addresses):
            raise DependencyViolationError(
                f"Network {vpc_id} has some mapped public address(es). "
                "Please unmap those public address(es) before detaching the gateway."
            )
        super().detach_internet_gateway(internet_gateway_id, vpc_id)

    def release_address(self, address: str | None = None, allocation_id: str | None = None) -> None:
        if any(found.association_id for found in self.addresses if found.allocation_id == allocation_id):
            raise EC2ClientError(
                "InvalidIPAddress.InUse",
                f"The address with allocation id [{allocation_id}] cannot be released: in use.",
            )
        super().release_address(address, allocation_id)

    def _used(self, group_id: str) -> bool:
        return any(group.id == group_id for found in self.enis.values() for group in found.group_set)

    def _referenced(self, group_id: str) -> bool:
        others = (group for groups in self.groups.values() for group in groups.values() if group.id != group_id)
        return any(source.get("GroupId") == group_id for group in others for source in _sources(group))

    def _vpc_in_use(self, vpc_id: str) -> bool:
        return (
            any(gateway.vpc and gateway.vpc.id == vpc_id for gateway in self.internet_gateways.values())
            or any(found.vpc_id == vpc_id for found in self.enis.values())
            or any(group.name != "default" for group in self.groups.get(vpc_id, {}).values())
            or any(point.vpc_id == vpc_id and point.state != "deleted" for point in self.vpc_end_points.values())
            or any(acl.vpc_id == vpc_id and str(acl.default).lower() != "true" for acl in self.network_acls.values())
        )


def _sources(group: Any) -> Iterable[dict[str, str]]:
    return [rule.source_group or {} for rule in [*group.ingress_rules, *group.egress_rules]]
