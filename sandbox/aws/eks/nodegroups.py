"""Managed node groups: nodes that must exist, join and fit the quota before the group is ACTIVE.

Gap: moto's node groups are ACTIVE at once and have no instances (EKS API Reference, CreateNodegroup and Issue; EKS User
Guide, "Troubleshoot problems with Amazon EKS clusters and nodes").
"""

import secrets
import time
import uuid
from typing import Any

from sandbox.aws.ec2 import interfaces
from sandbox.aws.ec2.backend import ec2_of
from sandbox.aws.eks import access, checks, versions
from sandbox.aws.eks.service import Eks, page, valid_name
from sandbox.aws.eks.store import Cluster, Nodegroup, in_use, invalid, not_found, now
from sandbox.aws.lifecycle import Change
from sandbox.aws.quotas import VCPUS
from sandbox.aws.requests import Call

KIND = "eks:nodegroup"
BOOT_SHARE = 0.5
"""Part of the group's creation after which its instances boot and join."""
JOIN_SECONDS = 1500.0
"""How long EKS waits for nodes to join before it gives up."""


def create(eks: Eks, call: Call) -> dict[str, Any]:
    cluster, name = eks.cluster(call).active(), str(call.params["nodegroupName"])
    if not valid_name(name, 63):
        raise invalid(f"The node group name '{name}' is not valid")
    if name in cluster.nodegroups:
        raise in_use(f"NodeGroup already exists with name {name} and cluster name {cluster.name}")
    checks.role(call.account, call.params["nodeRole"], "ec2.amazonaws.com")
    found = checks.subnets(call.account, call.region, call.params["subnets"])
    if found[0].vpc_id != cluster.vpc["vpcId"]:
        raise invalid("Subnets are not in the cluster's VPC")
    checks.vcpus(call.params.get("instanceTypes") or ["t3.medium"])
    group = Nodegroup(_wire(cluster, call), directory="nodes" if not cluster.nodegroups else f"nodes-{name}")
    cluster.nodegroups[name] = group
    access.allow_nodes(cluster, call.params["nodeRole"])
    if not _over_quota(eks, cluster, group):
        _add_nodes(cluster, group)
    eks.begin(KIND, (*cluster.key, name), "create")
    return {"nodegroup": group.wire}


def describe(eks: Eks, call: Call) -> dict[str, Any]:
    cluster = eks.cluster(call)
    group = find(cluster, call)
    eks.seen(KIND, (*cluster.key, group.wire["nodegroupName"]))
    return {"nodegroup": group.wire}


def list_names(eks: Eks, call: Call) -> dict[str, Any]:
    return page(call, "nodegroups", sorted(eks.cluster(call).nodegroups))


def delete(eks: Eks, call: Call) -> dict[str, Any]:
    cluster = eks.cluster(call)
    group = find(cluster, call)
    if group.wire["status"] in ("CREATING", "UPDATING"):
        raise in_use(f"Nodegroup cannot be deleted while {group.wire['status']}")
    if group.wire["status"] != "DELETING":
        group.wire["status"] = "DELETING"
        group.launched = False
        eks.machines.delete_nodes(cluster, group)
        eks.begin(KIND, (*cluster.key, group.wire["nodegroupName"]), "delete")
    return {"nodegroup": group.wire}


def find(cluster: Cluster, call: Call) -> Nodegroup:
    name = str(call.params["nodegroupName"])
    if name not in cluster.nodegroups:
        raise not_found(f"No node group found for name: {name}.")
    return cluster.nodegroups[name]


def boot(eks: Eks) -> None:
    """Start the nodes of groups that are half way to ACTIVE."""
    for change in list(eks.cloud.lifecycle.changes.values()):
        if change.kind == KIND and change.action == "create":
            cluster = eks.store.clusters[change.key[0], change.key[1], change.key[2]]
            group = cluster.nodegroups[change.key[3]]
            half = change.started + (change.due - change.started) * BOOT_SHARE
            if not group.launched and group.nodes and time.time() >= half and _network_ready(cluster, group):
                group.launched = True
                eks.machines.start_nodes(cluster, group)


def ended(eks: Eks, change: Change) -> bool:
    """The end of a creation, an update or a deletion."""
    cluster = eks.store.clusters[change.key[0], change.key[1], change.key[2]]
    group = cluster.nodegroups[change.key[3]]
    if change.action == "delete":
        return _deleted(eks, cluster, group)
    if not group.nodes and group.wire["scalingConfig"]["desiredSize"]:
        message = "Could not launch On-Demand Instances. VcpuLimitExceeded - You have requested more vCPU capacity than"
        return _failed(group, "AsgInstanceLaunchFailures", f"{message} your current vCPU limit allows.")
    if group.launched and eks.machines.nodes_ready(cluster, group):
        group.wire["status"] = "ACTIVE"
        group.wire["modifiedAt"] = now()
        return True
    if not group.nodes:
        group.wire["status"] = "ACTIVE"
        return True
    if time.time() > change.due + max(10.0, JOIN_SECONDS / eks.cloud.clock.speed) and not group.launched:
        return _failed(group, "NodeCreationFailure", "Instances failed to join the kubernetes cluster")
    return False


