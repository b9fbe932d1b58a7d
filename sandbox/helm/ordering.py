"""In which order helm installs and uninstalls kinds (source: helm, pkg/releaseutil/kind_sorter.go)."""

from collections.abc import Iterable
from typing import Any

INSTALL_ORDER = (
    "Namespace",
    "ServiceAccount",
    "Secret",
    "ConfigMap",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "Service",
    "DaemonSet",
    "Deployment",
    "IngressClass",
)
UNINSTALL_ORDER = (
    "IngressClass",
    "Service",
    "Deployment",
    "DaemonSet",
    "RoleBinding",
    "Role",
    "ClusterRoleBinding",
    "ClusterRole",
    "CustomResourceDefinition",
    "ConfigMap",
    "Secret",
    "ServiceAccount",
    "Namespace",
)


def in_order(objects: Iterable[dict[str, Any]], order: tuple[str, ...]) -> list[dict[str, Any]]:
    """The objects sorted by their kind's place in `order`, then by name."""
    return sorted(objects, key=lambda obj: (order.index(obj["kind"]), obj["metadata"]["name"]))
