"""Validation of containers.

Source: k8s.io/kubernetes/pkg/apis/core/validation/validation.go (validateContainers and what it calls).
"""

import re
from typing import Any

from sandbox.kubernetes.errors import Cause, duplicate, forbidden, invalid, not_found, required, unsupported
from sandbox.kubernetes.schema.quantity import parse
from sandbox.kubernetes.strategy.base import Object
from sandbox.kubernetes.strategy.names import dns_label, qualified_name_problems
from sandbox.kubernetes.strategy.ports import PROTOCOLS, port_name_problems, valid_port, valid_port_reference
from sandbox.kubernetes.strategy.security import validate_security

_PULL = ["Always", "IfNotPresent", "Never"]
_MESSAGES = ["File", "FallbackToLogsOnError"]
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")
_NOT_NEGATIVE = "must be greater than or equal to 0"
_ENV_NAME = re.compile(r"^[ -<>-~]+$")
_ENV_TEXT = "a valid environment variable name must consist only of printable ASCII characters other than '='"
_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_FIELDS = (
    "metadata.name", "metadata.namespace", "metadata.uid", "metadata.labels", "metadata.annotations", "spec.nodeName",
    "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
)  # fmt: skip
_STANDARD = ("cpu", "memory", "ephemeral-storage")


def validate_containers(spec: Object, volumes: set[Any], field: str) -> list[Cause]:
    """All containers of a pod spec; `volumes` are the names that mounts may refer to."""
    causes: list[Cause] = []
    seen: set[Any] = set()
    for kind in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(kind) or []):
            at, name = f"{field}.{kind}[{index}]", container.get("name")
            causes += dns_label(f"{at}.name", name) if name else [required(f"{at}.name")]
            if name and name in seen:
                causes.append(duplicate(f"{at}.name", name))
            seen.add(name)
            causes += _validate_container(container, volumes, at)
            once = kind == "initContainers" and container.get("restartPolicy") != "Always"
            causes += _validate_once(container, at) if once else _validate_probes(container, at)
            causes += _validate_host_ports(container, at) if spec.get("hostNetwork") else []
    return causes


def _validate_container(container: Object, volumes: set[Any], at: str) -> list[Cause]:
    image = container.get("image")
    causes = [] if image else [required(f"{at}.image")]
    if image and image != image.strip():
        causes.append(invalid(f"{at}.image", image, "must not have leading or trailing whitespace"))
    policy, message = container.get("imagePullPolicy"), container.get("terminationMessagePolicy")
    if message not in _MESSAGES:
        causes.append(unsupported(f"{at}.terminationMessagePolicy", message, _MESSAGES))
    causes += _validate_ports(container.get("ports") or [], f"{at}.ports")
    causes += _validate_env(container.get("env") or [], f"{at}.env")
    causes += _validate_mounts(container.get("volumeMounts") or [], volumes, f"{at}.volumeMounts")
    if policy not in _PULL:
        causes.append(unsupported(f"{at}.imagePullPolicy", policy, _PULL))
    causes += _validate_resources(container.get("resources") or {}, f"{at}.resources")
    return causes + validate_security(container.get("securityContext"), f"{at}.securityContext")


def _validate_once(container: Object, at: str) -> list[Cause]:
    """Containers that end before the others begin have no probes or hooks."""
    text = "may not be set for init containers without restartPolicy=Always"
    return [forbidden(f"{at}.{field}", text) for field in ("lifecycle", *_PROBES) if container.get(field) is not None]


def _validate_probes(container: Object, at: str) -> list[Cause]:
    causes = []
    for hook in ("postStart", "preStop"):
        handler = (container.get("lifecycle") or {}).get(hook)
        causes += [] if handler is None else _validate_handler(handler, f"{at}.lifecycle.{hook}")
    for name in _PROBES:
        probe = container.get(name)
        if probe is None:
            continue
        causes += _validate_handler(probe, f"{at}.{name}")
        numbers = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
        causes += [
            invalid(f"{at}.{name}.{field}", probe[field], _NOT_NEGATIVE) for field in numbers if probe.get(field, 0) < 0
        ]
        if name != "readinessProbe" and probe.get("successThreshold", 1) != 1:
            causes.append(invalid(f"{at}.{name}.successThreshold", probe["successThreshold"], "must be 1"))
    return causes


