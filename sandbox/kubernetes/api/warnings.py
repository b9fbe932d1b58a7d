"""Warning headers: the real server's about deprecations and odd names, and the stand-in's about what it does not do.

The latter concern objects that charts bring along and that have to be stored; what nothing needs is refused instead.
"""

from typing import Any

from sandbox.kubernetes.api.context import Call
from sandbox.kubernetes.errors import Unsupported
from sandbox.kubernetes.strategy.names import label_problems

Object = dict[str, Any]
_ADMISSION = "admissionregistration.k8s.io"
_STORED = {
    f"mutatingwebhookconfigurations.{_ADMISSION}": "admission webhooks are stored, but not called",
    f"validatingwebhookconfigurations.{_ADMISSION}": "admission webhooks are stored, but not called",
    "apiservices.apiregistration.k8s.io": "API services are stored, but no requests are passed on to them",
}
_REFUSED = ("resourcequotas", "limitranges")
_WRITES = ("POST", "PUT", "PATCH")
_STANDARD_FINALIZERS = ("orphan", "foregroundDeletion")
_FINALIZER = "prefer a domain-qualified finalizer name to avoid accidental conflicts with other finalizer writers"
_HOSTNAME = (
    "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is "
    "recommended: "
)


def prepare(call: Call) -> None:
    """Adds the warnings that the kind alone gives; raises Unsupported for kinds without effect here."""
    key, writing = call.resource.key, call.request.method in _WRITES
    if key == "endpoints":
        call.warnings.append("v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice")
    if key in _REFUSED and writing:
        raise Unsupported(f"{key}: nothing would enforce them")
    if key in _STORED and writing:
        call.warnings.append(f"sandbox: {_STORED[key]}")


def add_for(call: Call, obj: Object) -> None:
    """Adds the warnings that a written object gives."""
    for name in obj["metadata"].get("finalizers") or []:
        if call.resource.custom and "/" not in name and name not in _STANDARD_FINALIZERS:
            call.warnings.append(f'metadata.finalizers: "{name}": {_FINALIZER}')
    if call.resource.key == "pods" and call.request.method == "POST":
        problems = label_problems(obj["metadata"]["name"])
        if problems:
            call.warnings.append(f"{_HOSTNAME}[{' '.join(problems)}]")
    if call.resource.key == "customresourcedefinitions.apiextensions.k8s.io" and _has_rules(
        obj["spec"].get("versions")
    ):
        call.warnings.append("sandbox: x-kubernetes-validations are stored, but not evaluated")


def _has_rules(node: Any) -> bool:
    if isinstance(node, list):
        return any(map(_has_rules, node))
    if not isinstance(node, dict):
        return False
    return "x-kubernetes-validations" in node or any(map(_has_rules, node.values()))
