"""Subresources with a shape of their own: scale, binding, eviction, token."""

import logging
from typing import Any

from starlette.responses import Response

from sandbox.kubernetes.api import bodies
from sandbox.kubernetes.api.answers import answer
from sandbox.kubernetes.api.context import Call
from sandbox.kubernetes.api.patches import APPLY, MERGE, STRATEGIC, check_media_type, patch_with, read_patch
from sandbox.kubernetes.errors import BadRequest, Conflict, Invalid, TooManyRequests, Unclassified, Unsupported, invalid
from sandbox.kubernetes.metadata import after, now
from sandbox.kubernetes.selectors import selector_matches
from sandbox.kubernetes.service_account_tokens import AUDIENCE

log = logging.getLogger(__name__)
Object = dict[str, Any]
_SHORTEST_TOKEN = 600  # seconds


def _scale_of(call: Call, obj: Object) -> Object:
    """The autoscaling/v1 Scale of a workload or custom resource."""
    paths = call.resource.scale_paths or {
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.replicas",
    }
    meta = {key: obj["metadata"][key] for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")}
    status: Object = {"replicas": _at(obj, paths["statusReplicasPath"]) or 0}
    selector = obj.get("spec", {}).get("selector")
    if not call.resource.custom and isinstance(selector, dict):
        status["selector"] = ",".join(f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items())
    elif paths.get("labelSelectorPath"):
        status["selector"] = _at(obj, paths["labelSelectorPath"]) or ""
    replicas = _at(obj, paths["specReplicasPath"])
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": meta,
        "spec": {"replicas": replicas} if replicas else {},  # none at all when 0, as the real server writes it
        "status": status,
    }


def _at(obj: Any, path: str) -> Any:
    for part in path.strip(".").split("."):
        obj = obj.get(part) if isinstance(obj, dict) else None
    return obj


async def get_scale(call: Call) -> Response:
    """The Scale."""
    return answer(_scale_of(call, call.store.get(call.resource.key, call.namespace, call.name)))


async def update_scale(call: Call) -> Response:
    """Sets the replicas from a Scale."""
    return _set_scale(call, await bodies.read_object(call))


async def patch_scale(call: Call) -> Response:
    """Sets the replicas from a patch of the Scale."""
    live = call.store.get(call.resource.key, call.namespace, call.name)
    kind = bodies.media_type(call)
    check_media_type(call, kind)
    if kind == APPLY:
        log.warning("apply to scale is not implemented by the sandbox")
        raise Unsupported("server-side apply of scale")
    kind = MERGE if kind == STRATEGIC else kind  # the same for a Scale
    body = read_patch(kind, await call.request.body())
    return _set_scale(call, patch_with(call, kind, _scale_of(call, live), body))


def _set_scale(call: Call, scale: Object) -> Response:
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or replicas < 0:
        cause = invalid("spec.replicas", replicas, "must be greater than or equal to 0")
        raise Invalid("Scale.autoscaling", call.name, [cause])
    obj = call.store.get(call.resource.key, call.namespace, call.name)
    version = (scale.get("metadata") or {}).get("resourceVersion")
    if version:
        obj["metadata"]["resourceVersion"] = version
    *parents, last = (call.resource.scale_paths or {}).get("specReplicasPath", ".spec.replicas").strip(".").split(".")
    node = obj
    for part in parents:
        node = node.setdefault(part, {})
    node[last] = replicas
    updated = call.store.update(
        call.resource.key, obj, subresource="scale", field_manager=call.manager, dry_run=call.dry_run
    )
    return answer(_scale_of(call, updated))


