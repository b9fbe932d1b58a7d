"""Rolls Deployments out through ReplicaSets, one per pod template.

`kubectl rollout restart` needs nothing of its own: it changes an annotation of the template, hence its hash.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sandbox.kubernetes.controllers.deployment_status import HISTORY, deployment_status, seconds_to_deadline
from sandbox.kubernetes.controllers.events import Recorder
from sandbox.kubernetes.controllers.objects import (
    Object,
    annotations_of,
    controller_ref,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    owned_by,
    owner_reference,
    stable_hash,
    uid_of,
)
from sandbox.kubernetes.controllers.pods import is_finished, pods_of
from sandbox.kubernetes.controllers.queue import Key
from sandbox.kubernetes.controllers.replicasets import KIND as REPLICA_SETS
from sandbox.kubernetes.controllers.replicasets import replicas_of
from sandbox.kubernetes.controllers.rollout import Bounds, Revision, bounds, next_new_replicas, next_old_replicas
from sandbox.kubernetes.controllers.runtime import Again, Controller
from sandbox.kubernetes.errors import NotFound

if TYPE_CHECKING:
    from sandbox.kubernetes.store import Store

KIND = "deployments.apps"
HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
DEFAULT_HISTORY = 10


class Deployments(Controller):
    """The deployment-controller."""

    def __init__(self, store: "Store") -> None:
        super().__init__(store)
        self._recorder = Recorder(store, "deployment-controller")

    def keys(self, change: str, kind: str, obj: Object) -> Iterable[Key]:
        """Deployments, those of changed ReplicaSets, and (for Recreate) those whose pod has gone."""
        if kind == KIND and change != "DELETED":
            yield namespace_of(obj), name_of(obj)
        owner = controller_ref(obj)
        if owner and kind == REPLICA_SETS and owner["kind"] == "Deployment":
            yield namespace_of(obj), owner["name"]
        if owner and kind == "pods" and change == "DELETED" and HASH_LABEL in labels_of(obj):
            yield namespace_of(obj), owner["name"].removesuffix(f"-{labels_of(obj)[HASH_LABEL]}")

    def reconcile(self, key: Key) -> Again:
        """Make the ReplicaSet of the present template, move replicas one step towards it, write the status."""
        try:
            deployment = self.store.get(KIND, *key)
        except NotFound:
            return None
        limits = _bounds(deployment)
        if not is_terminating(deployment):
            self._roll(deployment, limits)
        new, old = self._revisions(deployment)
        return self._write_status(deployment, new, old, limits)

    def _roll(self, deployment: Object, limits: Bounds) -> None:
        new, old = self._revisions(deployment)
        if deployment["spec"].get("paused"):
            return
        wait = _recreates(deployment) and self._old_pods_remain(old)
        if new is None and wait:
            self._scale_to_zero(deployment, old)
            return
        if new is None:
            new = self._create_revision(deployment, old, limits)
        new = self._mark_newest(deployment, new, old, limits)
        if _recreates(deployment):
            self._scale_to_zero(deployment, old)
            if not wait:
                self._scale(deployment, new, replicas_of(deployment))
        else:
            self._roll_step(deployment, new, old, limits)
        self._prune(deployment, old)

    def _revisions(self, deployment: Object) -> tuple[Object | None, list[Object]]:
        """The ReplicaSet of the present template, if made, and the others, oldest first."""
        owned = owned_by(self.store.list(REPLICA_SETS, namespace_of(deployment)), deployment)
        wanted = _template_hash(deployment)
        new = next((each for each in owned if labels_of(each).get(HASH_LABEL) == wanted), None)
        old = sorted((each for each in owned if each is not new), key=_revision)
        return new, old

    def _old_pods_remain(self, old: list[Object]) -> bool:
        return any(not is_finished(pod) for each in old for pod in pods_of(self.store, each))

    def _create_revision(self, deployment: Object, old: list[Object], limits: Bounds) -> Object:
        replicas = replicas_of(deployment)
        if not _recreates(deployment):
            nothing = Revision("", 0, 0)
            replicas = next_new_replicas(replicas, nothing, [_as_revision(each) for each in old], limits)
        made = self.store.create(REPLICA_SETS, _replica_set(deployment, replicas))
        self._scaled_event(deployment, "up", name_of(made), 0, replicas)
        return made

    def _mark_newest(self, deployment: Object, new: Object, old: list[Object], limits: Bounds) -> Object:
        """Give the newest ReplicaSet the highest revision, and the Deployment the same."""
        revision = max(_revision(new), 1 + max(map(_revision, old), default=0))
        marks = {
            **annotations_of(new),
            REVISION: str(revision),
            DESIRED: str(replicas_of(deployment)),
            MAXIMUM: str(replicas_of(deployment) + limits.surge),
            **_history(new, revision),
        }
        if annotations_of(new) != marks:
            new["metadata"]["annotations"] = marks
            new = self.store.update(REPLICA_SETS, new)
        if annotations_of(deployment).get(REVISION) != str(revision):
            deployment["metadata"]["annotations"] = annotations_of(deployment) | {REVISION: str(revision)}
            deployment["metadata"] |= self.store.update(KIND, deployment)["metadata"]
        return new

    def _roll_step(self, deployment: Object, new: Object, old: list[Object], limits: Bounds) -> None:
        revisions = [_as_revision(each) for each in old]
        wanted = next_new_replicas(replicas_of(deployment), _as_revision(new), revisions, limits)
        if wanted != replicas_of(new):
            self._scale(deployment, new, wanted)
            return
        shrunk = next_old_replicas(replicas_of(deployment), _as_revision(new), revisions, limits)
        for each in old:
            self._scale(deployment, each, shrunk[name_of(each)])

    def _scale_to_zero(self, deployment: Object, old: list[Object]) -> None:
        for each in old:
            self._scale(deployment, each, 0)

    def _scale(self, deployment: Object, replica_set: Object, replicas: int) -> None:
        before = replicas_of(replica_set)
        if replicas == before:
            return
        replica_set["spec"]["replicas"] = replicas
        self.store.update(REPLICA_SETS, replica_set)
        self._scaled_event(deployment, "up" if replicas > before else "down", name_of(replica_set), before, replicas)

    def _scaled_event(self, deployment: Object, direction: str, name: str, before: int, after: int) -> None:
        message = f"Scaled {direction} replica set {name} from {before} to {after}"
        self._recorder.normal(deployment, "ScalingReplicaSet", message)

    def _prune(self, deployment: Object, old: list[Object]) -> None:
        """Remove the oldest empty ReplicaSets beyond the history limit."""
        limit = deployment["spec"].get("revisionHistoryLimit")
        keep = DEFAULT_HISTORY if limit is None else int(limit)
        for each in old[: max(0, len(old) - keep)]:
            if replicas_of(each) == 0 and not (each.get("status") or {}).get("replicas"):
                self.store.delete(REPLICA_SETS, namespace_of(each), name_of(each), preconditions_uid=uid_of(each))

    def _write_status(self, deployment: Object, new: Object | None, old: list[Object], limits: Bounds) -> Again:
        status = deployment_status(deployment, new, old, limits)
        if status != deployment.get("status"):
            self.store.update(KIND, deployment | {"status": status}, subresource="status")
        return seconds_to_deadline(deployment, status)


def _bounds(deployment: Object) -> Bounds:
    rolling = (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    replicas = replicas_of(deployment)
    if _recreates(deployment):
        return Bounds(0, 0)
    return bounds(replicas, rolling.get("maxSurge"), rolling.get("maxUnavailable"))


def _recreates(deployment: Object) -> bool:
    return (deployment["spec"].get("strategy") or {}).get("type") == "Recreate"


def _template_hash(deployment: Object) -> str:
    return stable_hash(deployment["spec"]["template"])


def _revision(replica_set: Object) -> int:
    return int(annotations_of(replica_set).get(REVISION, 0))


def _history(replica_set: Object, revision: int) -> dict[str, str]:
    """The annotation of its earlier revisions, once it gets another one."""
    before = _revision(replica_set)
    if before in (0, revision):
        return {}
    known = annotations_of(replica_set).get(HISTORY)
    return {HISTORY: f"{known},{before}" if known else str(before)}


def _as_revision(replica_set: Object) -> Revision:
    available = int((replica_set.get("status") or {}).get("availableReplicas") or 0)
    return Revision(name_of(replica_set), replicas_of(replica_set), available)


def _replica_set(deployment: Object, replicas: int) -> Object:
    """The ReplicaSet of the Deployment's present template."""
    suffix = _template_hash(deployment)
    spec, template = deployment["spec"], deployment["spec"]["template"]
    metadata = template.get("metadata") or {}
    labels = (metadata.get("labels") or {}) | {HASH_LABEL: suffix}
    selector = spec.get("selector") or {}
    minimum = spec.get("minReadySeconds")
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{name_of(deployment)}-{suffix}",
            "namespace": namespace_of(deployment),
            "labels": labels,
            "ownerReferences": [owner_reference(deployment)],
        },
        "spec": {
            "replicas": replicas,
            "selector": selector | {"matchLabels": (selector.get("matchLabels") or {}) | {HASH_LABEL: suffix}},
            "template": template | {"metadata": metadata | {"labels": labels}},
            **({"minReadySeconds": minimum} if minimum else {}),
        },
    }
