"""The ready backends of a Service: by the annotations of its pods, or from the cluster's own EndpointSlices."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sandbox.nodes.api import Object
from sandbox.nodes.ports import HOST
from sandbox.nodes.probes import port_names

PORTS_ANNOTATION = "sandbox.podium/ports"
SERVICE_NAME = "kubernetes.io/service-name"
Items = Mapping[tuple[str, str], Object]
Backends = Callable[[str, str, int | str], list[tuple[str, int]]]
"""(namespace, service, port number or name) -> addresses that accept connections now."""


@dataclass(frozen=True)
class AnnotatedEndpoints:
    """Without a pod network: the local ports that the pods' nodes wrote into `sandbox.podium/ports`."""

    services: Items
    pods: Items

    def find(self, namespace: str, service: str, port: int | str) -> list[tuple[str, int]]:
        """The ready backends of one Service port, given by number or name."""
        found = self.services.get((namespace, service), {})
        wanted, selector = _port(found, port), (found.get("spec") or {}).get("selector")
        if wanted is None or not selector:
            return []
        locals_ = (_local_port(pod, wanted) for pod in self.pods.values() if _backs(pod, namespace, selector))
        return [(HOST, local) for local in locals_ if local]


@dataclass(frozen=True)
class SlicedEndpoints:
    """With a pod network: what the endpoint slice controller (or the API server, for itself) has published."""

    services: Items
    slices: Items

    def find(self, namespace: str, service: str, port: int | str) -> list[tuple[str, int]]:
        """The ready backends of one Service port, given by number or name."""
        wanted = _port(self.services.get((namespace, service), {}), port)
        if wanted is None:
            return []
        return [
            (endpoint["addresses"][0], number)
            for item in self.slices.values()
            if item["metadata"]["namespace"] == namespace
            and (item["metadata"].get("labels") or {}).get(SERVICE_NAME) == service
            for number in _numbers(item, wanted.get("name") or "")
            for endpoint in item.get("endpoints") or []
            if (endpoint.get("conditions") or {}).get("ready") is not False
        ]


def tcp_ports(service: Object) -> list[Object]:
    """A Service's TCP ports."""
    spec = service.get("spec") or {}
    return [port for port in spec.get("ports") or [] if port.get("protocol", "TCP") == "TCP"]


def announced(item: Object) -> dict[str, int]:
    """The ports annotation of a Service or a Pod."""
    annotations = (item.get("metadata") or {}).get("annotations") or {}
    ports: dict[str, int] = json.loads(annotations.get(PORTS_ANNOTATION, "{}"))
    return ports


def _port(service: Object, port: int | str) -> Object | None:
    return next((item for item in tcp_ports(service) if port in {item["port"], item.get("name")}), None)


def _numbers(item: Object, name: str) -> list[int]:
    return [port["port"] for port in item.get("ports") or [] if (port.get("name") or "") == name and port.get("port")]


def _backs(pod: Object, namespace: str, selector: Mapping[str, str]) -> bool:
    """Whether a Pod is a ready endpoint of a Service with that selector."""
    metadata = pod["metadata"]
    if metadata["namespace"] != namespace or metadata.get("deletionTimestamp"):
        return False
    labels = metadata.get("labels") or {}
    if any(labels.get(name) != value for name, value in selector.items()):
        return False
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _local_port(pod: Object, service_port: Object) -> int | None:
    """Where a Pod answers for a Service port, by the annotation its node wrote."""
    target = service_port.get("targetPort", service_port["port"])
    if isinstance(target, str):
        names = {name: number for c in pod["spec"]["containers"] for name, number in port_names(c).items()}
        target = names.get(target)
    return announced(pod).get(str(target))
