"""Services answer on this machine, lead to ready Pods only, and the ingress passes requests and WebSockets on."""

import asyncio
import json

import httpx2
import websockets
from websockets.asyncio.server import ServerConnection, serve

from sandbox.nodes.api import INGRESS_CLASSES, INGRESSES, PODS, SERVICES, Object
from sandbox.nodes.ingress_rules import PREFIX
from sandbox.processes import free_port
from tests.sandbox.nodes.conftest import NODE_NAMES, Cluster

COREDNS = "602401143452.dkr.ecr.us-west-2.amazonaws.com/eks/coredns:v1"
NGINX_CLASS = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "IngressClass",
    "metadata": {"name": "nginx"},
    "spec": {"controller": "k8s.io/ingress-nginx"},
}
READINESS = {"httpGet": {"path": "/ready", "port": "web"}}


def healthy(**more: object) -> Object:
    """A container that answers 200 to everything."""
    return {"image": COREDNS, "ports": [{"containerPort": 8181, "name": "web"}], "readinessProbe": READINESS, **more}


def is_ready(status: Object) -> bool:
    """The Ready condition."""
    return any(item["type"] == "Ready" and item["status"] == "True" for item in status.get("conditions", []))


async def test_a_service_leads_to_a_ready_pod_and_refuses_without_one(cluster: Cluster) -> None:
    cluster.processes.faults({"coredns": "Unready"})
    await cluster.service("web", {"app": "web"}, 80, "web")
    port = await cluster.service_port("web", 80)
    await cluster.pod("web", healthy(), restartPolicy="Always", labels={"app": "web"})
    await cluster.pod_when("web", lambda status: status.get("phase") == "Running")
    async with httpx2.AsyncClient(trust_env=False) as http:
        assert not is_ready((await cluster.api.get(PODS, "web", cluster.namespace))["status"])
        assert await _status(http, f"http://127.0.0.1:{port}/") is None
        cluster.processes.faults({})
        await cluster.pod_when("web", is_ready)
        await cluster.until(lambda: _status(http, f"http://127.0.0.1:{port}/"), lambda status: status == 200)


async def test_a_service_announced_by_a_dead_agent_is_taken_over_on_its_port(cluster: Cluster) -> None:
    port = free_port()
    await _announced_service(cluster, "orphan", port)
    await cluster.until(lambda: _owner(cluster, "orphan"), lambda owner: owner == NODE_NAMES[0])
    assert await cluster.service_port("orphan", 80) == port


async def test_a_service_announced_by_an_agent_that_answers_is_left_alone(cluster: Cluster) -> None:
    asked = asyncio.Event()

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        asked.set()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await _announced_service(cluster, "others", port)
        await asyncio.wait_for(asked.wait(), 10)
        assert await _owner(cluster, "others") == "another-node"
        assert await cluster.service_port("others", 80) == port


async def _announced_service(cluster: Cluster, name: str, port: int) -> None:
    """A Service as another agent would have left it."""
    annotations = {"sandbox.podium/ports": json.dumps({"80": port}), "sandbox.podium/ports-owner": "another-node"}
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "annotations": annotations}}
    await cluster.api.create(SERVICES, body | {"spec": {"ports": [{"port": 80}]}}, cluster.namespace)


async def _owner(cluster: Cluster, name: str) -> str:
    service = await cluster.api.get(SERVICES, name, cluster.namespace)
    return str(service["metadata"]["annotations"]["sandbox.podium/ports-owner"])


async def test_a_container_reaches_a_service_by_its_name_even_one_created_later(cluster: Cluster) -> None:
    name = f"later.{cluster.namespace}.svc.cluster.local"
    ask = "exec 3<>/dev/tcp/${URL/:/\\/} && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3 && read -r line <&3"
    script = f"trap '' PIPE; until {ask}; do sleep 0.1; done; echo $line"
    container = {
        "image": "postgres:16",
        "command": ["bash", "-c", script],
        "env": [{"name": "URL", "value": f"{name}:80"}],
    }
    await cluster.pod("client", container)
    await cluster.pod_when("client", lambda status: status.get("phase") == "Running")
    await cluster.service("later", {"app": "later"}, 80, "web")
    await cluster.pod("later", healthy(), restartPolicy="Always", labels={"app": "later"})
    await cluster.pod_when("client", lambda status: status.get("phase") == "Succeeded")


