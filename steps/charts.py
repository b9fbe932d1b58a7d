"""The three Helm releases: ingress-nginx, sealed-secrets, KEDA.

Versions are pinned; the table says where from. What a release's history is, is read from helm's own Secrets, whose
labels are documented ("Helm: Storage backends"): cheaper than a process, and the same for every helm 3.

Whose a release is: helm's Secrets carry no label of ours, so a ConfigMap `podium-release-<name>` beside them does. A
release without one is somebody else's and stays as it is (NAME_TAKEN).
"""

import hashlib
import json
import time
from dataclasses import dataclass, field
from typing import Any

from steps import objects, rollout
from steps.clients.helm import Helm
from steps.clients.kubernetes import Kube, Object
from steps.errors import Code, PodiumError
from steps.names import Owner
from steps.waiting import Pending

COMPONENT = "charts"
ELB_IDLE_TIMEOUT = "service.beta.kubernetes.io/aws-load-balancer-connection-idle-timeout"
PENDING = frozenset({"pending-install", "pending-upgrade", "pending-rollback", "uninstalling"})
POLL_SECONDS = 0.5
SEALING_KEYS = {"sealedsecrets.bitnami.com/sealed-secrets-key": "active"}


@dataclass(frozen=True)
class Chart:
    """A release, named as its chart."""

    name: str
    repository: str
    version: str
    namespace: str
    deployments: tuple[str, ...]
    own_namespace: bool = True
    values: dict[str, Any] = field(default_factory=dict)


CHARTS = {
    chart.name: chart
    for chart in (
        Chart(
            # The last chart: upstream retired the project in March 2026 (github.com/kubernetes/ingress-nginx, README).
            "ingress-nginx",
            "https://kubernetes.github.io/ingress-nginx",
            "4.15.1",
            "ingress-nginx",
            ("ingress-nginx-controller",),
            # The load balancer ends an idle connection after 60 s by default; Conductor's WebSockets stay open.
            values={
                "controller": {
                    "ingressClassResource": {"name": "nginx"},
                    "service": {"type": "LoadBalancer", "annotations": {ELB_IDLE_TIMEOUT: "3600"}},
                }
            },
        ),
        Chart(
            # The newest chart, of controller 0.39.1 (sealed-secrets v0.40.0, helm/sealed-secrets/Chart.yaml).
            "sealed-secrets",
            "https://bitnami-labs.github.io/sealed-secrets",
            "2.19.3",
            "kube-system",
            ("sealed-secrets",),
            own_namespace=False,
            values={"fullnameOverride": "sealed-secrets"},
        ),
        Chart(
            # github.com/kedacore/charts, release v2.21.1.
            "keda",
            "https://kedacore.github.io/charts",
            "2.21.1",
            "keda",
            ("keda-operator", "keda-operator-metrics-apiserver", "keda-admission-webhooks"),
        ),
    )
}


def ensure_release(
    kube: Kube, owner: Owner, chart: str, *, helm: Helm, service_type: str | None = None, patience_seconds: float = 10
) -> dict[str, Any]:
    """Install or upgrade the release: `{"release", "version", "revision"}`. Readiness is `await_release`'s matter.

    `service_type` is for ingress-nginx: `LoadBalancer` (default) or `ClusterIP`. A run of helm that was interrupted is
    given `patience_seconds` to end (it may still go on as a process of its own), then repaired. HELM_FAILED.
    """
    wanted = CHARTS[chart]
    values = _values(wanted, service_type)
    fingerprint = hashlib.sha256(json.dumps([wanted.version, values], sort_keys=True).encode()).hexdigest()[:16]
    marker = _marker(kube, owner, wanted)
    history = _settled_history(kube, wanted, patience_seconds)
    _check_owner(owner, wanted, marker, history)
    if history and _status(history[-1]) == "deployed" and (marker or {}).get("data", {}).get("applied") == fingerprint:
        return _result(wanted, _revision(history[-1]))
    _claim(kube, owner, wanted, applied="")
    _repair(kube, helm, wanted, history)
    revision = helm.upgrade_install(
        kube, wanted.name, wanted.name, wanted.repository, wanted.version, wanted.namespace, values
    )
    _claim(kube, owner, wanted, applied=fingerprint)
    return _result(wanted, revision)


