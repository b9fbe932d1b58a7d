"""Secrets, ConfigMaps, PersistentVolumeClaims and StorageClasses.

Source: k8s.io/kubernetes/pkg/apis/core/validation/validation.go (ValidateSecret, ValidateConfigMap).
"""

import base64
import json
import re
from typing import TYPE_CHECKING

from sandbox.kubernetes.errors import Cause, forbidden, immutable, invalid, required
from sandbox.kubernetes.strategy.base import Object, Strategy

if TYPE_CHECKING:
    from sandbox.kubernetes.store import Store

_KEY = re.compile(r"^[-._a-zA-Z0-9]+$")
_KEY_LIMIT = 253  # characters
_ACCOUNT = "kubernetes.io/service-account.name"
_KEY_TEXT = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
    "'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
CLAIM_FINALIZER = "kubernetes.io/pvc-protection"
_LIMIT = 1024 * 1024  # bytes, all values together
_NEEDED = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}


def _default_secret(secret: Object) -> None:
    """stringData is written, never read: it ends up in data."""
    secret.setdefault("type", "Opaque")
    plain = secret.pop("stringData", None) or {}
    if plain:
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
        secret["data"] = (secret.get("data") or {}) | encoded


def _validate_keys(values: Object, field: str) -> list[Cause]:
    return [invalid(f"{field}[{key}]", key, text) for key in values for text in _key_problems(key)]


def _key_problems(key: str) -> list[str]:
    problems = [f"must be no more than {_KEY_LIMIT} characters"] if len(key) > _KEY_LIMIT else []
    if not _KEY.match(key):
        return [*problems, _KEY_TEXT]
    if key in (".", ".."):
        return [*problems, f"must not be '{key}'"]
    return problems + (["must not start with '..'"] if key.startswith("..") else [])


def _too_long(field: str, size: float) -> list[Cause]:
    text = f"Too long: may not be more than {_LIMIT} bytes"
    return [Cause(field, "FieldValueTooLong", text)] if size > _LIMIT else []


def _validate_secret(secret: Object) -> list[Cause]:
    data = secret.get("data") or {}
    kind, annotations = secret["type"], secret["metadata"].get("annotations") or {}
    causes = _validate_keys(data, "data")
    causes += _too_long("data", sum(len(value) * 3 / 4 for value in data.values()))
    if kind == "kubernetes.io/service-account-token" and not annotations.get(_ACCOUNT):
        causes.append(required(f"metadata.annotations[{_ACCOUNT}]"))
    if kind == "kubernetes.io/basic-auth" and not {"username", "password"} & data.keys():
        causes += [required("data[username]"), required("data[password]")]
    causes += [required(f"data[{key}]") for key in _NEEDED.get(kind, ()) if key not in data]
    return causes + _validate_registries(data.get(".dockerconfigjson") if "dockerconfig" in kind else None)


def _validate_registries(encoded: str | None) -> list[Cause]:
    try:
        json.loads(base64.b64decode(encoded or "e30="))
    except ValueError as error:
        found = getattr(error, "doc", "")[:1]
        text = (
            f"invalid character '{found}' looking for beginning of value" if found else "unexpected end of JSON input"
        )
        return [invalid("data[.dockerconfigjson]", "<secret contents redacted>", text)]
    return []


def _secret_kept(new: Object, old: Object) -> list[Cause]:
    causes = [] if new["type"] == old["type"] else [immutable("type", new["type"])]
    return causes + _frozen(new, old, ("data",))


def _frozen(new: Object, old: Object, fields: tuple[str, ...]) -> list[Cause]:
    """What `immutable: true` forbids."""
    if not old.get("immutable"):
        return []
    text = "field is immutable when `immutable` is set"
    causes = [] if new.get("immutable") else [forbidden("immutable", text)]
    return causes + [forbidden(field, text) for field in fields if new.get(field) != old.get(field)]


def _validate_configmap(obj: Object) -> list[Cause]:
    data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
    causes = _validate_keys(data, "data") + _validate_keys(binary, "binaryData")
    size = sum(len(value.encode()) for value in data.values()) + sum(len(value) * 3 / 4 for value in binary.values())
    causes += _too_long("[]", size)
    shared = data.keys() & binary.keys()
    return causes + [invalid(f"data[{key}]", key, "duplicate of key present in binaryData") for key in sorted(shared)]


def _configmap_kept(new: Object, old: Object) -> list[Cause]:
    return _frozen(new, old, ("data", "binaryData"))


def _default_claim(claim: Object) -> None:
    claim.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")


def _prepare_claim(claim: Object, old: Object | None, _store: "Store") -> None:
    if old is None:
        claim["status"] = {"phase": "Pending"}
        finalizers = claim["metadata"].get("finalizers") or []
        claim["metadata"]["finalizers"] = list(dict.fromkeys([*finalizers, CLAIM_FINALIZER]))


def _validate_claim(claim: Object) -> list[Cause]:
    spec = claim["spec"]
    causes = [] if spec.get("accessModes") else [required("spec.accessModes", "at least 1 access mode is required")]
    if "storage" not in ((spec.get("resources") or {}).get("requests") or {}):
        causes.append(required("spec.resources[storage]"))
    return causes


def _default_class(obj: Object) -> None:
    obj.setdefault("reclaimPolicy", "Delete")
    obj.setdefault("volumeBindingMode", "Immediate")


def _validate_class(obj: Object) -> list[Cause]:
    return [] if obj.get("provisioner") else [required("provisioner")]


SECRET = Strategy(_default_secret, validate=_validate_secret, validate_update=_secret_kept)
CONFIGMAP = Strategy(validate=_validate_configmap, validate_update=_configmap_kept)
CLAIM = Strategy(_default_claim, _prepare_claim, _validate_claim)
STORAGE_CLASS = Strategy(_default_class, validate=_validate_class)
