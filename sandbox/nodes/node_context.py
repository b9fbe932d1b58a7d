"""What the containers of an agent share: the API, the faults, local ports, the images' context, the image cache."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sandbox.nodes import clock
from sandbox.nodes.api import Client, Object
from sandbox.nodes.dns import SolePort
from sandbox.nodes.faults import Faults
from sandbox.nodes.images.registry import ImageContext
from sandbox.nodes.memory import MemoryWatch
from sandbox.nodes.network import Network
from sandbox.nodes.ports import PortBook


@dataclass
class NodeContext:
    """One per agent; all its nodes share one image cache, as they share one disk."""

    client: Client
    faults: Faults
    ports: PortBook
    images: ImageContext
    sole_port: SolePort
    speed: float  # real seconds per second of the sandbox; infinity at --speed max
    network: Network
    allocatable: Mapping[str, str]  # what pods may have of a node, for limits that are not set
    service_env: Callable[[Object], dict[str, str]]  # what a pod is told of Services in its environment
    announces_ports: bool  # whether pods get the annotation `sandbox.podium/ports`
    memory: MemoryWatch = field(default_factory=MemoryWatch)
    _pulled: set[str] = field(default_factory=set)

    async def pull(self, image: str) -> None:
        """The time that a first pull takes; later ones find the image in the cache."""
        if image not in self._pulled:
            await asyncio.sleep(clock.PULL_SECONDS / self.speed)
            self._pulled.add(image)
