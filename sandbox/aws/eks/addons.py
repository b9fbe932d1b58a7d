"""EKS add-ons: their versions, their configuration, and their way to ACTIVE.

Gap: moto has none (EKS API Reference, CreateAddon, DescribeAddonVersions, DescribeAddonConfiguration; EKS User Guide,
"Amazon EKS add-ons"). Versions are plausible for November 2026. The VPC CNI takes enableNetworkPolicy as a string. An
add-on with pods of its own, such as CoreDNS, is ACTIVE only once there are nodes to run them.
"""

import json
import time
import uuid
from typing import Any

import yaml

from sandbox.aws.eks import updates, versions
from sandbox.aws.eks.service import Eks, page
from sandbox.aws.eks.store import Cluster, in_use, invalid, not_found, now
from sandbox.aws.errors import AwsError
from sandbox.aws.lifecycle import Change
from sandbox.aws.requests import Call

KIND = "eks:addon"
GIVE_UP = 1200.0  # seconds of AWS after which an add-on without its pods is DEGRADED
NEEDS_NODES = {"coredns", "aws-ebs-csi-driver", "metrics-server"}
COMMON_KEYS = {"resources", "tolerations", "affinity", "nodeSelector", "podAnnotations", "podLabels", "env"}
CATALOG: dict[str, tuple[str, set[str]]] = {  # name: version per Kubernetes minor, configuration keys of its own
    "vpc-cni": ("v1.21.{minor}-eksbuild.1", {"enableNetworkPolicy", "nodeAgent", "eniConfig", "init"}),
    "coredns": ("v1.12.{minor}-eksbuild.1", {"replicaCount", "corefile", "autoScaling", "computeType"}),
    "kube-proxy": ("v1.{minor}.3-eksbuild.2", {"mode", "ipvs"}),
    "aws-ebs-csi-driver": ("v1.55.{minor}-eksbuild.1", {"controller", "node", "defaultStorageClass", "sidecars"}),
    "eks-pod-identity-agent": ("v1.3.{minor}-eksbuild.1", {"agent"}),
    "metrics-server": ("v0.8.{minor}-eksbuild.1", {"replicas", "args"}),
}  # fmt: skip


def create(eks: Eks, call: Call) -> dict[str, Any]:
    cluster, name = eks.cluster(call).active(), str(call.params["addonName"])
    _known(name)
    if name in cluster.addons:
        raise in_use(f"Addon already exists: {name}")
    configuration = _checked_configuration(name, call.params.get("configurationValues"))
    version = _checked_version(cluster, name, call.params.get("addonVersion"))
    addon = _wire(cluster, call, version)
    cluster.addons[name] = addon
    eks.machines.install_addon(cluster, name, version, configuration)
    eks.begin(KIND, (*cluster.key, name), "create")
    return {"addon": addon}


def describe(eks: Eks, call: Call) -> dict[str, Any]:
    cluster = eks.cluster(call)
    addon = _find(cluster, call)
    eks.seen(KIND, (*cluster.key, addon["addonName"]))
    return {"addon": addon}


def list_names(eks: Eks, call: Call) -> dict[str, Any]:
    return page(call, "addons", sorted(eks.cluster(call).addons))


def update(eks: Eks, call: Call) -> dict[str, Any]:
    """Changes the add-on now, unless it is to fail; it is UPDATING for as long as a creation takes."""
    cluster = eks.cluster(call).active()
    addon = _find(cluster, call)
    name = addon["addonName"]
    if addon["status"] in ("CREATING", "UPDATING", "DELETING"):
        raise in_use(f"Addon {name} cannot be updated as it is currently in {addon['status']} state")
    version = _checked_version(cluster, name, call.params.get("addonVersion") or addon["addonVersion"])
    configuration = str(call.params.get("configurationValues", addon.get("configurationValues", "")))
    _checked_configuration(name, configuration)
    addon |= {"status": "UPDATING", "modifiedAt": now()}
    if "AddonUpdate" not in eks.cloud.settings.failing_updates:
        addon |= {"addonVersion": version} | ({"configurationValues": configuration} if configuration else {})
        eks.machines.install_addon(cluster, name, version, configuration)
    eks.begin(KIND, (*cluster.key, name), "update")
    return {"addon": addon}


def delete(eks: Eks, call: Call) -> dict[str, Any]:
    cluster = eks.cluster(call)
    addon = _find(cluster, call)
    if addon["status"] != "DELETING":
        addon["status"] = "DELETING"
        if str(call.params.get("preserve", "false")).lower() != "true":
            eks.machines.remove_addon(cluster, addon["addonName"])
        eks.begin(KIND, (*cluster.key, addon["addonName"]), "delete")
    return {"addon": addon}


