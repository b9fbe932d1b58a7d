"""Whether an applied configuration fits its type at all, in the words of structured-merge-diff (typed/validate.go)."""

import json
from collections.abc import Iterator
from typing import Any

from sandbox.kubernetes.errors import Unclassified
from sandbox.kubernetes.fields.fieldset import item_key
from sandbox.kubernetes.fields.shape import Shape

_SCALARS: dict[str, tuple[type, ...]] = {"string": (str,), "boolean": (bool,), "numeric": (int, float)}
_NO_KEYS = (
    "associative list with keys has an element that omits all key fields {} (and doesn't have default values for any "
    "key fields)"
)
_GO_TYPES = {bool: "bool", str: "string", dict: "map[string]interface {}", list: "[]interface {}"}


def check_typed(config: dict[str, Any], shape: Shape, kind: str) -> None:
    """Refuses a `config` (as the client sent it) with undeclared fields, wrong types or doubled list keys.

    Raises Unclassified, which is what it really is: github.com/kubernetes/kubernetes/issues/122480.
    """
    problems = list(_problems(config, shape, ""))
    if not problems:
        return
    meta = config.get("metadata")
    meta = meta if isinstance(meta, dict) else {}
    place = f"{meta.get('namespace') or ''}/{meta.get('name') or ''}; {config.get('apiVersion')}, Kind={kind}"
    text = problems[0] if len(problems) == 1 else "\n".join(["errors:", *(f"  {each}" for each in problems)])
    raise Unclassified(f"failed to create typed patch object ({place}): {text}")


def _problems(value: Any, shape: Shape, path: str) -> Iterator[str]:
    if value is None:
        return
    if shape.scalar:
        yield from _scalar_problems(value, shape.scalar, path)
    elif isinstance(value, dict):
        for key, item in value.items():
            if shape.fields is not None and key not in shape.fields:
                yield f"{path}.{key}: field not declared in schema"
            else:
                yield from _problems(item, shape.child(key), f"{path}.{key}")
    elif isinstance(value, list):
        yield from _list_problems(value, shape, path)
    elif shape.fields is not None:
        yield f"{path}: expected map, got {_go_value(value)}"
    elif shape.kind in ("list", "set"):
        yield f"{path}: expected list, got {_go_value(value)}"


def _scalar_problems(value: Any, wanted: str, path: str) -> Iterator[str]:
    if isinstance(value, _SCALARS[wanted]) and (wanted == "boolean" or not isinstance(value, bool)):
        return
    if wanted == "numeric":
        yield f"{path}: expected numeric (int or float), got {_GO_TYPES[type(value)]}"
    else:
        yield f"{path}: expected {wanted}, got {_go_value(value)}"


def _go_value(value: Any) -> str:
    text = json.dumps(value) if isinstance(value, (bool, int, float, str)) else "…"
    return "&value.valueUnstructured{Value:" + text + "}"


def _list_problems(items: list[Any], shape: Shape, path: str) -> Iterator[str]:
    seen: set[str] = set()
    for index, item in enumerate(items):
        at = f"{path}[{index}]"
        if shape.kind == "list" and isinstance(item, dict) and not _has_keys(item, shape):
            yield f"{path}: element {index}: {_NO_KEYS.format(json.dumps(list(shape.keys)).replace(', ', ' '))}"
            continue
        if shape.kind == "set" or (shape.kind == "list" and isinstance(item, dict)):
            element = item_key(item, shape)
            at = path + _named(element)
            if element in seen:
                yield f"{path}: duplicate entries for key {_named(element)}"
            seen.add(element)
        yield from _problems(item, shape.item(), at)


def _has_keys(item: dict[str, Any], shape: Shape) -> bool:
    """Whether the entry has at least one of its key fields, given or by default."""
    return bool(shape.defaults) or any(item.get(key) is not None for key in shape.keys)


def _named(element: str) -> str:
    """`k:{"name":"x"}` -> `[name="x"]`."""
    if element.startswith("v:"):
        return f"[={element[2:]}]"
    pairs = json.loads(element[2:]).items()
    return "[" + ",".join(f"{name}={json.dumps(value)}" for name, value in pairs) + "]"
