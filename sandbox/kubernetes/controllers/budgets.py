"""Counts the pods under each PodDisruptionBudget and says how many may be evicted now.

Source: k8s.io/kubernetes/pkg/controller/disruption/disruption.go.
"""

import math
from collections.abc import Iterable
from typing import Any

from sandbox.kubernetes.controllers.objects import (
    Object,
    controller_ref,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    with_condition,
)
from sandbox.kubernetes.controllers.pods import is_finished, is_ready
from sandbox.kubernetes.controllers.queue import Key
from sandbox.kubernetes.controllers.runtime import Again, Controller
from sandbox.kubernetes.errors import NotFound
from sandbox.kubernetes.selectors import selector_matches

KIND = "poddisruptionbudgets.policy"
_SCALED = {"ReplicaSet": "replicasets.apps", "StatefulSet": "statefulsets.apps"}


class Budgets(Controller):
    """The disruption-controller."""

    def keys(self, change: str, kind: str, obj: Object) -> Iterable[Key]:
        """Budgets, and those that select a changed pod."""
        if kind == KIND and change != "DELETED":
            yield namespace_of(obj), name_of(obj)
        if kind == "pods":
            for entry in self.store.entries(KIND, namespace_of(obj)):
                if selector_matches(entry.object["spec"].get("selector"), labels_of(obj)):
                    yield entry.key

    def reconcile(self, key: Key) -> Again:
        """Write the counts."""
        try:
            budget = self.store.get(KIND, *key)
        except NotFound:
            return None
        selector = budget["spec"].get("selector")
        pods = [entry.object for entry in self.store.entries("pods", key[0])]
        chosen = [pod for pod in pods if selector_matches(selector, labels_of(pod)) and not is_finished(pod)]
        status = (budget.get("status") or {}) | self._counts(budget, chosen)
        if status != budget.get("status"):
            self.store.update(KIND, budget | {"status": status}, subresource="status")
        return None

    def _counts(self, budget: Object, pods: list[Object]) -> Object:
        expected, desired = self._expected(budget["spec"], pods)
        healthy = sum(is_ready(pod) and not is_terminating(pod) for pod in pods)
        allowed = max(0, healthy - desired) if expected else 0
        generation = budget["metadata"].get("generation", 1)
        condition = {
            "type": "DisruptionAllowed",
            "status": "True" if allowed else "False",
            "reason": "SufficientPods" if allowed else "InsufficientPods",
            "message": "",
            "observedGeneration": generation,
        }
        return {
            "conditions": with_condition((budget.get("status") or {}).get("conditions") or [], condition),
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "disruptionsAllowed": allowed,
            "expectedPods": expected,
            "observedGeneration": generation,
        }

    def _expected(self, spec: Object, pods: list[Object]) -> tuple[int, int]:
        """How many pods there should be, and how many of them healthy."""
        least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
        if isinstance(least, int) or (least is None and most is None):
            return len(pods), int(least or 0)
        expected = self._wanted(pods)
        if least is not None:
            return expected, _share(least, expected)
        return expected, max(0, expected - _share(most, expected))

    def _wanted(self, pods: list[Object]) -> int:
        """The replicas that the pods' controllers want, pods without a controller left out."""
        wanted: dict[Any, int] = {}
        for pod in pods:
            owner = controller_ref(pod)
            found = owner and self.store.peek(_SCALED.get(owner["kind"], ""), namespace_of(pod), owner["name"])
            if owner and found:
                wanted[owner["uid"]] = int(found["spec"].get("replicas", 1))
        return sum(wanted.values())


def _share(amount: Any, total: int) -> int:
    """A number, or a percentage rounded up."""
    if isinstance(amount, int):
        return amount
    return math.ceil(int(str(amount).rstrip("%")) * total / 100)
