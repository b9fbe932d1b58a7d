"""How values merge: which maps and lists are taken as one, and by which keys list entries are told apart.

The same shapes serve server-side apply (listType, mapType) and strategic merge patch (patchMergeKey). For built-in
types the facts are the markers of k8s.io/api (see schema/generate.py); a list without one is atomic, a map
granular. For custom resources they come from the `x-kubernetes-*` extensions.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from sandbox.kubernetes.resources import Resource
from sandbox.kubernetes.schema import builtin


@dataclass(frozen=True, slots=True)
class Shape:
    """`kind` is "map", "atomic", "list" (entries by `keys`) or "set" (entries by value)."""

    kind: str = "map"
    child: Callable[[str], "Shape"] = field(default=lambda _key: UNTYPED)
    struct: bool = False  # a map whose fields are declared
    fields: frozenset[str] | None = None  # the only ones that may be there, None: any
    scalar: str = ""  # "string", "boolean", "numeric"; empty when the type is not checked
    item: Callable[[], "Shape"] = field(default=lambda: UNTYPED)
    keys: tuple[str, ...] = ()
    defaults: tuple[tuple[str, Any], ...] = ()  # of key fields that may be left out
    patch_key: str = ""  # strategic merge patch merges the list by it, even where apply takes it as one


UNTYPED: Shape = Shape()
ATOMIC = Shape("atomic")

_SCALARS = {"str": "string", "bytes": "string", "bool": "boolean", "int32": "numeric", "int64": "numeric"}
_SCALARS |= {"float": "numeric", "string": "string", "boolean": "boolean", "integer": "numeric", "number": "numeric"}


@cache
def _type_shape(name: str) -> Shape:
    """The shape of a type expression of the built-in table."""
    fields = builtin.fields_of(name)
    if fields is None:
        return Shape("scalar", scalar=_SCALARS[name]) if name in _SCALARS else UNTYPED
    kind = "atomic" if builtin.is_atomic(name) else "map"
    return Shape(kind, child=lambda key: _field_shape(name, key), struct=True, fields=frozenset(fields))


@cache
def _field_shape(owner: str, name: str) -> Shape:
    field = (builtin.fields_of(owner) or {}).get(name)
    if field is None or field.type == "any":
        return UNTYPED
    if field.type[0] == "[":
        return _list_shape(field)
    if field.type[0] == "{":
        return Shape("atomic" if field.atomic else "map", child=lambda _key: _type_shape(field.inner))
    shape = _type_shape(field.type)
    return replace(shape, kind="atomic") if field.atomic else shape


def _list_shape(field: builtin.Field) -> Shape:
    def item_shape() -> Shape:
        return _type_shape(field.inner)

    if field.set:
        return Shape("set", item=item_shape)
    if not field.keys:
        return Shape("atomic", item=item_shape, patch_key=field.patch_key or "")
    fields = builtin.fields_of(field.inner) or {}
    defaults = tuple((key, fields[key].default) for key in field.keys if fields[key].default is not None)
    return Shape("list", item=item_shape, keys=field.keys, defaults=defaults, patch_key=field.patch_key or "")


META = "meta/v1.ObjectMeta"
_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_META = _type_shape(META)


def structural_shape(schema: dict[str, Any]) -> Shape:
    """The shape that a custom resource's openAPIV3Schema describes."""
    if schema.get("type") == "array":
        return _structural_list(schema)
    if schema.get("type") in _SCALARS:
        return Shape("scalar", scalar=_SCALARS[schema["type"]])
    kind = "atomic" if schema.get("x-kubernetes-map-type") == "atomic" else "map"
    properties = schema.get("properties") or {}
    additional = schema.get("additionalProperties")

    def child(key: str) -> Shape:
        if key in properties:
            return structural_shape(properties[key])
        return structural_shape(additional) if isinstance(additional, dict) else UNTYPED

    closed = schema.get("type") == "object" and not additional and not schema.get(_PRESERVE)
    return Shape(kind, child=child, struct=bool(properties), fields=frozenset(properties) if closed else None)


def _structural_list(schema: dict[str, Any]) -> Shape:
    items = schema.get("items") or {}
    kind = schema.get("x-kubernetes-list-type", "atomic")
    if kind == "map":
        keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())
        properties = items.get("properties") or {}
        defaults = tuple((key, properties[key]["default"]) for key in keys if "default" in properties.get(key, {}))
        return Shape("list", item=lambda: structural_shape(items), keys=keys, defaults=defaults)
    return Shape("set" if kind == "set" else "atomic", item=lambda: structural_shape(items))


def shape_of(resource: Resource) -> Shape:
    """The shape of a whole object of that resource."""
    name = builtin.root(resource.key)
    if name is not None:
        return _type_shape(name)
    top = structural_shape((resource.schemas or {}).get(resource.versions[0]) or {})
    fields = None if top.fields is None else top.fields | {"apiVersion", "kind", "metadata"}
    return Shape("map", child=lambda key: _META if key == "metadata" else top.child(key), struct=True, fields=fields)
