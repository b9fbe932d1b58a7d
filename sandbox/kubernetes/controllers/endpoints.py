"""Publishes the pods behind each Service as Endpoints and EndpointSlices."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sandbox.kubernetes.controllers.objects import (
    Object,
    is_terminating,
    labels_of,
    matches_labels,
    name_of,
    namespace_of,
    owner_reference,
    stable_hash,
    uid_of,
)
from sandbox.kubernetes.controllers.pods import is_finished, is_ready
from sandbox.kubernetes.controllers.queue import Key
from sandbox.kubernetes.controllers.runtime import Again, Controller
from sandbox.kubernetes.errors import NotFound

if TYPE_CHECKING:
    from sandbox.kubernetes.store import Store

SLICES = "endpointslices.discovery.k8s.io"
SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"


class EndpointsController(Controller):
    """The endpoint- and endpointslice-controllers in one; Services without a selector are left alone."""

    def __init__(self, store: "Store") -> None:
        super().__init__(store)

    def keys(self, change: str, kind: str, obj: Object) -> Iterable[Key]:
        """Services, those that select (or listed) a changed pod, and those whose slice or Endpoints changed."""
        if kind in ("services", "endpoints"):
            yield namespace_of(obj), name_of(obj)
        if kind == SLICES and SERVICE_NAME in labels_of(obj):
            yield namespace_of(obj), labels_of(obj)[SERVICE_NAME]
        if kind == "pods":
            yield from self._services_of(obj)

    def _services_of(self, pod: Object) -> Iterable[Key]:
        """Services that select the pod, and those that list it although its labels no longer fit."""
        namespace = namespace_of(pod)
        for entry in self.store.entries("services", namespace):
            if matches_labels(entry.object["spec"].get("selector") or {}, labels_of(pod)):
                yield entry.key
        for entry in self.store.entries("endpoints", namespace):
            if any(each["targetRef"]["uid"] == uid_of(pod) for each in _listed(entry.object) if "targetRef" in each):
                yield entry.key

    def reconcile(self, key: Key) -> Again:
        """Write what the Service's pods are now."""
        try:
            service = self.store.get("services", *key)
        except NotFound:
            self._clean_up(key)
            return None
        if service["spec"].get("selector") and not is_terminating(service):
            pods = [entry.object for entry in self.store.entries("pods", key[0])]
            chosen = [pod for pod in pods if _is_behind(service, pod)]
            self._write("endpoints", key, endpoints_of(service, chosen))
            self._write_slices(service, chosen)
        return None

    def _clean_up(self, key: Key) -> None:
        """Remove the Endpoints of a Service that has gone; the slices go with their owner."""
        if self.store.peek("endpoints", *key) is not None:
            self.store.delete("endpoints", *key)

    def _write_slices(self, service: Object, pods: list[Object]) -> None:
        namespace = namespace_of(service)
        wanted = {name_of(each): each for each in slices_of(service, pods)}
        for name, each in wanted.items():
            self._write(SLICES, (namespace, name), each)
        ours = {SERVICE_NAME: name_of(service), MANAGED_BY: MANAGER}
        for each in self.store.list(SLICES, namespace, ours):
            if name_of(each) not in wanted:
                self.store.delete(SLICES, namespace, name_of(each))

    def _write(self, kind: str, key: Key, wanted: Object) -> None:
        try:
            present = self.store.get(kind, *key)
        except NotFound:
            self.store.create(kind, wanted)
            return
        labels = labels_of(present) | labels_of(wanted)
        self.store.update(kind, wanted | {"metadata": present["metadata"] | {"labels": labels}})


def endpoints_of(service: Object, pods: list[Object]) -> Object:
    """The Endpoints of a Service with these pods behind it, one subset for each set of ports."""
    subsets: dict[str, Object] = {}
    for pod in pods:
        if is_terminating(pod):
            continue
        ports = _ports(service, pod)
        subset = subsets.setdefault(str(ports), {"ports": ports})
        kind = "addresses" if _takes_traffic(service, pod) else "notReadyAddresses"
        subset.setdefault(kind, []).append(_address(pod))
    return {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {
            "name": name_of(service),
            "namespace": namespace_of(service),
            "labels": labels_of(service) | {"endpoints.kubernetes.io/managed-by": "endpoint-controller"},
        },
        **({"subsets": list(subsets.values())} if subsets else {}),
    }


def slices_of(service: Object, pods: list[Object]) -> list[Object]:
    """The EndpointSlices of a Service: one for each set of ports, an empty one when there are no pods."""
    groups: dict[str, tuple[list[Object], list[Object]]] = {}
    for pod in pods:
        ports = _ports(service, pod)
        groups.setdefault(str(ports), (ports, []))[1].append(_endpoint(service, pod))
    every = list(groups.values()) or [([], [])]
    return [_slice(service, ports, endpoints) for ports, endpoints in every]


def _slice(service: Object, ports: list[Object], endpoints: list[Object]) -> Object:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{name_of(service)}-{stable_hash(ports, 5)}",
            "namespace": namespace_of(service),
            "labels": labels_of(service) | {SERVICE_NAME: name_of(service), MANAGED_BY: MANAGER},
            "ownerReferences": [owner_reference(service)],
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": ports,
    }


def _endpoint(service: Object, pod: Object) -> Object:
    return {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {
            "ready": _takes_traffic(service, pod) and not is_terminating(pod),
            "serving": is_ready(pod),
            "terminating": is_terminating(pod),
        },
        "nodeName": pod["spec"].get("nodeName", ""),
        "targetRef": _target(pod),
    }


def _address(pod: Object) -> Object:
    return {"ip": pod["status"]["podIP"], "nodeName": pod["spec"].get("nodeName", ""), "targetRef": _target(pod)}


def _target(pod: Object) -> Object:
    return {"kind": "Pod", "namespace": namespace_of(pod), "name": name_of(pod), "uid": uid_of(pod)}


def _is_behind(service: Object, pod: Object) -> bool:
    """Whether the Service selects the pod, and the pod runs (has an address)."""
    addressed = bool((pod.get("status") or {}).get("podIP")) and not is_finished(pod)
    return addressed and matches_labels(service["spec"]["selector"], labels_of(pod))


def _takes_traffic(service: Object, pod: Object) -> bool:
    return is_ready(pod) or bool(service["spec"].get("publishNotReadyAddresses"))


def _ports(service: Object, pod: Object) -> list[Object]:
    """The Service's ports as this pod serves them; a named target port that the pod does not declare is left out."""
    ports = []
    for port in service["spec"].get("ports") or []:
        target = _target_port(port, pod)
        if target is not None:
            name = {"name": port["name"]} if port.get("name") else {}
            ports.append({**name, "port": target, "protocol": port.get("protocol", "TCP")})
    return ports


def _target_port(port: Object, pod: Object) -> int | None:
    target = port.get("targetPort") or port["port"]
    if isinstance(target, int):
        return target
    declared = [each for container in pod["spec"]["containers"] for each in container.get("ports") or []]
    return next((int(each["containerPort"]) for each in declared if each.get("name") == target), None)


def _listed(endpoints: Object) -> list[Object]:
    subsets = endpoints.get("subsets") or []
    return [
        each for subset in subsets for kind in ("addresses", "notReadyAddresses") for each in subset.get(kind) or []
    ]
