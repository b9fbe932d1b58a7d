"""Which handler answers which path and method."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox.kubernetes.api import discovery, openapi, proxy, subresources, target, verbs
from sandbox.kubernetes.api.answers import answer
from sandbox.kubernetes.api.auth import Identity
from sandbox.kubernetes.api.bodies import parse
from sandbox.kubernetes.api.context import Call, Server
from sandbox.kubernetes.api.patches import patch
from sandbox.kubernetes.api.watches import watch
from sandbox.kubernetes.errors import MethodNotAllowed, PathNotFound, UnknownPath, Unsupported

log = logging.getLogger(__name__)
Handler = Callable[[Call], Awaitable[Response]]

_COLLECTION: dict[str, Handler] = {
    "GET": verbs.list_objects,
    "POST": verbs.create,
    "DELETE": verbs.delete_collection,
}
_OBJECT: dict[str, Handler] = {"GET": verbs.get, "PUT": verbs.update, "PATCH": patch, "DELETE": verbs.delete}
_STATUS: dict[str, Handler] = {"GET": verbs.get, "PUT": verbs.update, "PATCH": patch}
_SCALE: dict[str, Handler] = {
    "GET": subresources.get_scale,
    "PUT": subresources.update_scale,
    "PATCH": subresources.patch_scale,
}
_PROXY: dict[str, Handler] = dict.fromkeys(("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"), proxy.proxy)
_OWN: dict[tuple[str, str], dict[str, Handler]] = {
    ("pods", "log"): {"GET": proxy.logs},
    ("pods", "binding"): {"POST": subresources.bind},
    ("pods", "eviction"): {"POST": subresources.evict},
    ("pods", "proxy"): _PROXY,
    ("services", "proxy"): _PROXY,
    ("namespaces", "finalize"): {"PUT": verbs.update},
}
_REFUSED = {
    ("pods", "exec"),
    ("pods", "attach"),
    ("pods", "portforward"),
    ("pods", "ephemeralcontainers"),
    ("pods", "resize"),
    ("nodes", "proxy"),
    ("serviceaccounts", "token"),
}


async def dispatch(server: Server, request: Request, identity: Identity) -> Response:
    """Answers an authenticated request; raises ApiError."""
    path = request.url.path
    parts = path.rstrip("/").split("/")
    fixed = _document(server, parts[3:]) if parts[1:3] == ["openapi", "v3"] else _discovered(server, request, parts[1:])
    if fixed is not None:
        return answer(fixed)
    if parts[1:3] == ["api", "v1"] or (parts[1] == "apis" and len(parts) > 4):
        return await _resource(server, request, identity, target.parse(path))
    raise PathNotFound if parts[1] == "api" and len(parts) > 2 else UnknownPath


def _discovered(server: Server, request: Request, parts: list[str]) -> Any:
    """Discovery documents, None for every other path."""
    registry = server.store.registry
    match parts:
        case ["api"]:
            return discovery.core_versions(request.url.netloc)
        case ["apis"]:
            return discovery.groups(registry)
        case ["api", version]:
            return discovery.resources(registry, "", version)
        case ["apis", group]:
            return discovery.group(registry, group)
        case ["apis", group, version]:
            return discovery.resources(registry, group, version)
    return None


def _document(server: Server, parts: list[str]) -> Any:
    registry = server.store.registry
    if not parts:
        return openapi.index(registry)
    if parts[0] == "api" and len(parts) == 2:
        return openapi.document(registry, "", parts[1])
    if parts[0] == "apis" and len(parts) == 3:
        return openapi.document(registry, parts[1], parts[2])
    raise UnknownPath


async def _resource(server: Server, request: Request, identity: Identity, goal: target.Target) -> Response:
    if goal.version == "v1" and request.method == "POST" and goal.name is None:
        reviewed = await _review(request, identity, goal)
        if reviewed is not None:
            return answer(reviewed, 201)
    resource = server.store.registry.find(goal.group, goal.version, goal.plural)
    if goal.namespace is not None and not resource.namespaced:
        raise PathNotFound
    call = Call(server, request, identity, goal, resource)
    handler = _handler(call)
    call.check_options()
    return await handler(call)


async def _review(request: Request, identity: Identity, goal: target.Target) -> Any:
    if goal.group not in ("authorization.k8s.io", "authentication.k8s.io"):
        return None
    body = parse(await request.body())
    return subresources.review(goal.group, goal.plural, body if isinstance(body, dict) else {}, identity)


def _handler(call: Call) -> Handler:
    """The handler of the call; raises MethodNotAllowed, PathNotFound or Unsupported."""
    goal, method = call.target, call.request.method
    if method == "GET" and goal.subresource is None and call.flag("watch"):
        return watch
    handler = _handlers(call).get(method)
    if handler is None or (goal.name is None and method in ("POST", "DELETE") and _lacks_namespace(call)):
        raise MethodNotAllowed
    if goal.name is not None and _lacks_namespace(call):
        raise PathNotFound
    return handler


def _lacks_namespace(call: Call) -> bool:
    return call.resource.namespaced and call.target.namespace is None


def _handlers(call: Call) -> dict[str, Handler]:
    resource, goal = call.resource, call.target
    if goal.name is None:
        return _COLLECTION
    if goal.subresource is None:
        return _OBJECT
    if goal.subresource == "status" and resource.status:
        return _STATUS
    if goal.subresource == "scale" and resource.scale:
        return _SCALE
    own = (resource.key, goal.subresource)
    if own in _REFUSED:
        log.warning("%s/%s is not implemented by the sandbox", *own)
        raise Unsupported(f"{resource.plural}/{goal.subresource}")
    if own not in _OWN:
        raise PathNotFound
    return _OWN[own]
