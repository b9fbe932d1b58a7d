"""The managed node group."""

from typing import Literal

from steps.blockers import Blocker, verdict
from steps.clients.aws import Aws
from steps.clients.aws.eks import NodeGroup
from steps.names import Owner
from steps.ownership import being_deleted, check_ours, failed, is_ours
from steps.second_look import made_with_token, while_fresh
from steps.waiting import Blocked, Pending

UNFINISHED = ("CREATING", "UPDATING")
"""Statuses in which EKS refuses to delete a node group."""
FAILED = frozenset({"CREATE_FAILED", "DELETE_FAILED"})


def ensure_node_group(
    aws: Aws,
    owner: Owner,
    cluster: str,
    group: str,
    role_arn: str,
    subnet_ids: list[str],
    instance_type: str,
    count: int,
    disk_gib: int,
) -> str:
    """Name of the node group, being made or there. One that failed is deleted first (then: try again later)."""
    found = aws.eks.node_group(cluster, group)
    if found is None:

        def make(token: str) -> bool:
            return aws.eks.make_node_group(
                cluster,
                group,
                role_arn=role_arn,
                subnet_ids=subnet_ids,
                instance_type=instance_type,
                count=count,
                disk_gib=disk_gib,
                token=token,
                tags=owner.tags(f"node-group-{group}"),
            )

        found = made_with_token(
            lambda token: while_fresh(lambda: make(token), lambda: aws.iam.age(role_arn)),
            lambda: aws.eks.node_group(cluster, group),
            owner,
            f"node-group/{group}",
            f"the node group {group}",
        )
    check_ours(owner, found.tags, f"the node group {group} of {cluster}")
    if found.status == "CREATE_FAILED":
        aws.eks.delete_node_group(cluster, group)
    if found.status in ("CREATE_FAILED", "DELETING"):
        raise being_deleted(f"an earlier node group {group}")
    return group


def await_node_group(aws: Aws, cluster: str, group: str) -> dict[str, int] | Pending:
    """{nodes: how many} once the group is active."""
    found = aws.eks.node_group(cluster, group)
    if found is None:
        raise failed(f"the node group {group}", ("it is not there any more",))
    if found.status == "ACTIVE":
        return {"nodes": found.desired}
    if found.status in FAILED:
        raise failed(f"the node group {group}", (f"EKS says {found.status}", *found.issues))
    return Pending(f"EKS says {found.status}{': ' + found.issues[0] if found.issues else ''}")


def delete_node_group(aws: Aws, owner: Owner, keep: str | None = None) -> None:
    """Begin to delete every node group of the installation's own cluster that carries its tag, but `keep`.

    EKS drains the nodes. A group that is still being made is deleted while awaited.
    """
    for found in own_groups(aws, owner):
        if found.name != keep:
            _begin(aws, owner, found)


def await_node_group_deleted(aws: Aws, owner: Owner, keep: str | None = None) -> Literal[True] | Pending | Blocked:
    """True once they are gone. EKS refuses to delete a node group that it is making, and gives up when something else
    uses a part of it: the delete then begins here, again at each look."""
    left = [found for found in own_groups(aws, owner) if found.name != keep]
    if not left:
        return True
    for found in left:
        _begin(aws, owner, found)
    stuck = [found for found in left if found.status == "DELETE_FAILED"]
    if not stuck:
        return Pending(", ".join(f"EKS says {found.name} is {found.status}" for found in left))
    how = "Remove what EKS names; this then goes on by itself."
    return verdict(f"the node group {stuck[0].name} cannot be deleted yet", [_blocker(found) for found in stuck], how)


def own_groups(aws: Aws, owner: Owner) -> list[NodeGroup]:
    """Those of the installation's own cluster that carry its tag, by name."""
    cluster = owner.names.cluster
    found = [aws.eks.node_group(cluster, name) for name in sorted(aws.eks.node_groups(cluster))]
    return [one for one in found if one is not None and is_ours(owner, one.tags)]


def _blocker(found: NodeGroup) -> Blocker:
    why = "; ".join(found.issues) or "EKS gives no reason"
    return Blocker(found.arn, f"EKS could not delete it: {why}", "somebody else uses a part of it")


def _begin(aws: Aws, owner: Owner, found: NodeGroup) -> None:
    if found.status not in (*UNFINISHED, "DELETING"):
        aws.eks.delete_node_group(owner.names.cluster, found.name)
