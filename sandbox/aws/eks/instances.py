"""The instances of managed node groups: when they start, how many there are, how they are rolled and drained.

EKS User Guide, "Managed node update behavior" (with maxUnavailable 1), "Delete a managed node group from your cluster".
"""

import secrets
import time

from sandbox.aws.ec2 import interfaces
from sandbox.aws.ec2.backend import ec2_of
from sandbox.aws.eks import checks
from sandbox.aws.eks.service import Eks
from sandbox.aws.eks.store import Cluster, Nodegroup
from sandbox.aws.lifecycle import Change
from sandbox.aws.quotas import VCPUS

KIND = "eks:nodegroup"
BOOT_SHARE = 0.5
"""Part of the group's creation after which its instances boot and join."""
DELETE_SECONDS = 300.0
SCALE_SECONDS = 900.0
"""How long EKS lets pods take to leave a node of a group that is deleted, or that is scaled down or rolled (EKS User
Guide, "Delete a managed node group from your cluster", "Managed node update behavior")."""
SHORTEST_DRAIN = 60.0
"""Seconds here: pods end as slowly as they like at any speed."""
OVER_QUOTA = (
    "Could not launch On-Demand Instances. VcpuLimitExceeded - You have requested more vCPU capacity than your current "
    "vCPU limit allows."
)


def resume(eks: Eks, cluster: Cluster, group: Nodegroup) -> None:
    """Start the agents behind a group that was saved."""
    for batch in sorted({group.batch_of(name) for name, _ in group.nodes} if group.launched else ()):
        eks.machines.start_nodes(cluster, group, batch)


def tick(eks: Eks) -> None:
    """Start the nodes of groups that are half way to ACTIVE, and let those of the others be what the group says."""
    for cluster in eks.store.clusters.values():
        for group in cluster.nodegroups.values():
            change = eks.cloud.lifecycle.pending(KIND, (*cluster.key, group.name))
            if group.wire["status"] == "CREATING" and change is not None:
                _boot(eks, cluster, group, change)
            elif group.wire["status"] in ("ACTIVE", "UPDATING", "DEGRADED"):
                _follow(eks, cluster, group)


def _boot(eks: Eks, cluster: Cluster, group: Nodegroup, change: Change) -> None:
    half = change.started + (change.due - change.started) * BOOT_SHARE
    if not group.launched and group.nodes and time.time() >= half and _network_ready(cluster, group):
        group.launched = True
        eks.machines.start_nodes(cluster, group, 0)


def _follow(eks: Eks, cluster: Cluster, group: Nodegroup) -> None:
    """As the Auto Scaling group does: as many instances as desired; while they are rolled one more, until an old one
    is drained, again and again."""
    if group.leaving:
        _let_go(eks, cluster, group)
        return
    outdated = [name for name in group.staying if group.version_of(name) != (group.target or group.wire["version"])]
    missing = group.desired + bool(outdated) - len(group.nodes)
    if missing > 0:
        _launch(eks, cluster, group, missing)
    elif outdated and eks.machines.nodes_ready(cluster, group):
        drain(eks, cluster, group, outdated[:1], SCALE_SECONDS)
    elif not outdated and missing < 0:
        drain(eks, cluster, group, group.staying[missing:], SCALE_SECONDS)


def _launch(eks: Eks, cluster: Cluster, group: Nodegroup, count: int) -> None:
    """A batch of its own, or an issue while the quota does not allow it."""
    settled = group.wire["status"] != "UPDATING"
    if not fits_quota(eks, cluster, group, len(group.nodes) + count):
        if settled and group.wire["status"] != "DEGRADED":
            failed(group, "AsgInstanceLaunchFailures", OVER_QUOTA, "DEGRADED")
            eks.cloud.lifecycle.on_change()
        return
    if group.wire["status"] == "DEGRADED":
        group.wire |= {"status": "ACTIVE", "health": {"issues": []}}
    group.launched = True
    eks.machines.start_nodes(cluster, group, add_nodes(cluster, group, count))
    eks.cloud.lifecycle.on_change()


