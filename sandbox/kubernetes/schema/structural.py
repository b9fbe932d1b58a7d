"""Custom resources against their openAPIV3Schema: unknown fields pruned, defaults filled, values validated.

Texts as kube-openapi's validator words them. Not evaluated: CEL rules, and formats other than those in _FORMATS.
"""

import base64
import ipaddress
import re
import uuid
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from sandbox.kubernetes.errors import Cause, duplicate, invalid, render, required, unsupported
from sandbox.kubernetes.metadata import copy

Schema = dict[str, Any]
_TOP = ("apiVersion", "kind", "metadata")
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}


def prune(value: Any, schema: Schema, path: str = "", *, top: bool = True) -> tuple[Any, list[str]]:
    """`value` without the fields that the schema does not know, and their paths."""
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        pairs = [prune(item, schema["items"], f"{path}[{at}]", top=False) for at, item in enumerate(value)]
        return [item for item, _ in pairs], [name for _, names in pairs for name in names]
    if not isinstance(value, dict):
        return value, []
    embedded = top or bool(schema.get("x-kubernetes-embedded-resource"))
    result: dict[str, Any] = {}
    unknown: list[str] = []
    for key, item in value.items():
        inner, known = _field_schema(key, schema, embedded=embedded)
        at = f"{path}.{key}" if path else key
        if not known:
            unknown.append(at)
            continue
        if item is None and not top and key in (schema.get("properties") or {}) and not inner.get("nullable"):
            continue
        result[key], names = prune(item, inner, at, top=False)
        unknown += names
    return result, unknown


def duplicates(value: Any, path: str = "") -> list[str]:
    """The paths of keys that were given more than once."""
    if isinstance(value, list):
        return [name for at, item in enumerate(value) for name in duplicates(item, f"{path}[{at}]")]
    if not isinstance(value, dict):
        return []
    prefix = f"{path}." if path else ""
    found = [prefix + key for key in getattr(value, "duplicates", ())]
    return found + [name for key, item in value.items() for name in duplicates(item, prefix + key)]


def _field_schema(key: str, schema: Schema, *, embedded: bool) -> tuple[Schema, bool]:
    if embedded and key in _TOP:
        return {"x-kubernetes-preserve-unknown-fields": True}, True
    properties = schema.get("properties") or {}
    if key in properties:
        return properties[key], True
    additional = schema.get("additionalProperties")
    if additional:
        return (additional if isinstance(additional, dict) else {"x-kubernetes-preserve-unknown-fields": True}), True
    keeps = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    return {"x-kubernetes-preserve-unknown-fields": True}, keeps


def fill(value: Any, schema: Schema) -> None:
    """Sets, in place, the defaults of fields that are not given."""
    if isinstance(value, list):
        for item in value:
            fill(item, schema.get("items") or {})
    if not isinstance(value, dict):
        return
    for key, inner in (schema.get("properties") or {}).items():
        if "default" in inner and key not in value:
            value[key] = copy({"value": inner["default"]})["value"]
        if key in value:
            fill(value[key], inner)
    additional = schema.get("additionalProperties")
    if isinstance(additional, dict):
        for key, item in value.items():
            if key not in (schema.get("properties") or {}):
                fill(item, additional)


def validate(value: Any, schema: Schema, path: str) -> list[Cause]:
    """What is wrong with `value`, as field causes."""
    if value is None and schema.get("nullable"):
        return []
    problem = _type_problem(value, schema)
    causes = [_wrong_type(path, _name_of(value), problem)] if problem else []
    causes += _validate_enum(value, schema, path)
    if problem:
        return causes
    for kind, check in _CHECKS:
        if isinstance(value, kind) and not isinstance(value, bool):
            causes += check(value, schema, path)
    return causes + _validate_combined(value, schema, path)


def _wrong_type(path: str, value: Any, wanted: str) -> Cause:
    text = f"Invalid value: {render(value)}: {path} in body must be of type {wanted}: {render(value)}"
    return Cause(path or "<nil>", "FieldValueTypeInvalid", text)


def _type_problem(value: Any, schema: Schema) -> str:
    if schema.get("x-kubernetes-int-or-string"):
        good = isinstance(value, (int, str)) and not isinstance(value, bool)
        return "" if good else "integer,string"
    wanted = schema.get("type")
    if wanted not in _TYPES:
        return ""
    whole = isinstance(value, float) and value.is_integer() and wanted == "integer"
    good = isinstance(value, _TYPES[wanted]) and (wanted == "boolean" or not isinstance(value, bool))
    return "" if good or whole else str(wanted)


def _name_of(value: Any) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}
    return names.get(type(value), "object" if isinstance(value, dict) else "null")


def _body(path: str, value: Any, text: str) -> Cause:
    field = path or "<nil>"
    return invalid(field, value, f"{path} in body {text}")


def _validate_enum(value: Any, schema: Schema, path: str) -> list[Cause]:
    choices = schema.get("enum")
    if choices is None or value in choices:
        return []
    return [unsupported(path, value, [str(choice) for choice in choices])]


