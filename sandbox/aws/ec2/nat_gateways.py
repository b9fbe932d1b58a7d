"""NAT gateways over time.

Gaps: moto's NAT gateways are available at once, leave their interface behind for ever, ignore `tag:` filters and never
fail (EC2 API Reference, CreateNatGateway and NatGateway.FailureCode; Amazon VPC User Guide, "Troubleshoot NAT
gateways").
"""

from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import EC2Backend

from sandbox.aws.lifecycle import Change, Lifecycle
from sandbox.aws.moto_base import SandboxBackend
from sandbox.aws.quotas import NAT_PER_ZONE

KIND = "ec2:natgateway"
COUNTED = ("pending", "available", "deleting")


class NatGateways(SandboxBackend, EC2Backend):
    """pending, then available or failed; deleting, then deleted without its interface and address."""

    def create_nat_gateway(
        self, subnet_id: str, allocation_id: str, tags: Any = None, connectivity_type: str = "public"
    ) -> Any:
        zone = self.get_subnet(subnet_id).availability_zone
        self._check_quota(zone)
        if allocation_id and self.address_by_allocation([allocation_id])[0].association_id:
            raise EC2ClientError("Resource.AlreadyAssociated", f"{allocation_id} is already associated.")
        gateway = super().create_nat_gateway(subnet_id, allocation_id, tags, connectivity_type)
        gateway.state = "pending"
        gateway._eni.description = f"Interface for NAT Gateway {gateway.id}"
        gateway._eni.sandbox_owner = gateway.id
        gateway._eni.requester_managed = True
        gateway._eni.status = "in-use"
        self.cloud.lifecycle.begin(KIND, self.place(gateway.id), "create", self.cloud.clock.create(KIND))
        return gateway

    def delete_nat_gateway(self, nat_gateway_id: str) -> Any:
        gateway = self._nat_gateway(nat_gateway_id)
        if gateway.state not in ("deleting", "deleted"):
            gateway.state = "deleting"
            self.cloud.lifecycle.begin(KIND, self.place(gateway.id), "delete", self.cloud.clock.delete(KIND))
        return gateway

    def describe_nat_gateways(self, filters: Any, nat_gateway_ids: list[str] | None) -> list[Any]:
        for nat_gateway_id in nat_gateway_ids or []:
            self._nat_gateway(nat_gateway_id)
        found = [
            gateway
            for gateway in super().describe_nat_gateways(filters, nat_gateway_ids)
            if _has_tags(gateway, filters or {})
        ]
        for gateway in found:
            self.cloud.lifecycle.seen(KIND, self.place(gateway.id))
        return found

    def created(self, gateway: Any) -> None:
        """The end of creation: failed when the VPC has no internet gateway, else available."""
        if any(found.vpc and found.vpc.id == gateway.vpc_id for found in self.internet_gateways.values()):
            gateway.state = "available"
            return
        gateway.state = "failed"
        gateway.failure_code = "Gateway.NotAttached"
        gateway.failure_message = f"Network {gateway.vpc_id} has no Internet gateway attached"
        self._detach(gateway)

    def deleted(self, gateway: Any) -> None:
        """The end of deletion: its address is free, its interface gone; AWS shows it as deleted for an hour."""
        gateway.state = "deleted"
        self._detach(gateway)

    def _detach(self, gateway: Any) -> None:
        for address in self.addresses:
            if address.eni is gateway._eni:
                address.eni = None
                address.association_id = None
        self.enis.pop(gateway._eni.id, None)

    def _nat_gateway(self, nat_gateway_id: str) -> Any:
        if nat_gateway_id not in self.nat_gateways:
            raise EC2ClientError("NatGatewayNotFound", f"The Nat Gateway {nat_gateway_id} was not found")
        return self.nat_gateways[nat_gateway_id]

    def _check_quota(self, zone: str) -> None:
        in_zone = [
            found
            for found in self.nat_gateways.values()
            if found.state in COUNTED and self.get_subnet(found.subnet_id).availability_zone == zone
        ]
        limit = self.cloud.quotas.limit(NAT_PER_ZONE)
        if len(in_zone) >= limit:
            message = f"The maximum limit of {limit:g} NAT gateways has been reached for availability zone {zone}."
            raise EC2ClientError("NatGatewayLimitExceeded", message)


def register(lifecycle: Lifecycle, backend_of: Any) -> None:
    """Tie the endings to the table; `backend_of(account, region)` finds the EC2 backend."""

    def end(change: Change) -> bool:
        account, region, nat_gateway_id = change.key
        ec2 = backend_of(account, region)
        gateway = ec2.nat_gateways[nat_gateway_id]
        if change.action == "create":
            ec2.created(gateway)
        else:
            ec2.deleted(gateway)
        return True

    lifecycle.on_end(KIND, "create", end)
    lifecycle.on_end(KIND, "delete", end)


def _has_tags(gateway: Any, filters: dict[str, list[str]]) -> bool:
    tags = {tag["key"]: tag["value"] for tag in gateway.get_tags()}
    wanted = {name[4:]: values for name, values in filters.items() if name.startswith("tag:")}
    keys = filters.get("tag-key", [])
    return all(tags.get(key) in values for key, values in wanted.items()) and (
        not keys or any(key in tags for key in keys)
    )
