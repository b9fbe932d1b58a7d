"""What a path under /api or /apis names: group, version, namespace, resource, object, subresource.

Source: k8s.io/apiserver/pkg/endpoints/request/requestinfo.go.
"""

from dataclasses import dataclass

from sandbox.kubernetes.errors import PathNotFound

_NAMESPACE_SUBRESOURCES = ("status", "finalize")


@dataclass(frozen=True, slots=True)
class Target:
    """Parts of a resource path; `rest` is what follows the subresource (the path behind a proxy)."""

    group: str
    version: str
    namespace: str | None
    plural: str
    name: str | None = None
    subresource: str | None = None
    rest: str = ""


def parse(path: str) -> Target:
    """The target of `/api/v1/…` or `/apis/<group>/<version>/…`; raises PathNotFound when nothing is named."""
    parts = path.split("/")[1:]
    if parts[0] == "api":
        group, version, parts = "", parts[1], parts[2:]
    else:
        group, version, parts = parts[1], parts[2], parts[3:]
    if parts[-1] == "" and "proxy" not in parts:
        parts = parts[:-1]
    if not parts:
        raise PathNotFound
    namespace = None
    if parts[0] == "namespaces" and len(parts) > 2 and not (len(parts) == 3 and parts[2] in _NAMESPACE_SUBRESOURCES):
        namespace, parts = parts[1], parts[2:]
    plural, name, subresource, *rest = [*parts, None, None][: max(len(parts), 3)]
    if not plural:
        raise PathNotFound
    return Target(group, version, namespace, plural, name or None, subresource or None, "/".join(str(p) for p in rest))
