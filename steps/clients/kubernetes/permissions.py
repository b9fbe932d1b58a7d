"""Every Kubernetes permission that Podium needs, and why: one table for the role file, preflight and the tests.

`deploy/kubernetes/rbac.yaml` is generated from here (`python -m steps.clients.kubernetes.permissions`). The role
`podium` is what Podium, and helm in its name, calls. The others are held, not called: charts make roles for their
controllers, and the API server lets nobody make a role that allows more than they may themselves (Kubernetes
documentation, "Using RBAC Authorization", "Privilege escalation prevention"). Holding those rules instead of the verbs
`escalate` and `bind` bounds what Podium can hand on (docs/decisions/0007).
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

GROUP = "podium"
"""The Kubernetes group that an EKS access entry gives to Podium's identity."""
RBAC_API = "rbac.authorization.k8s.io"
READ = ("get", "list", "watch")
WRITE = ("get", "create", "patch", "delete")
KEEP = ("get", "list", "patch", "update", "watch")
ALL = ("create", "delete", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True)
class Permission:
    """One thing that may be done, as the authorizer is asked. `resource`: e.g. pods/log; `name`: "" for any."""

    verb: str
    group: str
    resource: str
    name: str = ""


@dataclass(frozen=True)
class Rule:
    """A PolicyRule. `names` limits it to objects of these names (create and list then match nothing)."""

    groups: tuple[str, ...]
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    why: str = ""
    names: tuple[str, ...] = ()

    @property
    def permissions(self) -> Iterator[Permission]:
        for group in self.groups:
            for resource in self.resources:
                for verb in self.verbs:
                    for name in self.names or ("",):
                        yield Permission(verb, group, resource, name)

    def manifest(self) -> dict[str, Any]:
        rule: dict[str, Any] = {"apiGroups": list(self.groups), "resources": list(self.resources)}
        if self.names:
            rule["resourceNames"] = list(self.names)
        return rule | {"verbs": list(self.verbs)}


@dataclass(frozen=True)
class Role:
    """A ClusterRole. `chart`: needed only where this chart is installed."""

    name: str
    why: str
    rules: tuple[Rule, ...]
    chart: str | None = None


OWN = Role(
    "podium",
    "What Podium calls, and helm in its name. The namespaces are the installation's choice: hence a ClusterRole.",
    (
        Rule(("",), ("namespaces",), WRITE, "The installation's own, and those of the charts."),
        Rule(
            ("",),
            ("secrets",),
            ("get", "list", "create", "patch", "update", "delete"),
            "Helm keeps its releases in Secrets; the database Jobs read one that goes with them.",
        ),
        Rule(("",), ("configmaps", "services"), (*WRITE, "list"), "Of the charts and of Podium's manifests."),
        Rule(("apps",), ("deployments",), (*WRITE, "list"), "Conductor, Console, application and the controllers."),
        Rule(("batch",), ("jobs",), (*WRITE, "list"), "Databases, migration and the trial of its privileges."),
        Rule(("networking.k8s.io",), ("ingresses",), (*WRITE, "list"), "The paths of Conductor, Console, application."),
        Rule(("bitnami.com",), ("sealedsecrets",), (*WRITE, "list"), "The five sealed secrets."),
        Rule(("keda.sh",), ("scaledobjects",), (*WRITE, "list"), "The application's scaling."),
        Rule(
            ("keda.sh",),
            ("scaledjobs", "triggerauthentications", "clustertriggerauthentications"),
            ("list",),
            "Whether anybody else still uses KEDA's definitions, before they are removed.",
        ),
        Rule(
            ("eventing.keda.sh",),
            ("cloudeventsources", "clustercloudeventsources"),
            ("list",),
            "As above, of KEDA's events.",
        ),
        Rule(("apps",), ("replicasets",), ("list",), "Which pods are those of the newest rollout."),
        Rule(
            ("",), ("nodes",), ("list",), "Whether all nodes of a group have come before what runs on others is moved."
        ),
        Rule(("",), ("pods",), ("list", "patch", "delete"), "Why one does not start; a reported one starts afresh."),
        Rule(
            ("",), ("events",), ("list",), "What its node says of its probes and volumes, and who refused to make it."
        ),
        Rule(("",), ("pods/log",), ("get",), "The last lines of one that failed."),
        Rule(
            ("",),
            ("services/proxy",),
            ("get", "create", "update", "delete"),
            "Conductor's HTTP API: applications, tokens, executors.",
            ("conductor:8090",),
        ),
        Rule(
            ("",),
            ("services/proxy",),
            ("get",),
            "The application's smoke test; the certificate to seal with.",
            ("dbos-app:8080", "sealed-secrets:8080"),
        ),
        Rule(("",), ("serviceaccounts",), WRITE, "The charts' controllers run as these."),
        Rule(
            (RBAC_API,),
            ("clusterroles", "clusterrolebindings", "roles", "rolebindings"),
            WRITE,
            "The charts' controllers may do what these say; no more than the roles below.",
        ),
        Rule(("apiextensions.k8s.io",), ("customresourcedefinitions",), WRITE, "SealedSecret and KEDA's kinds."),
        Rule(("networking.k8s.io",), ("ingressclasses",), WRITE, "Of ingress-nginx."),
        Rule(("apiregistration.k8s.io",), ("apiservices",), WRITE, "KEDA serves external metrics."),
        Rule(("admissionregistration.k8s.io",), ("validatingwebhookconfigurations",), WRITE, "KEDA checks its kinds."),
    ),
)

