"""Writes Event objects: what `kubectl describe` and `kubectl get events` show of the controllers' work.

The same event about the same object is counted, not repeated, as client-go's correlator does.
"""

import logging

from sandbox.kubernetes.controllers.objects import Object, Objects, name_of, namespace_of, stable_hash, uid_of
from sandbox.kubernetes.errors import ApiError, NotFound
from sandbox.kubernetes.metadata import now

log = logging.getLogger(__name__)


class Recorder:
    """Records events in the name of one component, such as `deployment-controller`."""

    def __init__(self, store: Objects, component: str) -> None:
        self._store = store
        self._component = component

    def normal(self, obj: Object, reason: str, message: str) -> None:
        """Record that something went as it should."""
        self._record(obj, "Normal", reason, message)

    def warning(self, obj: Object, reason: str, message: str) -> None:
        """Record that something went wrong."""
        self._record(obj, "Warning", reason, message)

    def _record(self, obj: Object, kind: str, reason: str, message: str) -> None:
        """An event never fails what it tells of: an error (a namespace that is going away) is only logged."""
        try:
            self._write(obj, kind, reason, message)
        except ApiError as error:
            log.debug("event %s about %s not recorded: %s", reason, name_of(obj), error)

    def _write(self, obj: Object, kind: str, reason: str, message: str) -> None:
        namespace = namespace_of(obj) or "default"
        name = f"{name_of(obj)}.{stable_hash([uid_of(obj), self._component, reason, message], 16)}"
        try:
            event = self._store.get("events", namespace, name)
        except NotFound:
            event = self._new(obj, kind, reason, message)
            self._store.create("events", event | {"metadata": {"name": name, "namespace": namespace}})
        else:
            event |= {"count": int(event.get("count") or 1) + 1, "lastTimestamp": now()}
            self._store.update("events", event)

    def _new(self, obj: Object, kind: str, reason: str, message: str) -> Object:
        moment = now()
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "involvedObject": _reference(obj),
            "type": kind,
            "reason": reason,
            "message": message,
            "source": {"component": self._component},
            "reportingComponent": self._component,
            "reportingInstance": "",
            "firstTimestamp": moment,
            "lastTimestamp": moment,
            "eventTime": None,
            "count": 1,
        }


def _reference(obj: Object) -> Object:
    reference = {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "name": name_of(obj),
        "uid": uid_of(obj),
        "resourceVersion": obj["metadata"].get("resourceVersion", ""),
    }
    return reference | ({"namespace": namespace_of(obj)} if namespace_of(obj) else {})