async def bind(call: Call) -> Response:
    """Puts a pod on a node, once."""
    body = await bodies.read_object(call)
    name = call.target.name or (body.get("metadata") or {}).get("name", "")
    if (body.get("metadata") or {}).get("name", name) != name:
        raise BadRequest("name in URL does not match name in Binding object")
    node = (body.get("target") or {}).get("name")
    if not node:
        raise Unclassified("target.name: Required value")
    pod = call.store.get("pods", call.namespace, name)
    if pod["spec"].get("nodeName"):
        raise Conflict("pods/binding", name, f'pod {name} is already assigned to node "{pod["spec"]["nodeName"]}"')
    pod["spec"]["nodeName"] = node
    bound = call.store.update("pods", pod, subresource="binding", field_manager=call.manager, dry_run=call.dry_run)
    if not call.dry_run:
        _mark_scheduled(call, bound)
    return answer({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}, 201)


def _mark_scheduled(call: Call, pod: Object) -> None:
    """The condition that the registry sets with the binding."""
    condition = {"type": "PodScheduled", "status": "True", "lastTransitionTime": now()}
    kept = [each for each in pod["status"].get("conditions") or [] if each["type"] != "PodScheduled"]
    pod["status"]["conditions"] = [*kept, condition]
    call.store.update("pods", pod, subresource="status", field_manager=call.manager)


async def evict(call: Call) -> Response:
    """Deletes a pod unless a disruption budget forbids it now."""
    options = (await bodies.read_object(call)).get("deleteOptions") or {}
    pod = call.store.get("pods", call.namespace, call.name)
    labels = pod["metadata"].get("labels") or {}
    for entry in call.store.entries("poddisruptionbudgets.policy", call.namespace):
        budget = entry.object
        selected = selector_matches((budget.get("spec") or {}).get("selector"), labels)
        if selected:
            _check_budget(budget)
    call.store.delete(
        "pods", call.namespace, call.name, grace_seconds=options.get("gracePeriodSeconds"), dry_run=call.dry_run
    )
    return answer({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}, 201)


def _check_budget(budget: Object) -> None:
    """Raises TooManyRequests when no pod of the budget may go now, or nobody has counted yet."""
    name, status = budget["metadata"]["name"], budget.get("status") or {}
    if status.get("observedGeneration", 0) < budget["metadata"].get("generation", 0):
        text = f"The disruption budget {name} is still being processed by the server."
        cause = {"reason": "DisruptionBudget", "message": text}
        text = "Cannot evict pod as it would violate the pod's disruption budget."
        raise TooManyRequests(text, seconds=10, details={"causes": [cause]})
    if status.get("disruptionsAllowed", 0) < 1:
        needed, healthy = status.get("desiredHealthy", 0), status.get("currentHealthy", 0)
        text = f"The disruption budget {name} needs {needed} healthy pods and has {healthy} currently"
        cause = {"reason": "DisruptionBudget", "message": text}
        text = "Cannot evict pod as it would violate the pod's disruption budget."
        raise TooManyRequests(text, seconds=0, details={"causes": [cause]})


async def request_token(call: Call) -> Response:
    """A token of a ServiceAccount (TokenRequest)."""
    body = await bodies.read_object(call)
    spec = dict(body.get("spec") or {})
    account = call.store.get("serviceaccounts", call.namespace, call.name)
    seconds = int(spec.get("expirationSeconds") or 3600)
    if seconds < _SHORTEST_TOKEN:
        cause = invalid("spec.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")
        raise Invalid("TokenRequest.authentication.k8s.io", "", [cause])
    bound = spec.get("boundObjectRef") or {}
    if bound and bound.get("kind") != "Pod":
        raise Unsupported(f"tokens bound to a {bound.get('kind')}")
    pod = call.store.get("pods", call.namespace, bound["name"]) if bound else None
    spec |= {"audiences": spec.get("audiences") or [AUDIENCE], "expirationSeconds": seconds}
    token = call.server.accounts.issue(account, spec["audiences"], seconds, pod)
    answered: Object = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1"}
    meta = {"name": call.name, "namespace": call.namespace, "creationTimestamp": now()}
    spec["boundObjectRef"] = spec.get("boundObjectRef")
    return answer(
        answered | {"metadata": meta, "spec": spec, "status": {"token": token, "expirationTimestamp": after(seconds)}},
        201,
    )
