"""Decoding of built-in types as Go does it: unknown and duplicate fields found, wrong types refused, nulls dropped,
quantities made canonical. Source of the texts: encoding/json, sigs.k8s.io/json, apimachinery's strict decoding.
"""

import base64
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sandbox.kubernetes.schema.builtin import Field, fields_of
from sandbox.kubernetes.schema.quantity import canonical

_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_GO_TYPES = {
    "str": "string", "int32": "int32", "int64": "int64", "float": "float64", "bool": "bool", "date": "v1.Time",
    "bytes": "[]uint8", "quantity": "resource.Quantity", "intstr": "int32", "any": "interface {}",
}  # fmt: skip
_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,), "int32": (int,), "int64": (int,), "float": (int, float), "bool": (bool,), "date": (str,),
    "bytes": (str,), "intstr": (int, str),
}  # fmt: skip
_LIMITS = {"int32": 2**31, "int64": 2**63}


class Undecodable(ValueError):
    """A value of the wrong type. The text is the JSON decoder's; `restore` says it as a patch's conversion does."""

    def __init__(self, text: str, restore: str = "") -> None:
        super().__init__(text)
        self.restore = restore or text


class Pairs(dict[str, Any]):
    """A JSON object that remembers which of its keys were given more than once."""

    duplicates: tuple[str, ...] = ()


def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
    """An `object_pairs_hook`: the last value of a key counts."""
    plain = dict(items)
    if len(plain) == len(items):
        return plain
    found = Pairs(items)
    seen: set[str] = set()
    found.duplicates = tuple(dict.fromkeys(key for key, _ in items if key in seen or seen.add(key)))  # type: ignore[func-returns-value]
    return found


@dataclass(slots=True)
class Decoder:
    """Decodes one object of `kind`; collects what strict decoding complains about, which is left out of the result."""

    kind: str
    api_version: str
    problems: list[str] = field(default_factory=list)  # `unknown field "spec.x"`, `duplicate field "spec.y"`
    unknown: list[str] = field(default_factory=list)  # the paths of unknown fields

    def decode(self, value: Any, expression: str, path: str = "") -> Any:
        """The cleaned object, which is at `path` in the body; raises Undecodable."""
        return self._decode(value, Field(expression), path, "")

    def _decode(self, value: Any, spec: Field, path: str, owner: str) -> Any:
        fields = fields_of(spec.type)
        if fields is not None:
            return self._struct(value, spec.type, fields, path, owner)
        if spec.type[0] == "[":
            return self._list(value, Field(spec.inner), path, owner)
        if spec.type[0] == "{":
            return self._map(value, Field(spec.inner), path, owner)
        return self._plain(value, spec.type, path, owner)

    def _struct(self, value: Any, name: str, fields: dict[str, Field], path: str, owner: str) -> Any:
        if not isinstance(value, dict):
            raise self._mismatch(value, _go_name(name, owner), path, owner or name)
        self._note_duplicates(value, path)
        result = {}
        for key, item in value.items():
            inner = f"{path}.{key}" if path else key
            if key not in fields:
                self.unknown.append(inner)
                self.problems.append(f'unknown field "{inner}"')
            elif item is not None:
                result[key] = self._decode(item, fields[key], inner, name)
        return result

    def _note_duplicates(self, value: Any, path: str) -> None:
        for key in getattr(value, "duplicates", ()):
            self.problems.append(f'duplicate field "{path}.{key}"' if path else f'duplicate field "{key}"')

    def _list(self, value: Any, item: Field, path: str, owner: str) -> Any:
        if not isinstance(value, list):
            raise self._mismatch(value, f"[]{_go_name(item.type, owner)}", path, owner)
        return [self._decode(entry, item, f"{path}[{index}]", owner) for index, entry in enumerate(value)]

    def _map(self, value: Any, item: Field, path: str, owner: str) -> Any:
        if not isinstance(value, dict):
            raise self._mismatch(value, f"map[string]{_go_name(item.type, owner)}", path, owner)
        self._note_duplicates(value, path)
        plain = item.type in _GO_TYPES  # the JSON decoder names only structs on the way
        return {
            key: self._decode(entry, item, path if plain else f"{path}.{key}", owner)
            for key, entry in value.items()
            if entry is not None
        }

    def _plain(self, value: Any, expression: str, path: str, owner: str) -> Any:
        if expression == "any":
            return value
        if expression == "quantity":
            return self._quantity(value)
        expected = _PYTHON_TYPES[expression]
        good = isinstance(value, expected) and (not isinstance(value, bool) or bool in expected)
        if not good:
            raise self._mismatch(value, _GO_TYPES[expression], path, owner)
        self._check(value, expression, path, owner)
        return value

    def _check(self, value: Any, expression: str, path: str, owner: str) -> None:
        limit = _LIMITS.get(expression)
        if limit and not -limit <= value < limit:
            raise self._mismatch(value, _GO_TYPES[expression], path, owner, given=f"number {value}")
        if expression == "bytes":
            self._check_base64(str(value))
        elif expression == "date":
            self._check_time(value)

    def _check_time(self, value: str) -> None:
        try:
            datetime.fromisoformat(value)
        except ValueError as error:
            layout = "2006-01-02T15:04:05Z07:00"
            raise Undecodable(f'parsing time "{value}" as "{layout}": cannot parse "{value}" as "2006"') from error

    def _check_base64(self, value: str) -> None:
        try:
            base64.b64decode(value, validate=True)
        except ValueError as error:
            at = next((index for index, char in enumerate(value) if char not in _BASE64), len(value) & ~3)
            raise Undecodable(f"illegal base64 data at input byte {at}") from error

    def _quantity(self, value: Any) -> str:
        try:
            return canonical(value)
        except ValueError as error:
            text = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
            raise Undecodable(text) from error

    def _mismatch(self, value: Any, expected: str, path: str, owner: str, given: str = "") -> Undecodable:
        plain = ".".join(part.split("[")[0] for part in path.split("."))
        found = given or _json_type(value)
        text = f"json: cannot unmarshal {found} into Go struct field {_go_name(owner, '')}.{plain} of type {expected}"
        if expected.startswith(("[]", "map[")):
            restore = f"cannot restore {'slice' if expected[0] == '[' else 'map'} from: {found}"
        elif "." in expected:
            restore = f"cannot restore struct from: {found}"
        else:
            restore = f"unrecognized type: {expected}"
        return Undecodable(text, restore)


def _go_name(expression: str, owner: str) -> str:
    """`core/v1.PodSpec` -> `PodSpec`, or `v1.ObjectMeta` seen from another package."""
    place, _, name = expression.rpartition(".")
    if not name or expression in _GO_TYPES:
        return _GO_TYPES.get(expression, expression)
    version = place.rpartition("/")[2]
    return f"{version}.{name}" if owner else name


def _json_type(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, float):
        return f"number {value}"
    names = {dict: "object", list: "array", str: "string", int: "number"}
    return next((text for kind, text in names.items() if isinstance(value, kind)), "null")
