"""The three Helm releases: ingress-nginx, sealed-secrets, KEDA.

Whose a release is: helm's Secrets carry no label of ours, so a ConfigMap `podium-release-<name>` beside them does. A
release without one is somebody else's and stays as it is (NAME_TAKEN).
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from steps import chart_crds, objects, release_contents, rollout
from steps import chart_releases as releases
from steps.chart_archives import definitions
from steps.chart_repositories import in_clear
from steps.chart_table import CHARTS, ELB_IDLE_TIMEOUT, Chart, Choice
from steps.chart_values import merged
from steps.clients.aws import Aws
from steps.clients.helm import ChartReference, Helm
from steps.clients.kubernetes import Kube, Object
from steps.comparing import Field
from steps.errors import Code, PodiumError
from steps.names import Owner
from steps.reporting import report
from steps.secret_store import SecretStore
from steps.waiting import Pending

__all__ = [
    "CHARTS",
    "ELB_IDLE_TIMEOUT",
    "Choice",
    "await_load_balancer",
    "await_release",
    "await_release_deleted",
    "delete_release",
    "ensure_release",
]

COMPONENT = "charts"
PATIENCE_SECONDS = 10.0
AS_PINNED = Choice()
SEALING_KEYS = {"sealedsecrets.bitnami.com/sealed-secrets-key": "active"}


def ensure_release(
    kube: Kube,
    owner: Owner,
    chart: str,
    choice: Choice = AS_PINNED,
    *,
    helm: Helm,
    aws: Aws | None = None,
    patience_seconds: float = PATIENCE_SECONDS,
) -> dict[str, Any]:
    """Install or upgrade the release: `{"release", "version", "revision"}`. Readiness is `await_release`'s matter.

    `aws` is where `choice.credentials` are kept. A run of helm that was interrupted is given `patience_seconds` to
    end (it may still go on as a process of its own), then repaired. HELM_FAILED, NAME_TAKEN, SECRET_NOT_FOUND.
    """
    wanted = CHARTS[chart]
    reference = _reference(wanted, choice)
    values = merged(wanted.values, choice.values)
    fingerprint = _fingerprint(reference, values)
    history = releases.settled_history(kube, wanted, patience_seconds)
    marker = _marker(kube, owner, wanted)
    _check_owner(owner, wanted, marker, history)
    applied = (marker or {}).get("data", {}).get("applied") == fingerprint
    if (
        applied
        and releases.is_in_force(history)
        and _is_as_made(kube, wanted, marker or {}, history[-1], reference, values)
    ):
        return _result(reference, releases.revision_of(history[-1]))
    with helm.pulled(_with_credentials(reference, choice, aws)) as archive:
        report([f"Pulled {wanted.name} {reference.version} from {reference.repository} (sha256 {_digest(archive)})"])
        _claim(kube, owner, wanted)
        made = definitions(archive)
        chart_crds.ensure(kube, owner, made, adopt=bool(history))
        releases.repair(kube, helm, wanted, history)
        report(helm.upgrade_install(kube, wanted.name, archive, wanted.namespace, values))
    revision = releases.newest_deployed(kube, wanted)
    _claim(kube, owner, wanted, applied=fingerprint, made=made)
    return _result(reference, revision)


def differences(kube: Kube, owner: Owner, chart: str, choice: Choice = AS_PINNED) -> list[Field]:
    """How the release differs from what `ensure_release` would make of it: `status`, `version`, `values…`,
    `repository`. Its objects are `release_contents.objects_of`'s matter. NAME_TAKEN."""
    wanted = CHARTS[chart]
    reference = _reference(wanted, choice)
    values = merged(wanted.values, choice.values)
    history = releases.history(kube, wanted)
    marker = _marker(kube, owner, wanted)
    _check_owner(owner, wanted, marker, history)
    if not releases.is_in_force(history):
        return [Field("status", "deployed", releases.status_of(history[-1]) if history else None)]
    found = release_contents.differences(history[-1], reference.version, values)
    applied = (marker or {}).get("data", {}).get("applied")
    if not found and applied != _fingerprint(reference, values):
        found = [Field("repository", reference.repository, None)]
    return found


def missing_definitions(kube: Kube, owner: Owner, chart: str) -> list[str]:
    """Definitions that were applied beside the release and are not there any more, by kind and name."""
    return release_contents.missing_definitions(kube, _definitions(_marker(kube, owner, CHARTS[chart]) or {}))


def _definitions(marker: Object) -> list[str]:
    """Names of those that were applied beside the release; none of a Podium that did not write it down."""
    return str((marker.get("data") or {}).get("definitions", "")).split()


def _is_as_made(
    kube: Kube, chart: Chart, marker: Object, newest: Object, reference: ChartReference, values: dict[str, Any]
) -> bool:
    """Whether nobody has changed the release, or its objects, since."""
    if release_contents.differences(newest, reference.version, values):
        return False
    missing = release_contents.missing_definitions(kube, _definitions(marker))
    changed = missing or release_contents.changed_objects(kube, chart, newest)
    report([f"{each} is not as release {chart.name} made it" for each in changed])
    return not changed


def await_release(kube: Kube, chart: str) -> dict[str, Any] | Pending:
    """`{"ready": True}` once all its Deployments are rolled out. See `rollout.await_deployment` for the errors."""
    for name in CHARTS[chart].deployments:
        found = rollout.await_deployment(kube, CHARTS[chart].namespace, name)
        if isinstance(found, Pending):
            return found
    return {"ready": True}


