"""Whether a CustomResourceDefinition's openAPIV3Schema is structural, as apiextensions.k8s.io/v1 demands.

Source: k8s.io/apiextensions-apiserver/pkg/apiserver/schema/validation.go and apis/apiextensions/validation.
"""

from typing import Any

from sandbox.kubernetes.errors import Cause, duplicate, forbidden, invalid, required, unsupported
from sandbox.kubernetes.schema.structural import validate

Schema = dict[str, Any]
_TYPES = ["array", "boolean", "integer", "number", "object", "string"]
_INT_OR_STRING, _PRESERVE = "x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields"
_LIST_TYPE, _LIST_KEYS, _MAP_TYPE = "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type"


def validate_schema(schema: Schema, path: str) -> list[Cause]:
    """What is wrong with the schema at `path`."""
    if not schema.get("type"):
        return [required(f"{path}.type", "must not be empty at the root")]
    if schema["type"] != "object":
        return [invalid(f"{path}.type", schema["type"], "must be object at the root")]
    return _validate(schema, path)


def _validate(schema: Schema, path: str) -> list[Cause]:
    causes = _validate_type(schema, path) + _validate_extensions(schema, path)
    for name, inner in (schema.get("properties") or {}).items():
        at = f"{path}.properties[{name}]"
        causes += [required(f"{at}.type", "must not be empty for specified object fields")] if _untyped(inner) else []
        causes += _validate(inner, at)
    items, additional = schema.get("items"), schema.get("additionalProperties")
    if schema.get("type") == "array" and not isinstance(items, dict):
        causes.append(required(f"{path}.items", "must be specified"))
    if isinstance(items, dict):
        text = "must not be empty for specified array items"
        causes += [required(f"{path}.items.type", text)] if _untyped(items) else []
        causes += _validate(items, f"{path}.items")
    if isinstance(additional, dict):
        text = "must not be empty for specified object fields"
        causes += [required(f"{path}.additionalProperties.type", text)] if _untyped(additional) else []
        causes += _validate(additional, f"{path}.additionalProperties")
    if additional and schema.get("properties"):
        text = "additionalProperties and properties are mutual exclusive"
        causes.append(forbidden(f"{path}.additionalProperties", text))
    return causes + _validate_default(schema, path)


def _untyped(schema: Any) -> bool:
    return isinstance(schema, dict) and not any(schema.get(key) for key in ("type", _INT_OR_STRING, _PRESERVE))


def _validate_type(schema: Schema, path: str) -> list[Cause]:
    kind = schema.get("type")
    return [] if not kind or kind in _TYPES else [unsupported(f"{path}.type", kind, _TYPES)]


def _validate_extensions(schema: Schema, path: str) -> list[Cause]:
    causes = []
    if schema.get(_PRESERVE) is False:
        causes.append(invalid(f"{path}.{_PRESERVE}", False, "must be true or undefined"))
    kind, keys = schema.get(_LIST_TYPE), schema.get(_LIST_KEYS)
    if kind and kind not in ("atomic", "set", "map"):
        causes.append(unsupported(f"{path}.{_LIST_TYPE}", kind, ["atomic", "map", "set"]))
    if kind == "map" and not keys:
        causes.append(required(f"{path}.{_LIST_KEYS}", "must not be empty if x-kubernetes-list-type is map"))
    if keys and kind != "map":
        text = "must be map if x-kubernetes-list-map-keys is non-empty"
        causes.append(invalid(f"{path}.{_LIST_TYPE}", kind, text) if kind else required(f"{path}.{_LIST_TYPE}", text))
    for index, key in enumerate(keys or []):
        if key in (keys or [])[:index]:
            causes.append(duplicate(f"{path}.{_LIST_KEYS}[{index}]", key))
    if schema.get(_MAP_TYPE) not in (None, "atomic", "granular"):
        causes.append(unsupported(f"{path}.{_MAP_TYPE}", schema[_MAP_TYPE], ["atomic", "granular"]))
    return causes


def _validate_default(schema: Schema, path: str) -> list[Cause]:
    if "default" not in schema or not schema.get("type"):
        return []
    return [
        Cause(f"{path}.default{each.field if each.field != '<nil>' else ''}", each.reason, each.message)
        for each in validate(schema["default"], schema, "")
    ]
