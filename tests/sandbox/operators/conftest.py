"""A real API server process with the operators' kinds, and containers started by the agent's own interface."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sandbox.nodes.api import NAMESPACES, Client, Object, Resource
from sandbox.nodes.images.registry import ContainerSpec, ImageContext, Running, find
from sandbox.processes import free_port, spawn, stop, wait_until_listening

ROOT = Path(__file__).parents[3]
DEFINITIONS = Resource("apiextensions.k8s.io/v1", "customresourcedefinitions", namespaced=False)
PATIENCE = 8.0  # seconds
KINDS = (("bitnami.com", "SealedSecret", "sealedsecrets"), ("keda.sh", "ScaledObject", "scaledobjects"))


def definition(group: str, kind: str, plural: str) -> Object:
    """A CustomResourceDefinition that takes any fields and has a status of its own."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1alpha1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"},
            "versions": [{**version, "subresources": {"status": {}}}],
        },
    }


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory, port = tmp_path_factory.mktemp("cluster"), free_port()
    process = spawn(
        [
            *(sys.executable, "-m", "sandbox.kubernetes", "--dir", str(directory), "--port", str(port)),
            *("--cluster", "operators", "--account", "123456789012", "--region", "us-west-2"),
            *("--aws-endpoint", "http://127.0.0.1:9", "--speed", "max", "--parent-pipe"),
        ],
        log=directory / "api.log",
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
    )
    try:
        wait_until_listening(port, process)
        yield directory / "admin.kubeconfig"
    finally:
        stop(process)


@dataclass
class Cluster:
    """What a test does in the cluster: `namespace` is its own."""

    api: Client
    namespace: str
    folder: Path
    stack: AsyncExitStack
    containers: list[Running] = field(default_factory=list)

    async def start(
        self, image: str, declared: dict[int, int], services: dict[tuple[str, int], int], **env: str
    ) -> Running:
        """Starts a container; `services` says at which local port a Service's (host, port) answers."""
        spec = ContainerSpec(
            name="main",
            image=image,
            command=None,
            args=[],
            env=env,
            ports=declared,
            pod_name="pod",
            namespace=self.namespace,
            pod_ip="10.0.0.1",
            directory=self.folder,
            log=self.folder / "container.log",
            mounts={},
        )
        context = ImageContext(
            api=self.api,
            app_python=Path(sys.executable),
            postgres_bin=self.folder,
            resolve=lambda host, port: (
                ("127.0.0.1", services[host, port]) if (host, port) in services else (host, port)
            ),
            endpoints=lambda *_: [],
        )
        found = find(image)
        assert found is not None
        container = await found.start(spec, context)
        self.stack.push_async_callback(container.stop, 2.0)
        return container

    async def create(self, resource: Resource, kind: str, name: str, **fields: Any) -> Object:
        metadata = {"name": name, "namespace": self.namespace, **fields.pop("metadata", {})}
        body = {"apiVersion": resource.group_version, "kind": kind, "metadata": metadata, **fields}
        return await self.api.create(resource, body, self.namespace)

    async def eventually(self, resource: Resource, name: str, holds: Callable[[Object], bool]) -> Object:
        """The object once it is there and as wanted; fails with its last state."""
        found: Object | None = None

        async def there() -> bool:
            nonlocal found
            found = await self.api.find(resource, name, self.namespace)
            return found is not None and holds(found)

        await until(there, lambda: f"{resource.plural} {name} is {found}")
        assert found is not None
        return found


async def until(check: Callable[[], Awaitable[bool]], tell: Callable[[], str] = lambda: "not in time") -> None:
    """Polls until `check` holds."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while not await check():
        assert asyncio.get_running_loop().time() < deadline, tell()
        await asyncio.sleep(0.03)


@pytest.fixture
async def cluster(kubeconfig: Path, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Cluster]:
    """A namespace of the test's own; its containers are stopped at the end."""
    namespace = f"t{abs(hash(request.node.name)) % 10**10}"
    async with Client.from_kubeconfig(kubeconfig) as api, AsyncExitStack() as stack:
        for kind in KINDS:
            await api.apply(DEFINITIONS, definition(*kind), "tests")
        await api.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        yield Cluster(api, namespace, tmp_path, stack)
