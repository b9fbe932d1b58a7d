"""The spec as leaves: `nodes.count` → 2. What a phase goes by, what was applied, and what differs are told in these."""

from collections.abc import Iterable, Mapping
from typing import Any

WHOLE = frozenset({"license_key", "password", "credentials"})
"""References to secrets, which differ or do not, as a whole."""

Fields = dict[str, Any]


def leaves(spec: Mapping[str, Any], prefix: str = "") -> Fields:
    """Every leaf of a spec in JSON form by its path; lists and references to secrets are leaves."""
    found: Fields = {}
    for key, value in spec.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict) and key not in WHOLE:
            found |= leaves(value, f"{path}.")
        else:
            found[path] = value
    return found


def part(fields: Fields, inputs: Iterable[str]) -> Fields:
    """The leaves that lie under one of the paths."""
    inputs = tuple(inputs)
    return {path: value for path, value in fields.items() if any(under(path, one) for one in inputs)}


def under(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(f"{prefix}.")


def differing(before: Fields, after: Fields) -> list[str]:
    """Paths of the leaves that differ, or that one of the two does not have, in order."""
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