def delete_release(kube: Kube, owner: Owner, helm: Helm, chart: str) -> bool:
    """Uninstall the release if it is ours, with the namespace that was made for it; whether to wait for its end.

    Without such a namespace, that it is ours stays noted until its end has been seen: whoever begins this again waits
    for it too.
    """
    wanted = CHARTS[chart]
    marker = kube.get("ConfigMap", _marker_name(wanted), wanted.namespace)
    ours = marker is not None and objects.is_ours(marker, owner)
    if ours:
        report(helm.uninstall(kube, wanted.name, wanted.namespace))
        _delete_leftovers(kube, owner, wanted)
    if wanted.own_namespace:
        if ours:
            kube.delete("ConfigMap", _marker_name(wanted), wanted.namespace)
        return objects.delete(kube, owner, "Namespace", wanted.namespace)
    return ours


def _delete_leftovers(kube: Kube, owner: Owner, chart: Chart) -> None:
    """What helm leaves: definitions, and sealed-secrets' keys; not while any object of them is in the cluster."""
    if chart_crds.delete_unused(kube, owner, chart) and chart.name == "sealed-secrets":
        for key in kube.list("Secret", chart.namespace, labels=SEALING_KEYS):
            kube.delete("Secret", key["metadata"]["name"], chart.namespace)


def await_release_deleted(kube: Kube, chart: str) -> dict[str, Any] | Pending:
    """`{"deleted": True}` once Deployments, Services and its own namespace are gone (a load balancer takes minutes).

    Then a note that the release was ours goes too.
    """
    wanted = CHARTS[chart]
    if wanted.own_namespace and kube.get("Namespace", wanted.namespace):
        return Pending(f"namespace {wanted.namespace} is still being deleted")
    for kind in ("Deployment", "Service"):
        for name in wanted.deployments:
            if kube.get(kind, name, wanted.namespace):
                return Pending(f"{kind} {name} is still being deleted")
    if not wanted.own_namespace:
        kube.delete("ConfigMap", _marker_name(wanted), wanted.namespace)
    return {"deleted": True}


def await_load_balancer(kube: Kube) -> dict[str, Any] | Pending:
    """`{"load_balancer_host", "load_balancer_port"}` once ingress-nginx's Service has its load balancer.

    The port is the one the provider reports for the first port, else the Service's own (80).
    """
    chart = CHARTS["ingress-nginx"]
    service = kube.get("Service", chart.deployments[0], chart.namespace)
    if service is None:
        return Pending("the ingress controller's Service does not exist yet")
    for each in ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []:
        host = each.get("hostname") or each.get("ip")
        if host:
            ports = each.get("ports") or service["spec"]["ports"]
            return {"load_balancer_host": str(host), "load_balancer_port": int(ports[0]["port"])}
    return Pending("the cloud has not made the load balancer yet")


def _reference(chart: Chart, choice: Choice) -> ChartReference:
    repository = choice.repository or chart.repository
    return ChartReference(chart.name, repository, choice.version or chart.version, in_clear=in_clear(repository))


def _with_credentials(reference: ChartReference, choice: Choice, aws: Aws | None) -> ChartReference:
    """With the repository's username and password, read now and forgotten after the call. SECRET_NOT_FOUND."""
    if choice.credentials is None:
        return reference
    if aws is None:
        raise ValueError("credentials are kept in AWS: aws is needed")
    store = SecretStore(aws)
    username, password = (store.get({**choice.credentials, "json_key": key}) for key in ("username", "password"))
    return ChartReference(
        reference.name, reference.repository, reference.version, username, password, reference.in_clear
    )


def _fingerprint(reference: ChartReference, values: dict[str, Any]) -> str:
    wanted = [reference.repository, reference.version, values]
    return hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:16]


def _digest(archive: Path) -> str:
    return hashlib.sha256(archive.read_bytes()).hexdigest()


def _marker_name(chart: Chart) -> str:
    return f"podium-release-{chart.name}"


def _marker(kube: Kube, owner: Owner, chart: Chart) -> Object | None:
    if chart.own_namespace:
        objects.find(kube, owner, "Namespace", chart.namespace)
    return objects.find(kube, owner, "ConfigMap", _marker_name(chart), chart.namespace)


def _claim(kube: Kube, owner: Owner, chart: Chart, *, applied: str = "", made: Sequence[Object] = ()) -> None:
    """Say that the release is ours, before helm makes it; and after, what was applied, `made` of crds/ beside it."""
    if chart.own_namespace:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": chart.namespace}}
        objects.apply(kube, owner, objects.label(namespace, owner, COMPONENT))
    marker = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": _marker_name(chart), "namespace": chart.namespace},
        "data": {"applied": applied, "definitions": " ".join(each["metadata"]["name"] for each in made)},
    }
    objects.apply(kube, owner, objects.label(marker, owner, COMPONENT))


def _check_owner(owner: Owner, chart: Chart, marker: Object | None, history: list[Object]) -> None:
    if history and marker is None:
        raise PodiumError.by_user(
            Code.NAME_TAKEN,
            f"There is a Helm release {chart.name} in namespace {chart.namespace} that Podium did not make.",
            f"Remove it with: helm uninstall {chart.name} -n {chart.namespace}; or hand it over with: kubectl create "
            f"configmap {_marker_name(chart)} -n {chart.namespace} && kubectl label configmap {_marker_name(chart)} "
            f"-n {chart.namespace} {objects.LABEL_INSTALLATION}={owner.installation}",
        )


def _result(reference: ChartReference, revision: int) -> dict[str, Any]:
    return {"release": reference.name, "version": reference.version, "revision": revision}
