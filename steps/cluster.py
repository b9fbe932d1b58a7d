"""The EKS control plane."""

from typing import Literal

from steps.blockers import Blocker, verdict, whose
from steps.clients.aws import Aws
from steps.clients.aws.eks import Cluster
from steps.names import Owner
from steps.ownership import being_deleted, check_ours, failed, is_ours
from steps.second_look import made_with_token, while_fresh
from steps.waiting import Blocked, Pending

UNFINISHED = ("CREATING", "UPDATING", "PENDING")
"""Statuses in which EKS refuses to delete a cluster."""


def ensure_cluster(
    aws: Aws, owner: Owner, version: str, role_arn: str, subnet_ids: list[str], public_access_cidrs: list[str]
) -> str:
    """Name of the cluster, being made or there. A cluster that failed is deleted first (then: try again later)."""
    name = owner.names.cluster
    found = aws.eks.cluster(name)
    if found is None:

        def make(token: str) -> bool:
            return aws.eks.make_cluster(
                name,
                version=version,
                role_arn=role_arn,
                subnet_ids=subnet_ids,
                public_access_cidrs=public_access_cidrs,
                token=token,
                tags=owner.tags("cluster"),
            )

        found = made_with_token(
            lambda token: while_fresh(lambda: make(token), lambda: aws.iam.age(role_arn)),
            lambda: aws.eks.cluster(name),
            owner,
            "cluster",
            f"the EKS cluster {name}",
        )
    check_ours(owner, found.tags, f"the EKS cluster {name}")
    if found.status == "FAILED":
        aws.eks.delete_cluster(name)
    if found.status in ("FAILED", "DELETING"):
        raise being_deleted(f"an earlier EKS cluster {name}")
    return name


def await_cluster(aws: Aws, name: str) -> dict[str, str] | Pending:
    """What others need to reach the cluster, once it is active.

    {cluster_name, cluster_endpoint, cluster_ca (base64 PEM), cluster_security_group_id, oidc_issuer,
    kubernetes_version, vpc_id}
    """
    found = aws.eks.cluster(name)
    if found is None:
        raise failed(f"the EKS cluster {name}", ("it is not there any more",))
    if found.status in ("FAILED", "DELETING"):
        raise failed(f"the EKS cluster {name}", (f"EKS says {found.status}", *found.issues))
    if found.status not in ("ACTIVE", "UPDATING") or not found.endpoint:
        return Pending(f"EKS says {found.status}")
    return outputs(found)


def outputs(cluster: Cluster) -> dict[str, str]:
    """A cluster as `await_cluster` returns it."""
    return {
        "cluster_name": cluster.name,
        "cluster_endpoint": cluster.endpoint,
        "cluster_ca": cluster.certificate_authority,
        "cluster_security_group_id": cluster.security_group_id,
        "oidc_issuer": cluster.oidc_issuer,
        "kubernetes_version": cluster.version,
        "vpc_id": cluster.vpc_id,
    }


def delete_cluster(aws: Aws, owner: Owner) -> None:
    """Begin to delete it; its node groups must be gone. What EKS refuses for now is tried again while awaited."""
    found = _own(aws, owner)
    if found is not None and found.status != "DELETING":
        _begin(aws, found, _inside(aws, owner, found))


def await_cluster_deleted(aws: Aws, owner: Owner) -> Literal[True] | Pending | Blocked:
    """True once it is gone. EKS refuses to delete a cluster that it is making, that holds node groups or Fargate
    profiles, or that somebody protected: the delete then begins here, when that is over."""
    found = _own(aws, owner)
    if found is None:
        return True
    inside = [] if found.status == "DELETING" else _inside(aws, owner, found)
    _begin(aws, found, inside)
    if inside:
        return verdict(f"the EKS cluster {found.name} cannot be deleted yet", inside)
    return Pending(f"EKS says {found.status}{': ' + found.issues[0] if found.issues else ''}")


def _begin(aws: Aws, found: Cluster, inside: list[Blocker]) -> None:
    if not inside and found.status not in (*UNFINISHED, "DELETING"):
        aws.eks.delete_cluster(found.name)


def _inside(aws: Aws, owner: Owner, found: Cluster) -> list[Blocker]:
    """Why EKS would refuse: deletion protection, node groups (Podium's own go by themselves), Fargate profiles."""
    blockers = []
    if found.deletion_protection:
        why = "deletion protection was switched on (`aws eks update-cluster-config --no-deletion-protection`)"
        blockers.append(Blocker(found.arn, why, "somebody else"))
    for name in aws.eks.node_groups(found.name):
        group = aws.eks.node_group(found.name, name)
        if group is not None:
            passing = is_ours(owner, group.tags) or group.status == "DELETING"
            why = f"the node group {name} is {group.status}"
            blockers.append(Blocker(group.arn, why, whose(owner, group.tags), passing))
    for profile in aws.eks.fargate_profiles(found.name):
        why = f"the Fargate profile {profile.name} is in the cluster"
        blockers.append(Blocker(profile.arn, why, whose(owner, profile.tags)))
    return blockers


def _own(aws: Aws, owner: Owner) -> Cluster | None:
    found = aws.eks.cluster(owner.names.cluster)
    return found if found is not None and is_ours(owner, found.tags) else None
