"""The agent of one node group: puts the pieces together and runs them until told to stop."""

import asyncio
import hashlib
import logging
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.nodes.api import PODS, SERVICES, Client, Event, Object
from sandbox.nodes.faults import Faults
from sandbox.nodes.images.registry import ImageContext
from sandbox.nodes.informer import Informer
from sandbox.nodes.kubelet import KubeletServer
from sandbox.nodes.node_context import NodeContext
from sandbox.nodes.nodes import NodeGroup, Registrar
from sandbox.nodes.pod import PodWorker
from sandbox.nodes.ports import PortBook
from sandbox.nodes.proxy import ServiceProxy
from sandbox.nodes.reaper import Reaper

log = logging.getLogger(__name__)
SHUTDOWN_GRACE = 3.0  # seconds between SIGTERM and SIGKILL for the containers of an agent that ends
CHECK_PERIOD = 10.0  # seconds between looks at the Services' annotations


@dataclass(frozen=True)
class Options:
    """How an agent is started."""

    kubeconfig: Path
    directory: Path  # CLUSTER_DIR/nodes, shared by the agents of a cluster
    group: NodeGroup
    speed: float  # real seconds per second of the sandbox, infinity at --speed max
    app_python: Path
    postgres_bin: Path


@dataclass
class _Pods:
    """The Pods of this agent: one worker and one task each, by uid."""

    node: NodeContext
    group: NodeGroup
    directory: Path
    everybody: dict[tuple[str, str], Object]  # all Pods of the cluster
    workers: dict[str, PodWorker] = field(default_factory=dict)
    tasks: dict[str, "asyncio.Task[None]"] = field(default_factory=dict)

    def on_pod(self, event: Event) -> None:
        """Starts a worker for a Pod that was bound here, and passes news on to the workers."""
        pod, uid = event.object, event.object["metadata"]["uid"]
        worker = self.workers.get(uid)
        if event.type == "DELETED":
            if worker is not None:
                worker.forget()
        elif worker is not None:
            worker.update(pod)
        elif pod["spec"].get("nodeName") in self.group.names:
            self._start(pod, uid)

    def find(self, namespace: str, name: str) -> PodWorker | None:
        """The newest Pod of that name here."""
        pod = self.everybody.get((namespace, name))
        return self.workers.get(pod["metadata"]["uid"]) if pod else None

    def clean(self) -> None:
        """Removes what Pods left behind that went while no agent ran."""
        for folder in self.directory.iterdir():
            if folder.name not in {pod["metadata"]["uid"] for pod in self.everybody.values()}:
                shutil.rmtree(folder, ignore_errors=True)

    async def shut_down(self) -> None:
        """Ends all containers; the Pods stay in the API and are started again by the next agent."""
        await asyncio.gather(*(worker.shut_down(SHUTDOWN_GRACE) for worker in self.workers.values()))
        for task in self.tasks.values():
            task.cancel()
        if self.tasks:
            await asyncio.wait(self.tasks.values())

    def _start(self, pod: Object, uid: str) -> None:
        directory = self.directory / uid
        directory.mkdir(parents=True, exist_ok=True)
        worker = PodWorker(self.node, pod, self._pod_ip(pod), directory)
        self.workers[uid] = worker
        self.tasks[uid] = asyncio.get_running_loop().create_task(worker.run(), name=f"pod {pod['metadata']['name']}")
        self.tasks[uid].add_done_callback(lambda task: self._ended(uid, task))

    def _ended(self, uid: str, task: "asyncio.Task[None]") -> None:
        del self.workers[uid], self.tasks[uid]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("pod worker %s", uid, exc_info=error)

    def _pod_ip(self, pod: Object) -> str:
        """The address of before, or one of 192.168.0.0/16 that no other Pod has; nothing answers there."""
        if pod["spec"].get("hostNetwork"):
            return "127.0.0.1"
        if known := (pod.get("status") or {}).get("podIP"):
            return str(known)
        used = {(other.get("status") or {}).get("podIP") for other in self.everybody.values()}
        used |= {worker.pod_ip for worker in self.workers.values()}
        number = int(hashlib.sha256(pod["metadata"]["uid"].encode()).hexdigest(), 16)
        while (address := f"192.168.{number // 250 % 250 + 1}.{number % 250 + 2}") in used:
            number += 1
        return address


async def run(options: Options, stop: asyncio.Event) -> None:
    """Runs the agent until `stop` is set."""
    pods_directory = options.directory / "pods" / options.group.names[0]
    pods_directory.mkdir(parents=True, exist_ok=True)
    book = PortBook(options.directory / f"ports-{options.group.names[0]}.json")
    async with Client.from_kubeconfig(options.kubeconfig) as client:
        pods, services = Informer(client, PODS), Informer(client, SERVICES)
        proxy = ServiceProxy(client, book, options.group.names[0], services.items, pods.items)
        images = ImageContext(client, options.app_python, options.postgres_bin, proxy.resolve, proxy.endpoints)
        node = NodeContext(client, Faults(options.directory), book, images, proxy.sole_port, options.speed)
        ours = _Pods(node, options.group, pods_directory, pods.items)
        kubelet = KubeletServer(ours.find)
        registrar = Registrar(client, options.group, await kubelet.start(book))
        pods.handler, services.handler = ours.on_pod, proxy.on_service
        await registrar.register()
        tasks = [
            asyncio.create_task(work) for work in (services.run(), pods.run(), registrar.heartbeat(), _check(proxy))
        ]
        log.info("nodes %s registered", ", ".join(options.group.names))
        await pods.synced.wait()
        ours.clean()
        await _first([asyncio.create_task(stop.wait()), *tasks])
        for task in tasks:
            task.cancel()
        await ours.shut_down()
        await asyncio.wait(tasks)
        await proxy.close()
        await kubelet.close()
    Reaper.close()


async def _check(proxy: ServiceProxy) -> None:
    while True:
        await asyncio.sleep(CHECK_PERIOD)
        proxy.check()


async def _first(tasks: "list[asyncio.Task[None] | asyncio.Task[bool]]") -> None:
    """Waits for the first to end; raises what it raised (only the stop signal ends without an error)."""
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
