"""Server-side apply: one configuration of one manager, merged into the live object.

Fields that others own and that would change are conflicts (409) unless forced; fields that the manager applied before
and no longer applies are removed unless somebody else owns them. Source: structured-merge-diff `merge/update.go`.
"""

from typing import Any

from sandbox.kubernetes import metadata
from sandbox.kubernetes.errors import ApplyConflict, BadRequest, Cause
from sandbox.kubernetes.fields import fieldset
from sandbox.kubernetes.fields.fieldset import FieldSet
from sandbox.kubernetes.fields.managed import APPLY, Manager, before_first_apply, own_part, read, replaced, write
from sandbox.kubernetes.fields.merge import merge, remove
from sandbox.kubernetes.fields.shape import Shape, shape_of
from sandbox.kubernetes.resources import Resource

Object = dict[str, Any]


def apply(
    resource: Resource, live: Object, config: Object, manager: str, *, force: bool, subresource: str | None
) -> Object:
    """The live object (only metadata when it does not exist yet) after applying `config`; raises ApplyConflict."""
    if config["metadata"].get("managedFields"):
        raise BadRequest("metadata.managedFields must be nil")
    shape = shape_of(resource)
    wanted = own_part(resource, config, subresource)
    current = own_part(resource, live, subresource)
    me = Manager(manager, APPLY, resource.api_version, subresource or "", metadata.now(), _claim(wanted, shape))
    managers = read(live) or before_first_apply(resource, live, subresource)
    previous = next((each for each in managers if each.identity == me.identity), None)
    others = [each for each in managers if each.identity != me.identity]

    merged = merge(current, wanted, shape)
    changed, _ = fieldset.compare(current, merged, shape)
    others = _settle(others, changed, force=force)
    if previous:
        merged = _prune(merged, previous, me, others, shape)
        me = previous if previous.fields == me.fields else me
    result = _compose(live, merged)
    write(result, [*others, me])
    return result


def _claim(wanted: Object, shape: Shape) -> FieldSet:
    return fieldset.members(wanted, shape) if wanted else {}


def _settle(others: list[Manager], changed: FieldSet, *, force: bool) -> list[Manager]:
    """The other managers without what is taken from them; raises ApplyConflict when that needs force."""
    conflicts = [(other, fieldset.intersection(other.fields, changed)) for other in others]
    conflicts = [(other, fields) for other, fields in conflicts if fields]
    if conflicts and not force:
        raise _conflict(conflicts)
    return [replaced(other, fieldset.difference(other.fields, changed)) for other in others]


def _prune(merged: Object, previous: Manager, me: Manager, others: list[Manager], shape: Shape) -> Object:
    """Takes out what the manager applied before and nobody owns any more.

    A declared field (`data`, `spec`) in which nobody owns anything goes with all that is in it, owned or not.
    """

    def declared(tree: FieldSet) -> FieldSet:
        return fieldset.with_fields(tree, shape)

    def present(value: Object | None) -> FieldSet:
        return declared(fieldset.members(value, shape)) if value else {}

    if not fieldset.difference(previous.fields, me.fields):
        return merged
    owned = me.fields
    for other in others:
        owned = fieldset.union(owned, other.fields)
    every, last = present(merged), declared(previous.fields)
    left = fieldset.union(present(remove(merged, last, shape)), declared(owned))
    kept = present(remove(merged, fieldset.difference(every, left), shape))
    gone = fieldset.intersection(fieldset.difference(every, kept), last)
    return remove(merged, gone, shape) or {}


def _compose(live: Object, merged: Object) -> Object:
    """The live object's identity and untracked parts with the merged ones."""
    untracked = {key: value for key, value in live.items() if key in ("apiVersion", "kind", "status")}
    meta = dict(merged.get("metadata") or {})
    identity = {key: value for key, value in live["metadata"].items() if key not in meta and _is_identity(key)}
    return untracked | merged | {"metadata": identity | meta}


def _is_identity(key: str) -> bool:
    return not own_part(_ANY, {"metadata": {key: ""}}, None)


_ANY = Resource("", ("v1",), "any", "Any")


def _conflict(conflicts: list[tuple[Manager, FieldSet]]) -> ApplyConflict:
    listed = [(manager.label, path) for manager, fields in conflicts for path in fieldset.paths(fields)]
    listed.sort(key=lambda each: each[0])
    causes = [Cause(path, "FieldManagerConflict", f"conflict with {label}") for label, path in listed]
    if len(listed) == 1:
        label, path = listed[0]
        return ApplyConflict(f"Apply failed with 1 conflict: conflict with {label}: {path}", causes)
    texts = []
    for label in sorted({label for label, _ in listed}):
        lines = "\n".join(f"- {path}" for other, path in listed if other == label)
        texts.append(f"conflicts with {label}:\n{lines}")
    return ApplyConflict(f"Apply failed with {len(listed)} conflicts: " + "\n".join(texts), causes)
