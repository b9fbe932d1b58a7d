"""The objects of one cluster: in memory, written through to SQLite, changes published in order.

Single-threaded: every method is synchronous and called on the event loop. Objects kept here are never changed in place;
callers get copies. Every write goes through the kind's strategy (defaults, validation), whoever makes it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sandbox.kubernetes import metadata
from sandbox.kubernetes.database import Database
from sandbox.kubernetes.deletion import Deletion, plan
from sandbox.kubernetes.entry import Entry
from sandbox.kubernetes.errors import AlreadyExists, Conflict, NotFound
from sandbox.kubernetes.fields.apply import apply as apply_fields
from sandbox.kubernetes.fields.managed import resets, set_managed, track
from sandbox.kubernetes.journal import Event, Journal, Subscription
from sandbox.kubernetes.patch.merge import merge_patch
from sandbox.kubernetes.prepare import prepare_create, prepare_update
from sandbox.kubernetes.resources import Registry, Resource

Object = dict[str, Any]
CONTROLLER = "kube-controller-manager"


class Store:
    """Get, list and change objects by kind key ("pods", "deployments.apps")."""

    def __init__(self, path: Path | None = None) -> None:
        """Loads the database at `path` (None: memory only)."""
        self._database = Database(path)
        self._revision = self._database.revision()
        self._entries: dict[str, dict[tuple[str, str], Entry]] = {}
        for kind, namespace, name, body in self._database.rows():
            self._entries.setdefault(kind, {})[namespace, name] = Entry(body)
        self.journal = Journal(self._revision)
        self.registry = Registry()

    @property
    def revision(self) -> int:
        """The last resourceVersion given out."""
        return self._revision

    # --- reading -------------------------------------------------------------------------------------------------

    def entry(self, kind: str, namespace: str | None, name: str) -> Entry:
        """The stored entry, read-only; raises NotFound."""
        found = self._entries.get(kind, {}).get((namespace or "", name))
        if found is None:
            raise NotFound(kind, name)
        return found

    def peek(self, kind: str, namespace: str | None, name: str) -> Object | None:
        """The stored object itself, read-only, or None."""
        found = self._entries.get(kind, {}).get((namespace or "", name))
        return None if found is None else found.object

    def changed_since(self, kind: str, revision: int) -> bool:
        """Whether an object of the kind changed after `revision`, or may have: it is not remembered that long."""
        return revision < self.journal.oldest(kind) or bool(self.journal.since(kind, revision))

    def kinds(self) -> list[str]:
        """The kinds of which there are objects now."""
        return [kind for kind, found in self._entries.items() if found]

    def entries(self, kind: str, namespace: str | None = None) -> list[Entry]:
        """The entries of a kind by namespace and name, in all namespaces when None; read-only."""
        found = self._entries.get(kind, {})
        return [found[key] for key in sorted(found) if namespace is None or key[0] == namespace]

    def get(self, kind: str, namespace: str | None, name: str) -> Object:
        """A copy of the object; raises NotFound."""
        return self.entry(kind, namespace, name).copy()

    def list(self, kind: str, namespace: str | None = None, labels: dict[str, str] | None = None) -> list[Object]:
        """Copies of the objects whose labels include `labels`, ordered by namespace and name."""
        wanted = (labels or {}).items()
        return [entry.copy() for entry in self.entries(kind, namespace) if wanted <= entry.labels.items()]

    def subscribe(self, *kinds: str) -> Subscription:
        """Changes from now on, of the given kinds or of all."""
        return self.journal.subscribe(lambda event: not kinds or event.kind in kinds)

    # --- writing -------------------------------------------------------------------------------------------------

    def create(self, kind: str, obj: Object, *, field_manager: str = CONTROLLER, dry_run: bool = False) -> Object:
        """Stores a new object and returns it as stored.

        Raises AlreadyExists, Invalid, Forbidden (namespace being deleted) or NotFound (no such namespace).
        """
        resource = self.registry.by_key(kind)
        new = prepare_create(self, resource, obj)
        name, namespace = new["metadata"]["name"], new["metadata"].get("namespace", "")
        present = self._entries.get(kind, {}).get((namespace, name))
        if present is not None:
            raise AlreadyExists(kind, name, deleting="deletionTimestamp" in present.object["metadata"])
        track(resource, new, None, field_manager, None)
        return self._keep(resource, "ADDED", new, None, dry_run)

    def update(
        self,
        kind: str,
        obj: Object,
        *,
        subresource: str | None = None,
        field_manager: str = CONTROLLER,
        dry_run: bool = False,
        tracked: bool = False,
    ) -> Object:
        """Replaces the object, or only its `subresource` ("status", "finalize", "binding").

        Raises Conflict when metadata.resourceVersion is set and not current. Without a change nothing is written.
        `tracked` says that managedFields are decided already (server-side apply).
        """
        resource = self.registry.by_key(kind)
        meta = obj.get("metadata", {})
        old = self.entry(kind, meta.get("namespace"), meta.get("name", ""))
        new = prepare_update(self, resource, obj, old.object, subresource)
        if tracked:
            set_managed(new, obj["metadata"].get("managedFields"))
        elif not subresource and resets(meta.get("managedFields")):
            set_managed(new, None)
        else:
            track(resource, new, old.object, field_manager, subresource)
        if new == old.object:
            return new
        if _finished(new):
            return self._drop(resource, old, new, dry_run)
        return self._keep(resource, "MODIFIED", new, old, dry_run)

    def apply(
        self,
        kind: str,
        config: Object,
        manager: str,
        *,
        force: bool,
        decode: Callable[[Object], Object],
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> Object:
        """Server-side apply of `config` by `manager`; returns the object, which may be new.

        `decode` makes an object of the merge of the live one with `config`, which is as the client sent it.

        Raises ApplyConflict when others own what would change and not `force`, NotFound for a subresource of nothing.
        """
        resource = self.registry.by_key(kind)
        meta = config["metadata"]
        live = self._entries.get(kind, {}).get((meta.get("namespace", ""), meta["name"]))
        if live is None and subresource:
            raise NotFound(kind, meta["name"])
        base = live.copy() if live else {"metadata": {key: meta[key] for key in ("name", "namespace") if key in meta}}
        merged = decode(apply_fields(resource, base, config, manager, force=force, subresource=subresource))
        if live:
            merged["metadata"] |= {key: meta[key] for key in ("uid", "resourceVersion") if key in meta}
            return self.update(kind, merged, subresource=subresource, dry_run=dry_run, tracked=True)
        new = prepare_create(self, resource, merged)
        set_managed(new, merged["metadata"].get("managedFields"))
        return self._keep(resource, "ADDED", new, None, dry_run)

    def patch_status(self, kind: str, namespace: str | None, name: str, status: Object) -> Object:
        """Merges into `.status` (RFC 7386: objects merge, lists replace, None removes)."""
        obj = self.get(kind, namespace, name)
        obj["status"] = merge_patch(obj.get("status") or {}, status)
        return self.update(kind, obj, subresource="status")

    def delete(
        self,
        kind: str,
        namespace: str | None,
        name: str,
        *,
        propagation: str = "Background",
        grace_seconds: int | None = None,
        preconditions_uid: str | None = None,
        preconditions_version: str | None = None,
        dry_run: bool = False,
    ) -> tuple[Object, bool]:
        """Deletes, or sets deletionTimestamp when finalizers or a pod's grace ask for it.

        Returns the object's last state and whether it is gone; raises NotFound, Conflict (preconditions).
        """
        resource = self.registry.by_key(kind)
        old = self.entry(kind, namespace, name)
        _check_preconditions(resource, old.object, preconditions_uid, preconditions_version)
        new = plan(resource, old.copy(), Deletion(propagation, grace_seconds))
        if new == old.object:
            return new, False
        if _finished(new):
            return self._drop(resource, old, new if kind == "pods" else old.copy(), dry_run), True
        return self._keep(resource, "MODIFIED", new, old, dry_run), False

    def close(self) -> None:
        """Closes the database."""
        self._database.close()

    # --- committing ----------------------------------------------------------------------------------------------

    def _keep(self, resource: Resource, change: str, new: Object, old: Entry | None, dry_run: bool) -> Object:
        if dry_run:
            return new
        self._revision += 1
        new["metadata"]["resourceVersion"] = str(self._revision)
        entry = Entry(metadata.dump(new))
        self._write(resource, change, entry, old)
        self._entries.setdefault(resource.key, {})[entry.key] = entry
        return new

    def _drop(self, resource: Resource, old: Entry, last: Object, dry_run: bool) -> Object:
        if dry_run:
            return last
        self._revision += 1
        last["metadata"]["resourceVersion"] = str(self._revision)
        entry = Entry(metadata.dump(last))
        self._write(resource, "DELETED", entry, old)
        return last

    def _write(self, resource: Resource, change: str, entry: Entry, old: Entry | None) -> None:
        namespace, name = entry.key
        removed = change == "DELETED"
        self._database.write(resource.key, namespace, name, None if removed else entry.raw, self._revision)
        if removed:
            del self._entries[resource.key][entry.key]
        previous = None if old is None else old.raw
        self.journal.publish(Event(change, resource.key, namespace, entry.raw, previous, self._revision))


def _finished(obj: Object) -> bool:
    """Whether nothing holds a deleted object any more: no finalizers, no grace left."""
    meta = obj["metadata"]
    held = meta.get("finalizers") or obj.get("spec", {}).get("finalizers") or meta.get("deletionGracePeriodSeconds")
    return "deletionTimestamp" in meta and not held


def _check_preconditions(resource: Resource, old: Object, uid: str | None, version: str | None) -> None:
    meta = old["metadata"]
    kind, name = resource.qualified_kind, meta["name"]
    again = "The object might have been deleted and then recreated"
    if uid is not None and uid != meta["uid"]:
        text = f"the UID in the precondition ({uid}) does not match the UID in record ({meta['uid']}). {again}"
        raise Conflict(kind, name, text)
    if version is not None and version != meta["resourceVersion"]:
        text = f"the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record "
        raise Conflict(kind, name, f"{text}({meta['resourceVersion']}). The object might have been modified")
