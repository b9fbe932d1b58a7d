"""What Kubernetes made in AWS for the installation's cluster, and nobody removes once the cluster is gone.

Controllers in the cluster (cloud provider, load balancer controller, CNI, EBS driver) tag what they make with the
cluster's name; only what carries that tag is touched, and not what a CloudFormation stack made (eksctl's node groups).
The one exception are free network interfaces that the CNI described as its own in the installation's own VPC, and even
these stay when another cluster's tag is on them.

While a cluster of this name exists nothing is swept: its controllers still work, or it is somebody else's.
"""

from dataclasses import dataclass
from typing import Literal

from steps.blockers import Blocker, cluster_of, of_group, of_interfaces, verdict, whose
from steps.clients.aws import Aws
from steps.clients.aws.ec2_groups import SecurityGroup
from steps.clients.aws.ec2_interfaces import FREE, Interface, Volume
from steps.clients.aws.elb import Balancer
from steps.clients.aws.elbv2 import TargetGroup
from steps.names import Owner
from steps.waiting import Blocked, Pending

Data = Literal["retain", "delete"]
CNI_PREFIX = "aws-K8S-"
"""How the CNI describes its interfaces (github.com/aws/amazon-vpc-cni-k8s, pkg/awsutils: eniDescriptionPrefix)."""
CNI_INSTANCE = "node.k8s.amazonaws.com/instance_id"
STACK = "aws:cloudformation:stack-name"
SERVICE = "kubernetes.io/service-name"
SERVICE_GROUP = "k8s-elb-"
"""How the cloud provider names a load balancer's own security group."""
WHAT = "what Kubernetes left behind cannot be deleted yet"
KEPT_VOLUME = "a volume of the cluster's claims; the data was to be retained"


@dataclass(frozen=True)
class Found:
    """Everything that the cluster left."""

    balancers: list[Balancer]
    target_groups: list[TargetGroup]
    interfaces: list[Interface]
    groups: list[SecurityGroup]
    volumes: list[Volume]


def await_load_balancers_gone(
    aws: Aws, owner: Owner, cluster: str, services: tuple[str, ...] | None = None
) -> Literal[True] | Pending:
    """True once Kubernetes has removed the load balancers that it made for Services, while it still can.

    `services`: only those of these Services ("namespace/name"; None: all of the cluster). Each has a security group of
    its own, which the cloud provider deletes once no interface has it: that is awaited too.
    """
    left = [one for one in aws.all_balancers() if _of_services(one.tags, cluster, services)]
    if left:
        names = ", ".join(f"{one.name} ({whose(owner, one.tags)})" for one in left)
        return Pending(f"Kubernetes is removing the load balancer {names}")
    for group in _tagged_groups(aws, cluster):
        if group.name.startswith(SERVICE_GROUP) and _of_services(group.tags, cluster, services):
            users = aws.interfaces.using(group.id)
            if users:
                return Pending(f"AWS is removing the network interfaces of {group.name}, e.g. {users[0].id}")
    return True


def sweep(aws: Aws, owner: Owner, data: Data = "delete") -> list[str]:
    """Delete what can be deleted now; the ARNs that this began with, for the log. See `await_swept`."""
    if aws.eks.cluster(owner.names.cluster) is not None:
        return []
    found = find(aws, owner)
    _delete(aws, owner, found, data)
    return sorted(_arns(aws, found, data))


def await_swept(aws: Aws, owner: Owner, data: Data = "delete") -> dict[str, list[dict[str, str]]] | Pending | Blocked:
    """{left: [{arn, why, owner}]} once nothing but what is kept is left: with `retain`, the cluster's volumes.

    Sweeps again at each look: a security group can go only after the load balancer's interfaces have.
    """
    cluster = aws.eks.cluster(owner.names.cluster)
    if cluster is not None:
        if whose(owner, cluster.tags) != "this installation":
            return {"left": []}
        return Pending(f"the EKS cluster {cluster.name} is {cluster.status}")
    found = find(aws, owner)
    blockers = _delete(aws, owner, found, data)
    left = sorted(_arns(aws, found, data))
    if left and not blockers:
        return Pending(f"AWS is removing {left[0]}" + (f" and {len(left) - 1} more" if len(left) > 1 else ""))
    if left:
        return verdict(WHAT, blockers)
    return {"left": [one.resource for one in kept_volumes(aws, owner, found.volumes)]}


