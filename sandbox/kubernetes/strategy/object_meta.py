"""Validation of metadata: name, labels, annotations, owners and finalizers.

Source: k8s.io/apimachinery/pkg/api/validation/objectmeta.go and k8s.io/kubernetes/pkg/apis/core/validation.
"""

from typing import Any

from sandbox.kubernetes.errors import Cause, forbidden, invalid, render, required
from sandbox.kubernetes.resources import Resource
from sandbox.kubernetes.strategy.names import (
    annotations,
    dns1035_problems,
    label_problems,
    labels,
    path_segment_problems,
    qualified_name,
    subdomain_problems,
)

_PATH_SEGMENT_NAMES = frozenset(
    f"{plural}.rbac.authorization.k8s.io" for plural in ("roles", "rolebindings", "clusterroles", "clusterrolebindings")
)
_STANDARD_FINALIZERS = ("kubernetes", "foregroundDeletion", "orphan")
_GENERIC_GROUPS = ("apiextensions.k8s.io", "apiregistration.k8s.io")  # validated without core's additions
_ODD_FINALIZER = "name is neither a standard finalizer name nor is it fully qualified"


def validate_metadata(resource: Resource, obj: dict[str, Any]) -> list[Cause]:
    """What is wrong with an object's metadata."""
    meta = obj["metadata"]
    causes = _validate_name(resource, meta)
    causes += labels("metadata.labels", meta.get("labels"))
    causes += annotations("metadata.annotations", meta.get("annotations"))
    causes += _validate_owners(meta.get("ownerReferences") or [])
    causes += _validate_finalizers(resource, meta.get("finalizers") or [])
    return causes


def _validate_name(resource: Resource, meta: dict[str, Any]) -> list[Cause]:
    name, prefix = meta.get("name"), meta.get("generateName") or ""
    masked = prefix[:-1] + "a" if prefix.endswith("-") else prefix
    problems = _name_problems(resource, masked) if prefix else []
    causes = [invalid("metadata.generateName", prefix, text) for text in problems]
    if not name:
        return [*causes, required("metadata.name", "name or generateName is required")]
    return causes + [invalid("metadata.name", name, text) for text in _name_problems(resource, name)]


def _name_problems(resource: Resource, name: str) -> list[str]:
    if resource.key in _PATH_SEGMENT_NAMES:
        return path_segment_problems(name)
    if resource.key == "namespaces":
        return label_problems(name)
    return dns1035_problems(name) if resource.key == "services" else subdomain_problems(name)


def _validate_owners(owners: list[dict[str, Any]]) -> list[Cause]:
    field = "metadata.ownerReferences"
    causes = []
    for owner in owners:
        if not owner.get("apiVersion"):
            causes.append(invalid(f"{field}.apiVersion", "", "version must not be empty"))
        causes += [invalid(f"{field}.{key}", "", "must not be empty") for key in _NEEDED if not owner.get(key)]
        if (owner.get("apiVersion"), owner.get("kind")) == ("v1", "Event"):
            causes.append(invalid(field, owner, "/v1, Kind=Event is disallowed from being an owner"))
    controllers = [f"{owner.get('kind')}/{owner.get('name')}" for owner in owners if owner.get("controller")]
    if len(controllers) > 1:
        found = f'Found "true" in references for {controllers[0]} and {controllers[1]}'
        causes.append(invalid(field, owners, f"Only one reference can have Controller set to true. {found}"))
    return causes


_NEEDED = ("kind", "name", "uid")


def _validate_finalizers(resource: Resource, names: list[str]) -> list[Cause]:
    causes = [cause for name in names for cause in qualified_name("metadata.finalizers", name)]
    if resource.custom or resource.group in _GENERIC_GROUPS:
        return causes
    odd = [(at, name) for at, name in enumerate(names) if "/" not in name and name not in _STANDARD_FINALIZERS]
    return causes + [invalid(f"metadata.finalizers[{at}]", name, _ODD_FINALIZER) for at, name in odd]


def same_identity(given: dict[str, Any], old: dict[str, Any]) -> list[Cause]:
    """A patch may not change the uid; said twice, as the real server does."""
    uid = given.get("uid")
    if not uid or uid == old["uid"]:
        return []
    return [Cause("metadata.uid", "FieldValueInvalid", f"Invalid value: {render(uid)}: field is immutable")] * 2


def new_finalizers(resource: Resource, given: dict[str, Any], old: dict[str, Any]) -> list[Cause]:
    """Nothing may hold an object back any more once it is being deleted."""
    if not old.get("deletionTimestamp"):
        return []
    added = [name for name in given.get("finalizers") or [] if name not in (old.get("finalizers") or [])]
    listed = ", ".join(f'"{name}"' for name in added)
    text = f"no new finalizers can be added if the object is being deleted, found new finalizers []string{{{listed}}}"
    return [forbidden("metadata.finalizers", text)] * (1 if resource.custom else 2) if added else []