def _validate_object(value: dict[str, Any], schema: Schema, path: str) -> list[Cause]:
    prefix = f"{path}." if path else ""
    causes = [required(f"{prefix}{key}") for key in schema.get("required") or [] if key not in value]
    properties, additional = schema.get("properties") or {}, schema.get("additionalProperties")
    for key, item in value.items():
        inner = properties.get(key, additional)
        if isinstance(inner, dict):
            causes += validate(item, inner, prefix + key)
    causes += _limits(len(value), schema, path, value, ("minProperties", "maxProperties", "properties"))
    return causes


def _validate_list(value: list[Any], schema: Schema, path: str) -> list[Cause]:
    items = schema.get("items") or {}
    causes = []
    if len(value) < schema.get("minItems", 0):
        causes.append(_body(path, len(value), f"should have at least {schema['minItems']} items"))
    if len(value) > schema.get("maxItems", len(value)):
        text = f"Too many: {len(value)}: must have at most {schema['maxItems']} items"
        causes.append(Cause(path, "FieldValueTooMany", text))
    causes += [cause for at, item in enumerate(value) for cause in validate(item, items, f"{path}[{at}]")]
    return causes + _doubled(value, schema, path)


def _doubled(value: list[Any], schema: Schema, path: str) -> list[Cause]:
    """Entries of a set or map that are there already."""
    kind, keys = schema.get("x-kubernetes-list-type"), schema.get("x-kubernetes-list-map-keys") or []
    if kind not in ("set", "map"):
        return []
    causes, seen = [], []
    for index, item in enumerate(value):
        identity = item if kind == "set" or not isinstance(item, dict) else {key: item.get(key) for key in keys}
        if identity in seen:
            causes.append(duplicate(f"{path}[{index}]", identity))
        seen.append(identity)
    return causes


def _validate_string(value: str, schema: Schema, path: str) -> list[Cause]:
    """The first rule that is broken."""
    if len(value) > schema.get("maxLength", len(value)):
        return [Cause(path, "FieldValueTooLong", f"Too long: may not be more than {schema['maxLength']} bytes")]
    if len(value) < schema.get("minLength", 0):
        return [_body(path, value, f"should be at least {schema['minLength']} chars long")]
    pattern, form = schema.get("pattern"), schema.get("format")
    if pattern and not re.search(pattern, value):
        return [_body(path, value, f"should match '{pattern}'")]
    return [_wrong_type(path, value, form)] if form in _FORMATS and not _fits(value, _FORMATS[form]) else []


def _fits(value: str, read: Callable[[str], Any]) -> bool:
    try:
        read(value)
    except ValueError:
        return False
    return True


_FORMATS: dict[str, Callable[[str], Any]] = {
    "date-time": datetime.fromisoformat,
    "date": date.fromisoformat,
    "ipv4": ipaddress.IPv4Address,
    "ipv6": ipaddress.IPv6Address,
    "uuid": uuid.UUID,
    "byte": lambda value: base64.b64decode(value, validate=True),
}


def _validate_number(value: float, schema: Schema, path: str) -> list[Cause]:
    causes = []
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and (value < low or (schema.get("exclusiveMinimum") and value == low)):
        word = "greater than" if schema.get("exclusiveMinimum") else "greater than or equal to"
        causes.append(_body(path, value, f"should be {word} {low}"))
    if high is not None and (value > high or (schema.get("exclusiveMaximum") and value == high)):
        word = "less than" if schema.get("exclusiveMaximum") else "less than or equal to"
        causes.append(_body(path, value, f"should be {word} {high}"))
    return causes


def _limits(size: int, schema: Schema, path: str, value: Any, names: tuple[str, str, str]) -> list[Cause]:
    low, high, what = names
    causes = []
    if size < schema.get(low, 0):
        causes.append(_body(path, value, f"should have at least {schema[low]} {what}"))
    if size > schema.get(high, size):
        causes.append(_body(path, value, f"should have at most {schema[high]} {what}"))
    return causes


_CHECKS: tuple[tuple[Any, Callable[[Any, Schema, str], list[Cause]]], ...] = (
    (dict, _validate_object),
    (list, _validate_list),
    (str, _validate_string),
    ((int, float), _validate_number),
)


def _validate_combined(value: Any, schema: Schema, path: str) -> list[Cause]:
    causes = [cause for each in schema.get("allOf") or [] for cause in validate(value, each, path)]
    some, one = schema.get("anyOf"), schema.get("oneOf")
    if some:
        problems = [validate(value, each, path) for each in some]
        if all(problems):
            causes += [_combined(path, "must validate at least one schema (anyOf)"), *problems[0]]
    if one:
        problems = [validate(value, each, path) for each in one]
        if len([each for each in problems if not each]) != 1:
            text = "must validate one and only one schema (oneOf)"
            none = all(problems)
            found = (
                "Found none valid"
                if none
                else f"Found {len([each for each in problems if not each])} valid alternatives"
            )
            causes += [_combined(path, f"{text}. {found}"), *(problems[0] if none else [])]
    refused = schema.get("not")
    if refused and not validate(value, refused, path):
        causes.append(_combined(path, "must not validate the schema (not)"))
    return causes


def _combined(path: str, text: str) -> Cause:
    return Cause("<nil>", "FieldValueInvalid", f'Invalid value: "": "{path}" {text}')
