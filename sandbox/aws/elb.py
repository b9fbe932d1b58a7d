"""Classic load balancers hold interfaces in their subnets, for a while also after they are deleted.

Gap: moto's load balancers make none, so subnets and groups could be deleted under them (Elastic Load Balancing User
Guide for Classic Load Balancers, "Delete your load balancer"; EC2 interfaces described as "ELB <name>"). Quota:
TooManyLoadBalancers.
"""

from typing import Any, ClassVar

from moto.core.exceptions import ServiceException
from moto.elb.models import ELBBackend, elb_backends

from sandbox.aws.ec2 import interfaces
from sandbox.aws.ec2.backend import ec2_of
from sandbox.aws.lifecycle import Change, Lifecycle
from sandbox.aws.moto_base import SandboxBackend
from sandbox.aws.quotas import LOAD_BALANCERS

KIND = "elb:loadbalancer"


class SandboxELB(SandboxBackend, ELBBackend):
    """moto's classic load balancers, with interfaces."""

    MOTO_SERVICE: ClassVar[str] = "elb"

    def create_load_balancer(self, *args: Any, **kwargs: Any) -> Any:
        if len(self.load_balancers) >= self.cloud.quotas.limit(LOAD_BALANCERS):
            raise ServiceException("TooManyLoadBalancers", "The quota of load balancers has been reached.")
        balancer = super().create_load_balancer(*args, **kwargs)
        balancer.dns_name = f"{balancer.name}-1234567890.{self.region_name}.elb.amazonaws.com"
        self.cloud.lifecycle.cancel(KIND, self.place(balancer.name))
        interfaces.attach(
            ec2_of(self.account_id, self.region_name),
            _owner(balancer.name),
            subnet_ids=balancer.subnets,
            group_ids=balancer.security_groups,
            description=f"ELB {balancer.name}",
            service="amazon-elb",
        )
        return balancer

    def delete_load_balancer(self, load_balancer_name: str) -> None:
        if load_balancer_name in self.load_balancers:
            seconds = self.cloud.clock.delete(KIND)
            self.cloud.lifecycle.begin(KIND, self.place(load_balancer_name), "delete", seconds)
        super().delete_load_balancer(load_balancer_name)


def install(lifecycle: Lifecycle) -> None:
    """Make moto create our ELB backends from now on."""
    elb_backends.backend = SandboxELB
    lifecycle.on_end(KIND, "delete", _deleted)


def _deleted(change: Change) -> bool:
    account, region, name = change.key
    interfaces.detach(ec2_of(account, region), _owner(name))
    return True


def _owner(name: str) -> str:
    return f"elb/{name}"
