"""Names, labels and annotations: what Kubernetes accepts, and how it says that it does not.

Source of rules and texts: k8s.io/apimachinery/pkg/util/validation/validation.go.
"""

import re
from typing import Any

from sandbox.kubernetes.errors import Cause, invalid

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
_QUALIFIED_TEXT = (
    "a qualified name must consist"
    + _KEY_TEXT.removeprefix("name part must consist")
    + " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
)
_PERCENT = re.compile(r"^[0-9]+%$")
_PERCENT_TEXT = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for "
    "validation is '[0-9]+%')"
)
_ANNOTATIONS_LIMIT = 256 * 1024  # bytes, all keys and values
_NO_DOTS = "must not contain dots"


def label_problems(value: str) -> list[str]:
    """What is wrong with a DNS label: at most 63 characters, lower case, digits and hyphens."""
    problems = _too_long(value, 63)
    if not _DNS_LABEL.match(value):
        problems.append(_NO_DOTS if _DNS_SUBDOMAIN.match(value) else _LABEL_TEXT)
    return problems


def subdomain_problems(value: str) -> list[str]:
    """What is wrong with a DNS subdomain: at most 253 characters, labels joined by dots."""
    return _too_long(value, 253) + ([] if _DNS_SUBDOMAIN.match(value) else [_SUBDOMAIN_TEXT])


def dns1035_problems(value: str) -> list[str]:
    """As a DNS label, beginning with a letter (Service names)."""
    return _too_long(value, 63) + ([] if _DNS1035.match(value) else [_DNS1035_TEXT])


def path_segment_problems(value: str) -> list[str]:
    """What is wrong with the name of a role or binding."""
    if value in (".", ".."):
        return [f"may not be '{value}'"]
    return [f"may not contain '{char}'" for char in "/%" if char in value]


def qualified_name_problems(key: str) -> list[str]:
    """What is wrong with a label or annotation key: `[prefix/]name`."""
    prefix, slash, name = key.partition("/")
    if not slash:
        prefix, name = "", prefix
    if "/" in name:
        return [_QUALIFIED_TEXT]
    problems = []
    if slash:
        texts = subdomain_problems(prefix) if prefix else ["must be non-empty"]
        problems = [f"prefix part {text}" for text in texts]
    if not name:
        problems.append("name part must be non-empty")
    elif len(name) > 63:
        problems.append("name part must be no more than 63 characters")
    return problems + ([] if _QUALIFIED.match(name) else [_KEY_TEXT])


def label_value_problems(value: str) -> list[str]:
    """What is wrong with a label's value."""
    return _too_long(value, 63) + ([] if _VALUE.match(value) else [_VALUE_TEXT])


def _too_long(value: str, limit: int) -> list[str]:
    return [f"must be no more than {limit} characters"] if len(value) > limit else []


def dns_label(field: str, value: Any) -> list[Cause]:
    """Causes for a value that is no DNS label."""
    return [invalid(field, value, text) for text in label_problems(value)]


def dns_subdomain(field: str, value: Any) -> list[Cause]:
    """Causes for a value that is no DNS subdomain."""
    return [invalid(field, value, text) for text in subdomain_problems(value)]


def dns1035_label(field: str, value: Any) -> list[Cause]:
    """Causes for a value that is no Service name."""
    return [invalid(field, value, text) for text in dns1035_problems(value)]


def qualified_name(field: str, key: str) -> list[Cause]:
    """Causes for a malformed key."""
    return [invalid(field, key, text) for text in qualified_name_problems(key)]


def labels(field: str, values: dict[str, Any] | None) -> list[Cause]:
    """Keys and values of a label map."""
    causes = []
    for key, value in (values or {}).items():
        causes += qualified_name(field, key)
        causes += [invalid(field, value, text) for text in label_value_problems(value)]
    return causes


def annotations(field: str, values: dict[str, Any] | None) -> list[Cause]:
    """Keys of an annotation map and its size."""
    causes = [invalid(field, key, text) for key in values or {} for text in qualified_name_problems(key.lower())]
    size = sum(len(key) + len(str(value)) for key, value in (values or {}).items())
    if size > _ANNOTATIONS_LIMIT:
        causes.append(Cause(field, "FieldValueTooLong", f"Too long: may not be more than {_ANNOTATIONS_LIMIT} bytes"))
    return causes


def amount_or_percent(field: str, value: Any) -> list[Cause]:
    """Causes for what is neither a number from 0 on nor a percentage."""
    if isinstance(value, str):
        return [] if _PERCENT.match(value) else [invalid(field, value, _PERCENT_TEXT)]
    return [invalid(field, value, "must be greater than or equal to 0")] if value < 0 else []
