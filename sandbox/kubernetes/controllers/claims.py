"""Lets a PersistentVolumeClaim that is being deleted go once no pod uses it."""

from collections.abc import Iterable

from sandbox.kubernetes.controllers.objects import Object, is_terminating, name_of, namespace_of
from sandbox.kubernetes.controllers.pods import is_finished
from sandbox.kubernetes.controllers.queue import Key
from sandbox.kubernetes.controllers.runtime import Again, Controller
from sandbox.kubernetes.errors import NotFound
from sandbox.kubernetes.strategy.configuration import CLAIM_FINALIZER

KIND = "persistentvolumeclaims"


class Claims(Controller):
    """The pvc-protection-controller."""

    def keys(self, change: str, kind: str, obj: Object) -> Iterable[Key]:
        """Claims being deleted, and those of pods that changed."""
        if kind == KIND and change != "DELETED" and is_terminating(obj):
            yield namespace_of(obj), name_of(obj)
        if kind == "pods":
            yield from ((namespace_of(obj), name) for name in _claims_of(obj))

    def reconcile(self, key: Key) -> Again:
        """Remove the finalizer that the API server puts on every claim."""
        try:
            claim = self.store.get(KIND, *key)
        except NotFound:
            return None
        finalizers = claim["metadata"].get("finalizers") or []
        used = (entry.object for entry in self.store.entries("pods", key[0]))
        if is_terminating(claim) and CLAIM_FINALIZER in finalizers and not any(_uses(pod, key[1]) for pod in used):
            claim["metadata"]["finalizers"] = [each for each in finalizers if each != CLAIM_FINALIZER]
            self.store.update(KIND, claim)
        return None


def _uses(pod: Object, claim: str) -> bool:
    return not is_finished(pod) and claim in _claims_of(pod)


def _claims_of(pod: Object) -> list[str]:
    volumes = pod["spec"].get("volumes") or []
    return [each["persistentVolumeClaim"]["claimName"] for each in volumes if each.get("persistentVolumeClaim")]
