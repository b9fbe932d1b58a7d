"""Updates of clusters and node groups: version and configuration, over time.

Gap: moto has no version updates, and its configuration update replaces resourcesVpcConfig, subnets and all (EKS API
Reference, UpdateClusterVersion, UpdateClusterConfig, UpdateNodegroupVersion, UpdateNodegroupConfig, DescribeUpdate).
"""

import uuid
from typing import Any

from sandbox.aws.eks import clusters, nodegroups, versions
from sandbox.aws.eks.service import Eks, page
from sandbox.aws.eks.store import Cluster, invalid, not_found, now
from sandbox.aws.lifecycle import Change
from sandbox.aws.requests import Call


def cluster_version(eks: Eks, call: Call) -> dict[str, Any]:
    cluster, wanted = eks.cluster(call).active(), versions.check(str(call.params["version"]))
    old = cluster.wire["version"]
    if int(wanted.split(".")[1]) != int(old.split(".")[1]) + 1:
        raise invalid(f"Unsupported Kubernetes minor version update from {old} to {wanted}")
    cluster.wire |= {"version": wanted, "status": "UPDATING"}
    eks.begin(clusters.KIND, cluster.key, "update")
    return {"update": _start(cluster, "VersionUpdate", {"Version": wanted, "PlatformVersion": "eks.9"})}


def cluster_config(eks: Eks, call: Call) -> dict[str, Any]:
    cluster, params = eks.cluster(call).active(), call.params
    if params.get("resourcesVpcConfig"):
        cluster.vpc.update(params["resourcesVpcConfig"])
        kind = "EndpointAccessUpdate"
    elif params.get("accessConfig"):
        cluster.wire["accessConfig"].update(params["accessConfig"])
        kind = "AccessConfigUpdate"
    elif "deletionProtection" in params:
        cluster.wire["deletionProtection"] = bool(params["deletionProtection"])
        kind = "DeletionProtectionUpdate"
    elif params.get("upgradePolicy"):
        cluster.wire["upgradePolicy"] = params["upgradePolicy"]
        kind = "UpgradePolicyUpdate"
    elif params.get("logging"):
        cluster.wire["logging"] = params["logging"]
        kind = "LoggingUpdate"
    else:
        raise invalid("The type for cluster update was not provided.")
    cluster.wire["status"] = "UPDATING"
    eks.begin(clusters.KIND, cluster.key, "update", "eks:config")
    return {"update": _start(cluster, kind, {})}


def nodegroup_version(eks: Eks, call: Call) -> dict[str, Any]:
    cluster = eks.cluster(call)
    group = nodegroups.find(cluster, call)
    wanted = versions.check(str(call.params.get("version") or cluster.wire["version"]))
    if wanted != cluster.wire["version"] and wanted != group.wire["version"]:
        raise invalid(f"Requested Nodegroup release version {wanted} is invalid for cluster {cluster.wire['version']}")
    group.wire |= {
        "version": wanted,
        "releaseVersion": f"{versions.patch_of(wanted)}-20261110",
        "status": "UPDATING",
    }
    eks.begin(nodegroups.KIND, (*cluster.key, group.wire["nodegroupName"]), "update")
    return {"update": _start(cluster, "VersionUpdate", {"Version": wanted}, group.wire["nodegroupName"])}


def nodegroup_config(eks: Eks, call: Call) -> dict[str, Any]:
    cluster = eks.cluster(call)
    group = nodegroups.find(cluster, call)
    size = group.wire["scalingConfig"]["desiredSize"]
    group.wire["scalingConfig"] |= call.params.get("scalingConfig") or {}
    labels = call.params.get("labels") or {}
    group.wire["labels"] |= labels.get("addOrUpdateLabels") or {}
    for name in labels.get("removeLabels") or []:
        group.wire["labels"].pop(name, None)
    if group.wire["scalingConfig"]["desiredSize"] != size:
        nodegroups.resize(eks, cluster, group)
    group.wire["status"] = "UPDATING"
    eks.begin(nodegroups.KIND, (*cluster.key, group.wire["nodegroupName"]), "update", "eks:config")
    return {"update": _start(cluster, "ConfigUpdate", {}, group.wire["nodegroupName"])}


def addon(eks: Eks, call: Call, updated: dict[str, Any]) -> dict[str, Any]:
    """The update record of an add-on that has just been changed."""
    name = updated["addonName"]
    return {"update": _start(eks.cluster(call), "AddonUpdate", {"AddonVersion": updated["addonVersion"]}, name)}


def describe(eks: Eks, call: Call) -> dict[str, Any]:
    cluster, identifier = eks.cluster(call), str(call.params["updateId"])
    if identifier not in cluster.updates:
        raise not_found(f"No update found for ID: {identifier}")
    key = cluster.updates[identifier]["of"]
    for kind in (clusters.KIND, nodegroups.KIND, "eks:addon"):
        eks.seen(kind, (*cluster.key, key) if key else cluster.key)
    return {"update": _shown(cluster.updates[identifier])}


def list_ids(eks: Eks, call: Call) -> dict[str, Any]:
    of = call.params.get("nodegroupName") or call.params.get("addonName") or ""
    return page(call, "updateIds", [key for key, found in eks.cluster(call).updates.items() if found["of"] == of])


def ended(eks: Eks, change: Change) -> None:
    """Marks the updates of what has just become usable again as successful."""
    cluster = eks.store.clusters.get((change.key[0], change.key[1], change.key[2]))
    of = change.key[3] if len(change.key) > 3 else ""
    for found in cluster.updates.values() if cluster is not None else ():
        if found["of"] == of and found["status"] == "InProgress":
            found["status"] = "Successful"


def _start(cluster: Cluster, kind: str, params: dict[str, str], of: str = "") -> dict[str, Any]:
    """`of`: the node group or add-on that is updated, "" for the cluster itself."""
    record = {
        "id": str(uuid.uuid4()),
        "status": "InProgress",
        "type": kind,
        "params": [{"type": key, "value": value} for key, value in params.items()],
        "createdAt": now(),
        "errors": [],
        "of": of,
    }
    cluster.updates[str(record["id"])] = record
    return _shown(record)


def _shown(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != "of"}
