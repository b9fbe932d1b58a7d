"""A real API server process and a real agent process, shared by the tests of this folder."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sandbox.nodes.api import NAMESPACES, NODES, PODS, SERVICES, ApiError, Client, Object, Resource
from sandbox.processes import free_port, spawn, stop, wait_until_listening

ROOT = Path(__file__).parents[3]
NODE_NAMES = ("ip-192-168-1-1.us-west-2.compute.internal", "ip-192-168-2-2.us-west-2.compute.internal")
PATIENCE = 20.0  # seconds
ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}


@dataclass
class Processes:
    """A cluster's directory and the processes that make it."""

    directory: Path
    port: int  # the API server's
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)  # the API server, then the agent

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "admin.kubeconfig"

    def start_api(self) -> None:
        """Starts the API server, which answers when this returns."""
        api = spawn(
            [
                sys.executable,
                "-m",
                "sandbox.kubernetes",
                *("--dir", str(self.directory), "--port", str(self.port), "--cluster", "c"),
                *("--account", "123456789012", "--region", "us-west-2", "--aws-endpoint", "http://127.0.0.1:1"),
                *("--speed", "max", "--parent-pipe"),
            ],
            log=self.directory / "api.log",
            env=ENVIRONMENT,
        )
        self.running.insert(0, api)
        wait_until_listening(self.port, api)

    def start_agent(self) -> None:
        """Starts the agent; the tests wait for what it does."""
        agent = spawn(
            [
                sys.executable,
                "-m",
                "sandbox.nodes",
                *("--kubeconfig", str(self.kubeconfig), "--dir", str(self.directory / "nodes")),
                *(word for name in NODE_NAMES for word in ("--node", name)),
                *("--speed", "max", "--app-python", str(ROOT / ".venv/dbos-app/bin/python"), "--parent-pipe"),
            ],
            log=self.directory / "agent.log",
            env=ENVIRONMENT,
        )
        self.running.append(agent)

    def kill(self, index: int) -> None:
        """SIGKILL to the API server (0) or the agent (1)."""
        process = self.running.pop(index)
        process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()

    def faults(self, rules: dict[str, str]) -> None:
        """The agent's faults from now on."""
        (self.directory / "nodes" / "faults.json").write_text(json.dumps(rules))


@pytest.fixture(scope="session")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    started = Processes(tmp_path_factory.mktemp("cluster"), free_port())
    try:
        started.start_api()
        started.start_agent()
        yield started
    finally:
        for process in reversed(started.running):
            stop(process)


@dataclass
class Cluster:
    """A namespace of one test's own, seen through the API."""

    api: Client
    namespace: str
    processes: Processes

    async def pod(self, name: str, container: Object, **spec: Any) -> None:
        """Creates a Pod of one container `c`, bound to the first node at once."""
        labels = spec.pop("labels", {})
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": labels},
            "spec": {
                "nodeName": NODE_NAMES[0],
                "restartPolicy": "Never",
                "containers": [{"name": "c", **container}],
                **spec,
            },
        }
        await self.api.create(PODS, body, self.namespace)

    async def service(self, name: str, selector: dict[str, str], port: int, target: int | str) -> None:
        """Creates a Service with one port."""
        spec = {"selector": selector, "ports": [{"name": "http", "port": port, "targetPort": target}]}
        body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}
        await self.api.create(SERVICES, body, self.namespace)

    async def service_port(self, name: str, port: int) -> int:
        """Where a Service port answers on this machine."""
        service = await self.until(
            lambda: self.api.get(SERVICES, name, self.namespace),
            lambda item: "sandbox.podium/ports" in item["metadata"].get("annotations", {}),
        )
        return int(json.loads(service["metadata"]["annotations"]["sandbox.podium/ports"])[str(port)])

    async def pod_when(self, name: str, condition: Callable[[Object], bool]) -> Object:
        """The Pod, once the condition on its status holds."""
        found: Object = await self.until(
            lambda: self.api.get(PODS, name, self.namespace), lambda pod: condition(pod.get("status", {}))
        )
        return found

    async def until(self, read: Callable[[], Any], condition: Callable[[Any], bool]) -> Any:
        """Reads until the condition holds; AssertionError with the last thing read after PATIENCE seconds."""
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while True:
            value = await read()
            if condition(value):
                return value
            assert asyncio.get_running_loop().time() < deadline, value
            await asyncio.sleep(0.05)

    async def log(self, pod: str, **query: str) -> tuple[int, str]:
        """The kubelet's answer for the log of a Pod's container `c`: status and body."""
        node = await self.api.get(NODES, NODE_NAMES[0])
        port = node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"]
        words = "&".join(f"{name}={value}" for name, value in query.items())
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        request = f"GET /containerLogs/{self.namespace}/{pod}/c?{words} HTTP/1.1\r\nhost: x\r\n\r\n"
        writer.write(request.encode())
        head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        return int(head.split()[1]), body


@pytest.fixture
async def cluster(processes: Processes, request: pytest.FixtureRequest) -> AsyncIterator[Cluster]:
    """A namespace named after the test; its Pods are removed at once afterwards."""
    name = re.sub("[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
    name = f"{name[:50]}-{len(name)}"  # parametrised tests differ at their end, which would be cut off
    async with Client.from_kubeconfig(processes.kubeconfig) as api:
        await api.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        await _service_account(api, name)
        cluster = Cluster(api, name, processes)
        await cluster.until(lambda: api.find(NODES, NODE_NAMES[0]), lambda node: bool(node and node.get("status")))
        yield cluster
        processes.faults({})
        for pod in (await api.list(PODS, name)).items:
            await api.delete(PODS, pod["metadata"]["name"], name, grace_seconds=0)


async def _service_account(api: Client, namespace: str) -> None:
    """Pods are admitted once their namespace has its default ServiceAccount."""
    accounts = Resource("v1", "serviceaccounts")
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while await api.find(accounts, "default", namespace) is None:
        if asyncio.get_running_loop().time() > deadline:
            raise ApiError(404, "NotFound", "no default service account")
        await asyncio.sleep(0.02)
