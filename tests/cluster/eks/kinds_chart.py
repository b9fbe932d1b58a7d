"""A chart with an object of each kind that the three charts have, and the roles that they give their controllers."""

from pathlib import Path
from typing import Any

import yaml

from steps.chart_table import CHARTS
from steps.clients.kubernetes import Object
from steps.clients.kubernetes.kinds import Kind, kind_of
from steps.clients.kubernetes.permissions import GRANTS, RBAC_API

NAME = "kinds"
NAMESPACE = "rbac-charts"
DEFINED = tuple(kind for chart in CHARTS.values() for kind in chart.resources)
"""The kinds of the charts' definitions."""


def write(folder: Path) -> Path:
    """The chart; its value `round` is in a label of every object, so that another round changes them all."""
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text(f"apiVersion: v2\nname: {NAME}\nversion: 1.0.0\n")
    made = [*_plain(), *_roles(), *definitions()]
    for each in made:
        each["metadata"]["labels"] = {"round": "ROUND"}
    text = yaml.safe_dump_all(made, sort_keys=False).replace("ROUND", '"{{ .Values.round }}"')
    (folder / "templates" / "all.yaml").write_text(text)
    return folder


def manifest(api: str, kind: str, name: str, **fields: Any) -> Object:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name}, **fields}


def _plain() -> list[Object]:
    container = {"name": "a", "image": "registry.k8s.io/pause:3.10"}
    template = {"metadata": {"labels": {"app": "kinds"}}, "spec": {"containers": [container]}}
    service = {"service": {"name": "kinds", "namespace": NAMESPACE}}
    webhook = {
        "name": "kinds.podium.test",
        "clientConfig": service,
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "failurePolicy": "Ignore",
    }
    api_service = {"group": "kinds.podium.test", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 100}
    return [
        manifest("v1", "ServiceAccount", "kinds"),
        manifest("v1", "ConfigMap", "kinds"),
        manifest("v1", "Service", "kinds", spec={"ports": [{"port": 80}]}),
        manifest(
            "apps/v1",
            "Deployment",
            "kinds",
            spec={"replicas": 0, "selector": {"matchLabels": {"app": "kinds"}}, "template": template},
        ),
        manifest("networking.k8s.io/v1", "IngressClass", "kinds", spec={"controller": "k8s.io/kinds"}),
        manifest("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "kinds", webhooks=[webhook]),
        manifest("apiregistration.k8s.io/v1", "APIService", "v1.kinds.podium.test", spec=api_service | service),
    ]


def _roles() -> list[Object]:
    """Each chart's rules, for the whole cluster and for a namespace; and what KEDA binds of Kubernetes' own."""
    subjects = [{"kind": "ServiceAccount", "name": "kinds", "namespace": NAMESPACE}]
    api, made = f"{RBAC_API}/v1", []
    for role in GRANTS:
        name, rules = f"kinds-{role.chart}", [rule.manifest() for rule in role.rules]
        for kind in ("ClusterRole", "Role"):
            made.append(manifest(api, kind, name, rules=rules))
            reference = {"apiGroup": RBAC_API, "kind": kind, "name": name}
            made.append(manifest(api, f"{kind}Binding", name, roleRef=reference, subjects=subjects))
    delegator = {"apiGroup": RBAC_API, "kind": "ClusterRole", "name": "system:auth-delegator"}
    reader = {"apiGroup": RBAC_API, "kind": "Role", "name": "extension-apiserver-authentication-reader"}
    made.append(manifest(api, "ClusterRoleBinding", "kinds-delegator", roleRef=delegator, subjects=subjects))
    made.append(manifest(api, "RoleBinding", "kinds-reader", roleRef=reader, subjects=subjects))
    made[-1]["metadata"]["namespace"] = "kube-system"
    return made


def definitions() -> list[Object]:
    """Definitions of the kinds that Podium makes or looks for objects of, without their fields."""
    return [_definition(name, kind_of(name)) for name in DEFINED]


def _definition(name: str, kind: Kind) -> Object:
    group, _, version = kind.api_version.partition("/")
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    spec = {
        "group": group,
        "names": {"kind": name, "plural": kind.plural, "singular": name.lower(), "listKind": f"{name}List"},
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "versions": [{"name": version, "served": True, "storage": True, "schema": schema}],
    }
    return manifest("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"{kind.plural}.{group}", spec=spec)
