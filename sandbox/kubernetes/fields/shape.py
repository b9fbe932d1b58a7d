"""How values merge: which maps and lists are taken as one, and by which keys list entries are told apart.

The same shapes serve server-side apply (listType, mapType) and strategic merge patch (patchMergeKey). For built-in
types the facts are the `+listType`, `+listMapKey`, `+mapType=atomic` and `patchMergeKey` markers of k8s.io/api; a list
without an entry here is atomic, a map granular. For custom resources they come from the `x-kubernetes-*` extensions.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sandbox.kubernetes.resources import Resource
from sandbox.kubernetes.schema import builtin


@dataclass(frozen=True, slots=True)
class Shape:
    """`kind` is "map", "atomic", "list" (entries by `keys`) or "set" (entries by value)."""

    kind: str = "map"
    child: Callable[[str], "Shape"] = field(default=lambda _key: UNTYPED)
    struct: bool = False  # a map whose fields are declared
    item: Callable[[], "Shape"] = field(default=lambda: UNTYPED)
    keys: tuple[str, ...] = ()
    defaults: tuple[tuple[str, Any], ...] = ()  # of key fields that may be left out
    patch_key: str = ""  # strategic merge patch merges the list by it, even where apply takes it as one


UNTYPED: Shape = Shape()
ATOMIC = Shape("atomic")

_ATOMIC_TYPES = frozenset({
    "V1LabelSelector", "V1NodeSelector", "V1NodeSelectorTerm", "V1LocalObjectReference", "V1ObjectReference",
    "V1SecretKeySelector", "V1ConfigMapKeySelector", "V1ObjectFieldSelector", "V1ResourceFieldSelector",
    "V1TypedLocalObjectReference", "V1RoleRef", "V1ScopeSelector", "V1SecretReference", "V1EndpointAddress",
    "V1EndpointPort", "CoreV1EndpointPort", "V1IngressServiceBackend",
})  # fmt: skip
_ATOMIC_MAPS = frozenset({("V1PodSpec", "nodeSelector"), ("V1ServiceSpec", "selector")})
_SETS = frozenset({
    ("V1ObjectMeta", "finalizers"), ("V1NodeSpec", "podCIDRs"), ("V1PersistentVolumeSpec", "accessModes"),
})  # fmt: skip
_PORT = ("containerPort", "protocol")
_LISTS: dict[tuple[str, str], tuple[str, ...]] = {
    ("V1ObjectMeta", "ownerReferences"): ("uid",),
    ("V1PodSpec", "containers"): ("name",),
    ("V1PodSpec", "initContainers"): ("name",),
    ("V1PodSpec", "ephemeralContainers"): ("name",),
    ("V1PodSpec", "volumes"): ("name",),
    ("V1PodSpec", "imagePullSecrets"): ("name",),
    ("V1PodSpec", "hostAliases"): ("ip",),
    ("V1PodSpec", "topologySpreadConstraints"): ("topologyKey", "whenUnsatisfiable"),
    ("V1PodSpec", "resourceClaims"): ("name",),
    ("V1PodSpec", "schedulingGates"): ("name",),
    ("V1ResourceRequirements", "claims"): ("name",),
    ("V1PodStatus", "podIPs"): ("ip",),
    ("V1ServiceSpec", "ports"): ("port", "protocol"),
    ("V1NodeStatus", "addresses"): ("type",),
    ("V1ServiceAccount", "secrets"): ("name",),
    ("V1MutatingWebhookConfiguration", "webhooks"): ("name",),
    ("V1ValidatingWebhookConfiguration", "webhooks"): ("name",),
    ("V1MutatingWebhook", "matchConditions"): ("name",),
    ("V1ValidatingWebhook", "matchConditions"): ("name",),
}
for _container in ("V1Container", "V1EphemeralContainer"):
    _LISTS |= {
        (_container, "env"): ("name",),
        (_container, "ports"): _PORT,
        (_container, "volumeMounts"): ("mountPath",),
        (_container, "volumeDevices"): ("devicePath",),
    }
_KEY_DEFAULTS = {"protocol": "TCP"}
_PATCH_ONLY = {
    ("V1JobStatus", "conditions"): "type",
    ("V1ServiceAccount", "imagePullSecrets"): "name",
    ("V1ProjectedVolumeSource", "sources"): "",
}


@cache
def _type_shape(name: str) -> Shape:
    """The shape of a type expression of the built-in table."""
    fields = builtin.fields_of(name)
    if fields is None:
        return UNTYPED
    if name in _ATOMIC_TYPES:
        return Shape("atomic", child=lambda key: _field_shape(name, key), struct=True)
    return Shape("map", child=lambda key: _field_shape(name, key), struct=True)


@cache
def _field_shape(owner: str, name: str) -> Shape:
    expression = (builtin.fields_of(owner) or {}).get(name, "any")
    if expression[0] == "[":
        return _list_shape(owner, name, expression[1:-1])
    if expression[0] == "{":
        item = expression[1:-1]
        kind = "atomic" if (owner, name) in _ATOMIC_MAPS else "map"
        return Shape(kind, child=lambda _key: _type_shape(item))
    return UNTYPED if expression == "any" else _type_shape(expression)


def _list_shape(owner: str, name: str, item: str) -> Shape:
    def item_shape() -> Shape:
        return _type_shape(item)

    if (owner, name) in _SETS:
        return Shape("set", item=item_shape)
    keys = _LISTS.get((owner, name))
    if keys is None and name == "conditions" and (owner, name) not in _PATCH_ONLY:
        keys = ("type",)
    if keys is None:
        return Shape("atomic", item=item_shape, patch_key=_PATCH_ONLY.get((owner, name), ""))
    defaults = tuple((key, _KEY_DEFAULTS[key]) for key in keys if key in _KEY_DEFAULTS)
    return Shape("list", item=item_shape, keys=keys, defaults=defaults, patch_key=keys[0])


_META = _type_shape("V1ObjectMeta")


def structural_shape(schema: dict[str, Any]) -> Shape:
    """The shape that a custom resource's openAPIV3Schema describes."""
    if schema.get("type") == "array":
        return _structural_list(schema)
    kind = "atomic" if schema.get("x-kubernetes-map-type") == "atomic" else "map"
    properties = schema.get("properties") or {}
    additional = schema.get("additionalProperties")

    def child(key: str) -> Shape:
        if key in properties:
            return structural_shape(properties[key])
        return structural_shape(additional) if isinstance(additional, dict) else UNTYPED

    return Shape(kind, child=child, struct=bool(properties))


def _structural_list(schema: dict[str, Any]) -> Shape:
    items = schema.get("items") or {}
    kind = schema.get("x-kubernetes-list-type", "atomic")
    if kind == "map":
        keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())
        properties = items.get("properties") or {}
        defaults = tuple((key, properties[key]["default"]) for key in keys if "default" in properties.get(key, {}))
        return Shape("list", item=lambda: structural_shape(items), keys=keys, defaults=defaults)
    return Shape("set" if kind == "set" else "atomic", item=lambda: structural_shape(items))


def shape_of(resource: Resource) -> Shape:
    """The shape of a whole object of that resource."""
    name = builtin.root(resource.key)
    if name is not None:
        return _type_shape(name)
    top = structural_shape((resource.schemas or {}).get(resource.versions[0]) or {})
    return Shape("map", child=lambda key: _META if key == "metadata" else top.child(key), struct=True)
