"""What an install would do: the graph, the resources by name, the warnings. Pure: calls nothing, creates nothing."""

from collections.abc import Callable
from typing import Any

from steps.chart_table import CHARTS
from steps.names import Names
from workflows.graph import Graph
from workflows.spec import ExposureMode, InstallationSpec

Resource = tuple[str, str]


def plan_of(graph: Graph, spec: InstallationSpec) -> dict[str, Any]:
    """{name, graph: [{name, title, needs, weight, skipped}], resources: [{phase, type, name}], warnings: [...]}"""
    return {
        "name": spec.name,
        "graph": [
            {
                "name": phase.name,
                "title": phase.title,
                "needs": list(phase.needs),
                "weight": phase.weight,
                "skipped": phase.skip(spec),
            }
            for phase in graph.phases
        ],
        "resources": [
            {"phase": phase.name, "type": kind, "name": name}
            for phase in graph.phases
            if not phase.skip(spec) and phase.name in _RESOURCES
            for kind, name in _RESOURCES[phase.name](spec)
        ],
        "warnings": warnings_of(spec),
    }


def warnings_of(spec: InstallationSpec) -> list[dict[str, str]]:
    """What is allowed but worth a second thought: [{code, field, message}]."""
    found = []
    if spec.conductor.license_key is None:
        found.append(
            _warning(
                "EVALUATION", "conductor.license_key", "Without a licence key Conductor accepts one executor per app."
            )
        )
    if spec.exposure.mode is not ExposureMode.INTERNAL:
        found.append(
            _warning(
                "UNAUTHENTICATED",
                "exposure.allow_unauthenticated",
                "Console, Conductor and app will be reachable by anyone who knows the load balancer's name.",
            )
        )
    if spec.cluster.public_access_cidrs == ("0.0.0.0/0",) and not spec.cluster.existing_name:
        found.append(
            _warning(
                "PUBLIC_API",
                "cluster.public_access_cidrs",
                "The Kubernetes API can be reached from everywhere (with credentials).",
            )
        )
    if spec.autoscaling.enabled and spec.autoscaling.max_replicas > 1 and spec.conductor.license_key is None:
        found.append(
            _warning(
                "SCALING_UNLICENSED",
                "autoscaling.max_replicas",
                "Without a licence key only one of the scaled executors can connect to Conductor.",
            )
        )
    return found + _chart_warnings(spec)


def _chart_warnings(spec: InstallationSpec) -> list[dict[str, str]]:
    """Other versions than those that Podium was tried with."""
    return [
        _warning(
            "CHART_VERSION",
            f"charts.{name.replace('-', '_')}.version",
            f"Podium was tried with {name} {CHARTS[name].version}, not with {given.version}.",
        )
        for name, given in spec.charts.by_name().items()
        if given.version not in (None, CHARTS[name].version)
    ]


def _warning(code: str, field: str, message: str) -> dict[str, str]:
    return {"code": code, "field": field, "message": message}


def _network(spec: InstallationSpec) -> list[Resource]:
    if spec.network.existing:
        return [("Existing VPC", spec.network.existing.vpc_id)]
    subnets = [
        (f"Subnet ({kind})", f"{cidr}, zone {index + 1}")
        for kind in ("public", "private")
        for index, cidr in enumerate(spec.network.subnets(kind))
    ]
    return [
        ("VPC", f"{spec.name} ({spec.network.cidr})"),
        ("InternetGateway", spec.name),
        *subnets,
        ("RouteTable", "public"),
    ]


def _egress(spec: InstallationSpec) -> list[Resource]:
    if spec.network.existing:
        return []
    return [("ElasticIP", spec.name), ("NatGateway", spec.name), ("RouteTable", "private")]


def _identity(spec: InstallationSpec) -> list[Resource]:
    names = Names(spec.name)
    return [] if spec.cluster.existing_name else [("IAM role", names.cluster_role), ("IAM role", names.node_role)]


