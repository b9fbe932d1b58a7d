"""Deployments, ReplicaSets, StatefulSets and DaemonSets.

Source: k8s.io/kubernetes/pkg/apis/apps/v1/defaults.go and pkg/apis/apps/validation/validation.go.
"""

from typing import TYPE_CHECKING, Any

from sandbox.kubernetes.errors import Cause, forbidden, immutable, invalid, required, unsupported
from sandbox.kubernetes.schema import builtin
from sandbox.kubernetes.selectors import selector_matches
from sandbox.kubernetes.strategy.base import Object, Strategy
from sandbox.kubernetes.strategy.names import amount_or_percent
from sandbox.kubernetes.strategy.names import labels as valid_labels
from sandbox.kubernetes.strategy.pod import default_pod_spec
from sandbox.kubernetes.strategy.pod_validation import validate_pod_spec

if TYPE_CHECKING:
    from sandbox.kubernetes.store import Store

_MISMATCH = "`selector` does not match template `labels`"
_STATEFUL_MUTABLE = (
    "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit", "minReadySeconds",
    "persistentVolumeClaimRetentionPolicy",
)  # fmt: skip
_STATEFUL_TEXT = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)


_GENERATION = "deprecated.daemonset.template.generation"
_TEMPLATE = "core/v1.PodTemplateSpec"


def default_template(spec: Object) -> None:
    """The pod template of a workload."""
    template = spec.setdefault("template", {})
    template.setdefault("metadata", {})
    default_pod_spec(template.setdefault("spec", {}))


