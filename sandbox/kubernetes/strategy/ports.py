"""Port numbers, names and protocols, as containers and Services have them.

Source: k8s.io/apimachinery/pkg/util/validation/validation.go.
"""

import re
from typing import Any

from sandbox.kubernetes.errors import Cause, invalid

PROTOCOLS = ["SCTP", "TCP", "UDP"]
_TEXT = "must be between 1 and 65535, inclusive"
_NAME = re.compile(r"^[a-z0-9-]+$")


def valid_port(field: str, value: Any) -> list[Cause]:
    """A port number."""
    good = isinstance(value, int) and 1 <= value <= 65535
    return [] if good else [invalid(field, value, _TEXT)]


def valid_port_reference(field: str, value: Any) -> list[Cause]:
    """A port number or the name of a container's port."""
    if isinstance(value, str):
        return [invalid(field, value, text) for text in port_name_problems(value)]
    return valid_port(field, value)


def port_name_problems(name: str) -> list[str]:
    """What is wrong with the name of a container's port (IANA_SVC_NAME)."""
    problems = []
    if len(name) > 15:
        problems.append("must be no more than 15 characters")
    if not _NAME.match(name):
        problems.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", name):
        problems.append("must contain at least one letter (a-z)")
    if "--" in name:
        problems.append("must not contain consecutive hyphens")
    if name.startswith("-") or name.endswith("-"):
        problems.append("must not begin or end with a hyphen")
    return problems
