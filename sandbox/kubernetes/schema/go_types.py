"""Reads Go's API types: struct fields with their JSON names, `omitempty`, and the `+listType` family of markers.

Enough of Go for `types.go` files of k8s.io/api, which are generated-code inputs and therefore uniform.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

_TYPE = re.compile(r"^type (\w+) (.+)$")
_FIELD = re.compile(r"^\t(?:(\w+)\s+)?([\w.*\[\]]+)\s+`([^`]*)`")
_JSON = re.compile(r'json:"([^"]*)"')
_PATCH_KEY = re.compile(r'patchMergeKey:"([^"]*)"')
_PATCH_STRATEGY = re.compile(r'patchStrategy:"([^"]*)"')
_MARKER = re.compile(r"^\s*//\s*\+(\w+)=?(.*)$")
_IMPORT = re.compile(r'^\s*(?:import\s+)?(?:(\w+)\s+)?"([\w./-]+)"')


@dataclass
class GoField:
    """One field as the struct declares it; an embedded struct has no name."""

    name: str
    go_type: str
    omit_empty: bool
    omit_zero: bool
    patch_key: str
    patch_merge: bool
    markers: dict[str, list[str]]


@dataclass
class GoType:
    """A struct (with fields) or another name for a type (`alias`)."""

    alias: str = ""
    fields: list[GoField] = field(default_factory=list)
    markers: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class GoPackage:
    """The types of one folder, and what its imports are called there."""

    path: str
    types: dict[str, GoType] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)


def read_package(folder: Path, path: str) -> GoPackage:
    """The exported types in the folder's `types*.go` and few others; tests and generated files are left out."""
    package = GoPackage(path)
    for file in sorted(folder.glob("*.go")):
        if not file.name.startswith("zz_generated") and not file.name.endswith("_test.go") and ".pb." not in file.name:
            _Reader(package).read(file.read_text(encoding="utf-8"))
    return package


class _Reader:
    """Line by line through one file, collecting the markers of the comment above each declaration."""

    def __init__(self, package: GoPackage) -> None:
        self._package = package
        self._markers: dict[str, list[str]] = {}
        self._open: GoType | None = None

    def read(self, text: str) -> None:
        """Adds the file's types to the package."""
        for line in text.splitlines():
            marker = _MARKER.match(line)
            if marker:
                self._markers.setdefault(marker[1], []).append(marker[2])
            elif line.strip() and not line.lstrip().startswith("//"):
                self._declaration(line)
                self._markers = {}

    def _declaration(self, line: str) -> None:
        if self._open is not None:
            self._field(line)
            return
        imported, found = _IMPORT.match(line), _TYPE.match(line)
        if imported:
            name = imported[1] or imported[2].rpartition("/")[2]
            self._package.imports[name] = imported[2]
        elif found and found[2].startswith("struct"):
            self._open = self._package.types[found[1]] = GoType(markers=self._markers)
            if found[2].endswith("}"):
                self._open = None
        elif found:
            self._package.types[found[1]] = GoType(alias=found[2].removeprefix("= ").strip(), markers=self._markers)

    def _field(self, line: str) -> None:
        if line.startswith("}"):
            self._open = None
            return
        found = _FIELD.match(line)
        tag = _JSON.search(found[3]) if found else None
        if found is None or tag is None or self._open is None:
            return
        name, *options = tag[1].split(",")
        if name == "-":
            return
        key, strategy = _PATCH_KEY.search(found[3]), _PATCH_STRATEGY.search(found[3])
        self._open.fields.append(
            GoField(
                "" if "inline" in options else name,
                found[2],
                "omitempty" in options,
                "omitzero" in options,
                key[1] if key else "",
                "merge" in strategy[1] if strategy else False,
                self._markers,
            )
        )
