"""Containers: defaults and validation."""

from collections.abc import Iterator
from typing import Any

from sandbox.kubernetes.errors import Cause, duplicate, invalid, not_found, required, unsupported
from sandbox.kubernetes.schema.quantity import parse
from sandbox.kubernetes.strategy.base import Object
from sandbox.kubernetes.strategy.names import dns_label

PROTOCOLS = ["SCTP", "TCP", "UDP"]
_PULL = ["Always", "IfNotPresent", "Never"]
_PORT_TEXT = "must be between 1 and 65535, inclusive"
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_HOOKS = ("postStart", "preStop")
_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")


def default_container(container: Object) -> None:
    """What a container does not say."""
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    container.setdefault("imagePullPolicy", _pull_policy(container.get("image") or ""))
    container.setdefault("resources", {})
    for port in container.get("ports") or []:
        port.setdefault("protocol", "TCP")
    for name in _HOOKS:
        hook = (container.get("lifecycle") or {}).get(name)
        _default_http(hook if isinstance(hook, dict) else {})
    for name in _PROBES:
        if isinstance(container.get(name), dict):
            _default_probe(container[name])
    for variable in container.get("env") or []:
        reference = (variable.get("valueFrom") or {}).get("fieldRef")
        if reference:
            reference.setdefault("apiVersion", "v1")


def _pull_policy(image: str) -> str:
    tail = image.rpartition("/")[2]
    tag = tail.partition(":")[2]
    latest = "@" not in image and tag in ("", "latest")
    return "Always" if latest else "IfNotPresent"


def _default_probe(probe: Object) -> None:
    probe.setdefault("timeoutSeconds", 1)
    probe.setdefault("periodSeconds", 10)
    probe.setdefault("successThreshold", 1)
    probe.setdefault("failureThreshold", 3)
    _default_http(probe)


def _default_http(handler: Object) -> None:
    if isinstance(handler.get("httpGet"), dict):
        handler["httpGet"].setdefault("path", "/")
        handler["httpGet"].setdefault("scheme", "HTTP")


def valid_port(field: str, value: Any) -> list[Cause]:
    """A port number."""
    good = isinstance(value, int) and 1 <= value <= 65535
    return [] if good else [invalid(field, value, _PORT_TEXT)]


def validate_containers(spec: Object, volumes: set[Any], field: str) -> list[Cause]:
    """All containers of a pod spec; `volumes` are the names that mounts may refer to."""
    causes, seen = [], set()
    for at, container in _containers(spec, field):
        name = container.get("name")
        causes += dns_label(f"{at}.name", name) if name else [required(f"{at}.name")]
        if name and name in seen:
            causes.append(duplicate(f"{at}.name", name))
        seen.add(name)
        causes += _validate_container(container, volumes, at)
    return causes


def _containers(spec: Object, field: str) -> Iterator[tuple[str, Object]]:
    for name in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(name) or []):
            yield f"{field}.{name}[{index}]", container


def _validate_container(container: Object, volumes: set[Any], at: str) -> list[Cause]:
    image = container.get("image")
    causes = [] if image else [required(f"{at}.image")]
    if image and image != image.strip():
        causes.append(invalid(f"{at}.image", image, "must not have leading or trailing whitespace"))
    policy = container.get("imagePullPolicy")
    if policy not in _PULL:
        causes.append(unsupported(f"{at}.imagePullPolicy", policy, _PULL))
    causes += _validate_ports(container.get("ports") or [], f"{at}.ports")
    causes += _validate_env(container.get("env") or [], f"{at}.env")
    causes += _validate_mounts(container.get("volumeMounts") or [], volumes, f"{at}.volumeMounts")
    causes += _validate_resources(container.get("resources") or {}, f"{at}.resources")
    return causes


def _validate_ports(ports: list[Object], field: str) -> list[Cause]:
    causes, seen = [], set()
    for index, port in enumerate(ports):
        at, name = f"{field}[{index}]", port.get("name")
        if "containerPort" not in port:
            causes.append(required(f"{at}.containerPort"))
        else:
            causes += valid_port(f"{at}.containerPort", port["containerPort"])
        if port.get("protocol") not in PROTOCOLS:
            causes.append(unsupported(f"{at}.protocol", port.get("protocol"), PROTOCOLS))
        if name and name in seen:
            causes.append(duplicate(f"{at}.name", name))
        seen.add(name)
    return causes


def _validate_env(variables: list[Object], field: str) -> list[Cause]:
    causes = []
    for index, variable in enumerate(variables):
        at = f"{field}[{index}]"
        if not variable.get("name"):
            causes.append(required(f"{at}.name"))
        source = variable.get("valueFrom")
        if source is None:
            continue
        if variable.get("value"):
            causes.append(invalid(f"{at}.valueFrom", "", "may not be specified when `value` is not empty"))
        if len([key for key in _SOURCES if key in source]) != 1:
            causes.append(invalid(f"{at}.valueFrom", "", "must specify one of: `fieldRef`, `resourceFieldRef`, "
                                  "`configMapKeyRef` or `secretKeyRef`"))  # fmt: skip
    return causes


def _validate_mounts(mounts: list[Object], volumes: set[Any], field: str) -> list[Cause]:
    causes, seen = [], set()
    for index, mount in enumerate(mounts):
        at, path = f"{field}[{index}]", mount.get("mountPath")
        if not mount.get("name"):
            causes.append(required(f"{at}.name"))
        elif mount["name"] not in volumes:
            causes.append(not_found(f"{at}.name", mount["name"]))
        if not path:
            causes.append(required(f"{at}.mountPath"))
        elif path in seen:
            causes.append(invalid(f"{at}.mountPath", path, "must be unique"))
        seen.add(path)
    return causes


def _validate_resources(resources: Object, field: str) -> list[Cause]:
    causes = []
    limits = resources.get("limits") or {}
    for name, amount in (resources.get("requests") or {}).items():
        if name in limits and parse(str(amount)) > parse(str(limits[name])):
            text = f"must be less than or equal to {name} limit of {limits[name]}"
            causes.append(invalid(f"{field}.requests", amount, text))
    return causes
