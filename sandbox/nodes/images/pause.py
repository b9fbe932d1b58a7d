"""Images whose work the sandbox does elsewhere or not at all: they only run, and say that they are healthy.

CNI, kube-proxy and DNS are done by the agent itself; metrics, disks and identities play no part in an installation.
"""

import asyncio
import contextlib
import functools
from dataclasses import dataclass

from sandbox.nodes import http
from sandbox.nodes.images.exited import Exited
from sandbox.nodes.images.registry import ContainerSpec, ImageContext, Running, Task, repository

LASTING = frozenset(
    {
        "pause",
        "coredns",
        "kube-proxy",
        "amazon-k8s-cni",
        "aws-network-policy-agent",
        "metrics-server",
        "eks-pod-identity-agent",
        "aws-ebs-csi-driver",
        "csi-attacher",
        "csi-provisioner",
        "csi-resizer",
        "csi-snapshotter",
        "csi-node-driver-registrar",
        "livenessprobe",
    }
)
ENDING = frozenset({"amazon-k8s-cni-init", "kube-webhook-certgen"})


@dataclass(frozen=True)
class Pause:
    """Answers 200 on each of its ports until it is stopped; images that only prepare something end at once."""

    def matches(self, image: str) -> bool:
        """By the last part of the repository's name."""
        return repository(image).rpartition("/")[2] in LASTING | ENDING

    async def start(self, spec: ContainerSpec, context: ImageContext) -> Running:
        """Listens on the local ports."""
        if repository(spec.image).rpartition("/")[2] in ENDING:
            return Exited(0)
        return Task.start(functools.partial(_serve, list(spec.ports.values())), spec)


async def _serve(ports: list[int]) -> None:
    handler = functools.partial(http.serve_connection, _healthy)
    async with contextlib.AsyncExitStack() as stack:
        for port in ports:
            await stack.enter_async_context(await asyncio.start_server(handler, "127.0.0.1", port))
        await asyncio.Event().wait()


async def _healthy(head: http.Head, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(http.response(200, b"ok"))


IMAGE = Pause()
