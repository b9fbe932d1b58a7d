"""The DBOS Console: Deployment and Service."""

from typing import Any

from steps import conductor, objects, rollout
from steps.clients.kubernetes import Kube, Object
from steps.names import Owner
from steps.waiting import Pending

COMPONENT = "console"
NAME = "console"
PRIVILEGED_PORTS = 1024


def needs_root(port: int) -> bool:
    """Whether an image that listens on this port has to start as root."""
    return port < PRIVILEGED_PORTS


def ensure_console(kube: Kube, owner: Owner, namespace: str, image: str, replicas: int, port: int) -> str:
    """Apply Deployment and Service; `port` is the one the image listens on, the Service's is 80."""
    parts = objects.load(COMPONENT, owner, namespace)
    deployment = parts["Deployment"]
    deployment["spec"]["replicas"] = replicas
    container = objects.container(deployment)
    container["image"] = image
    container["ports"][0]["containerPort"] = port
    for probe in ("readinessProbe", "livenessProbe"):
        container[probe]["httpGet"]["port"] = port
    objects.set_env(deployment, "DBOS_CONDUCTOR_URL", conductor.service_host(namespace))
    parts["Service"]["spec"]["ports"][0]["targetPort"] = port
    if needs_root(port):
        _allow_root(deployment)
    objects.apply_component(kube, owner, namespace, COMPONENT, [deployment, parts["Service"]])
    return NAME


def _allow_root(deployment: Object) -> None:
    """An image on port 80 starts as root, binds it, hands its files over, and goes on as another user."""
    spec = deployment["spec"]["template"]["spec"]
    del spec["securityContext"]["runAsNonRoot"], spec["securityContext"]["runAsUser"]
    capabilities = objects.container(deployment)["securityContext"]["capabilities"]
    capabilities["add"] = ["CHOWN", "NET_BIND_SERVICE", "SETGID", "SETUID"]


def await_console(kube: Kube, namespace: str) -> dict[str, Any] | Pending:
    """`{"ready": replicas}` when rolled out. See `rollout.await_deployment` for the errors."""
    return rollout.await_deployment(kube, namespace, NAME)


def delete_console(kube: Kube, owner: Owner, namespace: str) -> None:
    objects.prune(kube, owner, namespace, COMPONENT, keep=set())
