"""Garbage collection by ownerReferences: background, foreground and orphaning.

Kept as a graph in memory, built from the store's events, so nothing is searched for when an owner goes.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from sandbox.kubernetes.controllers.objects import Object, is_terminating, name_of, namespace_of, uid_of
from sandbox.kubernetes.controllers.queue import Key
from sandbox.kubernetes.controllers.runtime import Again, Controller
from sandbox.kubernetes.deletion import FOREGROUND, ORPHAN

if TYPE_CHECKING:
    from sandbox.kubernetes.store import Store

OWNER, DEPENDENT = "owner", "dependent"


class Place(NamedTuple):
    """Where an object is stored."""

    kind: str
    namespace: str
    name: str


class GarbageCollector(Controller):
    """The garbage-collector-controller. Its keys are ("owner" | "dependent", uid)."""

    def __init__(self, store: "Store") -> None:
        super().__init__(store)
        self._places: dict[str, Place] = {}
        self._owners: dict[str, set[str]] = {}
        self._dependents: dict[str, set[str]] = {}

    def keys(self, change: str, kind: str, obj: Object) -> Iterable[Key]:
        """Owners that went or are going, dependents that came, and owners that wait for a dependent that went."""
        uid = uid_of(obj)
        before = self._owners.get(uid, set())
        self._note(change, kind, obj)
        if change == "DELETED":
            yield OWNER, uid
            yield from ((OWNER, owner) for owner in before)
        else:
            if self._owners.get(uid):
                yield DEPENDENT, uid
            if is_terminating(obj):
                yield OWNER, uid

    def _note(self, change: str, kind: str, obj: Object) -> None:
        """Bring the graph up to date with one event."""
        uid = uid_of(obj)
        for owner in self._owners.pop(uid, set()):
            self._dependents[owner].discard(uid)
            if not self._dependents[owner]:
                del self._dependents[owner]
        if change == "DELETED":
            self._places.pop(uid, None)
            return
        self._places[uid] = Place(kind, namespace_of(obj), name_of(obj))
        owners = {reference["uid"] for reference in obj["metadata"].get("ownerReferences") or []}
        if owners:
            self._owners[uid] = owners
        for owner in owners:
            self._dependents.setdefault(owner, set()).add(uid)

    def reconcile(self, key: Key) -> Again:
        """Settle one dependent without owners, or the dependents of one owner that went or is going."""
        role, uid = key
        if role == DEPENDENT:
            self._settle_dependent(uid)
            return None
        owner = self._object(uid)
        if owner is None:
            for dependent in self._dependents_of(uid):
                self._settle_dependent(uid_of(dependent))
        elif is_terminating(owner):
            self._settle_owner(owner)
        return None

    def _object(self, uid: str) -> Object | None:
        """A copy of the object of that uid, if it is stored."""
        place = self._places.get(uid)
        obj = self.store.peek(*place) if place else None
        return self.store.get(*place) if place and obj and uid_of(obj) == uid else None

    def _dependents_of(self, uid: str) -> list[Object]:
        found = (self._object(dependent) for dependent in tuple(self._dependents.get(uid, ())))
        return [each for each in found if each is not None]

    def _settle_dependent(self, uid: str) -> None:
        """Delete what has no owner left; else remove the references to owners that are gone."""
        dependent = self._object(uid)
        references = dependent["metadata"].get("ownerReferences") or [] if dependent else []
        if dependent is None or not references:
            return
        alive = [reference for reference in references if self._object(reference["uid"]) is not None]
        if not alive:
            self._delete(dependent, "Background")
        elif len(alive) < len(references):
            dependent["metadata"]["ownerReferences"] = alive
            self.store.update(self._places[uid].kind, dependent)

    def _delete(self, obj: Object, propagation: str) -> None:
        """Delete, keeping a propagation that somebody already chose for the object."""
        if not is_terminating(obj):
            place = self._places[uid_of(obj)]
            self.store.delete(*place, propagation=propagation, preconditions_uid=uid_of(obj))

    def _settle_owner(self, owner: Object) -> None:
        finalizers = owner["metadata"].get("finalizers") or []
        if ORPHAN in finalizers:
            self._orphan(owner)
        elif FOREGROUND in finalizers:
            self._delete_dependents_first(owner)

    def _orphan(self, owner: Object) -> None:
        uid = uid_of(owner)
        for dependent in self._dependents_of(uid):
            references = dependent["metadata"]["ownerReferences"]
            kept = [each for each in references if each["uid"] != uid]
            dependent["metadata"]["ownerReferences"] = kept
            self.store.update(self._places[uid_of(dependent)].kind, dependent)
        self._release(owner, ORPHAN)

    def _delete_dependents_first(self, owner: Object) -> None:
        for dependent in self._dependents_of(uid_of(owner)):
            self._delete(dependent, "Foreground")
        if not any(_blocks(owner, dependent) for dependent in self._dependents_of(uid_of(owner))):
            self._release(owner, FOREGROUND)

    def _release(self, owner: Object, finalizer: str) -> None:
        finalizers = owner["metadata"].get("finalizers") or []
        owner["metadata"]["finalizers"] = [each for each in finalizers if each != finalizer]
        self.store.update(self._places[uid_of(owner)].kind, owner)


def _blocks(owner: Object, dependent: Object) -> bool:
    references = dependent["metadata"].get("ownerReferences") or []
    return any(each["uid"] == uid_of(owner) and each.get("blockOwnerDeletion") for each in references)