async def test_the_ingress_rewrites_and_passes_websockets(cluster: Cluster) -> None:
    await cluster.service("web", {"app": "web"}, 80, "web")
    await cluster.service("front", {"app": "front"}, 80, 80)
    await cluster.service("nobody", {"app": "nobody"}, 80, 80)
    await cluster.pod("web", healthy(), restartPolicy="Always", labels={"app": "web"})
    controller = {
        "image": "registry.k8s.io/ingress-nginx/controller:v1.13.3",
        "args": ["/nginx-ingress-controller", "--publish-service=$(POD_NAMESPACE)/front", "--ingress-class=nginx"],
        "ports": [{"containerPort": 80, "name": "http"}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": 10254}},
    }
    await cluster.pod("front", controller, restartPolicy="Always", labels={"app": "front"})
    await cluster.api.apply(INGRESS_CLASSES, NGINX_CLASS, "test")
    paths = [_path("/web(/|$)(.*)", "web"), _path("/nobody(/|$)(.*)", "nobody"), _path("/ws(/|$)(.*)", "socket")]
    annotations = {PREFIX + "use-regex": "true", PREFIX + "rewrite-target": "/$2"}
    body = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "paths", "annotations": annotations},
        "spec": {"ingressClassName": "nginx", "rules": [{"http": {"paths": paths}}]},
    }
    await cluster.api.create(INGRESSES, body, cluster.namespace)
    port = await cluster.service_port("front", 80)
    async with httpx2.AsyncClient(trust_env=False, base_url=f"http://127.0.0.1:{port}") as http:
        await cluster.until(lambda: _status(http, "/web/x"), lambda status: status == 200)
        assert await _status(http, "/nobody/x") == 503
        assert await _status(http, "/other") == 404
    await _echo_through(cluster, port)


async def _echo_through(cluster: Cluster, front: int) -> None:
    """A WebSocket server of the test's own stands behind the Service `socket` as a Pod that is somebody else's."""
    seen: list[tuple[str, str]] = []

    async def echo(connection: ServerConnection) -> None:
        request = connection.request
        assert request is not None
        seen.append((request.path, request.headers["X-Forwarded-Proto"]))
        async for message in connection:
            await connection.send(message)

    backend = free_port()
    async with serve(echo, "127.0.0.1", backend):
        await cluster.service("socket", {"app": "socket"}, 80, 8090)
        await _foreign_pod(cluster, "socket", 8090, backend)
        address = f"ws://127.0.0.1:{front}/ws/connect?key=a%20b"
        deadline = asyncio.get_running_loop().time() + 10
        while True:
            try:
                async with websockets.connect(address, proxy=None) as connection:
                    await connection.send("x" * 100_000)
                    assert await connection.recv() == "x" * 100_000
                break
            except websockets.InvalidStatus:
                assert asyncio.get_running_loop().time() < deadline
                await asyncio.sleep(0.05)
    assert seen == [("/connect?key=a%20b", "http")]


async def _foreign_pod(cluster: Cluster, name: str, port: int, local: int) -> None:
    """A ready Pod on a node that is not this agent's, with the annotation that its own agent would have written."""
    annotations = {"sandbox.podium/ports": json.dumps({str(port): local})}
    metadata = {"name": name, "labels": {"app": name}, "annotations": annotations}
    spec = {"containers": [{"name": "c", "image": "x", "ports": [{"containerPort": port}]}]}
    await cluster.api.create(
        PODS,
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"nodeSelector": {"not": "here"}, **spec}},
        cluster.namespace,
    )
    ready = {"phase": "Running", "podIP": "192.168.250.250", "conditions": [{"type": "Ready", "status": "True"}]}
    await cluster.api.patch_status(PODS, name, ready, cluster.namespace)


def _path(pattern: str, service: str) -> Object:
    backend = {"service": {"name": service, "port": {"number": 80}}}
    return {"path": pattern, "pathType": "ImplementationSpecific", "backend": backend}


async def _status(http: httpx2.AsyncClient, url: str) -> int | None:
    """The status of a GET, None when there is no answer."""
    try:
        return (await http.get(url)).status_code
    except httpx2.TransportError:
        return None
