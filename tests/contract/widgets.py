"""A custom resource that the tests vary."""

from typing import Any

from tests.contract.kube import Kube
from tests.contract.objects import Object, meta

CRDS = "customresourcedefinitions.apiextensions.k8s.io"
_ENTRY: Object = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string"}, "size": {"type": "integer"}},
}
SPEC: Object = {
    "type": "object",
    "required": ["mode"],
    "properties": {
        "mode": {"type": "string", "enum": ["fast", "slow"]},
        "replicas": {"type": "integer", "minimum": 0, "default": 2},
        "host": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 5, "minLength": 1},
        "port": {"x-kubernetes-int-or-string": True},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "when": {"type": "string", "format": "date-time"},
        "ratio": {"type": "number", "maximum": 1},
        "words": {"type": "object", "additionalProperties": {"type": "string"}},
        "maybe": {"type": "string", "nullable": True},
        "few": {"type": "array", "items": {"type": "string"}, "maxItems": 2, "minItems": 1},
        "unique": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
        "flag": {"type": "boolean"},
        "nested": {"type": "object", "default": {}, "properties": {"x": {"type": "string", "default": "y"}}},
        "parts": {
            "type": "array",
            "items": _ENTRY,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
        },
    },
}
STATUS: Object = {"type": "object", "properties": {"ok": {"type": "boolean"}, "replicas": {"type": "integer"}}}
SCHEMA: Object = {"type": "object", "properties": {"spec": SPEC, "status": STATUS}}
_SCALE = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
_COLUMN = {"name": "Mode", "type": "string", "jsonPath": ".spec.mode"}


def definition(group: str, schema: Any = None, version: Object | None = None, **spec: Any) -> Object:
    """A CustomResourceDefinition of widgets in that group, with one version."""
    served: Object = {"name": "v1", "served": True, "storage": True}
    served |= {"schema": {"openAPIV3Schema": SCHEMA if schema is None else schema}} | (version or {})
    names = {"plural": "widgets", "kind": "Widget"}
    full = {"group": group, "scope": "Namespaced", "names": names, "versions": [served]} | spec
    return meta(f"widgets.{group}") | {"spec": full}


def with_subresources() -> Object:
    """What a version says that has a status, a scale and a column of its own."""
    return {"subresources": {"status": {}, "scale": _SCALE}, "additionalPrinterColumns": [_COLUMN]}


def establish(kube: Kube, body: Object) -> str:
    """Creates the definition and waits until its resource is served; the resource's key."""
    name: str = body["metadata"]["name"]
    status, answer = kube.call("POST", kube.cluster_path(CRDS), body)
    assert status == 201, answer
    kube.until(lambda: kube.request("GET", kube.path(name)).status_code == 200)
    return name


def conditions(obj: Any) -> dict[str, str]:
    """The conditions in an object's status by type. There are none at first: the list is null."""
    return {each["type"]: each["status"] for each in (obj.get("status") or {}).get("conditions") or []}


class Widgets:
    """Widgets of a definition of the test's own."""

    def __init__(self, kube: Kube) -> None:
        self.kube = kube
        self.group = f"{kube.namespace}.example.com"
        self.key = establish(kube, definition(self.group, version=with_subresources()))

    @property
    def path(self) -> str:
        """The definition's path."""
        return self.kube.cluster_path(CRDS, self.key)

    def body(self, name: str = "w", **spec: Any) -> Object:
        """A widget."""
        return {"apiVersion": f"{self.group}/v1", "kind": "Widget"} | meta(name) | {"spec": {"mode": "fast"} | spec}

    def delete(self) -> None:
        """Deletes the definition, and waits until it is gone."""
        self.kube.call("DELETE", self.path)
        self.kube.until(lambda: self.kube.call("GET", self.path)[0] == 404)