def resize(eks: Eks, cluster: Cluster, group: Nodegroup) -> None:
    """New instances for a changed desired size; the agent of the group starts again with them."""
    interfaces.detach(ec2_of(cluster.account, cluster.region), group.wire["nodegroupArn"])
    _add_nodes(cluster, group)
    eks.machines.start_nodes(cluster, group)


def _failed(group: Nodegroup, code: str, message: str, status: str = "CREATE_FAILED") -> bool:
    group.wire["status"] = status
    group.wire["health"] = {"issues": [{"code": code, "message": message, "resourceIds": []}]}
    return True


def _deleted(eks: Eks, cluster: Cluster, group: Nodegroup) -> bool:
    if not eks.machines.nodes_gone(cluster, group):
        return False
    if group.wire["nodegroupName"] in eks.cloud.settings.failing_deletes:
        message = "DependencyViolation - resource has a dependent object"
        return _failed(group, "Ec2SecurityGroupDeletionFailure", message, "DELETE_FAILED")
    ec2 = ec2_of(cluster.account, cluster.region)
    if eks.cloud.settings.leave_interfaces:
        interfaces.leave(ec2, group.wire["nodegroupArn"])
    interfaces.detach(ec2, group.wire["nodegroupArn"])
    del cluster.nodegroups[group.wire["nodegroupName"]]
    return True


def _network_ready(cluster: Cluster, group: Nodegroup) -> bool:
    """Nodes pull images and reach the API: their subnets must get out, or they never join."""
    ec2 = ec2_of(cluster.account, cluster.region)
    return all(ec2.reaches_internet(ec2.get_subnet(subnet_id)) for subnet_id in group.wire["subnets"])


def _over_quota(eks: Eks, cluster: Cluster, group: Nodegroup) -> bool:
    def needed(wire: dict[str, Any]) -> int:
        return checks.vcpus(wire["instanceTypes"]) * int(wire["scalingConfig"]["desiredSize"])

    here = eks.store.within(cluster.account, cluster.region)
    used = sum(needed(found.wire) for other in here for found in other.nodegroups.values() if found.nodes)
    return used + needed(group.wire) > eks.cloud.quotas.limit(VCPUS)


def _add_nodes(cluster: Cluster, group: Nodegroup) -> None:
    ec2 = ec2_of(cluster.account, cluster.region)
    count, subnets = int(group.wire["scalingConfig"]["desiredSize"]), group.wire["subnets"]
    made = interfaces.attach(
        ec2,
        group.wire["nodegroupArn"],
        subnet_ids=[subnets[index % len(subnets)] for index in range(count)],
        group_ids=[cluster.security_group],
        description=f"aws-K8S-i-{secrets.token_hex(8)}",
        service="amazon-eks",
    )
    for found in made:
        found.add_tags({"cluster.k8s.amazonaws.com/name": cluster.name, "eks:eni:owner": "amazon-vpc-cni"})
    group.nodes = [
        (
            f"ip-{found.private_ip_address.replace('.', '-')}.{cluster.region}.compute.internal",
            found.subnet.availability_zone,
        )
        for found in made
    ]


def _wire(cluster: Cluster, call: Call) -> dict[str, Any]:
    params = call.params
    version = versions.check(str(params.get("version") or cluster.wire["version"]))
    name = params["nodegroupName"]
    scaling = {"minSize": 1, "maxSize": 2, "desiredSize": 2} | (params.get("scalingConfig") or {})
    if not scaling["minSize"] <= scaling["desiredSize"] <= scaling["maxSize"]:
        raise invalid(f"desired capacity {scaling['desiredSize']} must be between min and max size")
    return {
        "nodegroupName": name,
        "nodegroupArn": cluster.arn("nodegroup", name, str(uuid.uuid4())),
        "clusterName": cluster.name,
        "version": version,
        "releaseVersion": f"{versions.patch_of(version)}-20261110",
        "createdAt": now(),
        "modifiedAt": now(),
        "status": "CREATING",
        "capacityType": params.get("capacityType") or "ON_DEMAND",
        "scalingConfig": scaling,
        "instanceTypes": params.get("instanceTypes") or ["t3.medium"],
        "subnets": params["subnets"],
        "amiType": params.get("amiType") or "AL2023_x86_64_STANDARD",
        "nodeRole": params["nodeRole"],
        "labels": params.get("labels") or {},
        "taints": params.get("taints") or [],
        "resources": {"autoScalingGroups": [{"name": f"eks-{name}-{uuid.uuid4()}"}]},
        "diskSize": params.get("diskSize") or 20,
        "health": {"issues": []},
        "updateConfig": params.get("updateConfig") or {"maxUnavailable": 1},
        "tags": dict(params.get("tags") or {}),
    } | ({"launchTemplate": params["launchTemplate"]} if params.get("launchTemplate") else {})
