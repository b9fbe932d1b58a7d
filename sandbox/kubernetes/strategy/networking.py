"""Ingresses and NetworkPolicies.

Source: k8s.io/kubernetes/pkg/apis/networking/validation/validation.go and v1/defaults.go.
"""

from sandbox.kubernetes.errors import Cause, invalid, required, unsupported
from sandbox.kubernetes.strategy.base import Object, Strategy
from sandbox.kubernetes.strategy.names import dns1035_label, dns_subdomain
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


ENDPOINTS = Strategy(_default_endpoints)
ENDPOINT_SLICE = Strategy(_default_slice)
INGRESS = Strategy(validate=_validate_ingress)
NETWORK_POLICY = Strategy(_default_policy, validate=_validate_policy)
