"""The three charts: where they come from, in which version, what Podium sets and what must stay as it is.

Versions are pinned; the table says where from. `values` are Podium's own, which a spec's values may change; `fixed`
are those on which the rest of Podium relies (names, kinds, ports): a spec that says otherwise is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ELB_IDLE_TIMEOUT = "service.beta.kubernetes.io/aws-load-balancer-connection-idle-timeout"
KEEP = {"helm.sh/resource-policy": "keep"}
"""Helm leaves an object with this annotation in place (Helm documentation, "Chart Development Tips and Tricks")."""


@dataclass(frozen=True)
class Chart:
    """A release, named as its chart.

    `fixed`: dotted path within the values to the one value that Podium can live with. `definitions`: the
    CustomResourceDefinitions that outlive the release while there are objects of the kinds in `resources`.
    """

    name: str
    repository: str
    version: str
    namespace: str
    deployments: tuple[str, ...]
    own_namespace: bool = True
    values: dict[str, Any] = field(default_factory=dict)
    fixed: dict[str, Any] = field(default_factory=dict)
    definitions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()


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
            values={
                "controller": {
                    # The load balancer ends an idle connection after 60 s by default; Conductor's WebSockets stay open.
                    "service": {"type": "LoadBalancer", "annotations": {ELB_IDLE_TIMEOUT: "3600"}},
                    # The webhook's certificate is made by a Job that helm waits for (templates/admission-webhooks), but
                    # there is no node yet to run it; and the webhook was the way in for CVE-2025-1974.
                    "admissionWebhooks": {"enabled": False},
                    "ingressClassResource": {"name": "nginx"},
                }
            },
            fixed={
                "fullnameOverride": "ingress-nginx",
                "nameOverride": "ingress-nginx",
                "namespaceOverride": "ingress-nginx",
                "controller.name": "controller",
                "controller.kind": "Deployment",
                "controller.ingressClassResource.name": "nginx",
                "controller.ingressClassResource.enabled": True,
                "controller.service.enabled": True,
                "controller.service.external.enabled": True,
                "controller.service.type": "LoadBalancer",
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
            fixed={
                "fullnameOverride": "sealed-secrets",
                "namespace": "kube-system",
                "createController": True,
                "service.port": 8080,
                "updateStatus": True,
            },
            definitions=("sealedsecrets.bitnami.com",),
            resources=("SealedSecret",),
        ),
        Chart(
            # github.com/kedacore/charts, release v2.21.1. Its definitions are templates: without the annotation an
            # uninstall would take every ScaledObject of the cluster with it.
            "keda",
            "https://kedacore.github.io/charts",
            "2.21.1",
            "keda",
            ("keda-operator", "keda-operator-metrics-apiserver", "keda-admission-webhooks"),
            values={"crds": {"additionalAnnotations": KEEP}},
            fixed={
                "crds.install": True,
                "crds.additionalAnnotations.helm.sh/resource-policy": "keep",
                "operator.name": "keda-operator",
                "webhooks.enabled": True,
                "webhooks.name": "keda-admission-webhooks",
                "watchNamespace": "",
            },
            definitions=(
                *("scaledobjects.keda.sh", "scaledjobs.keda.sh", "triggerauthentications.keda.sh"),
                *("clustertriggerauthentications.keda.sh", "cloudeventsources.eventing.keda.sh"),
                "clustercloudeventsources.eventing.keda.sh",
            ),
            resources=(
                *("ScaledObject", "ScaledJob", "TriggerAuthentication", "ClusterTriggerAuthentication"),
                *("CloudEventSource", "ClusterCloudEventSource"),
            ),
        ),
    )
}


@dataclass(frozen=True)
class Choice:
    """What a spec says of a chart; None and {} for what it leaves to Podium.

    `credentials`: where username and password of the repository are: {secret, version_id} (steps/secret_store.py).
    """

    repository: str | None = None
    version: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    credentials: Mapping[str, Any] | None = None
