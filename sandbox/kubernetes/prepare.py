"""From what a caller sends to what is stored: identity, subresource boundaries, defaults, validation, generation.

Source: k8s.io/apiserver/pkg/registry/rest/{create,update}.go.
"""

import json
from typing import TYPE_CHECKING, Any

from sandbox.kubernetes import metadata
from sandbox.kubernetes.errors import BadRequest, Cause, Conflict, Forbidden, Invalid, NotFound, Unclassified
from sandbox.kubernetes.resources import Resource
from sandbox.kubernetes.schema import builtin
from sandbox.kubernetes.strategy.object_meta import new_finalizers, validate_metadata
from sandbox.kubernetes.strategy.table import strategy_for

if TYPE_CHECKING:
    from sandbox.kubernetes.store import Store

Object = dict[str, Any]
_STALE = "the object has been modified; please apply your changes to the latest version and try again"
_KEPT_META = (
    "name", "namespace", "uid", "creationTimestamp", "generation", "resourceVersion", "managedFields",
    "deletionTimestamp", "deletionGracePeriodSeconds", "generateName",
)  # fmt: skip


def prepare_create(store: "Store", resource: Resource, obj: Object) -> Object:
    """A new, complete, valid object; raises Invalid, BadRequest, Forbidden or NotFound (its namespace)."""
    strategy = strategy_for(resource)
    if obj.get("metadata", {}).get("resourceVersion"):
        raise Unclassified("resourceVersion should not be set on objects to be created")
    new = metadata.copy(obj)
    new["apiVersion"], new["kind"] = resource.api_version, resource.kind
    new["metadata"] = _new_metadata(store, resource, new.get("metadata") or {})
    if resource.status and not strategy.keeps_status_on_create:
        new.pop("status", None)
    strategy.default(new)
    strategy.prepare(new, None, store)
    if resource.generation:
        new["metadata"]["generation"] = 1
    _raise(resource, new, validate_metadata(resource, new) + strategy.validate(new))
    strategy.finish(new)
    return _ordered(_shaped(resource, new))


def _new_metadata(store: "Store", resource: Resource, given: Object) -> Object:
    meta = {key: value for key, value in given.items() if value is not None and key not in _KEPT_META[2:]}
    prefix = given.get("generateName")
    if prefix:
        meta["generateName"] = prefix
        meta["name"] = meta.get("name") or metadata.generated_name(prefix)
    if resource.namespaced:
        _check_namespace(store, resource, meta)
    else:
        meta.pop("namespace", None)
    if given.get("generation") and not resource.generation:
        meta["generation"] = given["generation"]  # kinds that do not count keep what they are given
    meta.pop("selfLink", None)
    return meta | {"uid": metadata.new_uid(), "creationTimestamp": metadata.now()}


def _check_namespace(store: "Store", resource: Resource, meta: Object) -> None:
    name = meta.get("namespace")
    if not name:
        raise BadRequest("an empty namespace may not be set during creation")
    namespace = store.peek("namespaces", None, name)
    if namespace is None:
        raise NotFound("namespaces", name)
    if "deletionTimestamp" in namespace["metadata"]:
        detail = f"unable to create new content in namespace {name} because it is being terminated"
        refused = Forbidden(resource.key, meta.get("name", ""), detail)
        cause = {"reason": "NamespaceTerminating", "message": f"namespace {name} is being terminated"}
        refused.details = (refused.details or {}) | {"causes": [cause | {"field": "metadata.namespace"}]}
        raise refused


def prepare_update(store: "Store", resource: Resource, obj: Object, old: Object, subresource: str | None) -> Object:
    """The object as it will be stored; raises Conflict (stale version, other uid) or Invalid."""
    strategy = strategy_for(resource)
    _check_identity(resource, obj.get("metadata", {}), old["metadata"])
    new = _compose(resource, metadata.copy(obj), metadata.copy(old), subresource)
    strategy.default(new)
    strategy.prepare(new, old, store)
    causes = validate_metadata(resource, new) + new_finalizers(resource, new["metadata"], old["metadata"])
    if subresource is None:
        causes += strategy.validate(new) + strategy.validate_update(new, old)
    elif subresource == "status":
        causes += strategy.validate_status(new, old)
    _raise(resource, new, causes)
    new = _shaped(resource, new)
    if resource.generation and _desired(new) != _desired(old):
        new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
    return _ordered(new)


def _check_identity(resource: Resource, meta: Object, old: Object) -> None:
    name = old["name"]
    uid, version = meta.get("uid"), meta.get("resourceVersion")
    if uid and uid != old["uid"]:
        key = "/".join(part for part in ("/registry", resource.plural, old.get("namespace"), name) if part)
        detail = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {old['uid']}"
        head = f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: "
        raise Conflict(resource.key, name, head + detail)
    if version and not str(version).isdigit():
        raise Unclassified(f"strconv.ParseUint: parsing {json.dumps(version)}: invalid syntax")
    if version and version != old["resourceVersion"]:
        raise Conflict(resource.key, name, _STALE)


def _compose(resource: Resource, given: Object, old: Object, subresource: str | None) -> Object:
    """What the caller may change on this path, over the old object for the rest."""
    meta = {key: value for key, value in (given.get("metadata") or {}).items() if value is not None}
    kept = {key: old["metadata"][key] for key in _KEPT_META if key in old["metadata"]}
    meta = {key: value for key, value in meta.items() if key not in _KEPT_META} | kept
    identity = {"apiVersion": resource.api_version, "kind": resource.kind}
    if subresource is None:
        new = given | identity | {"metadata": meta}
        if resource.key == "namespaces":
            new["spec"] = old["spec"]  # its finalizers change on a path of their own
        if resource.status:
            new.pop("status", None)
            new |= {"status": old["status"]} if "status" in old else {}
        return new
    own = {"status": "status"}.get(subresource, "spec")
    new = old | ({own: given[own]} if own in given else {}) | identity
    if not resource.custom:
        new["metadata"] = meta
    return new


def _desired(obj: Object) -> Object:
    """The part whose changes count as a new generation."""
    return {key: value for key, value in obj.items() if key not in ("metadata", "status", "apiVersion", "kind")}


def _shaped(resource: Resource, obj: Object) -> Object:
    """The object as the real server's types write it: nothing empty but what they always write."""
    root = builtin.root(resource.key)
    return obj if root is None else builtin.shaped(obj, root)


def _ordered(obj: Object) -> Object:
    """kind, apiVersion and metadata first, as people read them; managedFields stay inside metadata."""
    first = {key: obj[key] for key in ("kind", "apiVersion", "metadata")}
    return first | {key: value for key, value in obj.items() if key not in first}


def _raise(resource: Resource, obj: Object, causes: list[Cause]) -> None:
    if causes:
        raise Invalid(resource.qualified_kind, obj["metadata"].get("name", ""), causes)