def ended(eks: Eks, change: Change) -> bool:
    """The end of a creation, an update or a deletion. Says False while its pods cannot run yet."""
    cluster, name = eks.store.clusters.get((change.key[0], change.key[1], change.key[2])), change.key[3]
    if cluster is None:
        return True
    if change.action == "delete":
        del cluster.addons[name]
        return True
    addon = cluster.addons[name]
    if updates.failing(eks, change):
        issue = {"code": "ConfigurationConflict", "message": "Conflicts found when trying to apply", "resourceIds": []}
        addon |= {"status": "UPDATE_FAILED", "modifiedAt": now(), "health": {"issues": [issue]}}
        return True
    runs = name not in NEEDS_NODES or any(
        group.wire["status"] == "ACTIVE" and group.nodes for group in cluster.nodegroups.values()
    )
    if runs and eks.machines.addon_ready(cluster, name):
        addon |= {"status": "ACTIVE", "modifiedAt": now(), "health": {"issues": []}}
        return True
    if time.time() > change.due + max(20.0, GIVE_UP / eks.cloud.clock.speed) and addon["status"] != "DEGRADED":
        message = "The add-on is unhealthy because it doesn't have the desired number of replicas."
        issue = {"code": "InsufficientNumberOfReplicas", "message": message, "resourceIds": []}
        addon |= {"status": "DEGRADED", "health": {"issues": [issue]}}
    return False


def describe_versions(eks: Eks, call: Call) -> dict[str, Any]:
    wanted, minor = call.params.get("addonName"), call.params.get("kubernetesVersion")
    if wanted:
        _known(str(wanted))
    minors = [found for found in versions.OFFERED if minor in (None, found)]
    names = [str(wanted)] if wanted else sorted(CATALOG)
    return page(call, "addons", [_versions(name, minors) for name in names])


def describe_configuration(eks: Eks, call: Call) -> dict[str, Any]:
    name = str(call.params["addonName"])
    properties: dict[str, Any] = {key: {} for key in sorted(_known(name)[1] | COMMON_KEYS)}
    schema = {"$schema": "http://json-schema.org/draft-06/schema#", "type": "object", "additionalProperties": False}
    return {
        "addonName": name,
        "addonVersion": call.params["addonVersion"],
        "configurationSchema": json.dumps(schema | {"properties": properties}),
    }


def _known(name: str) -> tuple[str, set[str]]:
    if name not in CATALOG:
        raise invalid(f"Addon {name} specified is not supported")
    return CATALOG[name]


def _find(cluster: Cluster, call: Call) -> dict[str, Any]:
    name = str(call.params["addonName"])
    if name not in cluster.addons:
        raise not_found(f"No addon: {name} found in cluster: {cluster.name}")
    return cluster.addons[name]


def _version(name: str, minor: str) -> str:
    return CATALOG[name][0].format(minor=minor.split(".")[1])


def _checked_version(cluster: Cluster, name: str, version: Any) -> str:
    offered = {_version(name, minor) for minor in versions.OFFERED}
    if version is not None and version not in offered:
        raise invalid("Addon version specified is not supported")
    return str(version or _version(name, cluster.wire["version"]))


def _checked_configuration(name: str, text: Any) -> str:
    """The configuration as given (JSON or YAML text), "" for none; raises AwsError as EKS does when it does not fit."""
    if not text:
        return ""
    try:
        values = yaml.safe_load(str(text))
    except yaml.YAMLError as problem:
        raise _bad(f"{problem}") from problem
    if not isinstance(values, dict):
        raise _bad("[$: is not of type object]")
    for key in values:
        if key not in _known(name)[1] | COMMON_KEYS:
            raise _bad(f"[$.{key}: is not defined in the schema and the schema does not allow additional properties]")
    if values.get("enableNetworkPolicy", "true") not in ("true", "false"):
        raise _bad("[$.enableNetworkPolicy: must be a string: true or false]")
    return str(text)


def _bad(why: str) -> AwsError:
    start = "ConfigurationValue provided in request is not supported: Json schema validation failed with error: "
    return invalid(start + why)


def _versions(name: str, minors: list[str]) -> dict[str, Any]:
    offered: dict[str, list[str]] = {}
    for minor in minors:
        offered.setdefault(_version(name, minor), []).append(minor)
    return {
        "addonName": name,
        "type": "networking" if name in ("vpc-cni", "coredns", "kube-proxy") else "security",
        "owner": "aws",
        "publisher": "eks",
        "addonVersions": [
            {
                "addonVersion": version,
                "architecture": ["amd64", "arm64"],
                "computeTypes": ["ec2"],
                "requiresConfiguration": False,
                "compatibilities": [
                    {"clusterVersion": minor, "platformVersions": ["*"], "defaultVersion": True} for minor in fitting
                ],
            }
            for version, fitting in offered.items()
        ],
    }


def _wire(cluster: Cluster, call: Call, version: str) -> dict[str, Any]:
    optional = ("serviceAccountRoleArn", "configurationValues", "namespaceConfig")
    name = call.params["addonName"]
    return {
        "addonName": name,
        "clusterName": cluster.name,
        "status": "CREATING",
        "addonVersion": version,
        "health": {"issues": []},
        "addonArn": cluster.arn("addon", name, str(uuid.uuid4())),
        "createdAt": now(),
        "modifiedAt": now(),
        "tags": dict(call.params.get("tags") or {}),
        "podIdentityAssociations": [],
    } | {key: call.params[key] for key in optional if call.params.get(key)}
