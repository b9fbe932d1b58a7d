"""The EC2 backend of the sandbox, its quotas, and which subnets reach the internet."""

from typing import Any, ClassVar

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import ec2_backends

from sandbox.aws.ec2 import nat_gateways
from sandbox.aws.ec2.dependencies import DependencyChecks
from sandbox.aws.ec2.nat_gateways import NatGateways
from sandbox.aws.lifecycle import Lifecycle
from sandbox.aws.quotas import ADDRESSES, INTERNET_GATEWAYS, VPCS


class SandboxEC2(NatGateways, DependencyChecks):
    """moto's EC2 with our gaps filled.

    Gap: moto knows no quotas (EC2 API Reference, "Error codes": VpcLimitExceeded, AddressLimitExceeded,
    InternetGatewayLimitExceeded).
    """

    MOTO_SERVICE: ClassVar[str] = "ec2"

    def create_vpc(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("is_default") is None or not kwargs["is_default"]:
            self._check(VPCS, len(self.vpcs), "VpcLimitExceeded", "The maximum number of VPCs has been reached.")
        return super().create_vpc(*args, **kwargs)

    def allocate_address(self, *args: Any, **kwargs: Any) -> Any:
        message = "The maximum number of addresses has been reached."
        self._check(ADDRESSES, len(self.addresses), "AddressLimitExceeded", message)
        return super().allocate_address(*args, **kwargs)

    def create_internet_gateway(self, *args: Any, **kwargs: Any) -> Any:
        message = "The maximum number of internet gateways has been reached."
        self._check(INTERNET_GATEWAYS, len(self.internet_gateways), "InternetGatewayLimitExceeded", message)
        return super().create_internet_gateway(*args, **kwargs)

    def _check(self, code: str, used: int, error: str, message: str) -> None:
        if used >= self.cloud.quotas.limit(code):
            raise EC2ClientError(error, message)

    def reaches_internet(self, subnet: Any) -> bool:
        """Whether an instance in `subnet` gets out: by an available NAT gateway, or by a public address and gateway."""
        for route in self._route_table(subnet).routes:
            if route.destination_cidr_block != "0.0.0.0/0":
                continue
            if route.nat_gateway is not None:
                return bool(route.nat_gateway.state == "available")
            return route.gateway is not None and _true(subnet.map_public_ip_on_launch)
        return False

    def _route_table(self, subnet: Any) -> Any:
        tables = [table for table in self.route_tables.values() if table.vpc_id == subnet.vpc_id]
        for table in tables:
            if subnet.id in table._associations.values():
                return table
        return next(table for table in tables if table.main_association_id is not None)


def ec2_of(account: str, region: str) -> SandboxEC2:
    """The EC2 backend of an account and region."""
    backend: SandboxEC2 = ec2_backends[account][region]
    return backend


def install(lifecycle: Lifecycle) -> None:
    """Make moto create our EC2 backends from now on."""
    ec2_backends.backend = SandboxEC2
    nat_gateways.register(lifecycle, ec2_of)


def _true(value: Any) -> bool:
    return str(value).lower() == "true"