def _default_deployment(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    default_template(spec)
    strategy = spec.setdefault("strategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)


def _default_replicaset(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    default_template(spec)


def _default_statefulset(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    spec.setdefault("podManagementPolicy", "OrderedReady")
    retention = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
    retention.setdefault("whenDeleted", "Retain")
    retention.setdefault("whenScaled", "Retain")
    spec.setdefault("updateStrategy", {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}})
    spec.setdefault("revisionHistoryLimit", 10)
    default_template(spec)


def _default_daemonset(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("updateStrategy", {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}})
    spec.setdefault("revisionHistoryLimit", 10)
    default_template(spec)


def validate_selector(selector: Any, field: str) -> list[Cause]:
    """The syntax of a label selector."""
    causes = valid_labels(f"{field}.matchLabels", selector.get("matchLabels"))
    for index, each in enumerate(selector.get("matchExpressions") or []):
        at, operator = f"{field}.matchExpressions[{index}]", each.get("operator")
        if operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
            causes.append(invalid(f"{at}.operator", operator, "not a valid selector operator"))
        elif operator in ("In", "NotIn") and not each.get("values"):
            causes.append(required(f"{at}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
        if not each.get("key"):
            causes.append(required(f"{at}.key"))
    return causes


def _validate_workload(obj: Object) -> list[Cause]:
    spec = obj["spec"]
    causes = [
        invalid(f"spec.{field}", spec[field], "must be greater than or equal to 0")
        for field in ("replicas", "minReadySeconds", "revisionHistoryLimit")
        if (spec.get(field) or 0) < 0
    ]
    selector = spec.get("selector")
    problems = [required("spec.selector")] if selector is None else validate_selector(selector, "spec.selector")
    if selector is not None and not (selector.get("matchLabels") or selector.get("matchExpressions")):
        text = f"empty selector is invalid for {obj['kind'].lower()}"
        problems.append(invalid("spec.selector", selector, text))
    if selector is not None and problems and not _is_empty(selector):
        return [*causes, *problems, invalid("spec.selector", selector, "invalid label selector")]
    return causes + problems + _validate_template(spec, selector)


def _is_empty(selector: Object) -> bool:
    return not (selector.get("matchLabels") or selector.get("matchExpressions"))


def _validate_template(spec: Object, selector: Object | None) -> list[Cause]:
    template = spec["template"]
    labels = template["metadata"].get("labels")
    causes = []
    if not selector_matches(selector, labels or {}):
        causes.append(invalid("spec.template.metadata.labels", labels, _MISMATCH))
    causes += valid_labels("spec.template.labels", labels)
    causes += validate_pod_spec(template["spec"], "spec.template.spec")
    policy = template["spec"].get("restartPolicy")
    if policy in ("OnFailure", "Never"):
        causes.append(unsupported("spec.template.spec.restartPolicy", policy, ["Always"]))
    if template["spec"].get("activeDeadlineSeconds") is not None:
        text = "activeDeadlineSeconds in ReplicaSet is not Supported"
        causes.append(forbidden("spec.template.spec.activeDeadlineSeconds", text))
    return causes


def _validate_deployment(obj: Object) -> list[Cause]:
    spec = obj["spec"]
    causes = _validate_workload(obj) + _validate_rollout(spec["strategy"], "spec.strategy")
    deadline, ready = spec.get("progressDeadlineSeconds"), spec.get("minReadySeconds", 0)
    if deadline is not None and deadline <= ready:
        causes.append(invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"))
    return causes


def _validate_rollout(strategy: Object, field: str) -> list[Cause]:
    kind, rolling = strategy["type"], strategy.get("rollingUpdate") or {}
    if kind == "Recreate":
        text = "may not be specified when strategy `type` is 'Recreate'"
        return [] if "rollingUpdate" not in strategy else [forbidden(f"{field}.rollingUpdate", text)]
    if kind != "RollingUpdate":
        return [unsupported(field, {"Type": kind, "RollingUpdate": None}, ["Recreate", "RollingUpdate"])]
    causes = [
        cause
        for name in ("maxUnavailable", "maxSurge")
        for cause in amount_or_percent(f"{field}.rollingUpdate.{name}", rolling[name])
    ]
    if not causes and _is_none(rolling["maxUnavailable"]) and _is_none(rolling["maxSurge"]):
        text = "may not be 0 when `maxSurge` is 0"
        causes.append(invalid(f"{field}.rollingUpdate.maxUnavailable", rolling["maxUnavailable"], text))
    return causes


def _is_none(amount: Any) -> bool:
    return amount in (0, "0%")


def _selector_kept(new: Object, old: Object) -> list[Cause]:
    selector = new["spec"].get("selector")
    if selector == old["spec"].get("selector"):
        return []
    shown = selector and selector | {"matchLabels": dict(sorted((selector.get("matchLabels") or {}).items()))}
    return [immutable("spec.selector", shown)]


def _stateful_kept(new: Object, old: Object) -> list[Cause]:
    def fixed(spec: Object) -> Object:
        return {key: value for key, value in spec.items() if key not in _STATEFUL_MUTABLE}

    return [] if fixed(new["spec"]) == fixed(old["spec"]) else [forbidden("spec", _STATEFUL_TEXT)]


DEPLOYMENT = Strategy(_default_deployment, validate=_validate_deployment, validate_update=_selector_kept)
REPLICASET = Strategy(_default_replicaset, validate=_validate_workload, validate_update=_selector_kept)
STATEFULSET = Strategy(_default_statefulset, validate=_validate_workload, validate_update=_stateful_kept)


def _prepare_daemonset(obj: Object, old: Object | None, _store: "Store") -> None:
    """Counts the changes of the template in an annotation that nothing reads any more."""
    counted = 1
    if old is not None:
        counted = int((old["metadata"].get("annotations") or {}).get(_GENERATION, 0))
        counted += old["spec"]["template"] != builtin.shaped(obj["spec"]["template"], _TEMPLATE)
    obj["metadata"]["annotations"] = (obj["metadata"].get("annotations") or {}) | {_GENERATION: str(counted)}


DAEMONSET = Strategy(
    _default_daemonset, _prepare_daemonset, validate=_validate_workload, validate_update=_selector_kept
)
