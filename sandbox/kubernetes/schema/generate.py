"""Writes builtin.json, the field table of the built-in types, from Kubernetes' own Go sources.

`python -m sandbox.kubernetes.schema.generate [FOLDER]`, where FOLDER holds the modules `k8s.io/*` (the Go module cache
of a machine that has built kube-apiserver). Run it after raising VERSION; the server itself reads only the JSON.

A field is `<type> <mark>...`. Types: `str bool int32 int64 float date any quantity intstr bytes`, a name of the table,
`[T]` (list), `{T}` (map); a type's own field `*` says `atomic`. Marks: `keep` (written even when empty), `ptr` (empty
is a value), `atomic`, `set`, `map=<keys>` (how server-side apply merges), `patch=<key>` (strategic merge patch;
empty for plain values), `default=<JSON>` (for keys that may be left out).
"""

import argparse
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from sandbox.kubernetes.resources import BUILT_IN
from sandbox.kubernetes.schema.builtin import TABLE
from sandbox.kubernetes.schema.go_types import GoField, GoPackage, GoType, read_package

VERSION = "v0.34.4"
_META = "k8s.io/apimachinery/pkg/apis/meta/v1"
_PLAIN = {
    "string": "str", "bool": "bool", "int32": "int32", "int64": "int64", "int": "int64", "float64": "float",
    "float32": "float", "[]byte": "bytes", "byte": "int32", "metav1.Time": "date", "metav1.MicroTime": "date",
    "Time": "date", "MicroTime": "date", "metav1.Duration": "str", "Duration": "str", "intstr.IntOrString": "intstr",
    "resource.Quantity": "quantity", "runtime.RawExtension": "any", "types.UID": "str", "types.NodeName": "str",
    "metav1.FieldsV1": "any", "FieldsV1": "any", "JSON": "any", "JSONSchemaPropsOrBool": "any",
    "JSONSchemaPropsOrArray": "any", "JSONSchemaPropsOrStringArray": "any",
}  # fmt: skip
_PACKAGES = {
    "apiextensions.k8s.io": "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions",
    "apiregistration.k8s.io": "k8s.io/kube-aggregator/pkg/apis/apiregistration",
}


class Generator:
    """Follows the types from the served resources on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._types: dict[str, dict[str, str]] = {}
        self._package = cache(self._read)

    def _read(self, path: str) -> GoPackage:
        module, _, inner = path.removeprefix("k8s.io/").partition("/")
        return read_package(self._folder / f"{module}@{VERSION}" / inner, path)

    def table(self) -> dict[str, Any]:
        """What builtin.json holds."""
        roots = {}
        for resource in BUILT_IN:
            group = resource.group.split(".")[0] or "core"
            base = _PACKAGES.get(resource.group, f"k8s.io/api/{group}")
            roots[resource.key] = self._follow(self._package(f"{base}/{resource.versions[0]}"), resource.kind)
        return {"version": VERSION, "roots": roots, "types": dict(sorted(self._types.items()))}

    def _follow(self, package: GoPackage, name: str) -> str:
        """The table's name of a struct, which is put there when it is new."""
        short = f"{'/'.join(package.path.split('/')[-2:])}.{name}"
        if short not in self._types:
            self._types[short] = {}
            struct = package.types[name]
            marker = struct.markers.get("structType", struct.markers.get("mapType"))
            self._types[short] = self._fields(package, struct) | ({"*": "atomic"} if marker == ["atomic"] else {})
        return short

    def _fields(self, package: GoPackage, struct: GoType) -> dict[str, str]:
        fields: dict[str, str] = {}
        for each in struct.fields:
            if each.name:
                fields[each.name] = self._field(package, each)
            else:
                home, name = self._resolve(package, each.go_type.lstrip("*"))
                fields |= self._fields(home, home.types[name])
        return fields

    def _resolve(self, package: GoPackage, go_type: str) -> tuple[GoPackage, str]:
        place, _, name = go_type.rpartition(".")
        return (self._package(package.imports[place]), name) if place else (package, name)

    def _field(self, package: GoPackage, each: GoField) -> str:
        pointer = each.go_type.startswith("*")
        expression = self._expression(package, each.go_type.lstrip("*"))
        struct = expression in self._types or expression in ("date", "quantity", "intstr", "any")
        kept = not each.omit_zero and (not each.omit_empty or (struct and not pointer))
        marks = ["keep"] * kept + ["ptr"] * pointer + self._list_marks(each, expression)
        return " ".join([expression, *marks])

    @staticmethod
    def _list_marks(each: GoField, expression: str) -> list[str]:
        kind = each.markers.get("listType", [""])[0]
        keys = each.markers.get("listMapKey", [])
        marks = [f"map={','.join(keys)}"] if kind == "map" else ["set"] if kind == "set" else []
        if each.markers.get("mapType") == ["atomic"]:
            marks.append("atomic")
        if expression[0] == "[" and each.patch_merge:
            marks.append(f"patch={each.patch_key}")
        if "default" in each.markers and re.match(r'^["\d]', each.markers["default"][0]):
            marks.append(f"default={each.markers['default'][0]}")
        return marks

    def _expression(self, package: GoPackage, go_type: str) -> str:
        if go_type in _PLAIN:
            return _PLAIN[go_type]
        if go_type.startswith("[]"):
            return f"[{self._expression(package, go_type[2:].lstrip('*'))}]"
        if go_type.startswith("map["):
            return "{" + self._expression(package, go_type.partition("]")[2].lstrip("*")) + "}"
        home, name = self._resolve(package, go_type)
        found = home.types[name]
        return self._expression(home, found.alias) if found.alias else self._follow(home, name)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.kubernetes.schema.generate", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path.home() / "go/pkg/mod/k8s.io")
    generated = Generator(parser.parse_args().folder).table()
    TABLE.write_text(json.dumps(generated, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
