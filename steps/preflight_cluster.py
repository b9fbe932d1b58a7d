"""Preflight of a cluster that is there already: its API lets Podium do everything that the installation needs."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from steps.clients.aws import Aws
from steps.clients.kubernetes import Kube
from steps.clients.kubernetes.permissions import GROUP, RBAC_API, Permission, needed
from steps.errors import Code, PodiumError
from steps.findings import Findings
from steps.names import Owner
from steps.preflight_account import policy_source
from steps.wanted import Wanted

FIELD = "cluster.existing_name"
THREADS = 8


def check_access(aws: Aws, _owner: Owner, wanted: Wanted, findings: Findings) -> None:
    """One problem that lists every missing permission; another when the cluster does not know Podium's identity.

    A cluster that Podium makes needs no check: EKS makes its maker the administrator.
    """
    found = aws.eks.cluster(wanted.existing_cluster) if wanted.existing_cluster else None
    if found is None or not found.endpoint:
        return
    kube = Kube(found.endpoint, found.certificate_authority, lambda: aws.cluster_token(found.name))
    try:
        check_rights(aws, kube, found.name, wanted.charts, findings)
    finally:
        kube.close()


def check_rights(aws: Aws, kube: Kube, cluster: str, charts: Sequence[str], findings: Findings) -> None:
    """The check itself, by this client of the EKS cluster of that name."""
    try:
        missing = missing_permissions(kube, charts)
    except PodiumError as error:
        if error.code is not Code.KUBERNETES_ACCESS_DENIED:
            raise
        message = f"the EKS cluster {cluster} does not let {_principal(aws)} in: {error.message}"
    else:
        if not missing:
            return
        message = f"{_principal(aws)} may not, in the EKS cluster {cluster}: {listed(missing)}"
    findings.problem(Code.KUBERNETES_ACCESS_DENIED, FIELD, message, _remedy(aws, cluster))


def missing_permissions(kube: Kube, charts: Sequence[str]) -> list[Permission]:
    """What an installation with these charts needs in the cluster and Podium may not. Asks the API server only.

    Whoever may escalate and bind may make the charts' roles without holding their rules.
    """
    if kube.may("*", "*", "*"):
        return []
    makes_roles = all(
        kube.may(verb, RBAC_API, resource) for verb in ("escalate", "bind") for resource in ("clusterroles", "roles")
    )
    asked = needed(() if makes_roles else charts)
    with ThreadPoolExecutor(THREADS, thread_name_prefix="access") as pool:
        allowed = pool.map(lambda one: kube.may(one.verb, one.group, one.resource, one.name), asked)
        return [one for one, may in zip(asked, allowed, strict=True) if not may]


def listed(permissions: Iterable[Permission]) -> str:
    """E.g. `create, delete deployments.apps; get services/proxy conductor:8090`."""
    verbs: dict[str, list[str]] = {}
    for one in permissions:
        what = f"{one.resource}.{one.group}" if one.group else one.resource
        verbs.setdefault(f"{what} {one.name}".rstrip(), []).append(one.verb)
    return "; ".join(f"{', '.join(each)} {what}" for what, each in verbs.items())


def _principal(aws: Aws) -> str:
    return policy_source(aws) or aws.identity().arn


def _remedy(aws: Aws, cluster: str) -> str:
    return (
        "Give the cluster the roles that Podium needs: kubectl apply -f deploy/kubernetes/rbac.yaml; and Podium's "
        f"identity their group: aws eks create-access-entry --region {aws.region} --cluster-name {cluster} "
        f"--principal-arn {_principal(aws)} --kubernetes-groups {GROUP} (update-access-entry where it has an entry)."
    )
