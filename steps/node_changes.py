"""What changes about the managed node groups: how many nodes, their Kubernetes version, or the group itself.

A group's instance type, disk and name cannot be changed: another group is made beside it (`choose_group`), and the old
one is deleted once that has its nodes (`nodes.delete_node_group`); EKS drains them.
"""

import hashlib

from steps.clients.aws import Aws
from steps.clients.aws.eks import NodeGroup
from steps.clients.aws.eks_updates import Place, Update
from steps.eks_updates import Attempt, Begin, begin_unless_busy, pursue
from steps.names import Owner
from steps.nodes import own_groups
from steps.ownership import check_ours, failed
from steps.waiting import Pending

LONGEST_NAME = 63
"""https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateNodegroup.html"""
SIZE, VERSION = "ConfigUpdate", "VersionUpdate"
BROKEN = ("CREATE_FAILED", "DELETE_FAILED", "DELETING")
USABLE = ("ACTIVE", "DEGRADED")
"""Statuses in which EKS takes an update."""


def choose_group(aws: Aws, owner: Owner, group: str, instance_type: str, disk_gib: int) -> str:
    """Name of the group that is to have the nodes: one of the installation's that is right already, else the spec's
    name when that is free, else `replacement_name`. Looks only; what is chosen once stays the choice.
    """
    other = replacement_name(group, instance_type, disk_gib)
    there = {found.name: found for found in own_groups(aws, owner)}
    for name in (group, other):
        if name in there and _has_shape(there[name], instance_type, disk_gib):
            return name
    return other if group in there else group


def replacement_name(group: str, instance_type: str, disk_gib: int) -> str:
    """`<group>-<digest of type and disk>`, within EKS's limit."""
    digest = hashlib.sha256(f"{instance_type}/{disk_gib}".encode()).hexdigest()[:8]
    return f"{group[: LONGEST_NAME - len(digest) - 1]}-{digest}"


def group_names(aws: Aws, owner: Owner) -> list[str]:
    """Names of the installation's groups that stay."""
    return [found.name for found in own_groups(aws, owner) if found.status not in BROKEN]


def ensure_size(aws: Aws, owner: Owner, group: str, count: int) -> None:
    """Begin to give the group so many nodes; one that is being made or changed is awaited by `await_size`."""
    found = _own(aws, owner, group)
    if found.status in USABLE and found.sizes != _sizes(count):
        begin_unless_busy(_updates(aws, owner, group), _size_update(aws, owner, group, count))


def await_size(aws: Aws, owner: Owner, group: str, count: int, attempt: Attempt) -> dict[str, int] | Pending:
    """{nodes: how many} once the group is active and is to have so many; see `ready_nodes` for when it has them."""
    found = _own(aws, owner, group)
    if found.status == "ACTIVE" and found.sizes == _sizes(count):
        return {"nodes": count}
    if found.status not in USABLE or found.sizes == _sizes(count):
        return _not_yet(found)
    updates = _updates(aws, owner, group)
    return pursue(updates, SIZE, f"the node group {group}", attempt, _size_update(aws, owner, group, count))


def ensure_node_version(aws: Aws, owner: Owner, group: str, version: str) -> None:
    """Begin to bring the group's nodes to the control plane's Kubernetes version: EKS exchanges them one by one."""
    found = _own(aws, owner, group)
    if found.status in USABLE and found.version != version:
        begin_unless_busy(_updates(aws, owner, group), _version_update(aws, owner, group, version))


def await_node_version(aws: Aws, owner: Owner, group: str, version: str, attempt: Attempt) -> str | Pending:
    """The version, once all nodes have it."""
    found = _own(aws, owner, group)
    if found.status == "ACTIVE" and found.version == version:
        return found.version
    if found.status not in USABLE or found.version == version:
        return _not_yet(found)
    updates = _updates(aws, owner, group)
    return pursue(updates, VERSION, f"the node group {group}", attempt, _version_update(aws, owner, group, version))


def _size_update(aws: Aws, owner: Owner, group: str, count: int) -> Begin:
    def begin(generation: str) -> str | None:
        token = owner.client_token(f"node-group-size/{group}/{count}/{generation}")
        return aws.eks_updates.change_size(owner.names.cluster, group, count, token)

    return begin


def _version_update(aws: Aws, owner: Owner, group: str, version: str) -> Begin:
    def begin(generation: str) -> str | None:
        token = owner.client_token(f"node-group-version/{group}/{version}/{generation}")
        return aws.eks_updates.change_node_version(owner.names.cluster, group, version, token)

    return begin


def _has_shape(found: NodeGroup, instance_type: str, disk_gib: int) -> bool:
    right = found.instance_types == (instance_type,) and found.disk_gib == disk_gib
    return right and found.status not in ("DELETING", "DELETE_FAILED")


def _sizes(count: int) -> tuple[int, int, int]:
    return count, count, count


def _updates(aws: Aws, owner: Owner, group: str) -> list[Update]:
    return aws.eks_updates.updates(Place(owner.names.cluster, group=group))


def _own(aws: Aws, owner: Owner, group: str) -> NodeGroup:
    found = aws.eks.node_group(owner.names.cluster, group)
    if found is None:
        raise failed(f"the node group {group}", ("it is not there any more",))
    check_ours(owner, found.tags, f"the node group {group} of {owner.names.cluster}")
    if found.status in BROKEN:
        raise failed(f"the node group {group}", (f"EKS says {found.status}", *found.issues))
    return found


def _not_yet(found: NodeGroup) -> Pending:
    return Pending(f"EKS says {found.status}{': ' + found.issues[0] if found.issues else ''}")
