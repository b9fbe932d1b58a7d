"""What each chart makes of a release's name and of the values it honours.

Everything not named here stays as the chart's manifests have it; values it does not know change nothing, as in helm.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """The release that a chart is rendered for."""

    name: str
    namespace: str


def lookup(values: Values, path: str, default: Any) -> Any:
    """The value at a dotted path, `default` when it is not given."""
    found: Any = values
    for key in path.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return default if found is None else found


def _one(objects: list[Object], kind: str, name: str) -> Object:
    return next(obj for obj in objects if (obj["kind"], obj["metadata"]["name"]) == (kind, name))


def _rename(value: Any, old: str, new: str) -> Any:
    """`value` with `old` replaced by `new` where a text is it or begins with it and a dash."""
    if isinstance(value, dict):
        return {key: _rename(each, old, new) for key, each in value.items()}
    if isinstance(value, list):
        return [_rename(each, old, new) for each in value]
    if isinstance(value, str) and (value == old or value.startswith(f"{old}-")):
        return new + value.removeprefix(old)
    return value


def _ingress_nginx(objects: list[Object], target: Target, values: Values) -> None:
    prefix = _full_name(target, values, "ingress-nginx")
    service = _one(objects, "Service", "ingress-nginx-controller")
    service["spec"]["type"] = lookup(values, "controller.service.type", "LoadBalancer")
    service["metadata"]["annotations"] = dict(lookup(values, "controller.service.annotations", {}))
    ingress_class = _one(objects, "IngressClass", "nginx")
    ingress_class["metadata"]["name"] = lookup(values, "controller.ingressClassResource.name", "nginx")
    controller = lookup(values, "controller.ingressClassResource.controllerValue", "k8s.io/ingress-nginx")
    ingress_class["spec"]["controller"] = controller
    if lookup(values, "controller.ingressClassResource.default", default=False):
        ingress_class["metadata"]["annotations"] = {"ingressclass.kubernetes.io/is-default-class": "true"}
    deployment = _one(objects, "Deployment", "ingress-nginx-controller")
    deployment["spec"]["replicas"] = lookup(values, "controller.replicaCount", 1)
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container["args"] = [
        "/nginx-ingress-controller",
        f"--publish-service=$(POD_NAMESPACE)/{prefix}-controller",
        f"--election-id={prefix}-leader",
        f"--controller-class={controller}",
        f"--ingress-class={ingress_class['metadata']['name']}",
        f"--configmap=$(POD_NAMESPACE)/{prefix}-controller",
    ]
    _configure(_one(objects, "ConfigMap", "ingress-nginx-controller"), lookup(values, "controller.config", {}))
    _set_instance(objects, target)
    _rename_objects(objects, "ingress-nginx", prefix)


def _configure(config_map: Object, values: Values) -> None:
    config_map["data"] |= {key: str(value) for key, value in values.items()}


def _sealed_secrets(objects: list[Object], target: Target, values: Values) -> None:
    deployment = _one(objects, "Deployment", "sealed-secrets")
    key_renewal = lookup(values, "keyrenewperiod", "")
    if key_renewal:
        deployment["spec"]["template"]["spec"]["containers"][0]["args"] += ["--key-renew-period", str(key_renewal)]
    _set_instance(objects, target)
    _rename_objects(objects, "sealed-secrets", _full_name(target, values, "sealed-secrets"))


def _keda(objects: list[Object], target: Target, values: Values) -> None:
    replicas = {"keda-operator": "operator", "keda-operator-metrics-apiserver": "metricsServer"}
    for name, key in (replicas | {"keda-admission-webhooks": "webhooks"}).items():
        spec = _one(objects, "Deployment", name)["spec"]
        spec["replicas"] = lookup(values, f"{key}.replicaCount", 1)
    environment = _one(objects, "Deployment", "keda-operator")["spec"]["template"]["spec"]["containers"][0]["env"]
    environment.append({"name": "WATCH_NAMESPACE", "value": lookup(values, "watchNamespace", "")})
    for definition in (obj for obj in objects if obj["kind"] == "CustomResourceDefinition"):
        definition["metadata"].setdefault("annotations", {}).update(lookup(values, "crds.additionalAnnotations", {}))
    if not lookup(values, "crds.install", default=True):
        objects[:] = [obj for obj in objects if obj["kind"] != "CustomResourceDefinition"]


def _full_name(target: Target, values: Values, chart: str) -> str:
    """The chart's usual `fullname`: overridden, or the release's name, with the chart's unless it is in it."""
    override = lookup(values, "fullnameOverride", "")
    if override:
        return str(override)
    name = str(lookup(values, "nameOverride", chart))
    return target.name if name in target.name else f"{target.name}-{name}"


def _set_instance(objects: list[Object], target: Target) -> None:
    """Have selectors and pods name the release, so that two releases of a chart do not select each other's pods."""
    key = "app.kubernetes.io/instance"
    for obj in objects:
        spec = obj.get("spec") or {}
        if obj["kind"] == "Deployment":
            spec["selector"]["matchLabels"][key] = target.name
            spec["template"]["metadata"]["labels"][key] = target.name
        elif obj["kind"] == "Service":
            spec["selector"][key] = target.name


def _rename_objects(objects: list[Object], old: str, new: str) -> None:
    """Give the objects, and what refers to them by name, the release's own name; labels and images stay."""
    for obj in objects:
        if obj["kind"] in ("CustomResourceDefinition", "IngressClass"):
            continue
        obj["metadata"]["name"] = _rename(obj["metadata"]["name"], old, new)
        for key in ("subjects", "roleRef"):
            if key in obj:
                obj[key] = _rename(obj[key], old, new)
        pod = ((obj.get("spec") or {}).get("template") or {}).get("spec") or {}
        if "serviceAccountName" in pod:
            pod["serviceAccountName"] = _rename(pod["serviceAccountName"], old, new)


RENDERERS: dict[str, Callable[[list[Object], Target, Values], None]] = {
    "ingress-nginx": _ingress_nginx,
    "sealed-secrets": _sealed_secrets,
    "keda": _keda,
}