_HELD = "Held so that Helm may give it to the controller of"

GRANTS = (
    Role(
        "podium-grants-sealed-secrets",
        f"{_HELD} sealed-secrets (chart 2.19.3).",
        (
            Rule(("bitnami.com",), ("sealedsecrets",), READ),
            Rule(("bitnami.com",), ("sealedsecrets/status",), ("update",)),
            Rule(("",), ("secrets",), ("get", "list", "create", "update", "delete", "watch")),
            Rule(("",), ("events",), ("create", "patch")),
            Rule(("",), ("services",), ("get",), names=("sealed-secrets",)),
            Rule(
                ("",),
                ("services/proxy",),
                ("create", "get"),
                names=("http:sealed-secrets:", "http:sealed-secrets:http", "sealed-secrets"),
            ),
        ),
        "sealed-secrets",
    ),
    Role(
        "podium-grants-ingress-nginx",
        f"{_HELD} ingress-nginx (chart 4.15.1, without its admission webhook).",
        (
            Rule(("",), ("configmaps", "endpoints", "pods", "secrets"), READ),
            Rule(("",), ("nodes", "namespaces"), READ),
            Rule(("",), ("services",), READ),
            Rule(("",), ("events",), ("create", "patch")),
            Rule(("coordination.k8s.io",), ("leases",), ("list", "watch", "create")),
            Rule(("coordination.k8s.io",), ("leases",), ("get", "update"), names=("ingress-nginx-leader",)),
            Rule(("discovery.k8s.io",), ("endpointslices",), READ),
            Rule(("networking.k8s.io",), ("ingresses", "ingressclasses"), READ),
            Rule(("networking.k8s.io",), ("ingresses/status",), ("update",)),
        ),
        "ingress-nginx",
    ),
    Role(
        "podium-grants-keda",
        f"{_HELD} KEDA (chart 2.21.1), which scales anything: leave it out where nothing is autoscaled.",
        (
            Rule(("*",), ("*",), ("get",)),
            Rule(("*",), ("*/scale",), KEEP),
            Rule(("",), ("configmaps", "configmaps/status", "external", "pods", "services"), READ),
            Rule(("",), ("limitranges", "serviceaccounts"), READ),
            Rule(("",), ("secrets",), ("list", "watch", "create", "update")),
            Rule(("", "events.k8s.io"), ("events",), ("create", "patch")),
            Rule(("admissionregistration.k8s.io",), ("validatingwebhookconfigurations",), KEEP),
            Rule(("apiregistration.k8s.io",), ("apiservices",), KEEP),
            Rule(("apps",), ("deployments", "replicasets", "statefulsets"), READ),
            Rule(("authentication.k8s.io",), ("tokenreviews",), ("create",)),
            Rule(("authorization.k8s.io",), ("subjectaccessreviews",), ("create",)),
            Rule(("autoscaling",), ("horizontalpodautoscalers",), ALL),
            Rule(("batch",), ("jobs",), ALL),
            Rule(("coordination.k8s.io",), ("leases",), ALL),
            Rule(("discovery.k8s.io",), ("endpointslices",), READ),
            Rule(
                ("eventing.keda.sh",),
                (
                    "cloudeventsources",
                    "cloudeventsources/status",
                    "clustercloudeventsources",
                    "clustercloudeventsources/status",
                ),
                KEEP,
            ),
            Rule(
                ("keda.sh",),
                (
                    "clustertriggerauthentications",
                    "clustertriggerauthentications/status",
                    "scaledjobs",
                    "scaledjobs/finalizers",
                    "scaledjobs/status",
                    "scaledobjects",
                    "scaledobjects/finalizers",
                    "scaledobjects/status",
                    "triggerauthentications",
                    "triggerauthentications/status",
                ),
                KEEP,
            ),
        ),
        "keda",
    ),
)
"""As the charts' roles are, rendered with the values of steps/chart_table.py; KEDA's are those of its chart 2.20.2 and
of its operator 2.21.0 (config/rbac), and the built-in system:auth-delegator, which the chart binds."""
ROLES = (OWN, *GRANTS)

