"""Updates of clusters, node groups and add-ons: one at a time of each thing, over time, and at the end done or failed.

Gap: moto has no version updates, and its configuration update replaces resourcesVpcConfig, subnets and all (EKS API
Reference, UpdateClusterVersion, UpdateClusterConfig, UpdateNodegroupVersion, UpdateNodegroupConfig, DescribeUpdate).
What an update changes is shown when it has succeeded. Refusals are worded as users of EKS report them
(github.com/aws-controllers-k8s/community/issues/1192 and 1855,
github.com/hashicorp/terraform-provider-aws/issues/19478).
"""

import json
import uuid
from typing import Any

from sandbox.aws.eks import clusters, nodegroups, versions
from sandbox.aws.eks.service import Eks, page
from sandbox.aws.eks.store import Cluster, Nodegroup, Wire, in_use, invalid, not_found, now
from sandbox.aws.errors import AwsError
from sandbox.aws.lifecycle import Change
from sandbox.aws.requests import Call

ERRORS = {
    "VersionUpdate": ("PodEvictionFailure", "Reached max retries while trying to evict pods from nodes"),
    "EndpointAccessUpdate": ("SecurityGroupNotFound", "The cluster security group does not exist"),
    "ConfigUpdate": ("InsufficientFreeAddresses", "One or more of the subnets does not have enough free addresses"),
    "AddonUpdate": ("ConfigurationConflict", "Conflicts found when trying to apply"),
}
"""What an update that the setting `failing_updates` names ends with."""


def cluster_version(eks: Eks, call: Call) -> dict[str, Any]:
    cluster, wanted = eks.cluster(call), versions.check(str(call.params["version"]))
    _free(cluster, "", "VersionUpdate", f"cluster {cluster.name}")
    cluster.active()
    old = cluster.wire["version"]
    if int(wanted.split(".")[1]) != int(old.split(".")[1]) + 1:
        raise invalid(f"Unsupported Kubernetes minor version update from {old} to {wanted}")
    behind = [name for name, group in cluster.nodegroups.items() if group.wire["version"] != old]
    if behind:
        names = ", ".join(sorted(behind))
        raise invalid(
            f"Nodegroups {names} must be updated to match cluster version {old} before updating cluster version"
        )
    eks.begin(clusters.KIND, cluster.key, "update", "eks:cluster-version")
    cluster.wire["status"] = "UPDATING"
    params = {"Version": wanted, "PlatformVersion": "eks.9"}
    return {"update": _start(eks, cluster, "VersionUpdate", params, {"version": wanted})}


def cluster_config(eks: Eks, call: Call) -> dict[str, Any]:
    cluster = eks.cluster(call)
    kind, changed = _wanted_config(cluster, call.params)
    _free(cluster, "", kind, f"cluster {cluster.name}")
    cluster.active()
    eks.begin(clusters.KIND, cluster.key, "update", "eks:access" if kind == "EndpointAccessUpdate" else "eks:config")
    cluster.wire["status"] = "UPDATING"
    return {"update": _start(eks, cluster, kind, _params(changed), changed)}


def nodegroup_version(eks: Eks, call: Call) -> dict[str, Any]:
    """The nodes are exchanged one by one (instances.tick); the group has the new version when all are."""
    cluster = eks.cluster(call)
    group = nodegroups.find(cluster, call)
    wanted = versions.check(str(call.params.get("version") or group.wire["version"]))
    _free(cluster, group.name, "VersionUpdate", f"nodegroup {group.name}")
    _usable(group)
    if wanted not in (cluster.wire["version"], group.wire["version"]):
        release, current = f"{versions.patch_of(wanted)}-20261110", cluster.wire["version"]
        message = f"Requested release version {release} is not valid for kubernetes version {current}"
        raise AwsError("InvalidRequestException", message)
    if "VersionUpdate" not in eks.cloud.settings.failing_updates:
        group.target = wanted
    group.wire["status"] = "UPDATING"
    eks.begin(nodegroups.KIND, (*cluster.key, group.name), "update", "eks:nodegroup-version")
    changed = {"version": wanted, "releaseVersion": f"{versions.patch_of(wanted)}-20261110"}
    return {"update": _start(eks, cluster, "VersionUpdate", {"Version": wanted}, changed, group.name)}


def nodegroup_config(eks: Eks, call: Call) -> dict[str, Any]:
    """Done when the Auto Scaling group has its new size; instances come and go afterwards (instances.tick)."""
    cluster = eks.cluster(call)
    group = nodegroups.find(cluster, call)
    _free(cluster, group.name, "ConfigUpdate", f"nodegroup {group.name}")
    _usable(group)
    scaling = nodegroups.scaling(group.wire["scalingConfig"] | (call.params.get("scalingConfig") or {}))
    labels, found = call.params.get("labels") or {}, dict(group.wire["labels"])
    found |= labels.get("addOrUpdateLabels") or {}
    for name in labels.get("removeLabels") or []:
        found.pop(name, None)
    group.wire["status"] = "UPDATING"
    eks.begin(nodegroups.KIND, (*cluster.key, group.name), "update", "eks:config")
    changed = {"scalingConfig": scaling, "labels": found}
    params = {f"{key[0].upper()}{key[1:]}": str(value) for key, value in scaling.items()}
    return {"update": _start(eks, cluster, "ConfigUpdate", params, changed, group.name)}


