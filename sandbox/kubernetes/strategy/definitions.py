"""CustomResourceDefinitions, and the strategy of the custom resources that they define.

Source: k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/{v1/defaults.go,validation/validation.go}.
"""

from typing import TYPE_CHECKING, Any

from sandbox.kubernetes.errors import Cause, immutable, invalid, required, unsupported
from sandbox.kubernetes.resources import Resource
from sandbox.kubernetes.schema.definition import validate_schema
from sandbox.kubernetes.schema.structural import fill, validate
from sandbox.kubernetes.strategy.base import Object, Strategy
from sandbox.kubernetes.strategy.names import dns1035_label, dns1035_problems, dns_subdomain

if TYPE_CHECKING:
    from sandbox.kubernetes.store import Store

_SCOPES = ("Cluster", "Namespaced")


def _default(definition: Object) -> None:
    spec = definition.setdefault("spec", {})
    names = spec.setdefault("names", {})
    kind = names.get("kind", "")
    names.setdefault("singular", kind.lower())
    if kind:
        names.setdefault("listKind", f"{kind}List")
    spec.setdefault("conversion", {"strategy": "None"})


def _prepare(definition: Object, old: Object | None, _store: "Store") -> None:
    if old is None:
        stored = [each["name"] for each in definition["spec"].get("versions") or [] if each.get("storage")]
        definition["status"] = {"storedVersions": stored}


def _validate(definition: Object) -> list[Cause]:
    spec = definition["spec"]
    names, group = spec["names"], spec.get("group", "")
    causes = []
    if definition["metadata"].get("name") != f"{names.get('plural', '')}.{group}":
        text = 'must be spec.names.plural+"."+spec.group'
        causes.append(invalid("metadata.name", definition["metadata"].get("name"), text))
    causes += dns_subdomain("spec.group", group) if group else [required("spec.group")]
    if "." not in group and group and not dns_subdomain("", group):
        causes.append(invalid("spec.group", group, "should be a domain with at least one dot"))
    if spec.get("scope") not in _SCOPES:
        causes.append(
            unsupported("spec.scope", spec.get("scope", ""), list(_SCOPES))
            if spec.get("scope")
            else required("spec.scope")
        )
    causes += _validate_versions(spec.get("versions") or [])
    causes += _validate_names(names)
    if not definition["status"].get("storedVersions"):
        text = "must have at least one stored version"
        causes.append(invalid("status.storedVersions", None, text))
    return causes


def _validate_versions(versions: list[Object]) -> list[Cause]:
    causes: list[Cause] = []
    for index, version in enumerate(versions):
        at = f"spec.versions[{index}]"
        causes += dns1035_label(f"{at}.name", version.get("name", ""))
        causes += dns1035_label("spec.version", version.get("name", "")) if index == 0 else []
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        # A single version's schema is validated as the older field that it is converted to.
        place = "spec.validation.openAPIV3Schema" if len(versions) == 1 else f"{at}.schema.openAPIV3Schema"
        if schema is None:
            causes.append(
                required(f"{at}.schema.openAPIV3Schema", "schemas are required" if "schema" in version else "")
            )
        else:
            causes += validate_schema(schema, place)
    if len([each for each in versions if each.get("storage")]) != 1:
        shown = [_internal(each) for each in versions]
        causes.append(invalid("spec.versions", shown, "must have exactly one version marked as storage version"))
    return causes


def _internal(version: Object) -> Object:
    """A version as the server's own type prints it; its schema is elsewhere by then."""
    return {
        "Name": version.get("name", ""),
        "Served": bool(version.get("served")),
        "Storage": bool(version.get("storage")),
        "Deprecated": bool(version.get("deprecated")),
        "DeprecationWarning": version.get("deprecationWarning"),
        **dict.fromkeys(("Schema", "Subresources", "AdditionalPrinterColumns", "SelectableFields")),
    }


def _validate_names(names: Object) -> list[Cause]:
    causes: list[Cause] = []
    for field in ("plural", "singular", "kind", "listKind"):
        value = names.get(field, "")
        if not value:
            causes.append(required(f"spec.names.{field}"))
        else:
            causes += [invalid(f"spec.names.{field}", value, text) for text in dns1035_problems(value.lower())]
    for field in ("plural", "singular"):
        value = names.get(field, "")
        if value != value.lower():
            causes += [invalid(f"spec.names.{field}", value, text) for text in dns1035_problems(value)]
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        causes.append(invalid("spec.names.listKind", names["listKind"], "kind and listKind may not be the same"))
    return causes


def _kept(new: Object, old: Object) -> list[Cause]:
    fixed = {
        "spec.group": ("group",),
        "spec.scope": ("scope",),
        "spec.names.plural": ("names", "plural"),
        "spec.names.kind": ("names", "kind"),
    }
    causes = []
    for field, path in fixed.items():
        before, after = old["spec"], new["spec"]
        for key in path:
            before, after = before.get(key, {}), after.get(key, {})
        if before != after:
            causes.append(immutable(field, after))
    return causes


DEFINITION = Strategy(_default, _prepare, _validate, _kept)


def custom_strategy(resource: Resource) -> Strategy:
    """Defaults and validation from the openAPIV3Schema; CEL rules (x-kubernetes-validations) are not run."""
    schema = (resource.schemas or {}).get(resource.versions[0]) or {}

    def fill_in(obj: Object) -> None:
        fill(obj, schema)

    def check(obj: Object) -> list[Cause]:
        apart = ("metadata", "status") if resource.status else ("metadata",)
        causes = validate({key: value for key, value in obj.items() if key not in apart}, schema, "")
        return causes + _validate_scale(obj, resource.scale_paths)

    def check_status(obj: Object, _old: Object) -> list[Cause]:
        inner = (schema.get("properties") or {}).get("status")
        return _under("status", validate(obj["status"], inner, "")) if inner and "status" in obj else []

    return Strategy(fill_in, validate=check, validate_status=check_status)


def _under(field: str, causes: list[Cause]) -> list[Cause]:
    """Causes of a part; their texts name the field within the part only."""
    return [Cause(f"{field}.{each.field}" if each.field else field, each.reason, each.message) for each in causes]


def _validate_scale(obj: Object, paths: dict[str, str] | None) -> list[Cause]:
    """The replicas that the scale subresource would show."""
    causes = []
    for path in [paths[key] for key in ("specReplicasPath", "statusReplicasPath") if paths and paths.get(key)]:
        node: Any = obj
        for part in path.strip(".").split("."):
            node = node.get(part) if isinstance(node, dict) else None
        if node is None:
            continue
        if not isinstance(node, int) or isinstance(node, bool):
            kind = {str: "string", float: "float64", bool: "bool"}.get(type(node), "object")
            text = f"{path} accessor error: {node} is of the type {kind}, expected int64"
            causes.append(invalid(path, 0, text))
        elif node < 0:
            causes.append(invalid(path, node, "should be a non-negative integer"))
    return causes