def _validate_handler(handler: Object, at: str) -> list[Cause]:
    given = [kind for kind in _HANDLERS if handler.get(kind) is not None]
    if not given:
        return [required(at, "must specify a handler type")]
    causes = [forbidden(f"{at}.{kind}", "may not specify more than 1 handler type") for kind in given[1:]]
    kind, action = given[0], handler[given[0]]
    if kind == "exec" and not action.get("command"):
        causes.append(required(f"{at}.exec.command"))
    if kind in ("httpGet", "tcpSocket"):
        causes += valid_port_reference(f"{at}.{kind}.port", action.get("port", 0))
    if kind == "httpGet" and action.get("scheme") not in ("HTTP", "HTTPS"):
        causes.append(unsupported(f"{at}.httpGet.scheme", action.get("scheme"), ["HTTP", "HTTPS"]))
    return causes


def _validate_ports(ports: list[Object], field: str) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[Any] = set()
    for index, port in enumerate(ports):
        at, name = f"{field}[{index}]", port.get("name")
        problems = port_name_problems(name) if name else []
        causes += [invalid(f"{at}.name", name, text) for text in problems]
        if name and not problems and name in seen:
            causes.append(duplicate(f"{at}.name", name))
        seen.add(name)
        if not port.get("containerPort"):
            causes.append(required(f"{at}.containerPort"))
        else:
            causes += valid_port(f"{at}.containerPort", port["containerPort"])
        if port.get("protocol") not in PROTOCOLS:
            causes.append(unsupported(f"{at}.protocol", port.get("protocol"), PROTOCOLS))
    return causes


def _validate_host_ports(container: Object, at: str) -> list[Cause]:
    text = "must match `containerPort` when `hostNetwork` is true"
    return [
        invalid(f"{at}.ports[{index}].hostPort", port["hostPort"], text)
        for index, port in enumerate(container.get("ports") or [])
        if port.get("hostPort", port.get("containerPort")) != port.get("containerPort")
    ]


def _validate_env(variables: list[Object], field: str) -> list[Cause]:
    causes = []
    for index, variable in enumerate(variables):
        at, name = f"{field}[{index}]", variable.get("name")
        if not name:
            causes.append(required(f"{at}.name"))
        elif not _ENV_NAME.match(name):
            causes.append(invalid(f"{at}.name", name, _ENV_TEXT))
        if variable.get("valueFrom") is not None:
            causes += _validate_source(variable, f"{at}.valueFrom")
    return causes


def _validate_source(variable: Object, at: str) -> list[Cause]:
    source = variable["valueFrom"]
    given = [key for key in _SOURCES if source.get(key) is not None]
    causes = []
    path = (source.get("fieldRef") or {}).get("fieldPath")
    if path is not None and path not in _FIELDS and not path.startswith(("metadata.labels[", "metadata.annotations[")):
        text = f"error converting fieldPath: field label not supported: {path}"
        causes.append(invalid(f"{at}.fieldRef.fieldPath", path, text))
    causes += [
        required(f"{at}.{key}.key")
        for key in ("configMapKeyRef", "secretKeyRef")
        if key in given and not source[key].get("key")
    ]
    if not given:
        text = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
        causes.append(invalid(at, "", text))
    elif variable.get("value"):
        causes.append(invalid(at, "", "may not be specified when `value` is not empty"))
    elif len(given) > 1:
        causes.append(invalid(at, "", "may not have more than one field specified at a time"))
    return causes


def _validate_mounts(mounts: list[Object], volumes: set[Any], field: str) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[Any] = set()
    for index, mount in enumerate(mounts):
        at, path = f"{field}[{index}]", mount.get("mountPath")
        if not mount.get("name"):
            causes.append(required(f"{at}.name"))
        if mount.get("name") not in volumes:
            causes.append(not_found(f"{at}.name", mount.get("name", "")))
        if not path:
            causes.append(required(f"{at}.mountPath"))
        if path in seen:
            causes.append(invalid(f"{at}.mountPath", path, "must be unique"))
        seen.add(path)
    return causes


def _validate_resources(resources: Object, field: str) -> list[Cause]:
    causes: list[Cause] = []
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for kind, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            causes += _validate_amount(name, amount, f"{field}.{kind}[{name}]")
    for name, amount in requests.items():
        if name in limits and parse(str(amount)) > parse(str(limits[name])):
            text = f"must be less than or equal to {name} limit of {limits[name]}"
            causes.append(invalid(f"{field}.requests", amount, text))
    return causes


def _validate_amount(name: str, amount: Any, at: str) -> list[Cause]:
    causes = [invalid(at, name, text) for text in qualified_name_problems(name)]
    if "/" not in name and name not in _STANDARD and not name.startswith("hugepages-"):
        causes.append(invalid(at, name, "must be a standard resource type or fully qualified"))
        causes.append(invalid(at, name, "must be a standard resource for containers"))
    if parse(str(amount)) < 0:
        causes.append(invalid(at, str(amount), _NOT_NEGATIVE))
    return causes
