"""Validation of pod specs, as pods and pod templates have them.

Source: k8s.io/kubernetes/pkg/apis/core/validation/validation.go (ValidatePodSpec). Not every rule: those that a
mistake in a manifest runs into.
"""

import ipaddress
from typing import Any

from sandbox.kubernetes.errors import Cause, duplicate, forbidden, invalid, required, unsupported
from sandbox.kubernetes.strategy.base import Object
from sandbox.kubernetes.strategy.container_validation import validate_containers
from sandbox.kubernetes.strategy.names import dns_label, dns_subdomain
from sandbox.kubernetes.strategy.names import labels as valid_labels
from sandbox.kubernetes.strategy.security import validate_security

_RESTART = ["Always", "OnFailure", "Never"]
_DNS = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"]
_EFFECTS = ["NoSchedule", "PreferNoSchedule", "NoExecute"]
_UNSATISFIABLE = ["DoNotSchedule", "ScheduleAnyway"]
_NEEDED = {"secret": "secretName", "configMap": "name", "persistentVolumeClaim": "claimName", "hostPath": "path"}
_ADDRESS = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"


def validate_pod_spec(spec: Object, field: str) -> list[Cause]:
    """Containers, volumes and policies; `field` is the spec's path ("spec.template.spec")."""
    volumes = spec.get("volumes") or []
    causes = _validate_volumes(volumes, f"{field}.volumes")
    names = {volume.get("name") for volume in volumes}
    if not spec.get("containers"):
        causes.append(required(f"{field}.containers"))
    causes += validate_containers(spec, names, field)
    causes += _validate_policies(spec, field)
    causes += valid_labels(f"{field}.nodeSelector", spec.get("nodeSelector"))
    causes += validate_security(spec.get("securityContext"), f"{field}.securityContext")
    causes += _validate_names(spec, field)
    causes += _validate_scheduling(spec, field)
    for index, alias in enumerate(spec.get("hostAliases") or []):
        causes += valid_address(f"{field}.hostAliases[{index}].ip", alias.get("ip", ""))
    return causes


def valid_address(field: str, value: Any) -> list[Cause]:
    """An IP address."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return [invalid(field, value, _ADDRESS)]
    return []


def _validate_policies(spec: Object, field: str) -> list[Cause]:
    causes = []
    if spec.get("restartPolicy") not in _RESTART:
        causes.append(unsupported(f"{field}.restartPolicy", spec.get("restartPolicy"), _RESTART))
    if spec.get("dnsPolicy") not in _DNS:
        causes.append(unsupported(f"{field}.dnsPolicy", spec.get("dnsPolicy"), _DNS))
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 0 < deadline < 2**31:
        causes.append(
            invalid(f"{field}.activeDeadlineSeconds", deadline, "must be between 1 and 2147483647, inclusive")
        )
    return causes


def _validate_names(spec: Object, field: str) -> list[Cause]:
    causes: list[Cause] = []
    for name, check in (
        ("serviceAccountName", dns_subdomain),
        ("nodeName", dns_subdomain),
        ("hostname", dns_label),
        ("subdomain", dns_label),
        ("priorityClassName", dns_subdomain),
    ):
        causes += check(f"{field}.{name}", spec[name]) if spec.get(name) else []
    return causes


def _validate_volumes(volumes: list[Object], field: str) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[Any] = set()
    for index, volume in enumerate(volumes):
        at, name = f"{field}[{index}]", volume.get("name")
        kinds = [key for key in volume if key != "name"]
        causes += [forbidden(f"{at}.{kind}", "may not specify more than 1 volume type") for kind in kinds[1:]]
        needed = _NEEDED.get(kinds[0]) if kinds else None
        if needed and not volume[kinds[0]].get(needed):
            causes.append(required(f"{at}.{kinds[0]}.{needed}"))
        problems = dns_label(f"{at}.name", name) if name else [required(f"{at}.name")]
        causes += problems
        if not problems and name in seen:
            causes.append(duplicate(f"{at}.name", name))
        seen.add(name)
    return causes


def _validate_scheduling(spec: Object, field: str) -> list[Cause]:
    causes = []
    for index, toleration in enumerate(spec.get("tolerations") or []):
        causes += _validate_toleration(toleration, f"{field}.tolerations[{index}]")
    path = ("affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    node: Any = spec
    for part in path:
        node = (node or {}).get(part)
    if node is not None and not node.get("nodeSelectorTerms"):
        text = "must have at least one node selector term"
        causes.append(required(".".join((field, *path, "nodeSelectorTerms")), text))
    for index, spread in enumerate(spec.get("topologySpreadConstraints") or []):
        causes += _validate_spread(spread, f"{field}.topologySpreadConstraints[{index}]")
    return causes


def _validate_toleration(toleration: Object, at: str) -> list[Cause]:
    key, operator, value = toleration.get("key"), toleration.get("operator", ""), toleration.get("value")
    causes = []
    if not key and operator != "Exists":
        text = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        causes.append(invalid(f"{at}.operator", operator, text))
    if operator == "Exists" and value:
        causes.append(invalid(f"{at}.operator", value, "value must be empty when `operator` is 'Exists'"))
    if operator not in ("", "Equal", "Exists"):
        causes.append(unsupported(f"{at}.operator", operator, ["Equal", "Exists"]))
    if toleration.get("effect") and toleration["effect"] not in _EFFECTS:
        causes.append(unsupported(f"{at}.effect", toleration["effect"], sorted(_EFFECTS)))
    return causes


def _validate_spread(spread: Object, at: str) -> list[Cause]:
    causes = []
    if spread.get("maxSkew", 0) <= 0:
        causes.append(invalid(f"{at}.maxSkew", spread.get("maxSkew", 0), "must be greater than zero"))
    if not spread.get("topologyKey"):
        causes.append(required(f"{at}.topologyKey", "can not be empty"))
    if spread.get("whenUnsatisfiable", "") not in _UNSATISFIABLE:
        causes.append(unsupported(f"{at}.whenUnsatisfiable", spread.get("whenUnsatisfiable", ""), _UNSATISFIABLE))
    return causes