def drain(eks: Eks, cluster: Cluster, group: Nodegroup, names: list[str], seconds: float) -> None:
    """`seconds` of AWS after which pods that are still there do not matter any more."""
    group.leaving = tuple(sorted({*group.leaving, *names}))
    group.leaving_until = time.time() + max(SHORTEST_DRAIN, seconds / eks.cloud.clock.speed)
    eks.machines.drain_nodes(cluster, group)
    eks.cloud.lifecycle.on_change()


def _let_go(eks: Eks, cluster: Cluster, group: Nodegroup) -> None:
    """Forget nodes that are gone. A roll that cannot empty a node ends as a failure, as EKS's does unless forced."""
    if eks.machines.nodes_gone(cluster, group):
        _forget(cluster, group)
    elif group.target is not None and time.time() > group.leaving_until:
        for update in cluster.updates.values():
            update["fails"] |= update["of"] == group.name and update["status"] == "InProgress"
        eks.machines.keep_nodes(cluster, group)
        group.target, group.leaving = None, ()
    else:
        return
    eks.cloud.lifecycle.on_change()


def _forget(cluster: Cluster, group: Nodegroup) -> None:
    addresses = {_address(name) for name in group.leaving}
    interfaces.detach(ec2_of(cluster.account, cluster.region), group.wire["nodegroupArn"], addresses)
    group.nodes = [node for node in group.nodes if node[0] not in group.leaving]
    for name in group.leaving:
        group.batches.pop(name, None)
        group.versions.pop(name, None)
    group.leaving = ()


def failed(group: Nodegroup, code: str, message: str, status: str = "CREATE_FAILED") -> bool:
    group.wire["status"] = status
    group.wire["health"] = {"issues": [{"code": code, "message": message, "resourceIds": []}]}
    return True


def _network_ready(cluster: Cluster, group: Nodegroup) -> bool:
    """Nodes pull images and reach the API: their subnets must get out, or they never join."""
    ec2 = ec2_of(cluster.account, cluster.region)
    return all(ec2.reaches_internet(ec2.get_subnet(subnet_id)) for subnet_id in group.wire["subnets"])


def fits_quota(eks: Eks, cluster: Cluster, group: Nodegroup, count: int) -> bool:
    """Whether the group may have so many instances beside those of all the others."""
    here = eks.store.within(cluster.account, cluster.region)
    others = [found for other in here for found in other.nodegroups.values() if found is not group]
    used = sum(checks.vcpus(found.wire["instanceTypes"]) * len(found.nodes) for found in others)
    return used + checks.vcpus(group.wire["instanceTypes"]) * count <= eks.cloud.quotas.limit(VCPUS)


def add_nodes(cluster: Cluster, group: Nodegroup, count: int) -> int:
    """The number of the batch of new instances."""
    ec2 = ec2_of(cluster.account, cluster.region)
    subnets, before = group.wire["subnets"], len(group.nodes)
    made = interfaces.attach(
        ec2,
        group.wire["nodegroupArn"],
        subnet_ids=[subnets[index % len(subnets)] for index in range(before, before + count)],
        group_ids=[cluster.security_group],
        description=f"aws-K8S-i-{secrets.token_hex(8)}",
        service="amazon-eks",
    )
    for found in made:
        found.add_tags({"cluster.k8s.amazonaws.com/name": cluster.name, "eks:eni:owner": "amazon-vpc-cni"})
    batch = max((group.batch_of(name) for name, _ in group.nodes), default=-1) + 1
    for found in made:
        name = f"ip-{found.private_ip_address.replace('.', '-')}.{cluster.region}.compute.internal"
        group.nodes.append((name, found.subnet.availability_zone))
        group.batches[name] = batch
        group.versions[name] = group.target or group.wire["version"]
    return batch


def _address(name: str) -> str:
    """The private address in a node's name."""
    return name.partition(".")[0].removeprefix("ip-").replace("-", ".")
