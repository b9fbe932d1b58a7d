"""Which handler answers which path and method, and whether the caller may."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from sandbox.kubernetes.api import (
    discovery,
    openapi,
    proxy,
    representation,
    reviews,
    subresources,
    target,
    verbs,
    warnings,
)
from sandbox.kubernetes.api.answers import answer
from sandbox.kubernetes.api.bodies import parse
from sandbox.kubernetes.api.context import Call, Server
from sandbox.kubernetes.api.patches import patch
from sandbox.kubernetes.api.watches import watch
from sandbox.kubernetes.authorization.rules import Attributes
from sandbox.kubernetes.errors import BadRequest, MethodNotAllowed, PathNotFound, UnknownPath, Unsupported
from sandbox.kubernetes.identity import Identity

log = logging.getLogger(__name__)
Handler = Callable[[Call], Awaitable[Response]]

_HEALTH = ("readyz", "livez", "healthz")
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
    ("serviceaccounts", "token"): {"POST": subresources.request_token},
}
_PLAIN = frozenset({("pods", "log"), ("pods", "proxy"), ("services", "proxy")})  # answers that are not the server's
_REFUSED = {
    ("pods", "exec"),
    ("pods", "attach"),
    ("pods", "portforward"),
    ("pods", "ephemeralcontainers"),
    ("pods", "resize"),
    ("nodes", "proxy"),
}


async def dispatch(server: Server, request: Request, identity: Identity) -> Response:
    """Answers an authenticated request; raises ApiError."""
    path = request.url.path
    parts = path.rstrip("/").split("/")[1:]
    if (parts[:2] == ["api", "v1"] and len(parts) > 2) or (parts[:1] == ["apis"] and len(parts) > 3):
        return await _resource(server, request, identity, target.parse(path))
    server.authorizer.require(identity, Attributes(request.method.lower(), path=path))
    if parts[:1] and parts[0] in _HEALTH:
        return PlainTextResponse("ok")
    if parts[:2] == ["openapi", "v3"]:
        return answer(_document(server, parts[2:]))
    return answer(_discovered(server, request, parts))


def _discovered(server: Server, request: Request, parts: list[str]) -> Any:
    """Discovery documents; raises PathNotFound or UnknownPath."""
    registry = server.store.registry
    match parts:
        case ["version"]:
            return discovery.version(server.settings)
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
        case ["api", *_]:
            raise PathNotFound
    raise UnknownPath


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
    server.authorizer.require(identity, _attributes(request, goal))
    if goal.version == "v1" and goal.plural in reviews.GROUPS.get(goal.group, ()):
        return await _review(server, request, identity, goal)
    resource = server.store.registry.find(goal.group, goal.version, goal.plural)
    if goal.namespace is not None and not resource.namespaced:
        raise PathNotFound
    call = Call(server, request, identity, goal, resource)
    handler = _handler(call)
    if (resource.key, goal.subresource or "") in _PLAIN:
        return await handler(call)
    wanted = representation.wanted(request)
    call.check_options()
    warnings.prepare(call)
    return representation.convert(await handler(call), wanted)


def _attributes(request: Request, goal: target.Target) -> Attributes:
    """What the request asks for, as RBAC names it. A list selected by name is about that object."""
    selected = ""
    verb = _VERBS.get(request.method, request.method.lower())
    if goal.name is None and verb in ("get", "delete"):
        watched = request.query_params.get("watch", "").lower() in ("true", "1")
        verb = {"get": "watch" if watched else "list", "delete": "deletecollection"}[verb]
        for part in request.query_params.get("fieldSelector", "").split(","):
            selected = part.removeprefix("metadata.name=") if part.startswith("metadata.name=") else selected
    resource = f"{goal.plural}/{goal.subresource}" if goal.subresource else goal.plural
    namespace = goal.namespace or (goal.name if (goal.group, goal.plural) == ("", "namespaces") else "")
    return Attributes(verb, goal.group, resource, namespace or "", goal.name or selected)


_VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


async def _review(server: Server, request: Request, identity: Identity, goal: target.Target) -> Response:
    if request.method != "POST" or goal.name is not None:
        raise MethodNotAllowed
    body = parse(await request.body())
    if not isinstance(body, dict):
        raise BadRequest("the body is not an object")
    return await reviews.review(server, goal.group, goal.plural, body, identity)


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
