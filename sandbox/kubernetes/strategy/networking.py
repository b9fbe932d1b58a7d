"""Ingresses and NetworkPolicies.

Source: k8s.io/kubernetes/pkg/apis/networking/validation/validation.go and v1/defaults.go.
"""

import ipaddress

from sandbox.kubernetes.errors import Cause, invalid, required, unsupported
from sandbox.kubernetes.strategy.base import Object, Strategy
from sandbox.kubernetes.strategy.names import dns1035_label, dns_subdomain
from sandbox.kubernetes.strategy.pod_validation import valid_address
from sandbox.kubernetes.strategy.ports import valid_port
from sandbox.kubernetes.strategy.workloads import validate_selector

_PATH_TYPES = ["Exact", "ImplementationSpecific", "Prefix"]


def _validate_ingress(ingress: Object) -> list[Cause]:
    spec = ingress.get("spec") or {}
    rules, backend = spec.get("rules") or [], spec.get("defaultBackend")
    causes = []
    if not rules and backend is None:
        causes.append(invalid("spec", [], "either `defaultBackend` or `rules` must be specified"))
    if backend is not None:
        causes += _validate_backend(backend, "spec.defaultBackend")
    for index, rule in enumerate(rules):
        causes += _validate_rule(rule, f"spec.rules[{index}]")
    return causes


def _validate_rule(rule: Object, at: str) -> list[Cause]:
    host = (rule.get("host") or "").removeprefix("*.")
    causes = dns_subdomain(f"{at}.host", host) if host else []
    if "http" not in rule:
        return causes
    paths = rule["http"].get("paths") or []
    if not paths:
        causes.append(required(f"{at}.http.paths"))
    for index, path in enumerate(paths):
        causes += _validate_path(path, f"{at}.http.paths[{index}]")
    return causes


def _validate_path(path: Object, at: str) -> list[Cause]:
    kind, text = path.get("pathType"), path.get("path") or ""
    causes = []
    if kind is None:
        causes.append(required(f"{at}.pathType", "pathType must be specified"))
    elif kind not in _PATH_TYPES:
        causes.append(unsupported(f"{at}.pathType", kind, _PATH_TYPES))
    if not text.startswith("/") and (text or kind != "ImplementationSpecific"):
        causes.append(invalid(f"{at}.path", text, "must be an absolute path"))
    return causes + _validate_backend(path.get("backend") or {}, f"{at}.backend")


def _validate_backend(backend: Object, at: str) -> list[Cause]:
    service = backend.get("service")
    if service is None:
        return [] if backend.get("resource") else [required(at, "cannot be empty")]
    name, port = service.get("name"), service.get("port") or {}
    causes = dns1035_label(f"{at}.service.name", name) if name else [required(f"{at}.service.name")]
    if not port.get("name") and not port.get("number"):
        causes.append(required(f"{at}.service.port", "port name or number is required"))
    return causes


def _default_policy(policy: Object) -> None:
    spec = policy.setdefault("spec", {})
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress"] + (["Egress"] if spec.get("egress") else [])
    for rule in [*(spec.get("ingress") or []), *(spec.get("egress") or [])]:
        for port in rule.get("ports") or []:
            port.setdefault("protocol", "TCP")


def _validate_policy(policy: Object) -> list[Cause]:
    spec = policy["spec"]
    causes = validate_selector(spec.get("podSelector") or {}, "spec.podSelector")
    for index, kind in enumerate(spec["policyTypes"]):
        if kind not in ("Ingress", "Egress"):
            causes.append(unsupported(f"spec.policyTypes[{index}]", kind, ["Egress", "Ingress"]))
    return causes


def _default_endpoints(endpoints: Object) -> None:
    for subset in endpoints.get("subsets") or []:
        for port in subset.get("ports") or []:
            port.setdefault("protocol", "TCP")


def _default_slice(endpoint_slice: Object) -> None:
    for port in endpoint_slice.get("ports") or []:
        port.setdefault("protocol", "TCP")
        port.setdefault("name", "")


def _validate_endpoints(endpoints: Object) -> list[Cause]:
    causes: list[Cause] = []
    for index, subset in enumerate(endpoints.get("subsets") or []):
        at = f"subsets[{index}]"
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            causes.append(required(at, "must specify `addresses` or `notReadyAddresses`"))
        for kind in ("addresses", "notReadyAddresses"):
            for number, address in enumerate(subset.get(kind) or []):
                causes += _endpoint_address(f"{at}.{kind}[{number}].ip", address.get("ip", ""))
        for number, port in enumerate(subset.get("ports") or []):
            causes += valid_port(f"{at}.ports[{number}].port", port.get("port", 0))
    return causes


def _validate_slice(endpoint_slice: Object) -> list[Cause]:
    causes: list[Cause] = []
    kind = endpoint_slice.get("addressType")
    if not kind:
        causes.append(required("addressType"))
    elif kind not in _ADDRESS_TYPES:
        causes.append(unsupported("addressType", kind, list(_ADDRESS_TYPES)))
    for index, endpoint in enumerate(endpoint_slice.get("endpoints") or []):
        at, addresses = f"endpoints[{index}].addresses", endpoint.get("addresses") or []
        if not addresses:
            causes.append(required(at, "must contain at least 1 address"))
        for number, address in enumerate(addresses if kind in ("IPv4", "IPv6") else []):
            causes += _endpoint_address(f"{at}[{number}]", address)
    return causes


def _endpoint_address(field: str, value: str) -> list[Cause]:
    """Addresses that nobody but the node itself could reach are refused."""
    causes = valid_address(field, value)
    if causes:
        return causes
    address = ipaddress.ip_address(value)
    if address.is_unspecified:
        return [invalid(field, value, f"may not be unspecified ({value})")]
    if address.is_loopback:
        return [invalid(field, value, "may not be in the loopback range (127.0.0.0/8, ::1/128)")]
    return []


_ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")
ENDPOINTS = Strategy(_default_endpoints, validate=_validate_endpoints)
ENDPOINT_SLICE = Strategy(_default_slice, validate=_validate_slice)
INGRESS = Strategy(validate=_validate_ingress)
NETWORK_POLICY = Strategy(_default_policy, validate=_validate_policy)
