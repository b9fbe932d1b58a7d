"""Discovery: which groups, versions and resources there are. The aggregated form is not offered; clients fall back."""

from typing import Any

from sandbox.kubernetes.api.reviews import GROUPS, KINDS
from sandbox.kubernetes.errors import UnknownPath
from sandbox.kubernetes.resources import ALL_VERBS, Registry, Resource, not_served
from sandbox.kubernetes.settings import Settings

Object = dict[str, Any]
_READ_WRITE = ["get", "patch", "update"]
_EXTRA: dict[str, tuple[tuple[str, str, list[str]], ...]] = {
    "pods": (
        ("binding", "Binding", ["create"]),
        ("eviction", "Eviction", ["create"]),
        ("log", "Pod", ["get"]),
        ("proxy", "PodProxyOptions", ["create", "delete", "get", "patch", "update"]),
    ),
    "services": (("proxy", "ServiceProxyOptions", ["create", "delete", "get", "patch", "update"]),),
    "serviceaccounts": (("token", "TokenRequest", ["create"]),),
    "namespaces": (("finalize", "Namespace", ["update"]),),
}


def version(settings: Settings) -> Object:
    """/version, shaped as EKS answers it."""
    text = settings.git_version
    major, minor = text.removeprefix("v").split(".")[:2]
    return {
        "major": major,
        "minor": minor + "+",
        "gitVersion": text,
        "gitCommit": "0000000000000000000000000000000000000000",
        "gitTreeState": "clean",
        "buildDate": "2025-10-02T00:00:00Z",
        "goVersion": "go1.24.6",
        "compiler": "gc",
        "platform": "linux/amd64",
    }


def core_versions(address: str) -> Object:
    """/api."""
    servers = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": servers}


def groups(registry: Registry) -> Object:
    """/apis."""
    served = [name for name in registry.groups() if name] + list(GROUPS)
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(registry, name) for name in served]}


def group(registry: Registry, name: str) -> Object:
    """/apis/<group>; raises UnknownPath."""
    return {"kind": "APIGroup", "apiVersion": "v1"} | _group(registry, name)


def _group(registry: Registry, name: str) -> Object:
    versions = ["v1"] if name in GROUPS else registry.groups().get(name)
    if not versions or not name:
        raise UnknownPath
    listed = [{"groupVersion": f"{name}/{each}", "version": each} for each in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def resources(registry: Registry, group_name: str, version_name: str) -> Object:
    """/api/v1 and /apis/<group>/<version>; raises PathNotFound or UnknownPath."""
    group_version = f"{group_name}/{version_name}" if group_name else version_name
    found = [each for each in registry.all() if each.group == group_name and version_name in each.versions]
    listed = [entry for resource in found for entry in _entries(resource)]
    if version_name == "v1":
        listed += [_review(plural) for plural in GROUPS.get(group_name, ())]
    if not listed:
        raise not_served(group_name)
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": listed}


def _review(plural: str) -> Object:
    kind, local = KINDS[plural], plural.startswith("local")
    return {"name": plural, "singularName": kind.lower(), "namespaced": local, "kind": kind, "verbs": ["create"]}


def _entries(resource: Resource) -> list[Object]:
    main: Object = {
        "name": resource.plural,
        "singularName": resource.singular_name,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(ALL_VERBS),
    }
    if resource.short:
        main["shortNames"] = list(resource.short)
    if resource.categories:
        main["categories"] = list(resource.categories)
    entries = [main]
    if resource.status:
        entries.append(_sub(resource, "status", resource.kind, _READ_WRITE))
    if resource.scale:
        scale = _sub(resource, "scale", "Scale", _READ_WRITE)
        entries.append(scale | {"group": "autoscaling", "version": "v1"})
    entries += [_sub(resource, name, kind, verbs) for name, kind, verbs in _EXTRA.get(resource.key, ())]
    return entries


def _sub(resource: Resource, name: str, kind: str, verbs: list[str]) -> Object:
    return {
        "name": f"{resource.plural}/{name}",
        "singularName": "",
        "namespaced": resource.namespaced,
        "kind": kind,
        "verbs": verbs,
    }
