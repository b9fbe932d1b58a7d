"""EKS add-ons: vpc-cni (with NetworkPolicy enforcement on), coredns, kube-proxy."""

import hashlib
import json
from typing import Any, Literal

from steps.clients.aws import Aws
from steps.clients.aws.eks import Addon
from steps.clients.aws.eks_updates import Place
from steps.eks_updates import generation
from steps.names import Owner
from steps.ownership import being_deleted, check_ours, failed, is_ours
from steps.second_look import made_with_token
from steps.waiting import Pending

FAILED = frozenset({"CREATE_FAILED", "UPDATE_FAILED", "DELETE_FAILED"})


def ensure_addon(aws: Aws, owner: Owner, cluster: str, name: str, configuration: dict[str, Any] | None = None) -> str:
    """Name of the add-on, being made or there, in EKS's default version, with this configuration.

    Made when the control plane is up; it becomes active when nodes can run it (vpc-cni, kube-proxy: without any).
    """
    wanted = configuration or {}
    resource = f"addon/{name}/{_digest(wanted)}"
    tags = owner.tags(f"addon-{name}")
    found = aws.eks.addon(cluster, name)
    if found is None:
        found = made_with_token(
            lambda token: aws.eks.make_addon(cluster, name, configuration=wanted, token=token, tags=tags),
            lambda: aws.eks.addon(cluster, name),
            owner,
            resource,
            f"the add-on {name}",
        )
    check_ours(owner, found.tags, f"the add-on {name} of {cluster}")
    _replace_failed(aws, cluster, found)
    outdated = found.configuration != wanted or found.status == "UPDATE_FAILED"
    if outdated and found.status not in ("CREATING", "UPDATING"):
        before = generation(aws.eks_updates.updates(Place(cluster, addon=name)))
        aws.eks.configure_addon(cluster, name, wanted, owner.client_token(f"{resource}/update/{before}"))
    return name


def await_addon(aws: Aws, cluster: str, name: str) -> str | Pending:
    """The add-on's version, once it is active. Degraded is still on its way: coredns is, until nodes are there."""
    found = aws.eks.addon(cluster, name)
    if found is None:
        raise failed(f"the add-on {name}", ("it is not there any more",))
    if found.status == "ACTIVE":
        return found.version
    if found.status in FAILED:
        raise failed(f"the add-on {name}", (f"EKS says {found.status}", *found.issues))
    return Pending(f"EKS says {name} is {found.status}{': ' + found.issues[0] if found.issues else ''}")


def delete_addons(aws: Aws, owner: Owner) -> None:
    """Begin to delete those of the installation's own cluster; they also go with it."""
    for found in _own(aws, owner):
        if found.status != "DELETING":
            aws.eks.delete_addon(owner.names.cluster, found.name)


def await_addons_deleted(aws: Aws, owner: Owner) -> Literal[True] | Pending:
    """True once they are gone. What EKS refuses while an add-on or the cluster changes begins here."""
    delete_addons(aws, owner)
    left = _own(aws, owner)
    if not left:
        return True
    return Pending(", ".join(f"EKS says {one.name} is {one.status}" for one in left))


def _own(aws: Aws, owner: Owner) -> list[Addon]:
    """None when the cluster is not active: EKS then takes no delete, and they go with the cluster."""
    cluster = aws.eks.cluster(owner.names.cluster)
    if cluster is None or not is_ours(owner, cluster.tags) or cluster.status not in ("ACTIVE", "UPDATING"):
        return []
    found = [aws.eks.addon(cluster.name, name) for name in aws.eks.addons(cluster.name)]
    return [one for one in found if one is not None and is_ours(owner, one.tags)]


def _replace_failed(aws: Aws, cluster: str, found: Addon) -> None:
    if found.status == "CREATE_FAILED":
        aws.eks.delete_addon(cluster, found.name)
    if found.status in ("CREATE_FAILED", "DELETING"):
        raise being_deleted(f"an earlier add-on {found.name}")


def _digest(configuration: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(configuration, sort_keys=True).encode()).hexdigest()[:12]
