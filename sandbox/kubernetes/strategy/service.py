"""Services: defaults, and the addresses and node ports that the API server gives.

Source: k8s.io/kubernetes/pkg/apis/core/v1/defaults.go, pkg/registry/core/service (alloc.go, strategy.go).
"""

from typing import TYPE_CHECKING, Any

from sandbox.kubernetes.errors import Invalid, invalid
from sandbox.kubernetes.strategy.base import Object, Strategy
from sandbox.kubernetes.strategy.service_validation import (
    CIDR,
    EXPOSED,
    NODE_PORTS,
    needs_health_check,
    validate,
    validate_update,
)

if TYPE_CHECKING:
    from sandbox.kubernetes.store import Store


def _default(service: Object) -> None:
    spec = service.setdefault("spec", {})
    kind = spec.setdefault("type", "ClusterIP")
    if spec.setdefault("sessionAffinity", "None") == "ClientIP":
        spec.setdefault("sessionAffinityConfig", {"clientIP": {"timeoutSeconds": 10800}})
    for port in spec.get("ports") or []:
        port.setdefault("protocol", "TCP")
        if port.get("targetPort") in (None, "", 0) and "port" in port:
            port["targetPort"] = port["port"]
    if kind != "ExternalName":
        spec.setdefault("internalTrafficPolicy", "Cluster")
        both = spec.get("clusterIP") == "None" and not spec.get("selector")
        spec.setdefault("ipFamilies", ["IPv4", "IPv6"] if both else ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "RequireDualStack" if both else "SingleStack")
    if kind in EXPOSED:
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if kind == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)


def _prepare(service: Object, old: Object | None, store: "Store") -> None:
    """Gives the addresses and ports that are not asked for; keeps those that an update leaves out."""
    spec = service["spec"]
    before = old["spec"] if old else {}
    if old is None:
        service["status"] = {"loadBalancer": {}}
    else:
        _drop_dependent(spec, before)
    if spec["type"] == "ExternalName":
        return
    asked = spec.get("clusterIP")
    if asked not in (None, "", "None", before.get("clusterIP")) and asked in _addresses(store):
        text = f"failed to allocate IP {asked}: provided IP is already allocated"
        raise Invalid("Service", service["metadata"].get("name", ""), [invalid("spec.clusterIPs", [asked], text)])
    spec["clusterIP"] = asked or before.get("clusterIP") or _free_address(store)
    spec["clusterIPs"] = spec.get("clusterIPs") or [spec["clusterIP"]]
    if spec["type"] in EXPOSED:
        _allocate_node_ports(spec, before, store)


def _drop_dependent(spec: Object, before: Object) -> None:
    """What an update that changes the type leaves behind goes, unless it was changed, too."""

    def drop(*fields: str) -> None:
        for field in fields:
            if field in spec and spec[field] == before.get(field):
                del spec[field]

    if spec["type"] == "ExternalName" and before["type"] != "ExternalName":
        drop("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy")
    if spec["type"] not in EXPOSED and before["type"] in EXPOSED:
        drop("externalTrafficPolicy")
        _drop_node_ports(spec, before)
    if needs_health_check(before) and not needs_health_check(spec):
        drop("healthCheckNodePort")
    if spec["type"] != "LoadBalancer" and before["type"] == "LoadBalancer":
        drop("allocateLoadBalancerNodePorts", "loadBalancerClass")


def _drop_node_ports(spec: Object, before: Object) -> None:
    known = {port.get("nodePort") for port in before.get("ports") or []}
    if all(port.get("nodePort") in known for port in spec.get("ports") or []):
        for port in spec.get("ports") or []:
            port.pop("nodePort", None)


def _addresses(store: "Store") -> set[Any]:
    """Those that are given."""
    return {entry.object["spec"].get("clusterIP") for entry in store.entries("services")}


def _free_address(store: "Store") -> str:
    used = _addresses(store)
    hosts = CIDR.hosts()
    next(hosts)  # the first address is the API server's own, service "kubernetes"
    return next(str(address) for address in hosts if str(address) not in used)


def _allocate_node_ports(spec: Object, before: Object, store: "Store") -> None:
    specs = [entry.object["spec"] for entry in store.entries("services")]
    used = {port.get("nodePort") for each in specs for port in each.get("ports") or []}
    used |= {each.get("healthCheckNodePort") for each in specs}
    known = {(port["port"], port.get("protocol")): port.get("nodePort") for port in before.get("ports") or []}
    free = (number for number in NODE_PORTS if number not in used)
    for port in spec.get("ports") or []:
        kept = port.get("nodePort") or known.get((port.get("port"), port["protocol"]))
        port["nodePort"] = kept or next(free)
    if needs_health_check(spec) and not spec.get("healthCheckNodePort"):
        spec["healthCheckNodePort"] = before.get("healthCheckNodePort") or next(free)


SERVICE = Strategy(_default, _prepare, validate, validate_update)