def _cluster(spec: InstallationSpec) -> list[Resource]:
    if spec.cluster.existing_name:
        return [("Existing EKS cluster", spec.cluster.existing_name)]
    version = spec.cluster.version or "1.31 while EKS offers it, else its default"
    return [("EKS cluster", f"{Names(spec.name).cluster} (Kubernetes {version})"), ("OIDC provider", spec.name)]


def _addons(spec: InstallationSpec) -> list[Resource]:
    return [] if spec.cluster.existing_name else [("EKS add-on", name) for name in ("vpc-cni", "kube-proxy", "coredns")]


def _nodes(spec: InstallationSpec) -> list[Resource]:
    nodes = spec.nodes
    text = f"{nodes.group} ({nodes.count} x {nodes.instance_type})"
    return [] if spec.cluster.existing_name else [("EKS node group", text)]


def _database(spec: InstallationSpec) -> list[Resource]:
    names, database = Names(spec.name), spec.database
    passwords = [("Secret", names.secret(purpose)) for purpose in ("conductor-role-password", "app-role-password")]
    if database.existing:
        return [*passwords, ("Existing PostgreSQL", f"{database.existing.host}:{database.existing.port}")]
    size = f"PostgreSQL {database.engine_version}, {database.instance_class}, {database.storage_gib} GiB"
    return [
        *passwords,
        ("DB subnet group", names.db_subnet_group),
        ("Security group", names.db_security_group),
        ("RDS instance", f"{names.db_instance} ({size})"),
    ]


def _registry(spec: InstallationSpec) -> list[Resource]:
    names, given = Names(spec.name), spec.registry
    found = []
    if not spec.app.image:
        found.append(("ECR repository", given.app_repository or names.app_repository))
    if not spec.app.migrate_image:
        found.append(("ECR repository", given.migrate_repository or names.migrate_repository))
    return found


def _in(spec: InstallationSpec, kind: str, *names: str) -> list[Resource]:
    return [(kind, f"{spec.namespace}/{name}") for name in names]


def _release(spec: InstallationSpec, name: str) -> list[Resource]:
    chart, given = CHARTS[name], spec.charts.by_name()[name]
    version, repository = given.version or chart.version, given.repository or chart.repository
    return [("Helm release", f"{chart.namespace}/{name} ({version} from {repository})")]


SECRETS = ("postgres-admin", "conductor-db", "conductor-license", "dbos-app-db", "conductor-api-key")

_RESOURCES: dict[str, Callable[[InstallationSpec], list[Resource]]] = {
    "network": _network,
    "egress": _egress,
    "identity": _identity,
    "cluster": _cluster,
    "addons": _addons,
    "nodes": _nodes,
    "database": _database,
    "registry": _registry,
    "namespace": lambda spec: [("Namespace", spec.namespace)],
    "ingress-nginx": lambda spec: [
        *_release(spec, "ingress-nginx"),
        ("Load balancer", "ingress-nginx-controller"),
    ],
    "sealed-secrets": lambda spec: _release(spec, "sealed-secrets"),
    "keda": lambda spec: _release(spec, "keda"),
    "databases": lambda spec: [
        ("Database", "dbos_conductor"),
        ("Database", "dbos_app"),
        ("Role", "dbos_conductor_role"),
        ("Role", "dbos_app_role"),
    ],
    "secrets": lambda spec: _in(spec, "SealedSecret", *SECRETS),
    "conductor": lambda spec: [*_in(spec, "Deployment", "conductor"), *_in(spec, "Service", "conductor")],
    "console": lambda spec: [*_in(spec, "Deployment", "console"), *_in(spec, "Service", "console")],
    "api-key": lambda spec: [("Conductor application", spec.app.name), ("Conductor token", f"podium-{spec.app.name}")],
    "migration": lambda spec: _in(spec, "Job", "dbos-migrate"),
    "app": lambda spec: [*_in(spec, "Deployment", "dbos-app"), *_in(spec, "Service", "dbos-app")],
    "ingress": lambda spec: _in(spec, "Ingress", "dbos-ingress"),
    "autoscaling": lambda spec: _in(spec, "ScaledObject", "dbos-app-scaledobject"),
}
