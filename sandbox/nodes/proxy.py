"""kube-proxy and cluster DNS: every TCP port of every Service listens on this machine and leads to a ready Pod.

The port is written to the Service's annotation `sandbox.podium/ports`, {"80": 41235}. When a cluster has several node
groups, and so several agents, one of them owns the annotation (`sandbox.podium/ports-owner`, the name of its first
node); another one takes it over when nothing answers there any more.
"""

import asyncio
import json
import logging
from collections.abc import Coroutine, Mapping
from typing import Any

from sandbox.nodes import dns, http
from sandbox.nodes.api import SERVICES, ApiError, Client, Event, Object
from sandbox.nodes.forward import Listener
from sandbox.nodes.ports import HOST, PortBook
from sandbox.nodes.probes import port_names

log = logging.getLogger(__name__)
PORTS_ANNOTATION = "sandbox.podium/ports"
OWNER_ANNOTATION = "sandbox.podium/ports-owner"
Items = Mapping[tuple[str, str], Object]


class ServiceProxy:
    """`services` and `pods` are the informers' live copies of the cluster."""

    def __init__(self, client: Client, book: PortBook, owner: str, services: Items, pods: Items) -> None:
        self._client, self._book, self._owner = client, book, owner
        self._services, self._pods = services, pods
        self._listeners: dict[tuple[str, str, int], Listener] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def resolve(self, host: str, port: int) -> tuple[str, int]:
        """(host, port) in the cluster -> where it answers on this machine; hosts that are no Service stay."""
        if (service := dns.service_of(host)) is None:
            return host, port
        return HOST, self._listener(*service, port).port

    def sole_port(self, namespace: str, service: str) -> int | None:
        """The port of a Service that has only one."""
        ports = _tcp_ports(self._services.get((namespace, service), {}))
        return ports[0]["port"] if len(ports) == 1 else None

    def endpoints(self, namespace: str, service: str, port: int | str) -> list[tuple[str, int]]:
        """The ready backends of one Service port, given by number or name."""
        found = self._services.get((namespace, service))
        if found is None:
            return []
        wanted = next((item for item in _tcp_ports(found) if port in {item["port"], item.get("name")}), None)
        selector = found["spec"].get("selector")
        if wanted is None or not selector:
            return []
        locals_ = (_local_port(pod, wanted) for pod in self._pods.values() if _backs(pod, namespace, selector))
        return [(HOST, local) for local in locals_ if local]

    def on_service(self, event: Event) -> None:
        """Listens for a new Service, and sees to its annotation."""
        if event.type == "DELETED":
            return
        metadata = event.object["metadata"]
        for port in _tcp_ports(event.object):
            self._listener(metadata["namespace"], metadata["name"], port["port"])
        self._spawn(self._announce(event.object))

    def check(self) -> None:
        """Takes over annotations whose owner has ended; called from time to time."""
        for service in self._services.values():
            self._spawn(self._announce(service))

    async def close(self) -> None:
        """Closes all listeners."""
        for task in list(self._tasks):
            task.cancel()
        for listener in self._listeners.values():
            await listener.close()

    def _listener(self, namespace: str, service: str, port: int) -> Listener:
        name = (namespace, service, port)
        if name not in self._listeners:
            announced = _announced(self._services.get((namespace, service), {})).get(str(port))
            listener = Listener(self._book.listen(f"{namespace}/{service}:{port}", announced))
            self._listeners[name] = listener
            self._spawn(listener.serve(lambda: self.endpoints(namespace, service, port)))
        return self._listeners[name]

    async def _announce(self, service: Object) -> None:
        metadata = service["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        ours = {str(p["port"]): self._listener(namespace, name, p["port"]).port for p in _tcp_ports(service)}
        owner, theirs = (metadata.get("annotations") or {}).get(OWNER_ANNOTATION), _announced(service)
        if not ours or (owner == self._owner and theirs == ours):
            return
        foreign = owner not in {None, self._owner} and theirs.keys() == ours.keys() and theirs != ours
        if foreign and await _answers(theirs):
            return
        mine = {PORTS_ANNOTATION: json.dumps(ours), OWNER_ANNOTATION: self._owner}
        try:
            await self._client.patch(SERVICES, name, {"metadata": {"annotations": mine}}, namespace)
        except ApiError as error:
            log.info("annotating service %s/%s: %s", namespace, name, error)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _tcp_ports(service: Object) -> list[Object]:
    spec = service.get("spec") or {}
    return [port for port in spec.get("ports") or [] if port.get("protocol", "TCP") == "TCP"]


def _backs(pod: Object, namespace: str, selector: Mapping[str, str]) -> bool:
    """Whether a Pod is a ready endpoint of a Service with that selector."""
    metadata = pod["metadata"]
    if metadata["namespace"] != namespace or metadata.get("deletionTimestamp"):
        return False
    labels = metadata.get("labels") or {}
    if any(labels.get(name) != value for name, value in selector.items()):
        return False
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _local_port(pod: Object, service_port: Object) -> int | None:
    """Where a Pod answers for a Service port, by the annotation its node wrote."""
    target = service_port.get("targetPort", service_port["port"])
    if isinstance(target, str):
        names = {name: number for c in pod["spec"]["containers"] for name, number in port_names(c).items()}
        target = names.get(target)
    return _announced(pod).get(str(target))


def _announced(item: Object) -> dict[str, int]:
    """The ports annotation of a Service or a Pod."""
    annotations = (item.get("metadata") or {}).get("annotations") or {}
    ports: dict[str, int] = json.loads(annotations.get(PORTS_ANNOTATION, "{}"))
    return ports


async def _answers(ports: Mapping[str, int]) -> bool:
    """Whether something listens on the first of another agent's ports."""
    try:
        _, writer = await asyncio.open_connection(HOST, next(iter(ports.values())))
    except OSError:
        return False
    await http.close(writer)
    return True
