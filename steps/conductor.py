"""Conductor: Deployment and Service, inside the cluster only."""

from typing import Any

from steps import objects, rollout, sealed_secrets
from steps.clients.kubernetes import Kube
from steps.names import Owner
from steps.waiting import Pending

COMPONENT = "conductor"
NAME = "conductor"
PORT = 8090
SECRETS = ("conductor-db", "conductor-license")


def service_host(namespace: str) -> str:
    """Where the cluster reaches Conductor, as `host:port`."""
    return f"{NAME}.{namespace}.svc.cluster.local:{PORT}"


def ensure_conductor(kube: Kube, owner: Owner, namespace: str, image: str, replicas: int, licensed: bool) -> str:
    """Apply Deployment and Service. Without a licence the variable may stay empty: evaluation, one executor per app.

    The pods restart when one of the sealed secrets they read has changed.
    """
    parts = objects.load(COMPONENT, owner, namespace)
    deployment = parts["Deployment"]
    deployment["spec"]["replicas"] = replicas
    container = objects.container(deployment)
    container["image"] = image
    if not licensed:
        container["env"][1]["valueFrom"]["secretKeyRef"]["optional"] = True
    objects.annotate_pods(deployment, sealed_secrets.secrets_hash(kube, namespace, SECRETS))
    objects.apply_component(kube, owner, namespace, COMPONENT, [deployment, parts["Service"]])
    return NAME


def await_conductor(kube: Kube, namespace: str) -> dict[str, Any] | Pending:
    """`{"ready": replicas}` when rolled out. See `rollout.await_deployment` for the errors."""
    return rollout.await_deployment(kube, namespace, NAME)


def delete_conductor(kube: Kube, owner: Owner, namespace: str) -> None:
    objects.prune(kube, owner, namespace, COMPONENT, keep=set())