HEADER = """\
# What Podium may do in a cluster that it did not make. Apply this, then give Podium's AWS identity the group:
#   aws eks create-access-entry --cluster-name CLUSTER --principal-arn ARN --kubernetes-groups podium
# In a cluster that Podium made, its identity is the administrator, as EKS makes whoever creates a cluster.
# Charts of other versions, or values that switch on more of a chart, may need more: helm then names what is missing.
# Generated: python -m steps.clients.kubernetes.permissions > deploy/kubernetes/rbac.yaml
"""


def needed(charts: Sequence[str]) -> list[Permission]:
    """What an installation with these charts needs, each once."""
    rules = [rule for role in ROLES if role.chart is None or role.chart in charts for rule in role.rules]
    return list(dict.fromkeys(permission for rule in rules for permission in rule.permissions))


def document() -> str:
    """The YAML text of `deploy/kubernetes/rbac.yaml`: the roles, and bindings of each to the group."""
    return HEADER + "".join(_role_text(role) + _binding_text(role) for role in ROLES)


def _role_text(role: Role) -> str:
    head = yaml.safe_dump(
        {"apiVersion": f"{RBAC_API}/v1", "kind": "ClusterRole", "metadata": {"name": role.name}}, sort_keys=False
    )
    return f"---\n# {role.why}\n{head}rules:\n" + "".join(_rule_text(rule) for rule in role.rules)


def _rule_text(rule: Rule) -> str:
    comment = f"  # {rule.why}\n" if rule.why else ""
    lines = yaml.safe_dump([rule.manifest()], sort_keys=False, default_flow_style=None, width=1000)
    return comment + "".join(f"  {line}\n" for line in lines.splitlines())


def _binding_text(role: Role) -> str:
    return "---\n" + yaml.safe_dump(
        {
            "apiVersion": f"{RBAC_API}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": role.name},
            "roleRef": {"apiGroup": RBAC_API, "kind": "ClusterRole", "name": role.name},
            "subjects": [{"apiGroup": RBAC_API, "kind": "Group", "name": GROUP}],
        },
        sort_keys=False,
    )


if __name__ == "__main__":
    sys.stdout.write(document())
