"""kube-proxy in a pod network: every Service answers at its ClusterIP, and at its NodePorts on this agent's nodes.

Each agent of a cluster listens at the same ClusterIPs (SO_REUSEPORT) and leads to the same endpoints, so it does not
matter which of them the kernel picks. A Service without ready endpoints resets connections, as kube-proxy rejects them.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from sandbox.nodes.api import Event, Object, key
from sandbox.nodes.endpoints import Backends, Items, tcp_ports
from sandbox.nodes.forward import Listener
from sandbox.nodes.network import Address, listen

log = logging.getLogger(__name__)
Name = tuple[str, str]


class ClusterIps:
    """`node_addresses` are those of the agent's own nodes."""

    def __init__(self, services: Items, backends: Backends, node_addresses: list[str]) -> None:
        self._services, self._backends, self._nodes = services, backends, node_addresses
        self._listeners: dict[Name, dict[Address, _Started]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def on_service(self, event: Event) -> None:
        """Listens where the Service is to answer, and no longer where it was."""
        self._bring_up_to_date(key(event.object), {} if event.type == "DELETED" else event.object)

    def check(self) -> None:
        """Tries again what was taken; called from time to time."""
        for name, service in list(self._services.items()):
            self._bring_up_to_date(name, service)

    async def close(self) -> None:
        """Closes all listeners."""
        for held in self._listeners.values():
            for started in held.values():
                self._spawn(started.close())
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _bring_up_to_date(self, name: Name, service: Object) -> None:
        wanted, held = self._wanted(service), self._listeners.setdefault(name, {})
        for address in held.keys() - wanted.keys():
            self._spawn(held.pop(address).close())
        for address in wanted.keys() - held.keys():
            self._listen(name, address, wanted[address])
        if not held:
            del self._listeners[name]

    def _wanted(self, service: Object) -> dict[Address, int]:
        """Address -> Service port."""
        spec = service.get("spec") or {}
        addresses = [ip for ip in spec.get("clusterIPs") or [spec.get("clusterIP")] if ip and "." in ip]
        wanted = {(ip, port["port"]): port["port"] for ip in addresses for port in tcp_ports(service)}
        for port in tcp_ports(service):
            if number := port.get("nodePort"):
                wanted |= {(address, number): port["port"] for address in self._nodes}
        return wanted

    def _listen(self, name: Name, address: Address, port: int) -> None:
        try:
            listener = Listener(listen(*address, shared=True))
        except OSError as error:
            log.warning("service %s/%s at %s:%s: %s", *name, *address, error)
            return
        self._listeners[name][address] = _Started(listener, self._spawn(listener.serve(self._backends_of(name, port))))

    def _backends_of(self, name: Name, port: int) -> Callable[[], list[Address]]:
        return lambda: self._backends(*name, port)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


@dataclass(frozen=True)
class _Started:
    """A listener and the task that has it accept connections."""

    listener: Listener
    start: "asyncio.Task[None]"

    async def close(self) -> None:
        await asyncio.wait([self.start])
        await self.listener.close()
