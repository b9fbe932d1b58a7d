"""EKS Fargate profiles: made by people beside Podium, and a reason why EKS does not delete a cluster.

Gap: moto has none for our clusters (EKS API Reference, CreateFargateProfile, DeleteCluster: "If you have Fargate
profiles in your cluster, you must delete them first"). No pod runs on them here.
"""

import uuid
from typing import Any

from sandbox.aws.eks import checks
from sandbox.aws.eks.service import Eks, page, valid_name
from sandbox.aws.eks.store import Wire, in_use, invalid, not_found, now
from sandbox.aws.requests import Call


def create(eks: Eks, call: Call) -> dict[str, Any]:
    cluster, name = eks.cluster(call).active(), str(call.params["fargateProfileName"])
    if not valid_name(name):
        raise invalid(f"The Fargate profile name '{name}' is not valid")
    if name in cluster.fargate:
        raise in_use(f"A Fargate Profile already exists with this name in this cluster: {name}")
    checks.role(call.account, call.params["podExecutionRoleArn"], "eks-fargate-pods.amazonaws.com")
    cluster.fargate[name] = {
        "fargateProfileName": name,
        "fargateProfileArn": cluster.arn("fargateprofile", name, str(uuid.uuid4())),
        "clusterName": cluster.name,
        "createdAt": now(),
        "podExecutionRoleArn": call.params["podExecutionRoleArn"],
        "subnets": call.params.get("subnets") or [],
        "selectors": call.params.get("selectors") or [],
        "status": "ACTIVE",
        "tags": dict(call.params.get("tags") or {}),
        "health": {"issues": []},
    }
    return {"fargateProfile": cluster.fargate[name]}


def describe(eks: Eks, call: Call) -> dict[str, Any]:
    return {"fargateProfile": _find(eks, call)}


def list_names(eks: Eks, call: Call) -> dict[str, Any]:
    return page(call, "fargateProfileNames", sorted(eks.cluster(call).fargate))


def delete(eks: Eks, call: Call) -> dict[str, Any]:
    found = _find(eks, call)
    del eks.cluster(call).fargate[found["fargateProfileName"]]
    return {"fargateProfile": found | {"status": "DELETING"}}


def _find(eks: Eks, call: Call) -> Wire:
    name = str(call.params["fargateProfileName"])
    found = eks.cluster(call).fargate.get(name)
    if found is None:
        raise not_found(f"No Fargate Profile found with name: {name}.")
    return found
