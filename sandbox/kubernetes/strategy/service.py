"""Services: defaults, cluster addresses and node ports, validation.

Source: k8s.io/kubernetes/pkg/apis/core/v1/defaults.go, pkg/registry/core/service (allocation), validation.go.
"""

import ipaddress
from typing import TYPE_CHECKING

from sandbox.kubernetes.errors import Cause, duplicate, invalid, required, unsupported
from sandbox.kubernetes.strategy.base import Object, Strategy
from sandbox.kubernetes.strategy.containers import PROTOCOLS, valid_port
from sandbox.kubernetes.strategy.names import dns_subdomain
from sandbox.kubernetes.strategy.names import labels as valid_labels

if TYPE_CHECKING:
    from sandbox.kubernetes.store import Store

CIDR = ipaddress.ip_network("10.100.0.0/16")  # what EKS uses beside a 192.168.0.0/16 VPC
_NODE_PORTS = range(30000, 32768)
_TYPES = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]
_EXPOSED = ("NodePort", "LoadBalancer")


def _default(service: Object) -> None:
    spec = service.setdefault("spec", {})
    kind = spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    for port in spec.get("ports") or []:
        port.setdefault("protocol", "TCP")
        if port.get("targetPort") in (None, "", 0) and "port" in port:
            port["targetPort"] = port["port"]
    if kind != "ExternalName":
        spec.setdefault("internalTrafficPolicy", "Cluster")
        both = spec.get("clusterIP") == "None" and not spec.get("selector")
        spec.setdefault("ipFamilies", ["IPv4", "IPv6"] if both else ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "RequireDualStack" if both else "SingleStack")
    if kind in _EXPOSED:
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if kind == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)


def _prepare(service: Object, old: Object | None, store: "Store") -> None:
    """Gives the addresses and ports that are not asked for; keeps those that an update leaves out."""
    spec = service["spec"]
    before = old["spec"] if old else {}
    if old is None:
        service["status"] = {"loadBalancer": {}}
    if spec["type"] == "ExternalName":
        return
    spec["clusterIP"] = spec.get("clusterIP") or before.get("clusterIP") or _free_address(store)
    spec["clusterIPs"] = spec.get("clusterIPs") or [spec["clusterIP"]]
    if spec["type"] in _EXPOSED:
        _allocate_node_ports(spec, before, store)


def _free_address(store: "Store") -> str:
    used = {entry.object["spec"].get("clusterIP") for entry in store.entries("services")}
    hosts = CIDR.hosts()
    next(hosts)  # the first address is the API server's own, service "kubernetes"
    return next(str(address) for address in hosts if str(address) not in used)


def _allocate_node_ports(spec: Object, before: Object, store: "Store") -> None:
    ports = (port for entry in store.entries("services") for port in entry.object["spec"].get("ports") or [])
    used = {port.get("nodePort") for port in ports}
    known = {(port["port"], port.get("protocol")): port.get("nodePort") for port in before.get("ports") or []}
    for port in spec.get("ports") or []:
        kept = port.get("nodePort") or known.get((port.get("port"), port["protocol"]))
        port["nodePort"] = kept or next(number for number in _NODE_PORTS if number not in used)
        used.add(port["nodePort"])


def _validate(service: Object) -> list[Cause]:
    spec = service["spec"]
    kind, ports = spec["type"], spec.get("ports") or []
    causes = [] if kind in _TYPES else [unsupported("spec.type", kind, _TYPES)]
    if not ports and kind != "ExternalName" and spec.get("clusterIP") != "None":
        causes.append(required("spec.ports"))
    if kind == "ExternalName":
        name = spec.get("externalName")
        causes += dns_subdomain("spec.externalName", name) if name else [required("spec.externalName")]
    causes += _validate_ports(ports)
    causes += valid_labels("spec.selector", spec.get("selector"))
    address = spec.get("clusterIP")
    if address not in (None, "", "None") and not _inside(address):
        text = f"failed to allocate IP {address}: the provided IP is not in the valid range ({CIDR})"
        causes.append(invalid("spec.clusterIPs", [address], text))
    return causes


def _inside(address: str) -> bool:
    try:
        return ipaddress.ip_address(address) in CIDR
    except ValueError:
        return False


def _validate_ports(ports: list[Object]) -> list[Cause]:
    causes, names, numbers = [], set(), set()
    for index, port in enumerate(ports):
        at, name = f"spec.ports[{index}]", port.get("name")
        causes += valid_port(f"{at}.port", port.get("port", 0))
        if len(ports) > 1 and not name:
            causes.append(required(f"{at}.name"))
        if name and name in names:
            causes.append(duplicate(f"{at}.name", name))
        if port.get("protocol") not in PROTOCOLS:
            causes.append(unsupported(f"{at}.protocol", port.get("protocol"), PROTOCOLS))
        key = port.get("port"), port.get("protocol")
        if key in numbers:
            causes.append(duplicate(at, {"protocol": key[1], "port": key[0], "targetPort": 0}))
        names.add(name)
        numbers.add(key)
        target = port.get("targetPort")
        if isinstance(target, int):
            causes += valid_port(f"{at}.targetPort", target)
    return causes


def _validate_update(new: Object, old: Object) -> list[Cause]:
    before, after = old["spec"].get("clusterIP"), new["spec"].get("clusterIP")
    if new["spec"]["type"] == "ExternalName" or before in (None, "", after):
        return []
    return [
        invalid("spec.clusterIPs[0]", new["spec"].get("clusterIPs"), "may not change once set"),
    ]


SERVICE = Strategy(_default, _prepare, _validate, _validate_update)
