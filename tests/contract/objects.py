"""Small objects that the tests vary."""

from typing import Any

Object = dict[str, Any]


def meta(name: str, **more: Any) -> Object:
    """metadata."""
    return {"metadata": {"name": name} | more}


def configmap(name: str, **data: str) -> Object:
    """A ConfigMap with its type, fit for apply."""
    return {"apiVersion": "v1", "kind": "ConfigMap"} | meta(name) | {"data": data}


def pod(name: str, **spec: Any) -> Object:
    """A pod of one container."""
    return {"apiVersion": "v1", "kind": "Pod"} | meta(name) | {"spec": {"containers": [container()]} | spec}


def container(**more: Any) -> Object:
    """A container."""
    return {"name": "main", "image": "example/app:1"} | more


def deployment(name: str, *containers: Object, **spec: Any) -> Object:
    """A deployment without replicas, so that the controllers leave the test alone."""
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": list(containers) or [container()]}}
    full = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template} | spec
    return {"apiVersion": "apps/v1", "kind": "Deployment"} | meta(name) | {"spec": full}


def service(name: str, **spec: Any) -> Object:
    """A service with one port."""
    return {"apiVersion": "v1", "kind": "Service"} | meta(name) | {"spec": {"ports": [{"port": 80}]} | spec}


def job(name: str, **spec: Any) -> Object:
    """A suspended job."""
    template = {"spec": {"restartPolicy": "Never", "containers": [container()]}}
    return (
        {"apiVersion": "batch/v1", "kind": "Job"}
        | meta(name)
        | {"spec": {"suspend": True, "template": template} | spec}
    )


def role(name: str, verbs: list[str], *resources: str, group: str = "") -> Object:
    """A Role of one rule."""
    return meta(name) | {"rules": [{"apiGroups": [group], "resources": list(resources), "verbs": verbs}]}


def binding(name: str, role_name: str, kind: str = "Role", *, user: str) -> Object:
    """A RoleBinding of a Role or ClusterRole to one user."""
    subjects = [{"kind": "User", "name": user}]
    return meta(name) | {"roleRef": {"kind": kind, "name": role_name}, "subjects": subjects}


def selector_and_template(name: str) -> Object:
    """The part of a workload's spec that all workloads have."""
    return {key: deployment(name)["spec"][key] for key in ("selector", "template")}
