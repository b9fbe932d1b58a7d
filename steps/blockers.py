"""What keeps AWS from deleting something, and whose it is: looked at when a delete is refused, never touched.

A blocker that AWS is removing already, or that Podium is about to, is passing: then the wait is only pending.
"""

from dataclasses import dataclass
from functools import cached_property

from steps.clients.aws import Aws
from steps.clients.aws.ec2_interfaces import Interface
from steps.clients.aws.elb import Balancer
from steps.names import TAG_INSTALLATION, Owner
from steps.ownership import is_ours
from steps.waiting import Blocked, Pending

OURS = "this installation"
UNKNOWN = "somebody else"
CLUSTER_KEYS = (
    "elbv2.k8s.aws/cluster",
    "cluster.k8s.amazonaws.com/name",
    "aws:eks:cluster-name",
    "eks:cluster-name",
)
"""Tags whose value is the cluster: of the load balancer controller, the CNI, EKS and its node groups."""
CLUSTER_PREFIX = "kubernetes.io/cluster/"
WORKLOADS = {
    "kubernetes.io/service-name": "Service",
    "service.k8s.aws/stack": "Service",
    "ingress.k8s.aws/stack": "Ingress",
}
STACKS = {
    "alpha.eksctl.io/cluster-name": "the eksctl cluster",
    "aws:cloudformation:stack-name": "the CloudFormation stack",
    "aws:autoscaling:groupName": "the Auto Scaling group",
}
BY_ENDPOINTS = ("vpc_endpoint", "gateway_load_balancer_endpoint")
HOW = "Delete what is listed, or let its owner do so, if it is not needed; the uninstall then goes on by itself."


@dataclass(frozen=True)
class Blocker:
    """Something in the way. `passing`: it goes without anybody's help."""

    arn: str
    why: str
    owner: str
    passing: bool = False

    @property
    def resource(self) -> dict[str, str]:
        """As `Blocked` lists it."""
        return {"arn": self.arn, "why": self.why, "owner": self.owner}


def whose(owner: Owner, tags: dict[str, str]) -> str:
    """Whose a thing is, by its tags, in words."""
    if TAG_INSTALLATION in tags:
        return OURS if is_ours(owner, tags) else f"the Podium installation {tags[TAG_INSTALLATION]}"
    cluster = cluster_of(tags)
    of_cluster = f"the EKS cluster {cluster}" if cluster else ""
    for key, kind in WORKLOADS.items():
        if key in tags:
            return f"the {kind} {tags[key]}" + (f" of {of_cluster}" if of_cluster else "")
    for key, kind in STACKS.items():
        if key in tags:
            return f"{kind} {tags[key]}"
    return of_cluster or UNKNOWN


def cluster_of(tags: dict[str, str]) -> str:
    """The EKS cluster that owns a thing, by its tags; empty when none does (`shared` is not owned)."""
    for key in CLUSTER_KEYS:
        if tags.get(key):
            return tags[key]
    owned = (key for key, value in tags.items() if key.startswith(CLUSTER_PREFIX) and value == "owned")
    return next(owned, "").removeprefix(CLUSTER_PREFIX)


def verdict(what: str, found: list[Blocker], how: str = HOW) -> Pending | Blocked:
    """Blocked when somebody must act, else pending. `what`: e.g. "the VPC vpc-1 cannot be deleted yet"."""
    lasting = tuple({one.arn: one.resource for one in found if not one.passing}.values())
    if lasting:
        return Blocked(what, how, lasting)
    if not found:
        return Pending(f"{what}: AWS refuses, and shows nothing that is in the way")
    return Pending(f"{what}: {found[0].why}" + (f" (and {len(found) - 1} more)" if len(found) > 1 else ""))


def in_vpc(aws: Aws, owner: Owner, vpc_id: str) -> list[Blocker]:
    """What stands in the VPC and is not a part of it that Podium deletes with it."""
    found = of_interfaces(aws, owner, aws.interfaces.inside(vpc_id))
    for thing in aws.contents.of_vpc(vpc_id):
        if not is_ours(owner, thing.tags):
            why = f"the {thing.kind.replace('-', ' ')} {thing.id} is in {vpc_id}"
            found.append(Blocker(aws.arn("ec2", f"{thing.kind}/{thing.id}"), why, whose(owner, thing.tags)))
    return found


