"""OpenAPI v3 of each group version: enough for kubectl's validation (fieldValidation) and `kubectl explain`.

Descriptions are not included; the schemas are the field table that the server decodes with.
"""

from typing import Any

from sandbox.kubernetes.errors import UnknownPath
from sandbox.kubernetes.resources import Registry, Resource
from sandbox.kubernetes.schema import builtin

Object = dict[str, Any]
_PLAIN: dict[str, Object] = {
    "str": {"type": "string"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "intstr": {"oneOf": [{"type": "integer"}, {"type": "string"}], "format": "int-or-string"},
    "float": {"type": "number", "format": "double"},
    "bool": {"type": "boolean"},
    "date": {"type": "string", "format": "date-time"},
    "bytes": {"type": "string", "format": "byte"},
    "quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
    "any": {"x-kubernetes-preserve-unknown-fields": True},
}
_PACKAGES = {
    "meta": "io.k8s.apimachinery.pkg.apis",
    "apiextensions": "io.k8s.apiextensions-apiserver.pkg.apis",
    "apiregistration": "io.k8s.kube-aggregator.pkg.apis",
}


def index(registry: Registry) -> Object:
    """/openapi/v3: where each group version's document is."""
    paths = {}
    for group, versions in registry.groups().items():
        for version in versions:
            path = f"apis/{group}/{version}" if group else f"api/{version}"
            paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash=0"}
    return {"paths": paths}


def document(registry: Registry, group: str, version: str) -> Object:
    """The document of one group version; raises UnknownPath."""
    found = [each for each in registry.all() if each.group == group and version in each.versions]
    if not found:
        raise UnknownPath
    schemas: Object = {}
    paths: Object = {}
    for resource in found:
        schemas |= _schemas(resource, version)
        paths |= _paths(resource, version)
    info = {"title": "Kubernetes", "version": "sandbox"}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": schemas}}


def _identity(resource: Resource, version: str) -> Object:
    return {"group": resource.group, "version": version, "kind": resource.kind}


def _paths(resource: Resource, version: str) -> Object:
    base = f"/apis/{resource.group}/{version}" if resource.group else f"/api/{version}"
    place = f"{base}/namespaces/{{namespace}}/{resource.plural}" if resource.namespaced else f"{base}/{resource.plural}"
    parameters = [
        {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
        for name in ("dryRun", "fieldManager", "fieldValidation", "force")
    ]
    mark = {"x-kubernetes-group-version-kind": _identity(resource, version), "parameters": parameters}
    operation = mark | {"responses": {"200": {"description": "OK"}}}
    post = operation | {"x-kubernetes-action": "post"}
    patch = operation | {"x-kubernetes-action": "patch"}
    return {place: {"post": post}, f"{place}/{{name}}": {"patch": patch, "put": operation}}


def _schemas(resource: Resource, version: str) -> Object:
    mark = {"x-kubernetes-group-version-kind": [_identity(resource, version)]}
    root = builtin.root(resource.key)
    if root is None:
        name = ".".join([*reversed(resource.group.split(".")), version, resource.kind])
        return {name: ((resource.schemas or {}).get(version) or {"type": "object"}) | mark}
    schemas: Object = {}
    pending = [root]
    while pending:
        name = pending.pop()
        if _public(name) in schemas:
            continue
        fields = builtin.fields_of(name) or {}
        schemas[_public(name)] = {
            "type": "object",
            "properties": {key: _schema(field.type) for key, field in fields.items()},
        }
        inner_types = [_innermost(field.type) for field in fields.values()]
        pending += [inner for inner in inner_types if builtin.fields_of(inner) is not None]
    schemas[_public(root)] |= mark
    return schemas


def _public(name: str) -> str:
    """`apps/v1.Deployment` -> `io.k8s.api.apps.v1.Deployment`, as Kubernetes' own documents name it."""
    group, _, rest = name.partition("/")
    return f"{_PACKAGES.get(group, 'io.k8s.api')}.{group}.{rest}"


def _innermost(expression: str) -> str:
    return expression.strip("[]{}")


def _schema(expression: str) -> Object:
    if expression[0] == "[":
        return {"type": "array", "items": _schema(expression[1:-1])}
    if expression[0] == "{":
        return {"type": "object", "additionalProperties": _schema(expression[1:-1])}
    if builtin.fields_of(expression) is not None:
        return {"allOf": [{"$ref": f"#/components/schemas/{_public(expression)}"}]}
    return _PLAIN[expression]
