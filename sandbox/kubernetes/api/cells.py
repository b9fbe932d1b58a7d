"""The columns between name and age, per kind."""

from collections.abc import Callable
from typing import Any

Object = dict[str, Any]
Cells = tuple[tuple[str, Callable[[Object], Any]], ...]


def _spec(obj: Object) -> Object:
    return obj.get("spec") or {}


def _status(obj: Object) -> Object:
    return obj.get("status") or {}


def _pod_ready(pod: Object) -> str:
    ready = sum(1 for each in _status(pod).get("containerStatuses") or [] if each.get("ready"))
    return f"{ready}/{len(_spec(pod).get('containers') or [])}"


def _pod_status(pod: Object) -> str:
    """The phase, or why a container waits or ended."""
    if "deletionTimestamp" in pod["metadata"]:
        return "Terminating"
    text = _status(pod).get("reason") or _status(pod).get("phase", "Unknown")
    for each in _status(pod).get("containerStatuses") or []:
        state = each.get("state") or {}
        for kind in ("waiting", "terminated"):
            text = (state.get(kind) or {}).get("reason") or text
    return str(text)


def _restarts(pod: Object) -> int:
    return sum(each.get("restartCount", 0) for each in _status(pod).get("containerStatuses") or [])


def _ready_of(wanted: str, ready: str) -> Callable[[Object], str]:
    return lambda obj: f"{_status(obj).get(ready, 0)}/{_spec(obj).get(wanted, 0)}"


def _count(name: str) -> Callable[[Object], int]:
    return lambda obj: _status(obj).get(name, 0)


def _field(name: str) -> Callable[[Object], Any]:
    return lambda obj: _spec(obj).get(name, "")


def _node_status(node: Object) -> str:
    conditions = {each["type"]: each["status"] for each in _status(node).get("conditions") or []}
    text = "Ready" if conditions.get("Ready") == "True" else "NotReady"
    return text + (",SchedulingDisabled" if _spec(node).get("unschedulable") else "")


def _addresses(obj: Object) -> str:
    found = (_status(obj).get("loadBalancer") or {}).get("ingress") or []
    return ",".join(each.get("hostname") or each.get("ip", "") for each in found)


def _external(service: Object) -> str:
    if _spec(service).get("type") == "LoadBalancer":
        return _addresses(service) or "<pending>"
    return str(_spec(service).get("externalName") or "<none>")


def _service_ports(service: Object) -> str:
    texts = []
    for port in _spec(service).get("ports") or []:
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        texts.append(f"{port['port']}{node}/{port['protocol']}")
    return ",".join(texts) or "<none>"


def _hosts(ingress: Object) -> str:
    return ",".join(rule.get("host") or "*" for rule in _spec(ingress).get("rules") or []) or "*"


def _job_status(job: Object) -> str:
    for each in _status(job).get("conditions") or []:
        if each["status"] == "True" and each["type"] in ("Complete", "Failed", "Suspended"):
            return str(each["type"])
    return "Running"


def _size(name: str) -> Callable[[Object], int]:
    return lambda obj: len(obj.get(name) or {})


CELLS: dict[str, Cells] = {
    "pods": (("Ready", _pod_ready), ("Status", _pod_status), ("Restarts", _restarts)),
    "namespaces": (("Status", lambda obj: _status(obj).get("phase", "")),),
    "nodes": (
        ("Status", _node_status),
        ("Version", lambda obj: (_status(obj).get("nodeInfo") or {}).get("kubeletVersion", "")),
    ),
    "services": (
        ("Type", _field("type")),
        ("Cluster-IP", lambda obj: _spec(obj).get("clusterIP") or "<none>"),
        ("External-IP", _external),
        ("Port(s)", _service_ports),
    ),
    "deployments.apps": (
        ("Ready", _ready_of("replicas", "readyReplicas")),
        ("Up-to-date", _count("updatedReplicas")),
        ("Available", _count("availableReplicas")),
    ),
    "statefulsets.apps": (("Ready", _ready_of("replicas", "readyReplicas")),),
    "replicasets.apps": (
        ("Desired", _field("replicas")),
        ("Current", _count("replicas")),
        ("Ready", _count("readyReplicas")),
    ),
    "daemonsets.apps": (
        ("Desired", _count("desiredNumberScheduled")),
        ("Current", _count("currentNumberScheduled")),
        ("Ready", _count("numberReady")),
    ),
    "jobs.batch": (
        ("Status", _job_status),
        ("Completions", lambda obj: f"{_status(obj).get('succeeded', 0)}/{_spec(obj).get('completions', 1)}"),
    ),
    "ingresses.networking.k8s.io": (
        ("Class", lambda obj: _spec(obj).get("ingressClassName", "<none>")),
        ("Hosts", _hosts),
        ("Address", _addresses),
    ),
    "secrets": (("Type", lambda obj: obj.get("type", "")), ("Data", _size("data"))),
    "configmaps": (("Data", _size("data")),),
    "events": (
        ("Type", lambda obj: obj.get("type", "")),
        ("Reason", lambda obj: obj.get("reason", "")),
        ("Object", lambda obj: "{kind}/{name}".format(**({"kind": "", "name": ""} | obj["involvedObject"])).lower()),
        ("Message", lambda obj: obj.get("message", "")),
    ),
    "customresourcedefinitions.apiextensions.k8s.io": (
        ("Created At", lambda obj: obj["metadata"]["creationTimestamp"]),
    ),
}
