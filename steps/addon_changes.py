"""Newer versions of the EKS add-ons, as a newer Kubernetes wants them."""

import re
from functools import partial

from steps.clients.aws import Aws
from steps.clients.aws.eks import Addon
from steps.clients.aws.eks_updates import Place
from steps.eks_updates import Attempt, begin_unless_busy, pursue
from steps.names import Owner
from steps.ownership import check_ours, failed
from steps.waiting import Pending

KIND = "AddonUpdate"
BROKEN = ("CREATE_FAILED", "DELETE_FAILED", "DELETING")
USABLE = ("ACTIVE", "DEGRADED", "UPDATE_FAILED")
"""Statuses in which EKS takes an update."""


def ensure_addon_version(aws: Aws, owner: Owner, cluster: str, name: str, kubernetes_version: str) -> str:
    """The version that the add-on is to have: EKS's default one for this Kubernetes, or the present one when that is
    not older. Begins to bring it there, with the configuration that it has, and without touching what people changed.
    """
    found = _own(aws, owner, cluster, name)
    wanted = aws.eks_updates.default_addon_version(name, kubernetes_version)
    if wanted is None or order(found.version) > order(wanted):
        wanted = found.version
    if found.status in USABLE and not _is_there(found, wanted):
        updates = aws.eks_updates.updates(Place(cluster, addon=name))
        begin_unless_busy(updates, partial(_begin, aws, owner, cluster, found, wanted))
    return wanted


def await_addon_version(
    aws: Aws, owner: Owner, cluster: str, name: str, version: str, attempt: Attempt
) -> str | Pending:
    """The add-on's version, once it is active in this one."""
    found = _own(aws, owner, cluster, name)
    if found.status == "ACTIVE" and _is_there(found, version):
        return found.version
    if found.status not in USABLE or (found.status == "DEGRADED" and _is_there(found, version)):
        return Pending(f"EKS says {name} is {found.status}{': ' + found.issues[0] if found.issues else ''}")
    begin = partial(_begin, aws, owner, cluster, found, version)
    updates = aws.eks_updates.updates(Place(cluster, addon=name))
    return pursue(updates, KIND, f"the add-on {name} of {cluster}", attempt, begin)


def order(version: str) -> list[int]:
    """Sorts versions such as v1.21.1-eksbuild.3."""
    return [int(number) for number in re.findall(r"\d+", version)]


def _begin(aws: Aws, owner: Owner, cluster: str, found: Addon, version: str, generation: str) -> str | None:
    token = owner.client_token(f"addon-version/{found.name}/{version}/{generation}")
    return aws.eks_updates.change_addon_version(cluster, found.name, version, found.configuration_text, token)


def _is_there(found: Addon, version: str) -> bool:
    return found.status != "UPDATE_FAILED" and order(found.version) >= order(version)


def _own(aws: Aws, owner: Owner, cluster: str, name: str) -> Addon:
    found = aws.eks.addon(cluster, name)
    if found is None:
        raise failed(f"the add-on {name}", ("it is not there any more",))
    check_ours(owner, found.tags, f"the add-on {name} of {cluster}")
    if found.status in BROKEN:
        raise failed(f"the add-on {name}", (f"EKS says {found.status}", *found.issues))
    return found
