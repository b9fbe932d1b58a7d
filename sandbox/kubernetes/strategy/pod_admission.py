"""What the admission plugins of the API server do to a new pod: ServiceAccount, DefaultTolerationSeconds, Priority.

Source: k8s.io/kubernetes/plugin/pkg/admission/{serviceaccount,defaulttolerationseconds,priority}.
"""

from typing import TYPE_CHECKING

from sandbox.kubernetes.errors import Forbidden
from sandbox.kubernetes.metadata import random_suffix
from sandbox.kubernetes.strategy.base import Object

if TYPE_CHECKING:
    from sandbox.kubernetes.store import Store

MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
_EXPIRATION = 60 * 60 + 7  # seconds; the odd 7 tells kubelets that nobody asked for it
_CLASSES = "priorityclasses.scheduling.k8s.io"
_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_TOLERATED = 300  # seconds


def admit(pod: Object, store: "Store") -> None:
    """Changes the pod as the plugins do; raises Forbidden for an account or a priority class that is not there."""
    _add_account(pod, store)
    _add_priority(pod, store)
    _add_tolerations(pod["spec"])


def _add_account(pod: Object, store: "Store") -> None:
    meta, spec = pod["metadata"], pod["spec"]
    name = spec.setdefault("serviceAccountName", "default")
    spec["serviceAccount"] = name
    account = store.peek("serviceaccounts", meta["namespace"], name)
    if account is None:
        detail = f'error looking up service account {meta["namespace"]}/{name}: serviceaccount "{name}" not found'
        raise Forbidden("pods", _called(meta), detail)
    if account.get("imagePullSecrets") and not spec.get("imagePullSecrets"):
        spec["imagePullSecrets"] = [dict(each) for each in account["imagePullSecrets"]]
    if spec.get("automountServiceAccountToken", account.get("automountServiceAccountToken", True)):
        _mount_token(spec)


def _called(meta: Object) -> str:
    """The name in refusals: generated names are made after admission."""
    return str(meta.get("generateName") or meta.get("name", ""))


def _mount_token(spec: Object) -> None:
    """A volume with the account's token, the cluster's authority and the namespace, where no other is mounted."""
    containers = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    bare = [each for each in containers if not _has_token(each)]
    if not bare:
        return
    name = f"kube-api-access-{random_suffix()}"
    for container in bare:
        mount = {"name": name, "readOnly": True, "mountPath": MOUNT_PATH}
        container["volumeMounts"] = [*(container.get("volumeMounts") or []), mount]
    spec["volumes"] = [*(spec.get("volumes") or []), {"name": name, "projected": _projection()}]


def _has_token(container: Object) -> bool:
    return any(mount.get("mountPath") == MOUNT_PATH for mount in container.get("volumeMounts") or [])


def _projection() -> Object:
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    return {
        "sources": [
            {"serviceAccountToken": {"expirationSeconds": _EXPIRATION, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [namespace]}},
        ],
        "defaultMode": 420,
    }


def _add_priority(pod: Object, store: "Store") -> None:
    spec = pod["spec"]
    name = spec.get("priorityClassName")
    found: Object = {"value": 0}
    if name:
        found = store.peek(_CLASSES, None, name) or {}
        if not found:
            raise Forbidden("pods", _called(pod["metadata"]), f"no PriorityClass with name {name} was found")
    policy, given = found.get("preemptionPolicy", "PreemptLowerPriority"), spec.get("preemptionPolicy")
    if given not in (None, policy):
        text = f"the string value of PreemptionPolicy ({given}) must not be provided in pod spec; priority admission "
        text += f"controller computed {policy} from the given PriorityClass name"
        raise Forbidden("pods", _called(pod["metadata"]), text)
    spec["priority"], spec["preemptionPolicy"] = found["value"], policy


def _add_tolerations(spec: Object) -> None:
    """Five minutes on a node that is not ready, unless the pod says otherwise."""
    tolerations = list(spec.get("tolerations") or [])
    for key in _TAINTS:
        if not any(_tolerates(each, key) for each in tolerations):
            added = {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": _TOLERATED}
            tolerations.append(added)
    spec["tolerations"] = tolerations


def _tolerates(toleration: Object, key: str) -> bool:
    return toleration.get("key", "") in ("", key) and toleration.get("effect", "") in ("", "NoExecute")
