"""kube-proxy and cluster DNS: every TCP port of every Service listens on this machine and leads to a ready Pod.

In a pod network it answers at its ClusterIP too (`cluster_ips.py`), and only those of type LoadBalancer are announced.
The port is written to the Service's annotation `sandbox.podium/ports`, {"80": 41235}. When a cluster has several node
agents (of node groups, or of nodes that came later), one of them owns the annotation (`sandbox.podium/ports-owner`, the
name of its first node); another one takes it over, and the port itself, when nothing answers there any more: so a load
balancer stays where it is when all nodes are exchanged.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from sandbox.nodes import dns, http
from sandbox.nodes.api import SERVICES, ApiError, Client, Event, Object
from sandbox.nodes.endpoints import PORTS_ANNOTATION, Backends, Items, announced, tcp_ports
from sandbox.nodes.forward import Listener
from sandbox.nodes.ports import HOST, PortBook

log = logging.getLogger(__name__)
OWNER_ANNOTATION = "sandbox.podium/ports-owner"


class ServiceProxy:
    """`services` is the informer's live copy of the cluster's; `announces` says which get the annotation."""

    def __init__(
        self,
        client: Client,
        book: PortBook,
        owner: str,
        services: Items,
        backends: Backends,
        announces: Callable[[Object], bool],
    ) -> None:
        self._client, self._book, self._owner = client, book, owner
        self._services, self._backends, self._announces = services, backends, announces
        self._listeners: dict[tuple[str, str, int], Listener] = {}
        self._earlier: list[Listener] = []  # which pods here were told of before their port was taken over
        self._tasks: set[asyncio.Task[None]] = set()

    def resolve(self, host: str, port: int) -> tuple[str, int]:
        """(host, port) in the cluster -> where it answers on this machine; hosts that are no Service stay."""
        if (service := dns.service_of(host)) is None:
            return host, port
        return HOST, self._listener(*service, port).port

    def sole_port(self, namespace: str, service: str) -> int | None:
        """The port of a Service that has only one."""
        ports = tcp_ports(self._services.get((namespace, service), {}))
        return ports[0]["port"] if len(ports) == 1 else None

    def on_service(self, event: Event) -> None:
        """Listens for a new Service, and sees to its annotation."""
        if event.type == "DELETED":
            return
        metadata = event.object["metadata"]
        for port in tcp_ports(event.object):
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
        for listener in [*self._listeners.values(), *self._earlier]:
            await listener.close()

    def _listener(self, namespace: str, service: str, port: int) -> Listener:
        name = (namespace, service, port)
        if name not in self._listeners:
            before = announced(self._services.get((namespace, service), {})).get(str(port))
            listener = Listener(self._book.listen(f"{namespace}/{service}:{port}", before))
            self._listeners[name] = listener
            self._spawn(listener.serve(lambda: self._backends(namespace, service, port)))
        return self._listeners[name]

    async def _announce(self, service: Object) -> None:
        if not self._announces(service):
            return
        metadata = service["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        ours = {str(p["port"]): self._listener(namespace, name, p["port"]).port for p in tcp_ports(service)}
        owner, theirs = (metadata.get("annotations") or {}).get(OWNER_ANNOTATION), announced(service)
        if not ours or (owner == self._owner and theirs == ours):
            return
        foreign = owner not in {None, self._owner} and theirs.keys() == ours.keys() and theirs != ours
        if foreign:
            if await _answers(theirs) or not self._take_over(namespace, name, theirs):
                return
            ours = theirs
        mine = {PORTS_ANNOTATION: json.dumps(ours), OWNER_ANNOTATION: self._owner}
        try:
            await self._client.patch(SERVICES, name, {"metadata": {"annotations": mine}}, namespace)
        except ApiError as error:
            log.info("annotating service %s/%s: %s", namespace, name, error)

    def _take_over(self, namespace: str, service: str, ports: Mapping[str, int]) -> bool:
        """Listen where an agent did that has ended; False when another was faster."""
        for text, number in ports.items():
            name = (namespace, service, int(text))
            taken = self._book.take(f"{namespace}/{service}:{text}", number)
            if taken is None:
                return False
            self._earlier.append(self._listeners[name])
            self._listeners[name] = Listener(taken)
            self._spawn(self._listeners[name].serve(lambda name=name: self._backends(*name)))  # type: ignore[misc]
        return True

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _answers(ports: Mapping[str, int]) -> bool:
    """Whether something listens on the first of another agent's ports."""
    try:
        _, writer = await asyncio.open_connection(HOST, next(iter(ports.values())))
    except OSError:
        return False
    await http.close(writer)
    return True
