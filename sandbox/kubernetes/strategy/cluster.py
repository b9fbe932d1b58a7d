"""Namespaces, nodes, roles and bindings, autoscalers, disruption budgets."""

from typing import TYPE_CHECKING

from sandbox.kubernetes.errors import Cause, invalid, required, unsupported
from sandbox.kubernetes.strategy.base import Object, Strategy
from sandbox.kubernetes.strategy.names import amount_or_percent

if TYPE_CHECKING:
    from sandbox.kubernetes.store import Store

_SUBJECTS = ("ServiceAccount", "User", "Group")
_RBAC = "rbac.authorization.k8s.io"


def _default_namespace(namespace: Object) -> None:
    meta = namespace["metadata"]
    meta.setdefault("labels", {})["kubernetes.io/metadata.name"] = meta.get("name", "")


def _prepare_namespace(namespace: Object, old: Object | None, _store: "Store") -> None:
    """Content is deleted before the namespace goes: the finalizer `kubernetes` stands for it."""
    if old is None:
        namespace["spec"] = {"finalizers": ["kubernetes"]}
        namespace["status"] = {"phase": "Active"}


def _default_binding(binding: Object) -> None:
    binding.setdefault("roleRef", {}).setdefault("apiGroup", _RBAC)
    for subject in binding.get("subjects") or []:
        if subject.get("kind") in ("User", "Group"):
            subject.setdefault("apiGroup", _RBAC)


def _validate_binding(binding: Object) -> list[Cause]:
    role, everywhere = binding["roleRef"], binding["kind"] == "ClusterRoleBinding"
    kinds = ["ClusterRole"] if everywhere else ["Role", "ClusterRole"]
    causes = []
    if role.get("kind", "") not in kinds:
        causes.append(unsupported("roleRef.kind", role.get("kind", ""), kinds))
    if not role.get("name"):
        causes.append(required("roleRef.name"))
    for index, subject in enumerate(binding.get("subjects") or []):
        at = f"subjects[{index}]"
        if not subject.get("name"):
            causes.append(required(f"{at}.name"))
        if subject.get("kind", "") not in _SUBJECTS:
            causes.append(unsupported(f"{at}.kind", subject.get("kind", ""), list(_SUBJECTS)))
        if everywhere and subject.get("kind") == "ServiceAccount" and not subject.get("namespace"):
            causes.append(required(f"{at}.namespace"))
    return causes


def _binding_kept(new: Object, old: Object) -> list[Cause]:
    role = new["roleRef"]
    internal = {"APIGroup": role.get("apiGroup"), "Kind": role.get("kind"), "Name": role.get("name")}
    return [] if role == old["roleRef"] else [invalid("roleRef", internal, "cannot change roleRef")]


def _validate_role(role: Object) -> list[Cause]:
    causes = []
    for index, rule in enumerate(role.get("rules") or []):
        causes += _validate_rule(rule, f"rules[{index}]", namespaced=role["kind"] == "Role")
    return causes


def _validate_rule(rule: Object, at: str, *, namespaced: bool) -> list[Cause]:
    causes = []
    if not rule.get("verbs"):
        causes.append(required(f"{at}.verbs", "verbs must contain at least one value"))
    paths = rule.get("nonResourceURLs")
    if paths and namespaced:
        causes.append(invalid(f"{at}.nonResourceURLs", paths, "namespaced rules cannot apply to non-resource URLs"))
    if paths:
        if any(rule.get(field) for field in ("apiGroups", "resources", "resourceNames")):
            text = "rules cannot apply to both regular resources and non-resource URLs"
            causes.append(invalid(f"{at}.nonResourceURLs", paths, text))
        return causes
    if not rule.get("apiGroups"):
        causes.append(required(f"{at}.apiGroups", "resource rules must supply at least one api group"))
    if not rule.get("resources"):
        causes.append(required(f"{at}.resources", "resource rules must supply at least one resource"))
    return causes


def _default_autoscaler(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("minReplicas", 1)
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]


def _validate_autoscaler(obj: Object) -> list[Cause]:
    spec = obj["spec"]
    highest, lowest, target = spec.get("maxReplicas", 0), spec["minReplicas"], spec.get("scaleTargetRef") or {}
    causes = [required(f"spec.scaleTargetRef.{field}") for field in ("kind", "name") if not target.get(field)]
    if highest < 1:
        causes.append(invalid("spec.maxReplicas", highest, "must be greater than 0"))
    elif highest < lowest:
        causes.append(invalid("spec.maxReplicas", highest, "must be greater than or equal to `minReplicas`"))
    if lowest < 0:
        causes.append(invalid("spec.minReplicas", lowest, "must be greater than or equal to 1"))
    return causes


def _validate_budget(obj: Object) -> list[Cause]:
    spec = obj.get("spec") or {}
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    if least is not None and most is not None:
        policy = spec.get("unhealthyPodEvictionPolicy")
        shown = {"MinAvailable": least, "Selector": spec.get("selector"), "MaxUnavailable": most}
        text = "minAvailable and maxUnavailable cannot be both set"
        return [invalid("spec", shown | {"UnhealthyPodEvictionPolicy": policy}, text)]
    amounts = (("spec.minAvailable", least), ("spec.maxUnavailable", most))
    return [cause for field, amount in amounts if amount is not None for cause in amount_or_percent(field, amount)]


def _default_node(obj: Object) -> None:
    """Both are structs, not pointers, in the real server: it shows them even when empty."""
    obj.setdefault("spec", {})
    obj.setdefault("status", {})


NAMESPACE = Strategy(_default_namespace, _prepare_namespace)
NODE = Strategy(_default_node, keeps_status_on_create=True)
ROLE = Strategy(validate=_validate_role)
BINDING = Strategy(_default_binding, validate=_validate_binding, validate_update=_binding_kept)
AUTOSCALER = Strategy(_default_autoscaler, validate=_validate_autoscaler)
BUDGET = Strategy(validate=_validate_budget)