def await_release(kube: Kube, chart: str) -> dict[str, Any] | Pending:
    """`{"ready": True}` once all its Deployments are rolled out. See `rollout.await_deployment` for the errors."""
    for name in CHARTS[chart].deployments:
        found = rollout.await_deployment(kube, CHARTS[chart].namespace, name)
        if isinstance(found, Pending):
            return found
    return {"ready": True}


def delete_release(kube: Kube, owner: Owner, helm: Helm, chart: str) -> None:
    """Uninstall the release if it is ours, with the namespace that was made for it."""
    wanted = CHARTS[chart]
    marker = kube.get("ConfigMap", _marker_name(wanted), wanted.namespace)
    if marker is not None and objects.is_ours(marker, owner):
        helm.uninstall(kube, wanted.name, wanted.namespace)
        _delete_leftovers(kube, wanted)
        kube.delete("ConfigMap", _marker_name(wanted), wanted.namespace)
    if wanted.own_namespace:
        objects.delete(kube, owner, "Namespace", wanted.namespace)


def _delete_leftovers(kube: Kube, chart: Chart) -> None:
    """What helm leaves: what is in a chart's crds/, and sealed-secrets' keys; not while any SealedSecret needs them."""
    if chart.name == "sealed-secrets" and not kube.list("SealedSecret"):
        for key in kube.list("Secret", chart.namespace, labels=SEALING_KEYS):
            kube.delete("Secret", key["metadata"]["name"], chart.namespace)
        kube.delete("CustomResourceDefinition", "sealedsecrets.bitnami.com")


def await_release_deleted(kube: Kube, chart: str) -> dict[str, Any] | Pending:
    """`{"deleted": True}` once Deployments, Services and its own namespace are gone (a load balancer takes minutes)."""
    wanted = CHARTS[chart]
    if wanted.own_namespace and kube.get("Namespace", wanted.namespace):
        return Pending(f"namespace {wanted.namespace} is still being deleted")
    for kind in ("Deployment", "Service"):
        for name in wanted.deployments:
            if kube.get(kind, name, wanted.namespace):
                return Pending(f"{kind} {name} is still being deleted")
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


def _values(chart: Chart, service_type: str | None) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(json.dumps(chart.values))
    if service_type:
        values["controller"]["service"]["type"] = service_type
    return values


def _marker_name(chart: Chart) -> str:
    return f"podium-release-{chart.name}"


def _marker(kube: Kube, owner: Owner, chart: Chart) -> Object | None:
    if chart.own_namespace:
        objects.find(kube, owner, "Namespace", chart.namespace)
    return objects.find(kube, owner, "ConfigMap", _marker_name(chart), chart.namespace)


def _claim(kube: Kube, owner: Owner, chart: Chart, *, applied: str) -> None:
    """Say that the release is ours, before helm makes it; and after, what was applied."""
    if chart.own_namespace:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": chart.namespace}}
        objects.apply(kube, owner, objects.label(namespace, owner, COMPONENT))
    marker = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": _marker_name(chart), "namespace": chart.namespace},
        "data": {"applied": applied},
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


def _settled_history(kube: Kube, chart: Chart, patience_seconds: float) -> list[Object]:
    """The release's revisions, oldest first, once none is pending, or as they are when patience ends."""
    deadline = time.monotonic() + patience_seconds
    while True:
        history = sorted(
            kube.list("Secret", chart.namespace, labels={"owner": "helm", "name": chart.name}), key=_revision
        )
        if not history or _status(history[-1]) not in PENDING or time.monotonic() > deadline:
            return history
        time.sleep(POLL_SECONDS)


def _repair(kube: Kube, helm: Helm, chart: Chart, history: list[Object]) -> None:
    """Helm refuses to upgrade a pending release: back to the last good revision, or away with it if there is none."""
    if not history or _status(history[-1]) not in PENDING | {"failed"}:
        return
    good = [each for each in history if _status(each) == "deployed"]
    if good:
        helm.rollback(kube, chart.name, _revision(good[-1]), chart.namespace)
    else:
        helm.uninstall(kube, chart.name, chart.namespace)


def _status(release: Object) -> str:
    return str(release["metadata"]["labels"].get("status", ""))


def _revision(release: Object) -> int:
    return int(release["metadata"]["labels"].get("version", 0))


def _result(chart: Chart, revision: int) -> dict[str, Any]:
    return {"release": chart.name, "version": chart.version, "revision": revision}