def of_group(aws: Aws, owner: Owner, group_id: str) -> list[Blocker]:
    """What has the security group, and the groups whose rules name it."""
    found = of_interfaces(aws, owner, aws.interfaces.using(group_id))
    for group in aws.groups.naming(group_id):
        why = f"a rule of the security group {group.id} ({group.name}) names {group_id}"
        arn = aws.arn("ec2", f"security-group/{group.id}")
        found.append(Blocker(arn, why, whose(owner, group.tags), is_ours(owner, group.tags)))
    return found


def of_interfaces(aws: Aws, owner: Owner, interfaces: list[Interface]) -> list[Blocker]:
    """What stands behind these network interfaces."""
    behind = _Behind(aws, owner, interfaces)
    return [blocker for interface in interfaces for blocker in behind.all_of(interface)]


class _Behind:
    """Finds what made each interface; asks AWS at most once for each kind."""

    def __init__(self, aws: Aws, owner: Owner, interfaces: list[Interface]) -> None:
        self._aws, self._owner = aws, owner
        self._ids = sorted({one.instance_id for one in interfaces if one.instance_id})

    def all_of(self, one: Interface) -> list[Blocker]:
        if one.instance_id:
            return [self._instance(one)]
        if one.description.startswith("ELB "):
            return [self._balancer(one)]
        if one.description.startswith("Interface for NAT Gateway "):
            return [self._nat(one, one.description.rsplit(" ", 1)[-1])]
        if one.description.startswith("Amazon EKS "):
            return [self._cluster(one, one.description.removeprefix("Amazon EKS "))]
        if one.description == "RDSNetworkInterface":
            return self._databases(one)
        why = f"the network interface {one.id} ({one.description or one.kind}) is in {one.subnet_id}"
        return [Blocker(self._arn(one), why, whose(self._owner, one.tags), passing=one.kind in BY_ENDPOINTS)]

    @cached_property
    def _balancers(self) -> list[Balancer]:
        return self._aws.all_balancers()

    @cached_property
    def _instances(self) -> dict[str, tuple[str, dict[str, str]]]:
        return self._aws.interfaces.instances(self._ids)

    def _arn(self, one: Interface) -> str:
        return self._aws.arn("ec2", f"network-interface/{one.id}")

    def _instance(self, one: Interface) -> Blocker:
        state, tags = self._instances.get(one.instance_id, ("terminated", {}))
        arn = self._aws.arn("ec2", f"instance/{one.instance_id}")
        why = f"the instance {one.instance_id} in {one.subnet_id} is {state}"
        return Blocker(arn, why, whose(self._owner, tags), passing=state in ("shutting-down", "terminated"))

    def _balancer(self, one: Interface) -> Blocker:
        found = next((each for each in self._balancers if each.interface == one.description), None)
        if found is None:
            return self._going(one, f"a load balancer that is gone ({one.description})")
        return Blocker(
            found.arn, f"the load balancer {found.name} is in {one.subnet_id}", whose(self._owner, found.tags)
        )

    def _nat(self, one: Interface, nat_id: str) -> Blocker:
        found = self._aws.nat.gateway(nat_id)
        if found is None or found.state == "deleted":
            return self._going(one, f"the NAT gateway {nat_id}, which is gone")
        why = f"the NAT gateway {nat_id} in {one.subnet_id} is {found.state}"
        passing = found.state == "deleting" or is_ours(self._owner, found.tags)
        return Blocker(self._aws.arn("ec2", f"natgateway/{nat_id}"), why, whose(self._owner, found.tags), passing)

    def _cluster(self, one: Interface, name: str) -> Blocker:
        found = self._aws.eks.cluster(name)
        if found is None:
            return self._going(one, f"the EKS cluster {name}, which is gone")
        passing = found.status == "DELETING" or is_ours(self._owner, found.tags)
        owner = f"the EKS cluster {name} ({whose(self._owner, found.tags)})"
        return Blocker(found.arn, f"the control plane of {name} is in {one.subnet_id}", owner, passing)

    def _databases(self, one: Interface) -> list[Blocker]:
        """RDS does not say whose interface it is; the instances of the VPC are those that it can be of."""
        found = [each for each in self._aws.rds.instances() if each.vpc_id == one.vpc_id]
        if not found:
            return [self._going(one, "a DB instance that is gone")]
        return [
            Blocker(
                each.arn,
                f"the DB instance {each.name} is {each.status}",
                whose(self._owner, each.tags),
                each.status == "deleting" or is_ours(self._owner, each.tags),
            )
            for each in found
        ]

    def _going(self, one: Interface, whom: str) -> Blocker:
        why = f"AWS is removing the network interface {one.id} of {whom}"
        return Blocker(self._arn(one), why, whose(self._owner, one.tags), passing=True)
