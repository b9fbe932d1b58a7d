"""Network and application load balancers hold interfaces in their subnets, for a while also after they are deleted.

Gap: moto's make none (EC2 interfaces described as "ELB app/NAME/ID" or "ELB net/NAME/ID"); and it deletes one whose
deletion protection is on (Elastic Load Balancing API Reference, DeleteLoadBalancer: OperationNotPermitted).
"""

from typing import Any, ClassVar

from moto.elbv2.exceptions import ELBClientError
from moto.elbv2.models import ELBv2Backend, elbv2_backends

from sandbox.aws.ec2 import interfaces
from sandbox.aws.ec2.backend import ec2_of
from sandbox.aws.elb import KIND as CLASSIC
from sandbox.aws.lifecycle import Change, Lifecycle
from sandbox.aws.moto_base import SandboxBackend

KIND = "elbv2:loadbalancer"


class SandboxELBv2(SandboxBackend, ELBv2Backend):
    """moto's load balancers, with interfaces."""

    MOTO_SERVICE: ClassVar[str] = "elbv2"

    def create_load_balancer(self, *args: Any, **kwargs: Any) -> Any:
        balancer = super().create_load_balancer(*args, **kwargs)
        interfaces.attach(
            ec2_of(self.account_id, self.region_name),
            balancer.arn,
            subnet_ids=[subnet.id for subnet in balancer.subnets],
            group_ids=balancer.security_groups,
            description=f"ELB {balancer.arn.partition('loadbalancer/')[2]}",
            service="amazon-elb",
        )
        return balancer

    def delete_load_balancer(self, arn: str) -> None:
        found = self.load_balancers.get(arn)
        if found is not None:
            if found.attrs.get("deletion_protection.enabled") == "true":
                message = f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
                raise ELBClientError("OperationNotPermitted", message)
            self.cloud.lifecycle.begin(KIND, self.place(arn), "delete", self.cloud.clock.delete(CLASSIC))
        super().delete_load_balancer(arn)


def install(lifecycle: Lifecycle) -> None:
    """Make moto create our ELBv2 backends from now on."""
    elbv2_backends.backend = SandboxELBv2
    lifecycle.on_end(KIND, "delete", _deleted)


def _deleted(change: Change) -> bool:
    account, region, arn = change.key
    interfaces.detach(ec2_of(account, region), arn)
    return True
