"""Validation of Services.

Source: k8s.io/kubernetes/pkg/apis/core/validation/validation.go (ValidateService), pkg/registry/core/service.
"""

import ipaddress
from typing import Any

from sandbox.kubernetes.errors import Cause, duplicate, forbidden, invalid, required, unsupported
from sandbox.kubernetes.strategy.base import Object
from sandbox.kubernetes.strategy.names import dns_label, dns_subdomain
from sandbox.kubernetes.strategy.names import labels as valid_labels
from sandbox.kubernetes.strategy.ports import PROTOCOLS, valid_port, valid_port_reference

CIDR = ipaddress.ip_network("10.100.0.0/16")  # what EKS uses beside a 192.168.0.0/16 VPC
NODE_PORTS = range(30000, 32768)
EXPOSED = ("NodePort", "LoadBalancer")
_TYPES = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]
_POLICIES = ["Cluster", "Local"]
_FIXED = "may not change once set"


def needs_health_check(spec: Object) -> bool:
    """Whether load balancers ask the nodes of the Service for their health."""
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def validate(service: Object) -> list[Cause]:
    """What is wrong with a Service."""
    spec = service["spec"]
    kind, ports = spec["type"], spec.get("ports") or []
    causes = []
    if not ports and kind != "ExternalName" and spec.get("clusterIP") != "None":
        causes.append(required("spec.ports"))
    if kind in EXPOSED and spec.get("clusterIP") == "None":
        causes.append(invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {kind} services"))
    if kind == "ExternalName":
        causes += _validate_external_name(spec)
    causes += _validate_ports(ports, kind)
    causes += valid_labels("spec.selector", spec.get("selector"))
    if spec.get("sessionAffinity") not in ("ClientIP", "None"):
        causes.append(unsupported("spec.sessionAffinity", spec.get("sessionAffinity"), ["ClientIP", "None"]))
    if kind not in _TYPES:
        causes.append(unsupported("spec.type", kind, _TYPES))
    return causes + _validate_addresses(spec) + _validate_policies(spec) + _validate_sources(spec)


def _validate_external_name(spec: Object) -> list[Cause]:
    name = spec.get("externalName")
    causes = []
    if spec.get("clusterIP") or spec.get("clusterIPs"):
        causes.append(forbidden("spec.clusterIPs", "may not be set for ExternalName services"))
    return causes + (dns_subdomain("spec.externalName", name) if name else [required("spec.externalName")])


def _validate_addresses(spec: Object) -> list[Cause]:
    address = spec.get("clusterIP")
    if spec["type"] == "ExternalName" or address in (None, "", "None"):
        return []
    try:
        inside = ipaddress.ip_address(address) in CIDR
    except ValueError:
        text = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
        return [invalid("spec.clusterIPs[0]", address, text)]
    if "IPv6" in (spec.get("ipFamilies") or []):
        at = spec["ipFamilies"].index("IPv6")
        causes = [invalid(f"spec.ipFamilies[{at}]", "IPv6", "not configured on this cluster")]
        if spec.get("ipFamilyPolicy") == "RequireDualStack":
            text = "this cluster is not configured for dual-stack services"
            causes.insert(0, invalid("spec.ipFamilyPolicy", "RequireDualStack", text))
        return causes
    text = f"failed to allocate IP {address}: the provided network does not match the current range"
    return [] if inside else [invalid("spec.clusterIPs", [address], text)]


def _validate_policies(spec: Object) -> list[Cause]:
    causes = []
    outside, inside = spec.get("externalTrafficPolicy"), spec.get("internalTrafficPolicy")
    if outside and spec["type"] not in EXPOSED and not spec.get("externalIPs"):
        text = "may only be set for externally-accessible services"
        causes.append(invalid("spec.externalTrafficPolicy", outside, text))
    elif outside and outside not in _POLICIES:
        causes.append(unsupported("spec.externalTrafficPolicy", outside, _POLICIES))
    if inside and inside not in _POLICIES:
        causes.append(unsupported("spec.internalTrafficPolicy", inside, _POLICIES))
    return causes


def _validate_sources(spec: Object) -> list[Cause]:
    ranges, field = spec.get("loadBalancerSourceRanges") or [], "spec.LoadBalancerSourceRanges"
    if ranges and spec["type"] != "LoadBalancer":
        return [forbidden(field, "may only be used when `type` is 'LoadBalancer'")]
    text = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
    return [invalid(f"{field}[{at}]", each, text) for at, each in enumerate(ranges) if not _is_network(each)]


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return False
    return "/" in text


def _validate_ports(ports: list[Object], kind: str) -> list[Cause]:
    causes: list[Cause] = []
    names: set[Any] = set()
    for index, port in enumerate(ports):
        at, name = f"spec.ports[{index}]", port.get("name")
        if name:
            causes += dns_label(f"{at}.name", name)
        elif len(ports) > 1:
            causes.append(required(f"{at}.name"))
        if name and name in names:
            causes.append(duplicate(f"{at}.name", name))
        names.add(name)
        causes += _validate_port(port, at, kind)
    return causes + _doubled_ports(ports)


def _validate_port(port: Object, at: str, kind: str) -> list[Cause]:
    causes = valid_port(f"{at}.port", port.get("port", 0))
    if port.get("protocol") not in PROTOCOLS:
        causes.append(unsupported(f"{at}.protocol", port.get("protocol"), PROTOCOLS))
    target, node = port.get("targetPort", port.get("port", 0)), port.get("nodePort")
    causes += valid_port_reference(f"{at}.targetPort", target)
    if node and kind not in EXPOSED:
        causes.append(forbidden(f"{at}.nodePort", f"may not be used when `type` is '{kind}'"))
    elif node and node not in NODE_PORTS:
        text = "provided port is not in the valid range. The range of valid ports is 30000-32767"
        causes.append(invalid(f"{at}.nodePort", node, text))
    return causes


def _doubled_ports(ports: list[Object]) -> list[Cause]:
    causes, seen = [], set()
    for index, port in enumerate(ports):
        key = port.get("protocol"), port.get("port")
        if key in seen:
            shown = {
                "Name": "",
                "Protocol": key[0],
                "AppProtocol": None,
                "Port": key[1],
                "TargetPort": 0,
                "NodePort": 0,
            }
            causes.append(duplicate(f"spec.ports[{index}]", shown))
        seen.add(key)
    return causes


def validate_update(new: Object, old: Object) -> list[Cause]:
    """What may not change: the addresses, and a load balancer's class."""
    causes = []
    before, after = old["spec"], new["spec"]
    if after["type"] != "ExternalName" and before.get("clusterIP") and before["clusterIP"] != after.get("clusterIP"):
        causes.append(invalid("spec.clusterIPs[0]", after.get("clusterIPs"), _FIXED))
    if "LoadBalancer" == before["type"] == after["type"]:
        given = after.get("loadBalancerClass")
        if given != before.get("loadBalancerClass"):
            causes.append(invalid("spec.loadBalancerClass", given, _FIXED))
    return causes
