"""The API server's proxy to pods and services, and pod logs from the node.

There is no pod network: the node agent writes where a container port really listens into the pod's annotation
`sandbox.podium/ports` ({"8090": 41234}, on 127.0.0.1). HTML is not rewritten; Location headers are.
"""

import json
from typing import Any
from urllib.parse import urlsplit

import httpx2
from starlette.background import BackgroundTask
from starlette.responses import Response, StreamingResponse

from sandbox.kubernetes.api.context import Call
from sandbox.kubernetes.errors import BadRequest, Invalid, NotFound, ServiceUnavailable, invalid

PORTS = "sandbox.podium/ports"
_HOP_BY_HOP = frozenset({
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding",
    "upgrade",
})  # fmt: skip
_NOT_FORWARDED = _HOP_BY_HOP | {"host", "authorization", "content-length"}


async def proxy(call: Call) -> Response:
    """Forwards the request to the pod or to a ready endpoint of the service; a path without end gets its slash."""
    if call.request.url.path.endswith("/proxy"):
        query = f"?{call.request.url.query}" if call.request.url.query else ""
        return Response(status_code=301, headers={"location": f"{call.request.url.path}/{query}"})
    port = service_port(call) if call.resource.key == "services" else _pod_port(call)
    prefix = call.request.url.path.removesuffix(call.target.rest)
    return await _forward(call, f"http://127.0.0.1:{port}/{call.target.rest}", prefix)


def _split(name: str) -> tuple[str, str]:
    """`[scheme:]name[:port]` -> name and port; raises BadRequest."""
    parts = name.split(":")
    if len(parts) > 3:
        raise BadRequest(f'invalid service request "{name}"')
    if len(parts) == 3:
        if parts[0] not in ("http", "https"):
            raise BadRequest(f'invalid service request "{name}"')
        return parts[1], parts[2]
    return parts[0], parts[1] if len(parts) == 2 else ""


def service_port(call: Call) -> int:
    """The local port of a ready endpoint; raises NotFound, or ServiceUnavailable as Kubernetes words it."""
    name, wanted = _split(call.name)
    service = call.store.entry("services", call.namespace, name).object
    port = _named_port(service, name, wanted)
    endpoints = call.store.peek("endpoints", call.namespace, name) or {}
    for subset in endpoints.get("subsets") or []:
        number = _subset_port(subset, port)
        for address in subset.get("addresses") or []:
            found = _local_port(call, (address.get("targetRef") or {}).get("name"), number)
            if found:
                return found
    raise ServiceUnavailable(f'no endpoints available for service "{name}"')


def _named_port(service: dict[str, Any], name: str, wanted: str) -> str:
    """The name of the port that is asked for by number or name; a port without a name is asked for by nothing."""
    if not wanted.isdigit():
        return wanted
    for port in service["spec"].get("ports") or []:
        if port["port"] == int(wanted):
            return str(port.get("name", ""))
    raise ServiceUnavailable(f'no service port {wanted} found for service "{name}"')


def _subset_port(subset: dict[str, Any], port: str) -> int | None:
    for each in subset.get("ports") or []:
        if each.get("name", "") == port:
            return int(each["port"])
    return None


def _local_port(call: Call, pod_name: str | None, number: int | None) -> int | None:
    pod = call.store.peek("pods", call.namespace, pod_name) if pod_name else None
    if pod is None or number is None:
        return None
    return _annotated(pod).get(str(number))


def _annotated(pod: dict[str, Any]) -> dict[str, int]:
    try:
        ports = json.loads((pod["metadata"].get("annotations") or {}).get(PORTS, "{}"))
    except ValueError:
        return {}
    return {str(key): int(value) for key, value in ports.items()} if isinstance(ports, dict) else {}


def _pod_port(call: Call) -> int:
    name, wanted = _split(call.name)
    pod = call.store.entry("pods", call.namespace, name).object
    declared = [port for container in pod["spec"]["containers"] for port in container.get("ports") or []]
    numbers = [
        str(port["containerPort"]) for port in declared if wanted in (port.get("name"), str(port["containerPort"]))
    ]
    if not wanted and declared:
        numbers = [str(declared[0]["containerPort"])]
    found = _annotated(pod).get(numbers[0] if numbers else wanted)
    if found is None:
        raise ServiceUnavailable(f"error trying to reach service: pod {name} has no port {wanted or '80'} that listens")
    return found


