"""The downward API: what a pod may be told about itself, in its environment or in files."""

import json
import re
from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal

from sandbox.kubernetes.schema.quantity import parse
from sandbox.nodes.api import Object

_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")
_FIELDS = frozenset(
    {
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "spec.nodeName",
        "spec.serviceAccountName",
        "status.hostIP",
        "status.podIP",
    }
)
_LISTS = {"status.podIPs": "podIPs", "status.hostIPs": "hostIPs"}


class UnsupportedFieldError(ValueError):
    """No such field can be asked for; the message is the kubelet's."""


def field(pod: Object, path: str) -> str:
    """The value of a fieldPath such as `status.podIP` or `metadata.labels['app']`."""
    if match := _SUBSCRIPT.fullmatch(path):
        return str((pod["metadata"].get(match[1]) or {}).get(match[2], ""))
    if path in {"metadata.labels", "metadata.annotations"}:
        return _lines(pod["metadata"].get(path.partition(".")[2]) or {})
    if path in _LISTS:
        return ",".join(item["ip"] for item in (pod.get("status") or {}).get(_LISTS[path]) or [])
    if path not in _FIELDS:
        raise UnsupportedFieldError(f"unsupported fieldPath: {path}")
    part, _, name = path.partition(".")
    return str((pod.get(part) or {}).get(name) or "")


def resource(container: Object, reference: Object, allocatable: Mapping[str, str]) -> str:
    """The value of a resourceFieldRef, rounded up to whole divisors; a limit that is not set is the node's."""
    kind, _, name = reference["resource"].partition(".")
    if kind not in {"limits", "requests"} or not name:
        raise UnsupportedFieldError(f"unsupported container resource : {reference['resource']}")
    resources = container.get("resources") or {}
    limit = (resources.get("limits") or {}).get(name) or allocatable.get(name, "0")
    amount = limit if kind == "limits" else (resources.get("requests") or {}).get(name) or "0"
    divisor = parse(reference.get("divisor") or "1") or Decimal(1)
    return str(int((parse(amount) / divisor).to_integral_value(rounding=ROUND_CEILING)))


def _lines(values: Mapping[str, str]) -> str:
    """Labels or annotations as a file shows them: `name="value"`, sorted."""
    return "\n".join(f"{name}={json.dumps(values[name])}" for name in sorted(values))
