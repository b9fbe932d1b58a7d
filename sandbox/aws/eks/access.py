"""Access entries, and who may enter a cluster.

Gap: moto has no access entries (EKS User Guide, "Grant IAM users access to Kubernetes with EKS access entries"). The
creator gets an entry with the cluster-admin policy unless bootstrapClusterCreatorAdminPermissions is false.
"""

import uuid
from typing import Any

from sandbox.aws.eks.service import Eks, page
from sandbox.aws.eks.store import AccessEntry, Cluster, in_use, invalid, not_found, now
from sandbox.aws.errors import AwsError
from sandbox.aws.requests import Call

ADMIN = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
POLICIES = [
    "AmazonEKSClusterAdminPolicy",
    "AmazonEKSAdminPolicy",
    "AmazonEKSAdminViewPolicy",
    "AmazonEKSEditPolicy",
    "AmazonEKSViewPolicy",
]


def bootstrap(cluster: Cluster, config: dict[str, Any]) -> None:
    """The creator's entry, when the cluster is made."""
    if config.get("bootstrapClusterCreatorAdminPermissions", True):
        entry = AccessEntry(_wire(cluster, cluster.creator, {}))
        entry.policies[ADMIN] = _policy(ADMIN, {"type": "cluster", "namespaces": []})
        cluster.access[cluster.creator] = entry


def allow_nodes(cluster: Cluster, role_arn: str) -> None:
    """EKS makes the entry of a managed node group's role by itself, unless access is by ConfigMap only."""
    if cluster.wire["accessConfig"]["authenticationMode"] != "CONFIG_MAP" and role_arn not in cluster.access:
        cluster.access[role_arn] = AccessEntry(_wire(cluster, role_arn, {"type": "EC2_LINUX"}))


def principals(cluster: Cluster) -> dict[str, Any]:
    """For the cluster's API server: `principals` may enter; `entries` says with which policies and groups."""
    entries = [
        {
            "principalArn": arn,
            "username": entry.wire["username"],
            "kubernetesGroups": entry.wire["kubernetesGroups"],
            "policies": list(entry.policies),
        }
        for arn, entry in cluster.access.items()
        if entry.wire["type"] == "STANDARD"
    ]
    return {
        "principals": [entry["principalArn"] for entry in entries if entry["policies"] or entry["kubernetesGroups"]],
        "entries": entries,
    }


def create(eks: Eks, call: Call) -> dict[str, Any]:
    cluster, arn = eks.cluster(call).active(), str(call.params["principalArn"])
    _by_api(cluster)
    if arn in cluster.access:
        raise in_use("The specified access entry resource is already in use on this cluster.")
    if any(group.startswith(("system:", "eks:")) for group in call.params.get("kubernetesGroups") or []):
        raise invalid("The kubernetes group name must not start with system: or eks:")
    cluster.access[arn] = AccessEntry(_wire(cluster, arn, call.params))
    return {"accessEntry": _shown(cluster, cluster.access[arn])}


def describe(eks: Eks, call: Call) -> dict[str, Any]:
    cluster = eks.cluster(call)
    return {"accessEntry": _shown(cluster, _entry(cluster, call))}


def update(eks: Eks, call: Call) -> dict[str, Any]:
    cluster = eks.cluster(call)
    entry = _entry(cluster, call)
    for name in ("kubernetesGroups", "username"):
        if name in call.params:
            entry.wire[name] = call.params[name]
    entry.wire["modifiedAt"] = now()
    return {"accessEntry": _shown(cluster, entry)}


def list_arns(eks: Eks, call: Call) -> dict[str, Any]:
    cluster, policy = eks.cluster(call), call.params.get("associatedPolicyArn")
    _by_api(cluster)
    return page(
        call,
        "accessEntries",
        sorted(arn for arn, entry in cluster.access.items() if policy is None or policy in entry.policies),
    )


def delete(eks: Eks, call: Call) -> dict[str, Any]:
    cluster = eks.cluster(call)
    _entry(cluster, call)
    del cluster.access[str(call.params["principalArn"])]
    return {}


def associate(eks: Eks, call: Call) -> dict[str, Any]:
    cluster, arn = eks.cluster(call), str(call.params["policyArn"])
    entry = _entry(cluster, call)
    if arn.rsplit("/", 1)[-1] not in POLICIES:
        raise invalid(f"The policyArn parameter format is not valid: {arn}")
    entry.policies[arn] = _policy(arn, {"namespaces": []} | call.params["accessScope"])
    return {
        "clusterName": cluster.name,
        "principalArn": call.params["principalArn"],
        "associatedAccessPolicy": entry.policies[arn],
    }


def disassociate(eks: Eks, call: Call) -> dict[str, Any]:
    entry, arn = _entry(eks.cluster(call), call), str(call.params["policyArn"])
    if entry.policies.pop(arn, None) is None:
        raise not_found(f"The specified policyArn could not be found: {arn}")
    return {}


def list_associated(eks: Eks, call: Call) -> dict[str, Any]:
    cluster = eks.cluster(call)
    entry = _entry(cluster, call)
    listed = page(call, "associatedAccessPolicies", list(entry.policies.values()))
    return listed | {"clusterName": cluster.name, "principalArn": call.params["principalArn"]}


def list_policies(eks: Eks, call: Call) -> dict[str, Any]:
    listed = [{"name": name, "arn": f"arn:aws:eks::aws:cluster-access-policy/{name}"} for name in POLICIES]
    return page(call, "accessPolicies", listed)


def _by_api(cluster: Cluster) -> None:
    if cluster.wire["accessConfig"]["authenticationMode"] == "CONFIG_MAP":
        raise AwsError(
            "InvalidRequestException",
            "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] "
            "to perform this operation.",
        )


def _entry(cluster: Cluster, call: Call) -> AccessEntry:
    _by_api(cluster)
    arn = str(call.params["principalArn"])
    if arn not in cluster.access:
        raise not_found(f"The specified principalArn could not be found. You may need to create it: {arn}")
    return cluster.access[arn]


def _shown(cluster: Cluster, entry: AccessEntry) -> dict[str, Any]:
    return {"clusterName": cluster.name} | entry.wire


def _policy(arn: str, scope: dict[str, Any]) -> dict[str, Any]:
    return {"policyArn": arn, "accessScope": scope, "associatedAt": now(), "modifiedAt": now()}


def _wire(cluster: Cluster, arn: str, params: dict[str, Any]) -> dict[str, Any]:
    kind, _, name = arn.rsplit(":", 1)[-1].partition("/")
    return {
        "clusterName": cluster.name,
        "principalArn": arn,
        "kubernetesGroups": list(params.get("kubernetesGroups") or []),
        "accessEntryArn": cluster.arn("access-entry", kind, cluster.account, name, str(uuid.uuid4())),
        "createdAt": now(),
        "modifiedAt": now(),
        "tags": dict(params.get("tags") or {}),
        "username": params.get("username") or _username(cluster, arn),
        "type": params.get("type") or "STANDARD",
    }


def _username(cluster: Cluster, arn: str) -> str:
    """What EKS fills in when no username is given: a role's sessions are told apart."""
    if ":role/" not in arn:
        return arn
    return f"arn:aws:sts::{cluster.account}:assumed-role/{arn.rsplit('/', 1)[-1]}/{{{{SessionName}}}}"
