"""Sets of field paths, as managedFields keep them (FieldsV1), and what values contain.

A set is a tree: {"f:spec": {"f:replicas": {".": {}}}}. A node with the key "." is itself a member. Path elements:
`f:<field>`, `k:<json of key fields>` (entry of a keyed list), `v:<json>` (entry of a set). In FieldsV1 a node that is
only a member is written `{}`. Source: sigs.k8s.io/structured-merge-diff/v6 (fieldpath, typed).
"""

import json
from collections.abc import Callable
from typing import Any

from sandbox.kubernetes.fields.shape import Shape

FieldSet = dict[str, Any]
MEMBER: FieldSet = {".": {}}


def from_fields_v1(fields: dict[str, Any]) -> FieldSet:
    """The tree with explicit members."""
    return {key: {} if key == "." else (from_fields_v1(node) or dict(MEMBER)) for key, node in fields.items()}


def to_fields_v1(tree: FieldSet) -> dict[str, Any]:
    """The tree as FieldsV1 writes it, keys sorted."""
    return {key: {} if tree[key] == MEMBER else to_fields_v1(tree[key]) for key in sorted(tree)}


def union(left: FieldSet, right: FieldSet) -> FieldSet:
    """Members of either."""
    result = dict(left)
    for key, node in right.items():
        result[key] = union(result[key], node) if key in result else node
    return result


def intersection(left: FieldSet, right: FieldSet) -> FieldSet:
    """Members of both."""
    result: FieldSet = {}
    for key in left.keys() & right.keys():
        if key == ".":
            result[key] = {}
        elif node := intersection(left[key], right[key]):
            result[key] = node
    return result


def difference(left: FieldSet, right: FieldSet) -> FieldSet:
    """Members of `left` that `right` lacks."""
    result: FieldSet = {}
    for key, node in left.items():
        if key not in right:
            result[key] = node
        elif key != "." and (rest := difference(node, right[key])):
            result[key] = rest
    return result


def item_key(item: Any, shape: Shape) -> str:
    """The path element of an entry of a keyed list or a set."""
    if shape.kind == "set":
        return "v:" + json.dumps(item, separators=(",", ":"), ensure_ascii=False)
    defaults = dict(shape.defaults)
    keys = {key: item.get(key, defaults.get(key)) for key in sorted(shape.keys)}
    return "k:" + json.dumps(keys, separators=(",", ":"), ensure_ascii=False)


def keyed(items: list[Any], shape: Shape) -> dict[str, Any]:
    """Entries of a keyed list or set by path element; of duplicates the first counts."""
    found: dict[str, Any] = {}
    for item in items:
        found.setdefault(item_key(item, shape), item)
    return found


def is_keyed(value: Any, shape: Shape) -> bool:
    """Whether `value` is a list whose entries are fields of their own."""
    if not isinstance(value, list):
        return False
    if shape.kind == "list":
        return all(isinstance(item, dict) for item in value)
    return shape.kind == "set"


def is_map(value: Any, shape: Shape) -> bool:
    """Whether `value` is a map whose entries are fields of their own."""
    return isinstance(value, dict) and shape.kind == "map"


def members(value: Any, shape: Shape) -> FieldSet:
    """The fields that an applied value claims: its leaves, and each entry of keyed lists, sets and free maps."""
    if is_map(value, shape) and value:
        result: FieldSet = {}
        for key, item in value.items():
            inner = members(item, shape.child(key))
            claimed = inner if shape.struct else union(inner, MEMBER)
            result["f:" + key] = claimed or dict(MEMBER)
        return result
    if is_keyed(value, shape) and value:
        inner_shape = shape.item()
        return {key: _entry(item, shape, inner_shape) for key, item in keyed(value, shape).items()}
    return dict(MEMBER)


def _entry(item: Any, shape: Shape, inner: Shape) -> FieldSet:
    return dict(MEMBER) if shape.kind == "set" else union(dict(MEMBER), members(item, inner))


def added(value: Any, shape: Shape) -> FieldSet:
    """The fields that come into being with `value`: it and everything in it."""
    if is_map(value, shape):
        return union(MEMBER, {"f:" + key: added(item, shape.child(key)) for key, item in value.items()})
    if is_keyed(value, shape):
        inner = shape.item()
        return union(MEMBER, {key: added(item, inner) for key, item in keyed(value, shape).items()})
    return dict(MEMBER)


def compare(old: Any, new: Any, shape: Shape) -> tuple[FieldSet, FieldSet]:
    """Which fields are new or differ in `new`, and which are gone. A null is like an empty map or list, not equal."""
    if old == new:
        return {}, {}
    if old or new:
        if is_map(old or {}, shape) and is_map(new or {}, shape):
            return _compare_entries(old or {}, new or {}, shape.child, "f:")
        if is_keyed(old or [], shape) and is_keyed(new or [], shape):
            inner = shape.item()
            return _compare_entries(keyed(old or [], shape), keyed(new or [], shape), lambda _key: inner, "")
    return dict(MEMBER), {}


def _compare_entries(
    old: dict[str, Any], new: dict[str, Any], child: Callable[[str], Shape], prefix: str
) -> tuple[FieldSet, FieldSet]:
    changed: FieldSet = {}
    removed: FieldSet = {}
    for key in old.keys() | new.keys():
        element, shape = prefix + key, child(key)
        if key not in old:
            changed[element] = added(new[key], shape)
        elif key not in new:
            removed[element] = added(old[key], shape)
        else:
            inner_changed, inner_removed = compare(old[key], new[key], shape)
            changed |= {element: inner_changed} if inner_changed else {}
            removed |= {element: inner_removed} if inner_removed else {}
    return changed, removed


def with_fields(tree: FieldSet, shape: Shape) -> FieldSet:
    """The set with the declared fields on the way to its members as members (EnsureNamedFieldsAreMembers)."""
    result: FieldSet = {}
    for key, node in tree.items():
        if key == ".":
            result[key] = {}
            continue
        inner = with_fields(node, _inside(key, shape))
        result[key] = union(inner, MEMBER) if key.startswith("f:") and shape.struct else inner
    return result


def _inside(element: str, shape: Shape) -> Shape:
    return shape.child(element[2:]) if element.startswith("f:") else shape.item()


def paths(tree: FieldSet, prefix: str = "") -> list[str]:
    """Every member as Kubernetes prints it: `.spec.containers[name="x"].image`."""
    found = [prefix] if "." in tree else []
    for key in sorted(tree):
        if key != ".":
            found += paths(tree[key], prefix + _element(key))
    return found


def _element(key: str) -> str:
    kind, text = key[:2], key[2:]
    if kind == "f:":
        return "." + text
    if kind == "v:":
        return f"[={text}]"
    pairs = json.loads(text).items()
    return "[" + ",".join(f"{name}={json.dumps(value)}" for name, value in pairs) + "]"
