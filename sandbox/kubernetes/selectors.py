"""Label and field selectors of lists, watches and workloads.

Source of the syntax: k8s.io/apimachinery/pkg/labels/selector.go and pkg/fields.
"""

import re
from collections.abc import Callable
from typing import Any

from sandbox.kubernetes.errors import BadRequest
from sandbox.kubernetes.label_selectors import parse_labels
from sandbox.kubernetes.resources import BUILT_IN

Matcher = Callable[[dict[str, Any]], bool]

FIELDS = {
    "": ("metadata.name", "metadata.namespace"),
    "pods": ("spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
             "spec.hostNetwork", "status.phase", "status.podIP", "status.nominatedNodeName"),
    "nodes": ("spec.unschedulable",),
    "namespaces": ("status.phase",),
    "secrets": ("type",),
    "events": ("involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
               "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath",
               "reason", "reportingComponent", "source", "type"),
    "jobs.batch": ("status.successful",),
    "services": ("spec.clusterIP", "spec.type"),
}  # fmt: skip

_BUILT_IN = frozenset(resource.key for resource in BUILT_IN)


def label_matcher(text: str) -> Matcher:
    """Whether an object's labels satisfy `text`; raises BadRequest on a syntax error."""
    tests = parse_labels(text)

    def matches(obj: dict[str, Any]) -> bool:
        labels = obj["metadata"].get("labels") or {}
        return all(test(labels) for test in tests)

    return matches


def selector_matches(selector: dict[str, Any] | None, labels: dict[str, str]) -> bool:
    """Whether a `metav1.LabelSelector` selects these labels; an empty selector selects everything, None nothing."""
    if selector is None:
        return False
    if not (selector.get("matchLabels") or {}).items() <= labels.items():
        return False
    return all(_expression(each, labels) for each in selector.get("matchExpressions") or [])


def _expression(expression: dict[str, Any], labels: dict[str, str]) -> bool:
    key, operator, values = expression["key"], expression["operator"], expression.get("values") or []
    return {
        "In": key in labels and labels[key] in values,
        "NotIn": labels.get(key) not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }[operator]


def field_matcher(kind: str, text: str) -> Matcher:
    """Whether an object's fields satisfy `text`; raises BadRequest for a field that `kind` cannot be selected by."""
    tests = [_field_test(kind, part) for part in text.split(",") if part.strip()]
    return lambda obj: all(test(obj) for test in tests)


def _field_test(kind: str, part: str) -> Matcher:
    found = re.match(r"^\s*([\w.]+)\s*(==|=|!=)(.*)$", part)
    if not found:
        raise BadRequest(f"invalid selector: '{part}'; can't understand '{part}'")
    name, operator, value = found[1], found[2], found[3].strip()
    if name not in FIELDS[""] and name not in FIELDS.get(kind, ()):
        raise BadRequest(_unsupported(kind, name))
    path = name.split(".")
    return lambda obj: (_text(obj, path) == value) != (operator == "!=")


def _unsupported(kind: str, name: str) -> str:
    """Kinds with fields of their own say it in other words than the rest."""
    if kind in FIELDS or kind not in _BUILT_IN:
        return f"field label not supported: {name}"
    return f'"{name}" is not a known field selector: only "metadata.name", "metadata.namespace"'


def _text(obj: Any, path: list[str]) -> str:
    for part in path:
        obj = obj.get(part) if isinstance(obj, dict) else None
    if isinstance(obj, bool):
        return "true" if obj else "false"
    return "" if obj is None else str(obj)
