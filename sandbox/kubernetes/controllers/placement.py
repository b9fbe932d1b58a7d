"""Which node a pod fits on, and in the scheduler's words why not, without any I/O.

Source of the texts: k8s.io/kubernetes/pkg/scheduler/framework/plugins.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal

from sandbox.kubernetes.controllers.objects import (
    Object,
    controller_ref,
    has_condition,
    is_terminating,
    labels_of,
    name_of,
)
from sandbox.kubernetes.controllers.pods import is_finished
from sandbox.kubernetes.controllers.quantities import parse_quantity

RESOURCES = ("cpu", "memory")
UNSCHEDULABLE = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
NOT_READY = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
DEFAULT_MAX_PODS = 110


def place(pod: Object, nodes: Sequence[Object], pods: Iterable[Object]) -> tuple[str | None, str]:
    """The name of the node for `pod` and an empty text, or None and why there is none.

    `pods` are all pods of the cluster. Among fitting nodes the one with fewest pods of the same controller wins, then
    the one with fewest pods, then the first by name.
    """
    if not nodes:
        return None, "no nodes available to schedule pods"
    running: dict[str, list[Object]] = {name_of(node): [] for node in nodes}
    for other in pods:
        running.get(other["spec"].get("nodeName", ""), []).append(other)
    obstacles = {name_of(node): obstacle(pod, node, running[name_of(node)]) for node in nodes}
    fitting = [name for name, why in obstacles.items() if not why]
    if not fitting:
        return None, _explain(len(nodes), [why for reasons in obstacles.values() for why in reasons])
    return min(fitting, key=lambda name: (*_crowding(pod, running[name]), name)), ""


def obstacle(pod: Object, node: Object, running: Sequence[Object]) -> list[str]:
    """Why `pod` cannot run on `node` beside the pods there (the first kind of reason only); empty when it can."""
    if node["spec"].get("unschedulable") and not tolerates(pod, UNSCHEDULABLE):
        return ["node(s) were unschedulable"]
    if not matches_node(pod, node):
        return ["node(s) didn't match Pod's node affinity/selector"]
    taint = _untolerated(pod, node)
    if taint:
        return [f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}"]
    return _lacking(pod, node, [each for each in running if not is_finished(each)])


def matches_node(pod: Object, node: Object) -> bool:
    """Whether the pod's nodeSelector and required node affinity accept the node."""
    labels = labels_of(node)
    selector = pod["spec"].get("nodeSelector") or {}
    if any(labels.get(key) != value for key, value in selector.items()):
        return False
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    return required is None or any(_term_matches(term, node) for term in required.get("nodeSelectorTerms") or [])


def tolerates(pod: Object, taint: Object) -> bool:
    """Whether one of the pod's tolerations covers the taint."""
    return any(_covers(toleration, taint) for toleration in pod["spec"].get("tolerations") or [])


def requests(pod: Object) -> dict[str, Decimal]:
    """cpu (cores) and memory (bytes) that the pod asks for: its containers' sum, or its greediest init container's."""
    return {resource: _requested(pod, resource) for resource in RESOURCES}


def _requested(pod: Object, resource: str) -> Decimal:
    together = sum((_container_request(each, resource) for each in pod["spec"].get("containers") or []), Decimal(0))
    first = [_container_request(each, resource) for each in pod["spec"].get("initContainers") or []]
    return max(together, *first, Decimal(0))


def _container_request(container: Object, resource: str) -> Decimal:
    resources = container.get("resources") or {}
    asked = (resources.get("requests") or {}).get(resource, (resources.get("limits") or {}).get(resource, 0))
    return parse_quantity(asked)


def _lacking(pod: Object, node: Object, running: Sequence[Object]) -> list[str]:
    allocatable = (node.get("status") or {}).get("allocatable") or {}
    lacking = []
    if len(running) + 1 > int(allocatable.get("pods", DEFAULT_MAX_PODS)):
        lacking.append("Too many pods")
    for resource, asked in requests(pod).items():
        used = sum((_requested(each, resource) for each in running), Decimal(0))
        if asked and resource in allocatable and used + asked > parse_quantity(allocatable[resource]):
            lacking.append(f"Insufficient {resource}")
    return lacking


def _untolerated(pod: Object, node: Object) -> Object | None:
    taints = list(node["spec"].get("taints") or [])
    if is_terminating(node) or not has_condition(node, "Ready"):
        taints.insert(0, NOT_READY)
    blocking = (taint for taint in taints if taint.get("effect") in ("NoSchedule", "NoExecute"))
    return next((taint for taint in blocking if not tolerates(pod, taint)), None)


def _covers(toleration: Object, taint: Object) -> bool:
    if toleration.get("effect") not in (None, "", taint.get("effect")):
        return False
    key = toleration.get("key")
    if key and key != taint["key"]:
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return True
    return bool(key) and toleration.get("value", "") == taint.get("value", "")


def _term_matches(term: Object, node: Object) -> bool:
    fields = {"metadata.name": name_of(node)}
    expressions = [(each, labels_of(node)) for each in term.get("matchExpressions") or []]
    expressions += [(each, fields) for each in term.get("matchFields") or []]
    return bool(expressions) and all(_expression_matches(each, values) for each, values in expressions)


def _expression_matches(expression: Object, values: dict[str, str]) -> bool:
    value, operator = values.get(expression["key"]), expression["operator"]
    wanted = expression.get("values") or []
    if operator in ("Gt", "Lt"):
        return value is not None and (int(value) > int(wanted[0]) if operator == "Gt" else int(value) < int(wanted[0]))
    return {
        "In": value in wanted,
        "NotIn": value not in wanted,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }[operator]


def _crowding(pod: Object, running: Sequence[Object]) -> tuple[int, int]:
    owner = (controller_ref(pod) or {}).get("uid")
    alive = [each for each in running if not is_finished(each)]
    siblings = sum((controller_ref(each) or {}).get("uid") == owner for each in alive) if owner else 0
    return siblings, len(alive)


def _explain(nodes: int, reasons: Sequence[str]) -> str:
    counted = sorted(f"{count} {reason}" for reason, count in Counter(reasons).items())
    return f"0/{nodes} nodes are available: {', '.join(counted)}."
