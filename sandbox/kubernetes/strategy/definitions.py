"""CustomResourceDefinitions, and the strategy of the custom resources that they define.

Source: k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/{v1/defaults.go,validation/validation.go}.
"""

from typing import TYPE_CHECKING

from sandbox.kubernetes.errors import Cause, immutable, invalid, required
from sandbox.kubernetes.resources import Resource
from sandbox.kubernetes.schema.structural import fill, validate
from sandbox.kubernetes.strategy.base import Object, Strategy

if TYPE_CHECKING:
    from sandbox.kubernetes.store import Store


def _default(definition: Object) -> None:
    spec = definition.setdefault("spec", {})
    names = spec.setdefault("names", {})
    kind = names.get("kind", "")
    names.setdefault("singular", kind.lower())
    names.setdefault("listKind", f"{kind}List")
    spec.setdefault("conversion", {"strategy": "None"})


def _prepare(definition: Object, old: Object | None, _store: "Store") -> None:
    if old is None:
        stored = [each["name"] for each in definition["spec"].get("versions") or [] if each.get("storage")]
        definition["status"] = {
            "conditions": [],
            "acceptedNames": {"plural": "", "kind": ""},
            "storedVersions": stored,
        }


def _validate(definition: Object) -> list[Cause]:
    spec = definition["spec"]
    names, versions = spec["names"], spec.get("versions") or []
    causes = [required(f"spec.{field}") for field in ("group", "scope") if not spec.get(field)]
    causes += [required(f"spec.names.{field}") for field in ("plural", "kind") if not names.get(field)]
    expected = f"{names.get('plural', '')}.{spec.get('group', '')}"
    if definition["metadata"].get("name") != expected:
        text = 'must be spec.names.plural+"."+spec.group'
        causes.append(invalid("metadata.name", definition["metadata"].get("name"), text))
    if len([each for each in versions if each.get("storage")]) != 1:
        listed = [each.get("name") for each in versions]
        causes.append(invalid("spec.versions", listed, "must have exactly one version marked as storage version"))
    for index, version in enumerate(versions):
        if not (version.get("schema") or {}).get("openAPIV3Schema"):
            causes.append(required(f"spec.versions[{index}].schema.openAPIV3Schema", "schemas are required"))
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
        return validate({key: value for key, value in obj.items() if key != "metadata"}, schema, "")

    return Strategy(fill_in, validate=check)
