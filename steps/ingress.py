"""The Ingress: Conductor, application and Console by path on the load balancer's name."""

from typing import Any

from steps import objects
from steps.clients.kubernetes import Kube
from steps.names import Owner
from steps.waiting import Pending

COMPONENT = "ingress"
NAME = "dbos-ingress"


def ensure_ingress(kube: Kube, owner: Owner, namespace: str, conductor_path: str, app_path: str) -> str:
    """Apply the Ingress; the paths are prefixes such as `/conductor`, cut off before the backend sees a request."""
    ingress = objects.load(COMPONENT, owner, namespace)["Ingress"]
    paths = ingress["spec"]["rules"][0]["http"]["paths"]
    paths[0]["path"] = f"{conductor_path}(/|$)(.*)"
    paths[1]["path"] = f"{app_path}(/|$)(.*)"
    objects.apply_component(kube, owner, namespace, COMPONENT, [ingress])
    return NAME


def await_ingress(kube: Kube, namespace: str) -> dict[str, Any] | Pending:
    """`{"address": host name or IP address}` once the controller has accepted the Ingress."""
    found = kube.get("Ingress", NAME, namespace)
    if found is None:
        return Pending(f"Ingress {NAME} does not exist yet")
    for each in ((found.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []:
        address = each.get("hostname") or each.get("ip")
        if address:
            return {"address": str(address)}
    return Pending("the ingress controller has not given the Ingress an address yet")


def delete_ingress(kube: Kube, owner: Owner, namespace: str) -> None:
    objects.prune(kube, owner, namespace, COMPONENT, keep=set())
