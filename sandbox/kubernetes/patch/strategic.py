"""Strategic merge patch: a merge patch in which lists of built-in types merge by their patchMergeKey.

Directives: `$patch: replace|delete|merge`, `$deleteFromPrimitiveList/<field>`, `$setElementOrder/<field>`,
`$retainKeys`. Source: k8s.io/apimachinery/pkg/util/strategicpatch.
"""

from typing import Any

from sandbox.kubernetes.errors import Unclassified
from sandbox.kubernetes.fields.shape import Shape

_DELETE_PRIMITIVES = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"
_RETAIN = "$retainKeys"
_PATCH = "$patch"


def strategic_merge(target: Any, patch: Any, shape: Shape) -> Any:
    """`target` with `patch` merged in as `shape` says. Changes neither; raises Unclassified on a malformed patch."""
    if not isinstance(patch, dict):
        return patch
    directive = patch.get(_PATCH)
    if directive not in (None, "replace", "delete", "merge"):
        raise Unclassified(f"unknown patch type: {directive} in map: {go_value(patch)}")
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != _PATCH}
    if directive == "delete":
        return {}
    merged = dict(target) if isinstance(target, dict) else {}
    if _RETAIN in patch:
        merged = {key: value for key, value in merged.items() if key in patch[_RETAIN]}
    for key, value in patch.items():
        _merge_field(merged, key, value, shape)
    _reorder(merged, patch, shape)
    return merged


def _merge_field(merged: dict[str, Any], key: str, value: Any, shape: Shape) -> None:
    if key.startswith(_DELETE_PRIMITIVES):
        name = key.removeprefix(_DELETE_PRIMITIVES)
        merged[name] = [item for item in merged.get(name) or [] if item not in value]
    elif key.startswith("$"):
        return
    elif value is None:
        merged.pop(key, None)
    elif isinstance(value, list):
        merged[key] = _merge_list(merged.get(key), value, shape.child(key))
    else:
        merged[key] = strategic_merge(merged.get(key), value, shape.child(key))


def _merge_list(target: Any, patch: list[Any], shape: Shape) -> list[Any]:
    current = target if isinstance(target, list) else []
    if any(isinstance(item, dict) and item.get(_PATCH) == "replace" and len(item) == 1 for item in patch):
        return [item for item in patch if item != {_PATCH: "replace"}]
    if shape.patch_key:
        return _merge_keyed(current, patch, shape)
    if shape.kind == "set":
        return current + [item for item in patch if item not in current]
    return patch


def _merge_keyed(current: list[Any], patch: list[Any], shape: Shape) -> list[Any]:
    key, inner = shape.patch_key, shape.item()
    result = list(current)
    for item in patch:
        if not isinstance(item, dict) or key not in item:
            raise Unclassified(f"map: {go_value(item)} does not contain declared merge key: {key}")
        index = next((at for at, each in enumerate(result) if each.get(key) == item[key]), None)
        if item.get(_PATCH) == "delete":
            result = [each for each in result if each.get(key) != item[key]]
        elif index is None:
            result.append(strategic_merge({}, {name: value for name, value in item.items() if name != _PATCH}, inner))
        else:
            result[index] = strategic_merge(result[index], item, inner)
    return result


def _reorder(merged: dict[str, Any], patch: dict[str, Any], shape: Shape) -> None:
    """Puts lists in the order asked for; entries not named there stay behind them in their order."""
    for directive, order in patch.items():
        name = directive.removeprefix(_ORDER)
        if name == directive or not isinstance(merged.get(name), list):
            continue
        key = shape.child(name).patch_key
        wanted = [item.get(key) if isinstance(item, dict) else item for item in order]

        def rank(item: Any, key: str = key, wanted: list[Any] = wanted) -> int:
            value = item.get(key) if isinstance(item, dict) else item
            return wanted.index(value) if value in wanted else len(wanted)

        merged[name] = sorted(merged[name], key=rank)


def go_value(value: Any) -> str:
    """A JSON value as Go's %v prints it: `map[a:1 b:[x y]]`."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{go_value(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(go_value, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "<nil>" if value is None else str(value)
