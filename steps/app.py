"""The DBOS application: Deployment and Service."""

from typing import Any

from steps import conductor, objects, rollout, sealed_secrets
from steps.clients.kubernetes import Kube
from steps.names import Owner
from steps.waiting import Pending

COMPONENT = "app"
NAME = "dbos-app"
PORT = 8080
SECRETS = ("dbos-app-db", "conductor-api-key")


def ensure_app(
    kube: Kube,
    owner: Owner,
    namespace: str,
    image: str,
    replicas: int | None,
    conductor_url: str | None,
    *,
    app_name: str = "dbos-app",
) -> str:
    """Apply Deployment and Service.

    `replicas` None: as many as there are (an autoscaler's doing), one at first. `conductor_url` None: the in-cluster
    Service. When a sealed secret that they read changes, the pods are replaced.
    `app_name`: the name by which Conductor knows it; the sample reads it from DBOS_APP_NAME.
    """
    parts = objects.load(COMPONENT, owner, namespace)
    deployment = parts["Deployment"]
    deployment["spec"]["replicas"] = _current_replicas(kube, namespace) if replicas is None else replicas
    objects.container(deployment)["image"] = image
    objects.set_env(deployment, "DBOS_APP_NAME", app_name)
    objects.set_env(deployment, "DBOS_CONDUCTOR_URL", conductor_url or f"ws://{conductor.service_host(namespace)}/")
    objects.annotate_pods(deployment, sealed_secrets.secrets_hash(kube, namespace, SECRETS))
    objects.apply_component(kube, owner, namespace, COMPONENT, [deployment, parts["Service"]])
    return NAME


def _current_replicas(kube: Kube, namespace: str) -> int:
    found = kube.get("Deployment", NAME, namespace)
    return int(found["spec"].get("replicas", 1)) if found else 1


def await_app(kube: Kube, namespace: str) -> dict[str, Any] | Pending:
    """`{"ready": replicas}` when rolled out. See `rollout.await_deployment` for the errors."""
    return rollout.await_deployment(kube, namespace, NAME)


def delete_app(kube: Kube, owner: Owner, namespace: str) -> None:
    objects.prune(kube, owner, namespace, COMPONENT, keep=set())
