"""From a SealedSecret to the Secret it stands for, by the rules of the real controller (v0.40)."""

import base64
from typing import Any

from sandbox.nodes.api import Object
from sandbox.nodes.images.sealed_secrets_keys import KeyRing, SealError

PREFIX = "sealedsecrets.bitnami.com/"
CLUSTER_WIDE, NAMESPACE_WIDE = PREFIX + "cluster-wide", PREFIX + "namespace-wide"
MANAGED, PATCH, SKIP_OWNER = PREFIX + "managed", PREFIX + "patch", PREFIX + "skip-set-owner-references"


def scope(sealed: Object) -> bytes:
    """What a value is bound to: namespace/name, unless an annotation widens it."""
    metadata = sealed["metadata"]
    if _annotated(sealed, CLUSTER_WIDE):
        return b""
    if _annotated(sealed, NAMESPACE_WIDE):
        return str(metadata["namespace"]).encode()
    return f"{metadata['namespace']}/{metadata['name']}".encode()


def unseal(sealed: Object, keys: KeyRing) -> Object:
    """The Secret, with the template's labels, annotations and type, owned by the SealedSecret. Raises `SealError`."""
    template = sealed["spec"].get("template") or {}
    given = template.get("metadata") or {}
    metadata: Object = {"name": sealed["metadata"]["name"], "namespace": sealed["metadata"]["namespace"]}
    metadata |= {field: given[field] for field in ("labels", "annotations") if given.get(field)}
    if (given.get("annotations") or {}).get(SKIP_OWNER) != "true":
        metadata["ownerReferences"] = [_owner(sealed)]
    secret: Object = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "type": template.get("type") or "Opaque",
        "data": {name: base64.b64encode(value).decode() for name, value in _data(sealed, template, keys).items()},
    }
    return secret | ({"immutable": template["immutable"]} if "immutable" in template else {})


def replacement(existing: Object, wanted: Object, sealed: Object) -> Object:
    """`existing` made into `wanted`. `SealError` when it is somebody else's and not marked as ours to change."""
    controlled = any(
        owner.get("controller") and owner["uid"] == sealed["metadata"]["uid"]
        for owner in existing["metadata"].get("ownerReferences") or []
    )
    patch = _annotated(existing, PATCH)
    if not (controlled or patch or _annotated(existing, MANAGED)):
        name = existing["metadata"]["name"]
        raise SealError(f'failed update: Resource "{name}" already exists and is not managed by SealedSecret')
    owned = ("labels", "annotations", "ownerReferences")
    kept = {field: value for field, value in existing["metadata"].items() if patch or field not in owned}
    changed = {field: wanted["metadata"][field] for field in owned if field in wanted["metadata"]}
    if patch:
        changed = _added(existing, changed, managed=_annotated(existing, MANAGED))
    data = wanted["data"] if not patch else {**(existing.get("data") or {}), **wanted["data"]}
    return {**existing, "type": wanted["type"], "data": data, "metadata": {**kept, **changed}}


def _added(existing: Object, changed: Object, *, managed: bool) -> Object:
    """With the patch annotation labels and annotations are added to, and the owner is set only when also managed."""
    merged = {
        field: {**(existing["metadata"].get(field) or {}), **changed.get(field, {})}
        for field in ("labels", "annotations")
    }
    return merged | ({"ownerReferences": changed.get("ownerReferences")} if managed else {})


def _data(sealed: Object, template: Object, keys: KeyRing) -> dict[str, bytes]:
    label, values, faults = scope(sealed), {}, []
    for name, value in (sealed["spec"].get("encryptedData") or {}).items():
        try:
            values[name] = keys.open(value, label)
        except SealError as error:
            faults.append(f"{error} ({name})")
    for name, text in (template.get("data") or {}).items():
        if text is None:
            values.pop(name, None)
        elif "{{" in text:
            faults.append(f"the sandbox does not evaluate templates ({name})")
        else:
            values[name] = text.encode()
    if faults:
        raise SealError("; ".join(faults))
    return values


def _owner(sealed: Object) -> dict[str, Any]:
    return {
        "apiVersion": "bitnami.com/v1alpha1",
        "kind": "SealedSecret",
        "name": sealed["metadata"]["name"],
        "uid": sealed["metadata"]["uid"],
        "controller": True,
    }


def _annotated(item: Object, annotation: str) -> bool:
    return (item["metadata"].get("annotations") or {}).get(annotation) == "true"
