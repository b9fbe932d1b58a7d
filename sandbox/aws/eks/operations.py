"""The table of EKS operations, and what ends EKS's timed changes."""

from collections.abc import Callable
from typing import Any

from sandbox.aws.eks import access, addons, clusters, fargate, nodegroups, pod_identity, updates
from sandbox.aws.eks.service import Eks, Operation
from sandbox.aws.eks.store import Wire, not_found
from sandbox.aws.lifecycle import Change
from sandbox.aws.requests import Call

OPERATIONS: dict[str, Operation] = {
    "CreateCluster": clusters.create,
    "DescribeCluster": clusters.describe,
    "ListClusters": clusters.list_names,
    "DeleteCluster": clusters.delete,
    "DescribeClusterVersions": clusters.describe_versions,
    "UpdateClusterVersion": updates.cluster_version,
    "UpdateClusterConfig": updates.cluster_config,
    "DescribeUpdate": updates.describe,
    "ListUpdates": updates.list_ids,
    "CreateNodegroup": nodegroups.create,
    "DescribeNodegroup": nodegroups.describe,
    "ListNodegroups": nodegroups.list_names,
    "DeleteNodegroup": nodegroups.delete,
    "UpdateNodegroupVersion": updates.nodegroup_version,
    "UpdateNodegroupConfig": updates.nodegroup_config,
    "CreateAddon": addons.create,
    "DescribeAddon": addons.describe,
    "ListAddons": addons.list_names,
    "UpdateAddon": lambda eks, call: updates.addon(eks, call, addons.update(eks, call)["addon"]),
    "DeleteAddon": addons.delete,
    "DescribeAddonVersions": addons.describe_versions,
    "DescribeAddonConfiguration": addons.describe_configuration,
    "CreateAccessEntry": access.create,
    "DescribeAccessEntry": access.describe,
    "UpdateAccessEntry": access.update,
    "ListAccessEntries": access.list_arns,
    "DeleteAccessEntry": access.delete,
    "AssociateAccessPolicy": access.associate,
    "DisassociateAccessPolicy": access.disassociate,
    "ListAssociatedAccessPolicies": access.list_associated,
    "ListAccessPolicies": access.list_policies,
    "CreateFargateProfile": fargate.create,
    "DescribeFargateProfile": fargate.describe,
    "ListFargateProfiles": fargate.list_names,
    "DeleteFargateProfile": fargate.delete,
    "CreatePodIdentityAssociation": pod_identity.create,
    "DescribePodIdentityAssociation": pod_identity.describe,
    "UpdatePodIdentityAssociation": pod_identity.update,
    "ListPodIdentityAssociations": pod_identity.list_all,
    "DeletePodIdentityAssociation": pod_identity.delete,
}


def install(eks: Eks) -> None:
    """Fill the tables of operations and endings."""
    eks.operations |= OPERATIONS | {
        "TagResource": _tag,
        "UntagResource": _untag,
        "ListTagsForResource": lambda eks, call: {"tags": _tagged(eks, call)["tags"]},
    }
    endings: list[tuple[str, Callable[[Eks, Change], bool]]] = [
        (clusters.KIND, clusters.ended),
        (nodegroups.KIND, nodegroups.ended),
        (addons.KIND, addons.ended),
    ]
    for kind, ending in endings:
        for action in ("create", "update", "delete"):
            eks.cloud.lifecycle.on_end(kind, action, _with_updates(eks, ending))


def _with_updates(eks: Eks, ending: Callable[[Eks, Change], bool]) -> Callable[[Change], bool]:
    def end(change: Change) -> bool:
        if not ending(eks, change):
            return False
        updates.ended(eks, change)
        return True

    return end


def _tagged(eks: Eks, call: Call) -> Wire:
    arn = str(call.params["resourceArn"])
    for cluster in eks.store.within(call.account, call.region):
        if arn in cluster.taggable():
            return cluster.taggable()[arn]
    raise not_found(f"The specified resource could not be found: {arn}")


def _tag(eks: Eks, call: Call) -> dict[str, Any]:
    _tagged(eks, call)["tags"].update(call.params["tags"])
    return {}


def _untag(eks: Eks, call: Call) -> dict[str, Any]:
    keys = call.params["tagKeys"]
    for key in [keys] if isinstance(keys, str) else keys:
        _tagged(eks, call)["tags"].pop(key, None)
    return {}
