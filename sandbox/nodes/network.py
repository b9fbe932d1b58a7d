"""Where nodes and pods are: on 127.0.0.1 with a local port each, or at addresses of their own in a network namespace.

A pod network asks for a namespace in which `lo` has local routes for 192.168.0.0/16 (pods, as on EKS the VPC's own
addresses), 10.100.0.0/16 (Services) and 172.31.0.0/24 (nodes and API server; an API server refuses loopback
in endpoints). Any process there may bind any of these addresses, so the kernel itself keeps the book of what is taken:
several agents, of several node groups, never choose the same one. Clusters may share a namespace, except that each
gives its Services addresses without knowing of the others: 10.100.0.1 is everybody's first.
"""

import contextlib
import hashlib
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from sandbox.nodes.api import Object
from sandbox.nodes.forward import Listener
from sandbox.nodes.ports import HOST

KUBELET_PORT = 10250
CLAIM_PORT = 65535  # bound, never listened on: whoever holds it at an address has that address
Address = tuple[str, int]


class Network(Protocol):
    """What the agent asks of either kind of network."""

    def node_address(self, name: str) -> str:
        """The address of one of the agent's nodes."""

    def pod_address(self, pod: Object) -> str:
        """An address for a pod that starts here, the one of before where that is possible."""

    async def expose(self, uid: str, forwards: Mapping[Address, int]) -> None:
        """Has connections to these addresses go to local ports. OSError when somebody else has one of them."""

    async def release(self, uid: str) -> None:
        """The pod has ended: its address and ports are free."""


@dataclass
class Loopback:
    """No pod network: pod addresses are only told, nothing answers there; see `sandbox.podium/ports`."""

    used: Callable[[], set[str]]  # addresses that other pods of the cluster have
    _given: dict[str, str] = field(default_factory=dict)  # pod uid -> address

    def node_address(self, name: str) -> str:
        return HOST

    def pod_address(self, pod: Object) -> str:
        """One of 192.168.0.0/16 that no other pod of the cluster is known to have."""
        if pod["spec"].get("hostNetwork"):
            return HOST
        if known := (pod.get("status") or {}).get("podIP"):
            return str(known)
        used = self.used() | set(self._given.values())
        address = next(address for address in _pod_addresses(pod) if address not in used)
        self._given[pod["metadata"]["uid"]] = address
        return address

    async def expose(self, uid: str, forwards: Mapping[Address, int]) -> None:
        return

    async def release(self, uid: str) -> None:
        self._given.pop(uid, None)


@dataclass
class PodNetwork:
    """Addresses that really answer."""

    nodes: dict[str, str] = field(default_factory=dict)  # node name -> address; the kubelet's socket claims it
    _claims: dict[str, tuple[str, socket.socket]] = field(default_factory=dict)  # pod uid -> address and claim
    _listeners: dict[str, dict[Address, Listener]] = field(default_factory=dict)  # pod uid -> what listens for it

    def claim_node(self, name: str, before: str | None) -> socket.socket:
        """Takes an address for a node, `before` if that is free, and gives a socket that listens at its port 10250."""
        candidates = [before] if before and before.startswith("172.31.0.") else []
        for address in [*candidates, *_node_addresses(name)]:
            with contextlib.suppress(OSError):
                listening = listen(address, KUBELET_PORT)
                self.nodes[name] = address
                return listening
        raise OSError("no free node address in 172.31.0.0/24: is there a local route for it?")

    def node_address(self, name: str) -> str:
        return self.nodes[name]

    def pod_address(self, pod: Object) -> str:
        """The node's for a pod of its network, else one that no process of the namespace has claimed."""
        if pod["spec"].get("hostNetwork"):
            return self.node_address(pod["spec"]["nodeName"])
        known = str((pod.get("status") or {}).get("podIP") or "")
        for address in [*([known] if known.startswith("192.168.") else []), *_pod_addresses(pod)]:
            if (claim := _claim(address)) is not None:
                self._claims[pod["metadata"]["uid"]] = (address, claim)
                return address
        raise OSError("no free pod address in 192.168.0.0/16: is there a local route for it?")

    async def expose(self, uid: str, forwards: Mapping[Address, int]) -> None:
        held = self._listeners.setdefault(uid, {})
        for (address, port), local in forwards.items():
            if (address, port) not in held:
                listener = held[address, port] = Listener(listen(address, port))
                await listener.serve(_to(local))

    async def release(self, uid: str) -> None:
        for listener in self._listeners.pop(uid, {}).values():
            await listener.close()
        if uid in self._claims:
            self._claims.pop(uid)[1].close()


def forwards(pod: Object, pod_ip: str, node_ip: str, local: Mapping[int, int]) -> dict[Address, int]:
    """Where a pod's ports are to be reached: containerPorts at its own address, hostPorts at its node's."""
    wanted = {(pod_ip, port): number for port, number in local.items()}
    for container in pod["spec"]["containers"]:
        for port in container.get("ports") or []:
            if port.get("hostPort") and port["containerPort"] in local:
                wanted[node_ip, port["hostPort"]] = local[port["containerPort"]]
    return wanted


def listen(address: str, port: int, *, shared: bool = False) -> socket.socket:
    """A listening socket there; `shared`: with other processes that say so too. OSError when it is taken."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.bind((address, port))
        listening.listen(128)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening


def _claim(address: str) -> socket.socket | None:
    claim = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        claim.bind((address, CLAIM_PORT))
    except OSError:
        claim.close()
        return None
    return claim


def _to(local: int) -> Callable[[], list[Address]]:
    return lambda: [(HOST, local)]


def _pod_addresses(pod: Object) -> Iterator[str]:
    """All of them, from a place that the pod's uid decides."""
    number = _number(pod["metadata"]["uid"])
    return (f"192.168.{n // 250 % 250 + 1}.{n % 250 + 2}" for n in range(number, number + 250 * 250))


def _node_addresses(name: str) -> Iterator[str]:
    number = _number(name)
    return (f"172.31.0.{n % 240 + 10}" for n in range(number, number + 240))


def _number(text: str) -> int:
    return int(hashlib.sha256(text.encode()).hexdigest(), 16)
