"""Decoding of built-in types: unknown fields found, wrong types refused, nulls dropped, quantities made canonical.

The field table (builtin.json) comes from the official client's models, see generate.py.
"""

import base64
import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from sandbox.kubernetes.errors import BadRequest
from sandbox.kubernetes.schema.quantity import canonical

TABLE = Path(__file__).with_name("builtin.json")
Fields = dict[str, str]
_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_GO_TYPES = {"str": "string", "int": "int32", "float": "float64", "bool": "bool", "date": "v1.Time", "bytes": "[]uint8"}
_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "date": (str,),
    "bytes": (str,),
}


@cache
def table() -> dict[str, Any]:
    """`roots` (resource key -> type name) and `types` (type name -> field -> type expression)."""
    loaded: dict[str, Any] = json.loads(TABLE.read_text())
    return loaded


def fields_of(name: str) -> Fields | None:
    """The fields of a type of the table, None for any other expression."""
    found: Fields | None = table()["types"].get(name)
    return found


def root(key: str) -> str | None:
    """The type name of a resource key, None for custom resources."""
    found: str | None = table()["roots"].get(key)
    return found


@dataclass(slots=True)
class Decoder:
    """Decodes one object of `kind`; collects the paths of unknown fields, which are left out of the result."""

    kind: str
    api_version: str
    unknown: list[str] = field(default_factory=list)

    def decode(self, value: Any, expression: str) -> Any:
        """The cleaned object; raises BadRequest on a type error."""
        return self._decode(value, expression, "", "")

    def _decode(self, value: Any, expression: str, path: str, owner: str) -> Any:
        fields = fields_of(expression)
        if fields is not None:
            return self._struct(value, expression, fields, path, owner)
        if expression[0] == "[":
            return self._list(value, expression[1:-1], path, owner)
        if expression[0] == "{":
            return self._map(value, expression[1:-1], path, owner)
        return self._plain(value, expression, path, owner)

    def _struct(self, value: Any, name: str, fields: Fields, path: str, owner: str) -> Any:
        if not isinstance(value, dict):
            raise self._mismatch(value, _go_name(name), path, owner)
        result = {}
        for key, item in value.items():
            expression = fields.get(key)
            inner = f"{path}.{key}" if path else key
            if expression is None:
                self.unknown.append(inner)
            elif item is not None:
                result[key] = self._decode(item, expression, inner, name)
        return result

    def _list(self, value: Any, item: str, path: str, owner: str) -> Any:
        if not isinstance(value, list):
            raise self._mismatch(value, f"[]{_go_name(item)}", path, owner)
        return [self._decode(entry, item, f"{path}[{index}]", owner) for index, entry in enumerate(value)]

    def _map(self, value: Any, item: str, path: str, owner: str) -> Any:
        if not isinstance(value, dict):
            raise self._mismatch(value, f"map[string]{_go_name(item)}", path, owner)
        return {
            key: self._decode(entry, item, f"{path}.{key}", owner) for key, entry in value.items() if entry is not None
        }

    def _plain(self, value: Any, expression: str, path: str, owner: str) -> Any:
        if expression == "any":
            return value
        if expression == "quantity":
            return self._quantity(value)
        expected = _PYTHON_TYPES[expression]
        if not isinstance(value, expected) or (isinstance(value, bool) and bool not in expected):
            raise self._mismatch(value, _GO_TYPES[expression], path, owner)
        if expression == "bytes":
            self._check_base64(str(value))
        return value

    def _check_base64(self, value: str) -> None:
        try:
            base64.b64decode(value, validate=True)
        except ValueError as error:
            at = next((index for index, char in enumerate(value) if char not in _BASE64), len(value) & ~3)
            raise BadRequest(f"{self._prefix()}: illegal base64 data at input byte {at}") from error

    def _quantity(self, value: Any) -> str:
        try:
            return canonical(value)
        except ValueError as error:
            text = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
            raise BadRequest(f"{self._prefix()}: {text}") from error

    def _prefix(self) -> str:
        version = self.api_version.rpartition("/")[2]
        return f'{self.kind} in version "{version}" cannot be handled as a {self.kind}'

    def _mismatch(self, value: Any, expected: str, path: str, owner: str) -> BadRequest:
        plain = "".join(part.split("[")[0] + "." for part in path.split(".")).rstrip(".")
        found = f"json: cannot unmarshal {_json_type(value)} into Go struct field {_go_name(owner)}.{plain}"
        return BadRequest(f"{self._prefix()}: {found} of type {expected}")


def _go_name(expression: str) -> str:
    name = expression.removeprefix("Core")
    return name[2:] if name[:1] == "V" and name[1:2].isdigit() else _GO_TYPES.get(name, name)


def _json_type(value: Any) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "bool", int: "number", float: "number"}
    return names.get(type(value), "null")
