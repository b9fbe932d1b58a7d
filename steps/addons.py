"""EKS add-ons: vpc-cni (with NetworkPolicy enforcement on), coredns, kube-proxy."""

import hashlib
import json
from typing import Any

from steps.clients.aws import Aws
from steps.clients.aws.eks import Addon
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
    if found.configuration != wanted and found.status not in ("CREATING", "UPDATING"):
        aws.eks.configure_addon(cluster, name, wanted, owner.client_token(f"{resource}/update"))
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
    """Delete those of the installation's own cluster."""
    cluster = owner.names.cluster
    for name in aws.eks.addons(cluster):
        found = aws.eks.addon(cluster, name)
        if found is not None and is_ours(owner, found.tags) and found.status != "DELETING":
            aws.eks.delete_addon(cluster, name)


def _replace_failed(aws: Aws, cluster: str, found: Addon) -> None:
    if found.status == "CREATE_FAILED":
        aws.eks.delete_addon(cluster, found.name)
    if found.status in ("CREATE_FAILED", "DELETING"):
        raise being_deleted(f"an earlier add-on {found.name}")


def _digest(configuration: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(configuration, sort_keys=True).encode()).hexdigest()[:12]
