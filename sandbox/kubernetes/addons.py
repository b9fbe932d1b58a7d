"""The objects that EKS add-ons put into a cluster, applied through its API as EKS does.

The add-ons' work is done elsewhere in the sandbox (addresses, Service forwarding and names: the node agent), so the
containers only run; but they are scheduled, counted and configured like the real ones. Blocking: call it in a thread.
Source of names and configuration: EKS User Guide, "Amazon EKS add-ons", and `aws eks describe-addon-configuration`.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from sandbox.helm.errors import ApiError, Unreachable
from sandbox.helm.kube import Kube
from sandbox.helm.kubeconfig import read_access
from sandbox.helm.ordering import INSTALL_ORDER, UNINSTALL_ORDER, in_order

Object = dict[str, Any]

MANAGER = "eks"
FOLDER = Path(__file__).parent / "addon_manifests"
REACHABLE_SECONDS = 15.0
POLL_SECONDS = 0.1


class UnknownAddon(ValueError):
    """The sandbox has no objects for an add-on of that name."""


def names() -> list[str]:
    """The add-ons that there are."""
    return sorted(_CONFIGURED)


def install(cluster_dir: Path, name: str, version: str, configuration: dict[str, Any]) -> None:
    """Apply an add-on in a version such as `v1.19.0-eksbuild.1`, or update it. Raises UnknownAddon, HelmError.

    `configuration` as in the add-on's configurationValues: vpc-cni {"enableNetworkPolicy": "true", "env": {…}},
    coredns {"replicaCount": 2}; what it does not know is ignored.
    """
    objects = _objects(name)
    for obj in objects:
        for container in _containers(obj):
            container["image"] += f":{version}"
    _CONFIGURED[name](objects, configuration)
    with _reach(cluster_dir) as kube:
        for obj in in_order(objects, INSTALL_ORDER):
            kube.apply(obj, MANAGER)


def remove(cluster_dir: Path, name: str) -> None:
    """Delete an add-on's objects; those that are gone already do not matter. Raises UnknownAddon, HelmError."""
    with _reach(cluster_dir) as kube:
        for obj in in_order(_objects(name), UNINSTALL_ORDER):
            kube.delete(obj["kind"], obj["metadata"]["namespace"], obj["metadata"]["name"])


def ready(cluster_dir: Path, name: str) -> bool:
    """Whether EKS would call the add-on ACTIVE and not DEGRADED: coredns needs nodes, DaemonSets are ready without."""
    with _reach(cluster_dir) as kube:
        return all(_is_ready(kube, obj) for obj in _objects(name))


def _reach(cluster_dir: Path) -> Kube:
    """A client with the cluster's admin kubeconfig, once the API answers; raises Unreachable after 15 s."""
    deadline = time.monotonic() + REACHABLE_SECONDS
    while True:
        kube = Kube(read_access(str(cluster_dir / "admin.kubeconfig")))
        try:
            kube.request("GET", "version")
        except (Unreachable, ApiError):
            kube.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)
        else:
            return kube


def _objects(name: str) -> list[Object]:
    if name not in _CONFIGURED:
        raise UnknownAddon(f"the sandbox has no add-on {name}, only {', '.join(names())}")
    text = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    objects: list[Object] = list(yaml.safe_load_all(text))
    for obj in objects:
        obj["metadata"].setdefault("labels", {})["app.kubernetes.io/managed-by"] = "EKS"
    return objects


def _containers(obj: Object) -> list[Object]:
    template = (obj.get("spec") or {}).get("template") or {}
    containers: list[Object] = (template.get("spec") or {}).get("containers") or []
    return containers


def _is_ready(kube: Kube, obj: Object) -> bool:
    found = kube.find(obj["kind"], obj["metadata"]["namespace"], obj["metadata"]["name"])
    if found is None:
        return False
    status = found.get("status") or {}
    if obj["kind"] == "DaemonSet":
        wanted, counts = status.get("desiredNumberScheduled", 0), ("updatedNumberScheduled", "numberReady")
    elif obj["kind"] == "Deployment":
        wanted, counts = found["spec"]["replicas"], ("updatedReplicas", "availableReplicas")
    else:
        return True
    seen = status.get("observedGeneration") == found["metadata"]["generation"]
    return seen and all(status.get(count, 0) >= wanted for count in counts)


def _vpc_cni(objects: list[Object], configuration: dict[str, Any]) -> None:
    """Network policies are enforced by the node agent container, when the configuration says so."""
    enforced = str(configuration.get("enableNetworkPolicy", "false")).lower()
    config_map = next(obj for obj in objects if obj["kind"] == "ConfigMap")
    config_map["data"]["enable-network-policy-controller"] = enforced
    node, agent = next(containers for obj in objects if (containers := _containers(obj)))
    agent["args"] = [
        argument.replace("network-policy=false", f"network-policy={enforced}") for argument in agent["args"]
    ]
    environment = {each["name"]: each["value"] for each in node["env"]} | {"ENABLE_NETWORK_POLICY": enforced}
    environment |= {key: str(value) for key, value in (configuration.get("env") or {}).items()}
    node["env"] = [{"name": key, "value": value} for key, value in sorted(environment.items())]


def _coredns(objects: list[Object], configuration: dict[str, Any]) -> None:
    deployment = next(obj for obj in objects if obj["kind"] == "Deployment")
    deployment["spec"]["replicas"] = int(configuration.get("replicaCount", 2))


def _kube_proxy(_objects: list[Object], _configuration: dict[str, Any]) -> None:
    """Nothing of its configuration concerns the sandbox."""


_CONFIGURED: dict[str, Callable[[list[Object], dict[str, Any]], None]] = {
    "coredns": _coredns,
    "kube-proxy": _kube_proxy,
    "vpc-cni": _vpc_cni,
}
