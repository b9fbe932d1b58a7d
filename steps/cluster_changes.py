"""What changes about the EKS control plane of an installation: who may reach it, and its Kubernetes version."""

from functools import partial

from steps.clients.aws import Aws
from steps.clients.aws.eks import Cluster
from steps.clients.aws.eks_updates import Place, Update
from steps.cluster import outputs
from steps.eks_updates import Attempt, begin_unless_busy, pursue
from steps.errors import Code, PodiumError
from steps.names import Owner
from steps.ownership import check_ours, failed
from steps.waiting import Pending

ACCESS, VERSION = "EndpointAccessUpdate", "VersionUpdate"


def ensure_access(aws: Aws, owner: Owner, public_access_cidrs: list[str]) -> None:
    """Begin to let these address ranges, and no others, reach the Kubernetes API from the internet.

    While EKS is busy with another update nothing is begun yet: `await_access` does.
    """
    found = _own(aws, owner)
    if found.status == "ACTIVE" and not _has_access(found, public_access_cidrs):
        begin_unless_busy(_updates(aws, owner), partial(_begin_access, aws, owner, public_access_cidrs))


def await_access(aws: Aws, owner: Owner, public_access_cidrs: list[str], attempt: Attempt) -> dict[str, str] | Pending:
    """As `cluster.await_cluster`, once the cluster is active with this access."""
    found = _own(aws, owner)
    if found.status != "ACTIVE":
        return _not_active(found)
    if _has_access(found, public_access_cidrs):
        return outputs(found)
    begin = partial(_begin_access, aws, owner, public_access_cidrs)
    return pursue(_updates(aws, owner), ACCESS, _name(found), attempt, begin)


def ensure_version(aws: Aws, owner: Owner, version: str) -> None:
    """Begin to bring the control plane to this Kubernetes version, one minor up; nothing when it has it.

    INVALID_SPEC for a lower one, and for one that is further away: EKS goes up by one, and never down.
    """
    found = _own(aws, owner)
    _check_step(found, version)
    if found.status == "ACTIVE" and found.version != version:
        begin_unless_busy(_updates(aws, owner), partial(_begin_version, aws, owner, version))


def await_version(aws: Aws, owner: Owner, version: str, attempt: Attempt) -> dict[str, str] | Pending:
    """As `cluster.await_cluster`, once the control plane is active in this version."""
    found = _own(aws, owner)
    if found.status != "ACTIVE":
        return _not_active(found)
    if found.version == version:
        return outputs(found)
    _check_step(found, version)
    begin = partial(_begin_version, aws, owner, version)
    return pursue(_updates(aws, owner), VERSION, _name(found), attempt, begin)


def minor(version: str) -> int:
    """The minor number of a Kubernetes version such as 1.34."""
    return int(version.split(".")[1])


def _begin_access(aws: Aws, owner: Owner, cidrs: list[str], generation: str) -> str | None:
    token = owner.client_token(f"cluster-access/{','.join(sorted(cidrs))}/{generation}")
    return aws.eks_updates.change_access(owner.names.cluster, cidrs, token)


def _begin_version(aws: Aws, owner: Owner, version: str, generation: str) -> str | None:
    token = owner.client_token(f"cluster-version/{version}/{generation}")
    return aws.eks_updates.change_version(owner.names.cluster, version, token)


def _has_access(found: Cluster, cidrs: list[str]) -> bool:
    return set(found.public_access_cidrs) == set(cidrs)


def _check_step(found: Cluster, version: str) -> None:
    distance = minor(version) - minor(found.version)
    if distance in (0, 1):
        return
    way = "cannot go back" if distance < 0 else "goes up by one minor version at a time"
    raise PodiumError.by_user(
        Code.INVALID_SPEC,
        f"{_name(found)} has Kubernetes {found.version} and cannot be brought to {version}: EKS {way}",
        f"Ask for {found.version} or newer." if distance < 0 else f"Go by way of 1.{minor(found.version) + 1}.",
    )


def _own(aws: Aws, owner: Owner) -> Cluster:
    name = owner.names.cluster
    found = aws.eks.cluster(name)
    if found is None:
        raise failed(f"the EKS cluster {name}", ("it is not there any more",))
    check_ours(owner, found.tags, f"the EKS cluster {name}")
    if found.status in ("FAILED", "DELETING"):
        raise failed(f"the EKS cluster {name}", (f"EKS says {found.status}", *found.issues))
    return found


def _updates(aws: Aws, owner: Owner) -> list[Update]:
    return aws.eks_updates.updates(Place(owner.names.cluster))


def _not_active(found: Cluster) -> Pending:
    return Pending(f"EKS says {found.status}")


def _name(found: Cluster) -> str:
    return f"the EKS cluster {found.name}"
