"""Names, labels and annotations: what Kubernetes accepts in metadata.

Source of rules and texts: k8s.io/apimachinery/pkg/util/validation/validation.go.
"""

import re
from typing import Any

from sandbox.kubernetes.errors import Cause, forbidden, invalid, required
from sandbox.kubernetes.resources import Resource

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_DNS_LABEL = re.compile(rf"^{_LABEL}$")
_DNS_SUBDOMAIN = re.compile(rf"^{_SUBDOMAIN}$")
_DNS1035 = re.compile(r"^[a-z]([-a-z0-9]*[a-z0-9])?$")
_QUALIFIED = re.compile(r"^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$")
_VALUE = re.compile(r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$")

_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_DNS1035_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_KEY_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_ANNOTATIONS_LIMIT = 256 * 1024  # bytes, all keys and values
_LABEL_NAMES = frozenset({"namespaces"})
_PATH_SEGMENT_NAMES = frozenset(
    f"{plural}.rbac.authorization.k8s.io" for plural in ("roles", "rolebindings", "clusterroles", "clusterrolebindings")
)


def dns_label(field: str, value: Any) -> list[Cause]:
    """At most 63 characters, lower case, digits and hyphens."""
    return _check(field, value, _DNS_LABEL, 63, _LABEL_TEXT)


def dns_subdomain(field: str, value: Any) -> list[Cause]:
    """At most 253 characters: labels joined by dots."""
    return _check(field, value, _DNS_SUBDOMAIN, 253, _SUBDOMAIN_TEXT)


def dns1035_label(field: str, value: Any) -> list[Cause]:
    """As a DNS label, beginning with a letter (Service names)."""
    return _check(field, value, _DNS1035, 63, _DNS1035_TEXT)


def _check(field: str, value: Any, pattern: re.Pattern[str], limit: int, text: str) -> list[Cause]:
    if not isinstance(value, str):
        return [invalid(field, value, "must be a string")]
    causes = []
    if len(value) > limit:
        causes.append(invalid(field, value, f"must be no more than {limit} characters"))
    if not pattern.match(value):
        causes.append(invalid(field, value, text))
    return causes


def qualified_name(field: str, key: str) -> list[Cause]:
    """A label or annotation key: `[prefix/]name`."""
    prefix, slash, name = key.rpartition("/")
    causes = []
    if slash and not (0 < len(prefix) <= 253 and _DNS_SUBDOMAIN.match(prefix)):
        causes.append(
            invalid(field, key, f"prefix part {_SUBDOMAIN_TEXT}" if prefix else "prefix part must be non-empty")
        )
    if not name:
        causes.append(invalid(field, key, "name part must be non-empty"))
    elif len(name) > 63:
        causes.append(invalid(field, key, "name part must be no more than 63 characters"))
    elif not _QUALIFIED.match(name):
        causes.append(invalid(field, key, _KEY_TEXT))
    return causes


def labels(field: str, values: dict[str, Any] | None) -> list[Cause]:
    """Keys and values of a label map."""
    causes = []
    for key, value in (values or {}).items():
        causes += qualified_name(field, key)
        if not isinstance(value, str):
            causes.append(invalid(field, value, "must be a string"))
        elif len(value) > 63:
            causes.append(invalid(field, value, "must be no more than 63 characters"))
        elif not _VALUE.match(value):
            causes.append(invalid(field, value, _VALUE_TEXT))
    return causes


def annotations(field: str, values: dict[str, Any] | None) -> list[Cause]:
    """Keys of an annotation map and its size."""
    causes = [cause for key in values or {} for cause in qualified_name(field, key.lower())]
    size = sum(len(key) + len(str(value)) for key, value in (values or {}).items())
    if size > _ANNOTATIONS_LIMIT:
        causes.append(Cause(field, "FieldValueTooLong", f"Too long: may not be more than {_ANNOTATIONS_LIMIT} bytes"))
    return causes


def validate_metadata(resource: Resource, obj: dict[str, Any]) -> list[Cause]:
    """Name, labels, annotations and owner references."""
    meta = obj["metadata"]
    causes = _validate_name(resource, meta.get("name"))
    causes += labels("metadata.labels", meta.get("labels"))
    causes += annotations("metadata.annotations", meta.get("annotations"))
    causes += _validate_owners(meta.get("ownerReferences") or [])
    return causes


def _validate_name(resource: Resource, name: Any) -> list[Cause]:
    field = "metadata.name"
    if not name:
        return [required(field, "name or generateName is required")]
    if resource.key in _PATH_SEGMENT_NAMES:
        bad = "/" in name or "%" in name or name in (".", "..")
        return [invalid(field, name, "may not contain '/'")] if bad else []
    if resource.key in _LABEL_NAMES:
        return dns_label(field, name)
    return dns1035_label(field, name) if resource.key == "services" else dns_subdomain(field, name)


def _validate_owners(owners: list[dict[str, Any]]) -> list[Cause]:
    causes = []
    for index, owner in enumerate(owners):
        field = f"metadata.ownerReferences[{index}]"
        causes += [required(f"{field}.{key}") for key in ("apiVersion", "kind", "name", "uid") if not owner.get(key)]
    controllers = [owner for owner in owners if owner.get("controller")]
    if len(controllers) > 1:
        causes.append(forbidden("metadata.ownerReferences", "Only one reference can have Controller set to true"))
    return causes
