"""The agent of one node group: puts the pieces together and runs them until told to stop."""

import asyncio
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.nodes.api import Client, Event, Object, key
from sandbox.nodes.kubelet import KubeletServer
from sandbox.nodes.node_context import NodeContext
from sandbox.nodes.nodes import NodeGroup, Registrar
from sandbox.nodes.parts import Options, Parts
from sandbox.nodes.pod import PodWorker
from sandbox.nodes.reaper import Reaper

__all__ = ["Options", "run"]
log = logging.getLogger(__name__)
SHUTDOWN_GRACE = 3.0  # seconds between SIGTERM and SIGKILL for the containers of an agent that ends


@dataclass
class _Pods:
    """The Pods of this agent: one worker and one task each, by uid."""

    node: NodeContext
    group: NodeGroup
    directory: Path
    everybody: dict[tuple[str, str], Object]  # all Pods of the cluster
    workers: dict[str, PodWorker] = field(default_factory=dict)
    tasks: dict[str, "asyncio.Task[None]"] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)  # ended and deleted, but held in the API by a finalizer

    def on_pod(self, event: Event) -> None:
        """Starts a worker for a Pod that was bound here, and passes news on to the workers."""
        pod, uid = event.object, event.object["metadata"]["uid"]
        worker = self.workers.get(uid)
        if event.type == "DELETED":
            self.removed.discard(uid)
            if worker is not None:
                worker.forget()
        elif worker is not None:
            worker.update(pod)
        elif pod["spec"].get("nodeName") in self.group.names and uid not in self.removed:
            self._start(pod, uid)

    def on_object(self, kind: str) -> Callable[[Event], None]:
        """Passes on that a `Secret` or `ConfigMap` has changed, to the Pods of its namespace."""

        def changed(event: Event) -> None:
            namespace, name = key(event.object)
            for worker in self.workers.values():
                if worker.pod["metadata"]["namespace"] == namespace:
                    worker.volumes.changed(kind, name)

        return changed

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
        network = self.node.network
        address, node_address = network.pod_address(pod), network.node_address(pod["spec"]["nodeName"])
        worker = PodWorker(self.node, pod, address, node_address, directory)
        self.workers[uid] = worker
        self.tasks[uid] = asyncio.get_running_loop().create_task(worker.run(), name=f"pod {pod['metadata']['name']}")
        self.tasks[uid].add_done_callback(lambda task: self._ended(uid, task))

    def _ended(self, uid: str, task: "asyncio.Task[None]") -> None:
        worker = self.workers.pop(uid)
        del self.tasks[uid]
        if key(worker.pod) in self.everybody:
            self.removed.add(uid)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("pod worker %s", uid, exc_info=error)


async def run(options: Options, stop: asyncio.Event) -> None:
    """Runs the agent until `stop` is set."""
    pods_directory = options.directory / "pods" / options.group.names[0]
    pods_directory.mkdir(parents=True, exist_ok=True)
    async with Client.from_kubeconfig(options.kubeconfig) as client:
        parts = Parts(options, client)
        ours = _Pods(parts.node, options.group, pods_directory, parts.pods.items)
        parts.pods.handler = ours.on_pod
        parts.secrets.handler, parts.config_maps.handler = ours.on_object("Secret"), ours.on_object("ConfigMap")
        kubelet = KubeletServer(ours.find)
        registrar = Registrar(client, options.group, await parts.start_kubelets(kubelet))
        await registrar.register()
        tasks = [asyncio.create_task(work) for work in (*parts.work(), registrar.heartbeat())]
        log.info("nodes %s registered", ", ".join(options.group.names))
        await parts.pods.synced.wait()
        ours.clean()
        await _first([asyncio.create_task(stop.wait()), *tasks])
        for task in tasks:
            task.cancel()
        await ours.shut_down()
        await asyncio.wait(tasks)
        await parts.close()
        await kubelet.close()
    Reaper.close()


async def _first(tasks: "list[asyncio.Task[None] | asyncio.Task[bool]]") -> None:
    """Waits for the first to end; raises what it raised (only the stop signal ends without an error)."""
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
