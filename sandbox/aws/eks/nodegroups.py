"""Managed node groups: nodes that must exist, join and fit the quota before the group is ACTIVE, and that are drained
before they go.

Gap: moto's node groups are ACTIVE at once and have no instances (EKS API Reference, CreateNodegroup and Issue; EKS User
Guide, "Troubleshoot problems with Amazon EKS clusters and nodes", "Delete a managed node group from your cluster").
"""

import time
import uuid
from typing import Any

from sandbox.aws.ec2 import interfaces
from sandbox.aws.ec2.backend import ec2_of
from sandbox.aws.eks import access, checks, instances, versions
from sandbox.aws.eks.service import Eks, page, valid_name
from sandbox.aws.eks.store import Cluster, Nodegroup, in_use, invalid, not_found, now
from sandbox.aws.lifecycle import Change
from sandbox.aws.requests import Call

KIND = instances.KIND
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
    group = Nodegroup(_wire(cluster, call))
    cluster.nodegroups[name] = group
    access.allow_nodes(cluster, call.params["nodeRole"])
    if instances.fits_quota(eks, cluster, group, group.desired):
        instances.add_nodes(cluster, group, group.desired)
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
        instances.drain(eks, cluster, group, group.staying, instances.DELETE_SECONDS)
        eks.begin(KIND, (*cluster.key, group.wire["nodegroupName"]), "delete")
    return {"nodegroup": group.wire}


def scaling(wanted: dict[str, int]) -> dict[str, int]:
    """`wanted` itself; raises AwsError when it makes no sense."""
    if not wanted["minSize"] <= wanted["desiredSize"] <= wanted["maxSize"]:
        raise invalid(f"desired capacity {wanted['desiredSize']} must be between min and max size")
    return wanted


def find(cluster: Cluster, call: Call) -> Nodegroup:
    name = str(call.params["nodegroupName"])
    if name not in cluster.nodegroups:
        raise not_found(f"No node group found for name: {name}.")
    return cluster.nodegroups[name]


def ended(eks: Eks, change: Change) -> bool:
    """The end of a creation, an update or a deletion."""
    cluster = eks.store.clusters[change.key[0], change.key[1], change.key[2]]
    group = cluster.nodegroups[change.key[3]]
    if change.action == "delete":
        return _deleted(eks, cluster, group)
    if change.action == "update":
        return _updated(group)
    return _created(eks, cluster, group, change.due)


def _created(eks: Eks, cluster: Cluster, group: Nodegroup, due: float) -> bool:
    if not group.nodes and group.desired:
        return instances.failed(group, "AsgInstanceLaunchFailures", instances.OVER_QUOTA)
    if not group.nodes or (group.launched and eks.machines.nodes_ready(cluster, group)):
        group.wire |= {"status": "ACTIVE", "modifiedAt": now()}
        return True
    if time.time() > due + max(10.0, JOIN_SECONDS / eks.cloud.clock.speed) and not group.launched:
        return instances.failed(group, "NodeCreationFailure", "Instances failed to join the kubernetes cluster")
    return False


def _updated(group: Nodegroup) -> bool:
    """Whether all nodes are what the update makes of them. What it changes is shown now (updates.ended)."""
    rolling = group.target is not None and any(group.version_of(name) != group.target for name in group.staying)
    if rolling or (group.target is not None and (group.leaving or len(group.nodes) != group.desired)):
        return False
    group.target = None
    group.wire |= {"status": "ACTIVE", "modifiedAt": now(), "health": {"issues": []}}
    return True


def _deleted(eks: Eks, cluster: Cluster, group: Nodegroup) -> bool:
    if not eks.machines.nodes_gone(cluster, group):
        return False
    if group.wire["nodegroupName"] in eks.cloud.settings.failing_deletes:
        message = "DependencyViolation - resource has a dependent object"
        return instances.failed(group, "Ec2SecurityGroupDeletionFailure", message, "DELETE_FAILED")
    ec2 = ec2_of(cluster.account, cluster.region)
    if eks.cloud.settings.leave_interfaces:
        interfaces.leave(ec2, group.wire["nodegroupArn"])
    interfaces.detach(ec2, group.wire["nodegroupArn"])
    del cluster.nodegroups[group.name]
    return True


def _wire(cluster: Cluster, call: Call) -> dict[str, Any]:
    params = call.params
    version = versions.check(str(params.get("version") or cluster.wire["version"]))
    name = params["nodegroupName"]
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
        "scalingConfig": scaling({"minSize": 1, "maxSize": 2, "desiredSize": 2} | (params.get("scalingConfig") or {})),
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