def addon(eks: Eks, call: Call, updated: dict[str, Any]) -> dict[str, Any]:
    """The update record of an add-on that has just been changed."""
    params = {"AddonVersion": updated["addonVersion"]}
    return {"update": _start(eks, eks.cluster(call), "AddonUpdate", params, {}, updated["addonName"])}


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


def failing(eks: Eks, change: Change) -> bool:
    """Whether the update that this change is will not succeed."""
    return any(found["fails"] for found in _under_way(eks, change))


def ended(eks: Eks, change: Change) -> None:
    """What has just become usable again has what its updates were to give it, unless they failed."""
    for found in _under_way(eks, change):
        cluster = eks.store.clusters[change.key[0], change.key[1], change.key[2]]
        found["status"] = "Failed" if found["fails"] else "Successful"
        if found["fails"]:
            code, message = ERRORS.get(found["type"], ("Unknown", "An unknown error occurred"))
            found["errors"] = [{"errorCode": code, "errorMessage": message, "resourceIds": [cluster.name]}]
            continue
        if found["of"] in cluster.nodegroups:
            cluster.nodegroups[found["of"]].wire |= found["changes"]
        elif not found["of"]:
            _apply(eks, cluster, found["changes"])


def _apply(eks: Eks, cluster: Cluster, changes: Wire) -> None:
    vpc, access = changes.pop("resourcesVpcConfig", {}), changes.pop("accessConfig", {})
    cluster.vpc.update(vpc)
    cluster.wire["accessConfig"].update(access)
    cluster.wire |= changes
    eks.machines.show_version(cluster)


def _under_way(eks: Eks, change: Change) -> list[Wire]:
    cluster = eks.store.clusters.get((change.key[0], change.key[1], change.key[2]))
    of = change.key[3] if len(change.key) > 3 else ""
    found = cluster.updates.values() if cluster is not None else ()
    return [one for one in found if one["of"] == of and one["status"] == "InProgress"]


def _wanted_config(cluster: Cluster, params: dict[str, Any]) -> tuple[str, Wire]:
    """The kind of update, and what it will change in the cluster's wire form."""
    if params.get("resourcesVpcConfig"):
        _check_news(cluster, params["resourcesVpcConfig"])
        return "EndpointAccessUpdate", {"resourcesVpcConfig": params["resourcesVpcConfig"]}
    kinds = {
        "accessConfig": "AccessConfigUpdate",
        "deletionProtection": "DeletionProtectionUpdate",
        "upgradePolicy": "UpgradePolicyUpdate",
        "logging": "LoggingUpdate",
    }
    for key, kind in kinds.items():
        if params.get(key) is not None:
            return kind, {key: params[key]}
    raise invalid("The type for cluster update was not provided.")


def _check_news(cluster: Cluster, wanted: Wire) -> None:
    now_there = {key: _comparable(cluster.vpc.get(key)) for key in wanted}
    if now_there == {key: _comparable(value) for key, value in wanted.items()}:
        vpc = cluster.vpc
        raise invalid(
            f"Cluster is already at the desired configuration with endpointPrivateAccess: "
            f"{str(vpc['endpointPrivateAccess']).lower()} , endpointPublicAccess: "
            f"{str(vpc['endpointPublicAccess']).lower()}, and Public Endpoint Restrictions: "
            f"[{', '.join(vpc['publicAccessCidrs'])}]"
        )


def _comparable(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) else value


def _params(changed: Wire) -> dict[str, str]:
    """As DescribeUpdate shows them, e.g. PublicAccessCidrs: ["10.0.0.0/8"]."""
    inner = changed.get("resourcesVpcConfig", changed)
    return {f"{key[0].upper()}{key[1:]}": json.dumps(value) for key, value in inner.items()}


def _free(cluster: Cluster, of: str, kind: str, what: str) -> None:
    """Raises AwsError while an update of the same thing is under way."""
    for found in cluster.updates.values():
        if found["of"] == of and found["status"] == "InProgress":
            raise in_use(f"Cannot {kind} because {what} currently has update {found['id']} in progress")


def _usable(group: Nodegroup) -> None:
    if group.wire["status"] not in ("ACTIVE", "DEGRADED"):
        raise in_use(f"Nodegroup {group.name} is currently {group.wire['status']}")


def _start(
    eks: Eks, cluster: Cluster, kind: str, params: dict[str, str], changes: Wire, of: str = ""
) -> dict[str, Any]:
    """`changes`: of the wire form, once it is over; `of`: the node group or add-on, "" for the cluster itself."""
    record = {
        "id": str(uuid.uuid4()),
        "status": "InProgress",
        "type": kind,
        "params": [{"type": key, "value": value} for key, value in params.items()],
        "createdAt": now(),
        "errors": [],
        "of": of,
        "changes": changes,
        "fails": kind in eks.cloud.settings.failing_updates,
    }
    cluster.updates[str(record["id"])] = record
    return _shown(record)


def _shown(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in ("of", "changes", "fails")}
