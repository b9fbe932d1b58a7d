"""The field table of the built-in types (builtin.json, see generate.py), and what Go makes of their values.

Go writes a field that is empty only when its tag lacks `omitempty` or it is a pointer or struct: so `status: {}` and
`rules: null` appear in answers although nobody wrote them, and `data: {}` or `value: ""` disappear.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("builtin.json")
Object = dict[str, Any]
_ZEROS: dict[str, Any] = {"str": "", "bool": False, "int32": 0, "int64": 0, "float": 0, "intstr": 0, "quantity": "0"}


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its type expression and marks (see generate.py)."""

    type: str
    keep: bool = False
    pointer: bool = False
    atomic: bool = False
    set: bool = False
    keys: tuple[str, ...] = ()
    patch_key: str | None = None
    default: Any = None

    @property
    def inner(self) -> str:
        """The entries' type of a list or map."""
        return self.type[1:-1]


def _field(text: str) -> Field:
    expression, *marks = text.split(" ")
    given = dict(mark.partition("=")[::2] for mark in marks)
    return Field(
        expression,
        keep="keep" in given,
        pointer="ptr" in given,
        atomic="atomic" in given,
        set="set" in given,
        keys=tuple(given["map"].split(",")) if "map" in given else (),
        patch_key=given.get("patch"),
        default=json.loads(given["default"]) if "default" in given else None,
    )


@cache
def _table() -> dict[str, Any]:
    """`roots` (resource key -> type name) and `types` (type name -> field -> expression and marks)."""
    loaded: dict[str, Any] = json.loads(TABLE.read_text(encoding="utf-8"))
    return loaded


@cache
def fields_of(name: str) -> dict[str, Field] | None:
    """The fields of a type of the table, None for any other expression."""
    found = _table()["types"].get(name)
    return None if found is None else {key: _field(text) for key, text in found.items() if key != "*"}


@cache
def is_atomic(name: str) -> bool:
    """Whether server-side apply takes values of that type as one."""
    return "*" in _table()["types"].get(name, ())


def root(key: str) -> str | None:
    """The type name of a resource key, None for custom resources."""
    found: str | None = _table()["roots"].get(key)
    return found


def zero(name: str) -> Object:
    """An object of that type of which nothing is set, as Go writes it."""
    return {key: _zero(each) for key, each in (fields_of(name) or {}).items() if each.keep}


def _zero(field: Field) -> Any:
    if field.pointer:
        return None
    return zero(field.type) if fields_of(field.type) is not None else _ZEROS.get(field.type)


def shaped(value: Object, name: str, *, fill: bool = True) -> Object:
    """`value` as Go writes it. Without `fill` nothing is added: what Go's decoder takes as not given is dropped."""
    fields = fields_of(name) or {}
    result = {}
    for key, item in value.items():
        field = fields.get(key)
        kept = item if field is None or item is None else _shaped(item, field.type, fill=fill)
        if field is None or not _omitted(kept, field):
            result[key] = kept
    if fill:
        for key, field in fields.items():
            if field.keep and result.get(key) in (None, [], {}) and not (field.pointer and key in result):
                result[key] = _zero(field)
    return result


def _omitted(item: Any, field: Field) -> bool:
    """Whether Go leaves the field out (or, for what it keeps, whether it counts as not given)."""
    if item is None:
        return True
    if field.pointer or fields_of(field.type) is not None:
        return False
    empty = item in ([], {}) or (field.type in _ZEROS and item in ("", 0, False))
    return empty and not (field.keep and field.type in _ZEROS)


def _shaped(item: Any, expression: str, *, fill: bool) -> Any:
    if fields_of(expression) is not None:
        return shaped(item, expression, fill=fill) if isinstance(item, dict) else item
    if expression[0] == "[" and isinstance(item, list):
        return [_shaped(entry, expression[1:-1], fill=fill) for entry in item]
    if expression[0] == "{" and isinstance(item, dict):
        return {key: _shaped(entry, expression[1:-1], fill=fill) for key, entry in item.items()}
    return item
