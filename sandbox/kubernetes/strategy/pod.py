"""Pods and pod templates: defaults, validation, and what an update of a pod may change.

Source: k8s.io/kubernetes/pkg/apis/core/v1/defaults.go and pkg/apis/core/validation/validation.go.
"""

from typing import TYPE_CHECKING, Any

from sandbox.kubernetes.errors import Cause, forbidden, invalid
from sandbox.kubernetes.metadata import copy
from sandbox.kubernetes.strategy.base import Object, Strategy
from sandbox.kubernetes.strategy.containers import default_container
from sandbox.kubernetes.strategy.pod_admission import admit
from sandbox.kubernetes.strategy.pod_validation import valid_address, validate_pod_spec

if TYPE_CHECKING:
    from sandbox.kubernetes.store import Store

_FILE_MODE = 420  # 0644
_MODED_VOLUMES = ("secret", "configMap", "projected", "downwardAPI")
_UPDATABLE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def default_pod_spec(spec: Object) -> None:
    """What a pod template does not say."""
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")
    if spec.get("serviceAccountName"):
        spec.setdefault("serviceAccount", spec["serviceAccountName"])
    for container in [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]:
        default_container(container)
    for volume in spec.get("volumes") or []:
        _default_volume(volume)


def _default_volume(volume: Object) -> None:
    if volume.keys() <= {"name"}:
        volume["emptyDir"] = {}
    for source in (volume.get("projected") or {}).get("sources") or []:
        if isinstance(source.get("serviceAccountToken"), dict):
            source["serviceAccountToken"].setdefault("expirationSeconds", 3600)
        _default_items(source.get("downwardAPI"))
    _default_items(volume.get("downwardAPI"))
    for kind in _MODED_VOLUMES:
        if isinstance(volume.get(kind), dict):
            volume[kind].setdefault("defaultMode", _FILE_MODE)
    if "hostPath" in volume:
        volume["hostPath"].setdefault("type", "")


def _default_items(source: Object | None) -> None:
    for item in (source or {}).get("items") or []:
        if isinstance(item.get("fieldRef"), dict):
            item["fieldRef"].setdefault("apiVersion", "v1")


def _default(pod: Object) -> None:
    spec = pod.setdefault("spec", {})
    default_pod_spec(spec)
    spec.setdefault("enableServiceLinks", True)
    for container in [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]:
        resources = container.get("resources") or {}
        if resources.get("limits"):
            resources["requests"] = resources["limits"] | (resources.get("requests") or {})


def _prepare(pod: Object, old: Object | None, store: "Store") -> None:
    if pod["spec"].get("terminationGracePeriodSeconds", 0) < 0:
        pod["spec"]["terminationGracePeriodSeconds"] = 1
    if old is None:
        admit(pod, store)
        pod["status"] = {"phase": "Pending", "qosClass": _quality(pod["spec"])}


def _quality(spec: Object) -> str:
    """The pod's QoS class."""
    resources = [container.get("resources") or {} for container in spec.get("containers") or []]
    if not any(each.get("requests") or each.get("limits") for each in resources):
        return "BestEffort"
    for each in resources:
        limits, requests = each.get("limits") or {}, each.get("requests") or {}
        if not {"cpu", "memory"} <= limits.keys() or any(requests.get(key) != limits[key] for key in limits):
            return "Burstable"
    return "Guaranteed"


def _validate(pod: Object) -> list[Cause]:
    return validate_pod_spec(pod["spec"], "spec")


def _validate_update(new: Object, old: Object) -> list[Cause]:
    """Only images, tolerations and deadlines of a pod can change; its node is set by binding it, once."""
    causes = _validate_tolerations(new["spec"], old["spec"])
    before, after = old["spec"].get("activeDeadlineSeconds"), new["spec"].get("activeDeadlineSeconds")
    if before is not None and (after is None or after > before):
        text = (
            "must be less than or equal to previous value"
            if after
            else "must not update from a positive integer to nil value"
        )
        causes.append(invalid("spec.activeDeadlineSeconds", after, text))
    if causes:
        return causes
    if _frozen(new["spec"]) == _frozen(old["spec"]):
        return []
    return [forbidden("spec", _UPDATABLE)]


def _validate_tolerations(new: Object, old: Object) -> list[Cause]:
    """Tolerations may only be added."""
    kept = new.get("tolerations") or []
    if all(each in kept for each in old.get("tolerations") or []):
        return []
    return [forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")]


def _frozen(spec: Object) -> Object:
    kept: dict[str, Any] = copy(spec)
    for field in ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds"):
        kept.pop(field, None)
    for container in [*(kept.get("containers") or []), *(kept.get("initContainers") or [])]:
        container.pop("image", None)
    return kept


def _validate_status(new: Object, _old: Object) -> list[Cause]:
    """The addresses that a kubelet tells."""
    status = new.get("status") or {}
    addresses = [each.get("ip", "") for each in status.get("podIPs") or []]
    if not addresses and status.get("podIP"):
        addresses = [status["podIP"]]
    return [cause for at, each in enumerate(addresses) for cause in valid_address(f"status.podIPs[{at}]", each)]


POD = Strategy(_default, _prepare, _validate, _validate_update, _validate_status)
