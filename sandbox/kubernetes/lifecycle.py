"""What the API server itself keeps going: first objects, custom resource definitions, old events."""

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any

from sandbox.kubernetes import metadata
from sandbox.kubernetes.authorization.bootstrap import bootstrap_roles
from sandbox.kubernetes.deletion import CLEANUP
from sandbox.kubernetes.errors import ApiError, NotFound
from sandbox.kubernetes.resources import Resource
from sandbox.kubernetes.store import Store

log = logging.getLogger(__name__)
Object = dict[str, Any]
CRDS = "customresourcedefinitions.apiextensions.k8s.io"
_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
_PRIORITIES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
_EVENT_TTL = 3600  # seconds, kube-apiserver --event-ttl
_SWEEP = 60.0  # seconds between looks for old events
_MANAGER = "kube-apiserver"


def bootstrap(store: Store, port: int) -> None:
    """The objects that every cluster begins with; serves the definitions stored before."""
    for name in _NAMESPACES:
        if store.peek("namespaces", None, name) is None:
            store.create("namespaces", {"metadata": {"name": name}}, field_manager=_MANAGER)
    if store.peek("services", "default", "kubernetes") is None:
        spec = {"clusterIP": "10.100.0.1", "ports": [{"name": "https", "port": 443, "targetPort": port}]}
        meta = {"name": "kubernetes", "namespace": "default", "labels": {"provider": "kubernetes"}}
        store.create("services", {"metadata": meta, "spec": spec}, field_manager=_MANAGER)
    bootstrap_roles(store, _MANAGER)
    for name, value in _PRIORITIES.items():
        if store.peek("priorityclasses.scheduling.k8s.io", None, name) is None:
            store.create(
                "priorityclasses.scheduling.k8s.io",
                {"metadata": {"name": name}, "value": value},
                field_manager=_MANAGER,
            )
    for definition in store.list(CRDS):
        if _condition(definition, "Established") == "True":
            store.registry.define(resource_of(definition))


async def run(store: Store) -> None:
    """Reconciles definitions as they change, for ever."""
    subscription = store.subscribe()
    sweeper = asyncio.create_task(_sweep_events(store))
    try:
        for definition in store.list(CRDS):
            _reconcile_definition(store, definition["metadata"]["name"])
        async for event in subscription:
            _react(store, event.kind, event.type, event.object)
    finally:
        sweeper.cancel()
        subscription.close()


def _react(store: Store, kind: str, change: str, obj: Object) -> None:
    meta = obj["metadata"]
    try:
        if kind == CRDS:
            _reconcile_definition(store, meta["name"])
        elif change == "DELETED":
            _finish_definitions(store, kind)
    except ApiError as error:
        log.warning("%s %s: %s", kind, meta["name"], error)


def _delete(store: Store, kind: str, namespace: str | None, name: str) -> None:
    found = store.peek(kind, namespace, name)
    if found is not None and "deletionTimestamp" not in found["metadata"]:
        store.delete(kind, namespace, name)


def _condition(obj: Object, name: str) -> str:
    conditions = (obj.get("status") or {}).get("conditions") or []
    return next((str(each["status"]) for each in conditions if each["type"] == name), "")


def _reconcile_definition(store: Store, name: str) -> None:
    """Serves a definition, or removes its resources before it goes."""
    definition = store.peek(CRDS, None, name)
    if definition is None:
        store.registry.forget(name)
        return
    if "deletionTimestamp" in definition["metadata"]:
        _retire(store, name, definition)
        return
    if not store.registry.known(name):
        store.journal.begin(name, store.revision)
    store.registry.define(resource_of(definition))
    if _condition(definition, "Established") != "True":
        changed = metadata.copy(definition)
        changed["status"] = changed["status"] | {
            "acceptedNames": changed["spec"]["names"],
            "conditions": [
                _true("NamesAccepted", "NoConflicts", "no conflicts found"),
                _true("Established", "InitialNamesAccepted", "the initial names have been accepted"),
            ],
        }
        store.update(CRDS, changed, subresource="status", field_manager=_MANAGER)


def _true(kind: str, reason: str, message: str) -> Object:
    moment = metadata.now()
    return {"type": kind, "status": "True", "lastTransitionTime": moment, "reason": reason, "message": message}


def _retire(store: Store, name: str, definition: Object) -> None:
    for entry in store.entries(name):
        namespace, item = entry.key
        _delete(store, name, namespace or None, item)
    finalizers = definition["metadata"].get("finalizers", [])
    if not store.entries(name) and CLEANUP in finalizers:
        changed = metadata.copy(definition)
        changed["metadata"]["finalizers"] = [each for each in finalizers if each != CLEANUP]
        try:
            store.update(CRDS, changed, field_manager=_MANAGER)
        except NotFound:
            store.registry.forget(name)


def _finish_definitions(store: Store, kind: str) -> None:
    definition = store.peek(CRDS, None, kind)
    if definition is not None and "deletionTimestamp" in definition["metadata"]:
        _retire(store, kind, definition)


def resource_of(definition: Object) -> Resource:
    """The resource that a CustomResourceDefinition defines."""
    spec = definition["spec"]
    names, versions = spec["names"], [each for each in spec["versions"] if each.get("served")]
    versions.sort(key=lambda each: not each.get("storage"))
    stored: Object = versions[0] if versions else {}
    sub = stored.get("subresources") or {}
    return Resource(
        spec["group"],
        tuple(each["name"] for each in versions),
        names["plural"],
        names["kind"],
        namespaced=spec["scope"] == "Namespaced",
        status="status" in sub,
        scale="scale" in sub,
        generation=True,
        short=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        singular=names.get("singular", ""),
        list_kind=names.get("listKind", ""),
        schemas={each["name"]: (each.get("schema") or {}).get("openAPIV3Schema") or {} for each in versions},
        scale_paths=sub.get("scale"),
        columns=tuple(stored.get("additionalPrinterColumns") or ()),
    )


async def _sweep_events(store: Store) -> None:
    """Drops events as old as kube-apiserver drops them."""
    while True:
        await asyncio.sleep(_SWEEP)
        oldest = datetime.fromtimestamp(datetime.now(UTC).timestamp() - _EVENT_TTL, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for entry in store.entries("events"):
            last = entry.object.get("lastTimestamp") or entry.object["metadata"]["creationTimestamp"]
            if last < oldest:
                _delete(store, "events", entry.key[0], entry.key[1])