async def _forward(call: Call, url: str, prefix: str) -> Response:
    request = call.request
    headers = [(key, value) for key, value in request.headers.items() if key.lower() not in _NOT_FORWARDED]
    headers += [
        ("x-forwarded-uri", request.url.path),
        ("x-forwarded-host", request.url.netloc),
        ("x-forwarded-proto", "https"),
    ]
    target = httpx2.URL(url).copy_with(query=request.url.query.encode() or None)
    outgoing = call.server.client.build_request(request.method, target, headers=headers, content=await request.body())
    return await _send(call, outgoing, "error trying to reach service", prefix)


async def _send(call: Call, outgoing: httpx2.Request, failing: str, prefix: str) -> Response:
    try:
        incoming = await call.server.client.send(outgoing, stream=True)
    except httpx2.HTTPError as error:
        raise ServiceUnavailable(f"{failing}: {error or type(error).__name__}") from error
    response = StreamingResponse(incoming.aiter_raw(), incoming.status_code, background=BackgroundTask(incoming.aclose))
    for key, value in incoming.headers.multi_items():
        if key.lower() not in _HOP_BY_HOP:
            response.headers.append(key, _relocated(value, prefix) if key.lower() == "location" else value)
    return response


def _relocated(location: str, prefix: str) -> str:
    """A redirect of the service as seen through the proxy; other hosts stay as they are."""
    parts = urlsplit(location)
    if parts.hostname not in (None, "127.0.0.1") or not parts.path.startswith("/"):
        return location
    return prefix.rstrip("/") + parts.path + (f"?{parts.query}" if parts.query else "")


async def logs(call: Call) -> Response:
    """A container's log from the node that runs it."""
    pod = call.store.entry("pods", call.namespace, call.name).object
    container = _container(call, pod)
    _check_log_options(call)
    node_name = pod["spec"].get("nodeName")
    if not node_name:
        return Response(status_code=204)
    host, port = _kubelet(call, node_name)
    query = {key: value for key, value in call.query.items() if key != "container"}
    url = f"http://{host}:{port}/containerLogs/{call.namespace}/{call.name}/{container}"
    outgoing = call.server.client.build_request("GET", url, params=query)
    return await _send(call, outgoing, f"Get {url!r}", "")


def _check_log_options(call: Call) -> None:
    """Raises Invalid."""
    causes = []
    for name, least, text in (
        ("tailLines", 0, "must be greater than or equal to 0"),
        ("limitBytes", 1, "must be greater than 0"),
        ("sinceSeconds", 1, "must be greater than 0"),
    ):
        given = call.integer(name)
        if given is not None and given < least:
            causes.append(invalid(name, given, text))
    if causes:
        raise Invalid("PodLogOptions", call.name, causes)


def _container(call: Call, pod: dict[str, Any]) -> str:
    """The container asked for, or the only one; raises BadRequest as Kubernetes words it."""
    spec, wanted = pod["spec"], call.query.get("container")
    main = [each["name"] for each in spec["containers"]]
    names = main + [each["name"] for each in spec.get("initContainers") or []]
    if wanted and wanted not in names:
        raise BadRequest(f"container {wanted} is not valid for pod {call.name}")
    if not wanted and len(main) > 1:
        raise BadRequest(f"a container name must be specified for pod {call.name}, choose one of: [{' '.join(names)}]")
    return str(wanted or main[0])


def _kubelet(call: Call, node_name: str) -> tuple[str, int]:
    node = call.store.peek("nodes", None, node_name)
    if node is None:
        raise NotFound("nodes", node_name)
    status = node.get("status") or {}
    addresses = {each["type"]: each["address"] for each in status.get("addresses") or []}
    port = ((status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}).get("Port")
    if not port:
        raise ServiceUnavailable(f"node {node_name} has no kubelet endpoint")
    return addresses.get("InternalIP", "127.0.0.1"), int(port)
