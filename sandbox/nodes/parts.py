"""What an agent is made of, with a pod network and without one."""

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sandbox.nodes import kubelet, service_env
from sandbox.nodes.api import (
    CONFIG_MAPS,
    ENDPOINT_SLICES,
    NODES,
    PODS,
    SECRETS,
    SERVICES,
    Client,
    Event,
    Object,
)
from sandbox.nodes.cluster_ips import ClusterIps
from sandbox.nodes.endpoints import AnnotatedEndpoints, Items, SlicedEndpoints
from sandbox.nodes.faults import Faults
from sandbox.nodes.images.registry import ImageContext
from sandbox.nodes.informer import Informer
from sandbox.nodes.memory import MemoryWatch
from sandbox.nodes.network import Loopback, PodNetwork
from sandbox.nodes.node_context import NodeContext
from sandbox.nodes.nodes import NodeGroup, allocatable
from sandbox.nodes.ports import HOST, PortBook
from sandbox.nodes.proxy import ServiceProxy

CHECK_PERIOD = 2.0  # seconds between looks at what others may have left or taken


@dataclass(frozen=True)
class Options:
    """How an agent is started."""

    kubeconfig: Path
    directory: Path  # CLUSTER_DIR/nodes, shared by the agents of a cluster
    group: NodeGroup
    speed: float  # real seconds per second of the sandbox, infinity at --speed max
    app_python: Path
    postgres_bin: Path
    pod_network: bool = False  # addresses of their own for nodes, pods and Services: see network.py
    kubelet_client_ca: Path | None = None  # whose certificates the kubelets' HTTPS accepts; None: anybody
    real: Mapping[str, Path] = field(default_factory=dict)  # programs that run instead of stand-ins


class Parts:
    """The informers, proxies and the network of one agent; `node` is what its containers share."""

    def __init__(self, options: Options, client: Client) -> None:
        self._options, self._client = options, client
        first = options.group.names[0]
        self._book = PortBook(options.directory / f"ports-{first}.json")
        self.pods, self.services = Informer(client, PODS), Informer(client, SERVICES)
        self.secrets, self.config_maps = Informer(client, SECRETS), Informer(client, CONFIG_MAPS)
        self._slices = Informer(client, ENDPOINT_SLICES)
        self._network = PodNetwork() if options.pod_network else None
        endpoints = self._endpoints()
        announces = _is_load_balancer if options.pod_network else _always
        self._proxy = ServiceProxy(client, self._book, first, self.services.items, endpoints.find, announces)
        self._cluster_ips: ClusterIps | None = None
        self._backends = endpoints.find
        self.services.handler = self._on_service
        self._memory = MemoryWatch()
        images = ImageContext(
            client, options.app_python, options.postgres_bin, self._proxy.resolve, endpoints.find, options.real
        )
        self.node = NodeContext(
            client,
            Faults(options.directory),
            self._book,
            images,
            self._proxy.sole_port,
            options.speed,
            network=self._network or Loopback(partial(_addresses, self.pods.items)),
            allocatable=allocatable(options.group.instance_type),
            service_env=self._service_env if options.pod_network else _nothing,
            announces_ports=not options.pod_network,
            memory=self._memory,
        )

    async def start_kubelets(self, server: kubelet.KubeletServer) -> dict[str, tuple[str, int]]:
        """Node name -> where its kubelet listens."""
        names = self._options.group.names
        if self._network is None:
            port = await server.serve(self._book.listen("kubelet"))
            return dict.fromkeys(names, (HOST, port))
        directory = self._options.directory / f"kubelet-{names[0]}"
        tls = kubelet.serving_context(directory, self._options.kubelet_client_ca)
        found = {}
        for name in names:
            listening = self._network.claim_node(name, await self._known_address(name))
            found[name] = (self._network.node_address(name), await server.serve(listening, tls))
        self._cluster_ips = ClusterIps(self.services.items, self._backends, [address for address, _ in found.values()])
        return found

    def work(self) -> list[Coroutine[Any, Any, None]]:
        """What runs as long as the agent does."""
        informers = [self.services, self.secrets, self.config_maps]
        informers += [self._slices] if self._network is not None else []
        return [*(informer.run() for informer in informers), self._follow_pods(), self._memory.run(), self._check()]

    async def close(self) -> None:
        """Stops listening for Services."""
        await self._proxy.close()
        if self._cluster_ips is not None:
            await self._cluster_ips.close()

    async def _follow_pods(self) -> None:
        """Pods are started once it is known what to tell them of Services."""
        await self.services.synced.wait()
        if self._network is not None:
            await self._slices.synced.wait()
        await self.pods.run()

    def _service_env(self, pod: Object) -> dict[str, str]:
        return service_env.variables(self.services.items, self._backends, pod)

    def _endpoints(self) -> AnnotatedEndpoints | SlicedEndpoints:
        if self._network is None:
            return AnnotatedEndpoints(self.services.items, self.pods.items)
        return SlicedEndpoints(self.services.items, self._slices.items)

    def _on_service(self, event: Event) -> None:
        self._proxy.on_service(event)
        if self._cluster_ips is not None:
            self._cluster_ips.on_service(event)

    async def _check(self) -> None:
        while True:
            await asyncio.sleep(CHECK_PERIOD)
            self._proxy.check()
            if self._cluster_ips is not None:
                self._cluster_ips.check()

    async def _known_address(self, name: str) -> str | None:
        """The InternalIP that a node had before this agent was started."""
        status = ((await self._client.find(NODES, name)) or {}).get("status") or {}
        return next((item["address"] for item in status.get("addresses") or [] if item["type"] == "InternalIP"), None)


def _addresses(pods: Items) -> set[str]:
    return {str((pod.get("status") or {}).get("podIP")) for pod in pods.values()}


def _is_load_balancer(service: Object) -> bool:
    return bool(service["spec"].get("type") == "LoadBalancer")


def _always(service: Object) -> bool:
    return True


def _nothing(pod: Object) -> dict[str, str]:
    return {}
