"""metadata.managedFields: who owns which field."""

from typing import Any

from sandbox.kubernetes.resources import Resource


def track(
    resource: Resource, new: dict[str, Any], old: dict[str, Any] | None, manager: str, subresource: str | None
) -> None:
    """Gives the fields that differ between `old` and `new` to `manager`, in new.metadata.managedFields."""
