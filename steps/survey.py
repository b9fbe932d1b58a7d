"""What is there of an installation before it is unmade: its cluster, and whether that answers."""

from steps.clients.aws import Aws
from steps.clients.kubernetes import Kube
from steps.cluster import outputs
from steps.errors import Code, PodiumError
from steps.names import Owner
from steps.ownership import is_ours
from steps.waiting import Pending

WITHOUT = (
    "If the cluster will never answer again, uninstall with force=true (`podium uninstall --force`): then nothing in "
    "it is taken apart, and what its controllers made in AWS is swept up afterwards."
)


def find_cluster(aws: Aws, owner: Owner, existing_name: str | None) -> dict[str, str] | Pending:
    """As `cluster.await_cluster` returns it; {} when there is none to clean up in.

    A cluster that is being made is awaited: EKS does not delete it before, and an earlier run may have asked for it.
    """
    found = aws.eks.cluster(existing_name or owner.names.cluster)
    if found is None or (existing_name is None and not is_ours(owner, found.tags)):
        return {}
    if found.status in ("CREATING", "PENDING"):
        return Pending(f"EKS says {found.status}")
    if found.status not in ("ACTIVE", "UPDATING") or not found.endpoint:
        return {}
    return outputs(found)


def reach(kube: Kube, *, force: bool) -> bool:
    """True when the cluster answers; False when it does not and `force` says to do without.

    Raises the error of the call otherwise: TransientError KUBERNETES_UNAVAILABLE, or KUBERNETES_ACCESS_DENIED. Its
    remedy names `force` too.
    """
    try:
        kube.get("Namespace", "kube-system")
    except PodiumError as error:
        if error.code not in (Code.KUBERNETES_UNAVAILABLE, Code.KUBERNETES_ACCESS_DENIED):
            raise
        if force:
            return False
        error.remedy = f"{error.remedy} {WITHOUT}"
        raise
    return True
