"""Small questions about Kubernetes objects (plain dicts as in their JSON) that several controllers ask."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from sandbox.kubernetes.metadata import now

Object = dict[str, Any]

# The alphabet of generated names: no vowels, no look-alikes (k8s.io/apimachinery/pkg/util/rand).
_SAFE_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


class Objects(Protocol):
    """Where a controller gets objects from and puts them: this process's store, or a real API server.

    `kind` is "services" or "deployments.apps". Raises the errors of sandbox/kubernetes/errors.py.
    """

    def get(self, kind: str, namespace: str | None, name: str) -> Object: ...
    def create(self, kind: str, obj: Object) -> Object: ...
    def update(self, kind: str, obj: Object, *, subresource: str | None = None) -> Object: ...


def parse_time(text: str) -> datetime:
    """The moment that a metav1.Time or MicroTime names."""
    return datetime.fromisoformat(text)


def age(text: str) -> float:
    """Seconds since the moment that a metav1.Time names."""
    return (datetime.now(UTC) - parse_time(text)).total_seconds()


def name_of(obj: Object) -> str:
    """metadata.name."""
    return str(obj["metadata"]["name"])


def namespace_of(obj: Object) -> str:
    """metadata.namespace, empty for a cluster-scoped object."""
    return str(obj["metadata"].get("namespace") or "")


def uid_of(obj: Object) -> str:
    """metadata.uid."""
    return str(obj["metadata"].get("uid", ""))


def labels_of(obj: Object) -> dict[str, str]:
    """metadata.labels, possibly empty."""
    return dict(obj["metadata"].get("labels") or {})


def annotations_of(obj: Object) -> dict[str, str]:
    """metadata.annotations, possibly empty."""
    return dict(obj["metadata"].get("annotations") or {})


def is_terminating(obj: Object) -> bool:
    """Whether deletion has been asked for."""
    return bool(obj["metadata"].get("deletionTimestamp"))


def controller_ref(obj: Object) -> Object | None:
    """The ownerReference of the object's managing controller, if it has one."""
    for reference in obj["metadata"].get("ownerReferences") or []:
        if reference.get("controller"):
            return dict(reference)
    return None


def owner_reference(owner: Object) -> Object:
    """The ownerReference by which `owner` manages what it makes."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": name_of(owner),
        "uid": uid_of(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def owned_by(objects: Iterable[Object], owner: Object) -> list[Object]:
    """Those of `objects` whose managing controller is `owner`."""
    uid = uid_of(owner)
    return [each for each in objects if (controller_ref(each) or {}).get("uid") == uid]


def matches_labels(wanted: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether `labels` holds every pair of a non-empty `wanted` (a Service's selector)."""
    return bool(wanted) and all(labels.get(key) == value for key, value in wanted.items())


def stable_hash(value: Any, length: int = 10) -> str:
    """A short hash of a JSON value, in the alphabet of generated names."""
    digest = hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).digest()
    return "".join(_SAFE_ALPHABET[byte % len(_SAFE_ALPHABET)] for byte in digest[:length])


def find_condition(obj: Object, kind: str) -> Object | None:
    """The condition of that type in the object's status."""
    for condition in (obj.get("status") or {}).get("conditions") or []:
        if condition.get("type") == kind:
            return dict(condition)
    return None


def has_condition(obj: Object, kind: str) -> bool:
    """Whether the condition of that type is True."""
    return (find_condition(obj, kind) or {}).get("status") == "True"


def with_condition(conditions: list[Object], new: Object) -> list[Object]:
    """`conditions` with the one of the same type replaced; lastTransitionTime is kept while its status stays."""
    kept = {each["type"]: each for each in conditions}
    old = kept.get(new["type"])
    moment = old["lastTransitionTime"] if old and old["status"] == new["status"] else now()
    kept[new["type"]] = {"lastTransitionTime": moment, **new}
    return list(kept.values())