def find(aws: Aws, owner: Owner) -> Found:
    """What carries the tag of the installation's own cluster."""
    cluster = owner.names.cluster
    volumes = aws.interfaces.volumes({f"kubernetes.io/cluster/{cluster}": "owned"})
    return Found(
        [one for one in aws.all_balancers() if _left_by(one.tags, cluster)],
        [one for one in aws.balancers.target_groups() if _left_by(one.tags, cluster)],
        _interfaces(aws, owner),
        [one for one in _tagged_groups(aws, cluster) if _left_by(one.tags, cluster)],
        [one for one in volumes if one.state != "deleting" and _left_by(one.tags, cluster)],
    )


def kept_volumes(aws: Aws, owner: Owner, volumes: list[Volume]) -> list[Blocker]:
    """Volumes as a report lists what is kept."""
    return [Blocker(aws.arn("ec2", f"volume/{one.id}"), KEPT_VOLUME, whose(owner, one.tags)) for one in volumes]


def arns(aws: Aws, found: Found) -> list[str]:
    """The ARNs of everything in `found`."""
    return sorted(_arns(aws, found, "delete"))


def _delete(aws: Aws, owner: Owner, found: Found, data: Data) -> list[Blocker]:
    """One round, in the order in which AWS lets go; what is in the way of the rest."""
    blockers = [blocker for one in found.balancers for blocker in _delete_balancer(aws, owner, one)]
    for target_group in found.target_groups:
        aws.balancers.delete_target_group(target_group.arn)
    for interface in found.interfaces:
        if interface.status == FREE:
            aws.interfaces.delete(interface.id)
    blockers += of_interfaces(aws, owner, [one for one in found.interfaces if one.status != FREE])
    for group in found.groups:
        aws.groups.forget_groups(group.id)
    own = {aws.arn("ec2", f"security-group/{group.id}") for group in found.groups}
    for group in found.groups:
        if not aws.groups.delete(group.id):
            blockers += [one for one in of_group(aws, owner, group.id) if one.arn not in own]
    if data == "delete":
        for volume in found.volumes:
            aws.interfaces.delete_volume(volume.id)
    return blockers


def _delete_balancer(aws: Aws, owner: Owner, one: Balancer) -> list[Blocker]:
    classic = one.interface == f"ELB {one.name}"
    gone = aws.classic_balancers.delete(one.name) if classic else aws.balancers.delete(one.arn)
    if gone:
        return []
    return [Blocker(one.arn, f"deletion protection of the load balancer {one.name} is on", whose(owner, one.tags))]


def _arns(aws: Aws, found: Found, data: Data) -> set[str]:
    volumes = found.volumes if data == "delete" else []
    return {
        *(one.arn for one in found.balancers),
        *(one.arn for one in found.target_groups),
        *(aws.arn("ec2", f"network-interface/{one.id}") for one in found.interfaces),
        *(aws.arn("ec2", f"security-group/{one.id}") for one in found.groups),
        *(aws.arn("ec2", f"volume/{one.id}") for one in volumes),
    }


def _interfaces(aws: Aws, owner: Owner) -> list[Interface]:
    """The CNI's, by the cluster's tag; in the own VPC also free ones that no cluster's tag is on."""
    cluster = owner.names.cluster
    found = {one.id: one for one in aws.interfaces.tagged({"cluster.k8s.amazonaws.com/name": cluster})}
    for vpc in aws.network.vpcs(owner.tags("vpc")):
        for one in aws.interfaces.inside(vpc.id):
            cni = one.description.startswith(CNI_PREFIX) or CNI_INSTANCE in one.tags
            if cni and one.status == FREE and cluster_of(one.tags) in ("", cluster):
                found[one.id] = one
    return [found[key] for key in sorted(found)]


def _tagged_groups(aws: Aws, cluster: str) -> list[SecurityGroup]:
    """Made by EKS, the cloud provider or the load balancer controller for the cluster."""
    found: dict[str, SecurityGroup] = {}
    for tags in ({f"kubernetes.io/cluster/{cluster}": "owned"}, {"elbv2.k8s.aws/cluster": cluster}):
        found |= {one.id: one for one in aws.groups.tagged(tags)}
    return [found[key] for key in sorted(found)]


def _left_by(tags: dict[str, str], cluster: str) -> bool:
    return cluster_of(tags) == cluster and STACK not in tags


def _of_services(tags: dict[str, str], cluster: str, services: tuple[str, ...] | None) -> bool:
    return cluster_of(tags) == cluster and (services is None or tags.get(SERVICE) in services)
