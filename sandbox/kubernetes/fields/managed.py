"""metadata.managedFields: reading, writing, and who owns what after an update (KEP-555)."""

from dataclasses import dataclass
from typing import Any

from sandbox.kubernetes import metadata
from sandbox.kubernetes.fields.fieldset import (
    FieldSet,
    compare,
    difference,
    from_fields_v1,
    to_fields_v1,
    union,
)
from sandbox.kubernetes.fields.shape import shape_of
from sandbox.kubernetes.resources import Resource
from sandbox.kubernetes.schema import builtin

Object = dict[str, Any]
APPLY, UPDATE = "Apply", "Update"
_UNMANAGED_META = frozenset({
    "name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation", "managedFields",
    "resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Manager:
    """One entry of managedFields."""

    name: str
    operation: str
    api_version: str
    subresource: str
    time: str
    fields: FieldSet

    @property
    def identity(self) -> tuple[str, str, str]:
        """What tells managers apart."""
        return self.name, self.operation, self.subresource

    @property
    def label(self) -> str:
        """As conflicts name it."""
        text = f'"{self.name}"' + (f' with subresource "{self.subresource}"' if self.subresource else "")
        return f"{text} using {self.api_version}" if self.operation == UPDATE else text


def read(obj: Object) -> list[Manager]:
    """The managers of an object."""
    return [
        Manager(
            entry.get("manager", "unknown"),
            entry.get("operation", UPDATE),
            entry.get("apiVersion", ""),
            entry.get("subresource", ""),
            entry.get("time", ""),
            from_fields_v1(entry.get("fieldsV1") or {}),
        )
        for entry in obj["metadata"].get("managedFields") or []
    ]


def write(obj: Object, managers: list[Manager]) -> None:
    """Sets metadata.managedFields; managers without fields are left out. Applied ones come first, then by time."""
    kept = [manager for manager in managers if manager.fields]
    kept.sort(key=lambda manager: (manager.operation != APPLY, manager.time, manager.name))
    obj["metadata"].pop("managedFields", None)
    if kept:
        obj["metadata"]["managedFields"] = [_entry(manager) for manager in kept]


def set_managed(obj: Object, entries: list[Object] | None) -> None:
    """Sets metadata.managedFields as they are; none at all when empty."""
    obj["metadata"].pop("managedFields", None)
    if entries:
        obj["metadata"]["managedFields"] = entries


def _entry(manager: Manager) -> Object:
    entry = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": manager.api_version,
        "time": manager.time,
        "fieldsType": "FieldsV1",
        "fieldsV1": to_fields_v1(manager.fields),
    }
    return entry | ({"subresource": manager.subresource} if manager.subresource else {})


def own_part(resource: Resource, obj: Object, subresource: str | None) -> Object:
    """The part of an object whose ownership is tracked on this path: no identity, status only through /status."""
    meta = {key: value for key, value in obj["metadata"].items() if key not in _UNMANAGED_META}
    part = {key: value for key, value in obj.items() if key not in ("apiVersion", "kind", "metadata")}
    if meta:
        part["metadata"] = meta
    if resource.status and subresource != "status":
        part.pop("status", None)
    return part


def track(resource: Resource, new: Object, old: Object | None, name: str, subresource: str | None) -> None:
    """Gives the fields that differ between `old` and `new` to manager `name`, in new.metadata.managedFields.

    Nothing is tracked in an object that has no managers, unless it is new.
    """
    if old and not new["metadata"].get("managedFields"):
        return
    changed, removed = _differences(resource, old or empty(resource), new, subresource)
    if changed or removed:
        managers = _reassign(read(new) if old else [], changed, removed, _updater(resource, name, subresource))
        write(new, managers)


def before_first_apply(resource: Resource, live: Object, subresource: str | None) -> list[Manager]:
    """The manager to whom everything belongs in an object without managers that is applied to."""
    if "uid" not in live["metadata"]:
        return []
    fields, _ = _differences(resource, empty(resource), live, subresource)
    return [replaced(_updater(resource, "before-first-apply", subresource), fields)] if fields else []


def _differences(resource: Resource, old: Object, new: Object, subresource: str | None) -> tuple[FieldSet, FieldSet]:
    def compared(obj: Object) -> Object:
        return {"metadata": {}} | own_part(resource, obj, subresource)

    return compare(compared(old), compared(new), shape_of(resource))


def empty(resource: Resource) -> Object:
    """An object of the resource of which nothing is set."""
    root = builtin.root(resource.key)
    return {"metadata": {}} | (builtin.zero(root) if root else {})


def resets(entries: list[Object] | None) -> bool:
    """Whether a caller's managedFields ask for all managers to be forgotten: no entries, or empty ones."""
    return entries is not None and not any(entries)


def _updater(resource: Resource, name: str, subresource: str | None) -> Manager:
    return Manager(name, UPDATE, resource.api_version, subresource or "", metadata.now(), {})


def _reassign(managers: list[Manager], changed: FieldSet, removed: FieldSet, updater: Manager) -> list[Manager]:
    """The updater takes what changed; everybody loses what is gone."""
    gone = union(changed, removed)
    result = []
    mine: FieldSet = {}
    for manager in managers:
        if manager.identity == updater.identity:
            mine = difference(manager.fields, removed)
        else:
            result.append(replaced(manager, difference(manager.fields, gone)))
    mine = union(mine, changed)
    same = next((each for each in managers if each.identity == updater.identity and each.fields == mine), None)
    return [*result, same or replaced(updater, mine)]


def replaced(manager: Manager, fields: FieldSet) -> Manager:
    """The same manager owning other fields."""
    return Manager(manager.name, manager.operation, manager.api_version, manager.subresource, manager.time, fields)
