"""One Pod on one of the agent's nodes: an asyncio task from binding to removal."""

import asyncio
import contextlib
import json
import logging
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.nodes import clock, events
from sandbox.nodes.api import PODS, ApiError, Object
from sandbox.nodes.container import LOST, Container, PodPlace
from sandbox.nodes.endpoints import PORTS_ANNOTATION, announced
from sandbox.nodes.network import forwards
from sandbox.nodes.node_context import NodeContext
from sandbox.nodes.probes import wanted_ports
from sandbox.nodes.status import ContainerRecord, Stage, pod_status, status_patch, waiting
from sandbox.nodes.volumes import PodVolumes

log = logging.getLogger(__name__)
NETWORK_RETRY = 1.0  # seconds
REPORT_RETRY = 1.0  # seconds


@dataclass
class PodWorker:
    """Runs the Pod and reports its status. `update` and `forget` bring news from the API; `run` ends with the Pod."""

    node: NodeContext
    pod: Object
    pod_ip: str
    node_ip: str
    directory: Path
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _removal: asyncio.Event = field(default_factory=asyncio.Event)
    _gone: bool = False  # the object is not in the API any more
    _init: list[Container] = field(default_factory=list)
    _main: list[Container] = field(default_factory=list)
    _ports: dict[int, int] = field(default_factory=dict)
    _reported: Object = field(default_factory=dict)
    _reporter: "asyncio.Task[None] | None" = None
    _stage: Stage = field(default_factory=lambda: Stage(prepared=False))

    def __post_init__(self) -> None:
        self._reported = self.pod.get("status") or {}
        self._events = events.Recorder(self.node.client, self.pod)
        folder, client, warn = self.directory / "volumes", self.node.client, self._events.warn
        self.volumes = PodVolumes(self.object, folder, client, self.node.allocatable, warn)
        place = PodPlace(self.object, self.directory, self.volumes.folders, self._ports, self._changed.set, warn)
        policy = self.pod["spec"].get("restartPolicy", "Always")
        init_policy = "Never" if policy == "Never" else "OnFailure"
        first = "PodInitializing" if self.pod["spec"].get("initContainers") else "ContainerCreating"
        self._init = self._containers("initContainers", "initContainerStatuses", place, init_policy, first)
        self._main = self._containers("containers", "containerStatuses", place, policy, first)

    def object(self) -> Object:
        """The newest Pod object, with the addresses that this agent gives it."""
        return self.pod | {"status": (self.pod.get("status") or {}) | self._addresses()}

    @property
    def uid(self) -> str:
        """The Pod's uid: a namesake that comes later is another Pod."""
        return str(self.pod["metadata"]["uid"])

    def update(self, pod: Object) -> None:
        """A newer version of the object."""
        before, self.pod = self.pod["metadata"], pod
        if any(pod["metadata"].get(name) != before.get(name) for name in ("labels", "annotations", "generation")):
            self.volumes.changed("Pod", pod["metadata"]["name"])
            self._changed.set()
        if pod["metadata"].get("deletionTimestamp"):
            self._removal.set()

    def forget(self) -> None:
        """The object is gone: whatever still runs is to end."""
        self._gone = True
        self._removal.set()

    def container(self, name: str) -> Container | None:
        """A container by its name."""
        return next((item for item in [*self._init, *self._main] if item.name == name), None)

    async def run(self) -> None:
        """Runs the Pod until it is removed, and removes it from the API."""
        self.update(self.pod)
        self._reporter = asyncio.create_task(self._report())
        tasks = [] if self._removal.is_set() else [asyncio.create_task(self._live())]
        for task in tasks:
            task.add_done_callback(self._complain)
        try:
            await self._removal.wait()
            await self._stop(self._grace())
        finally:
            for task in [*tasks, self._reporter]:
                await _cancelled(task)
            for port in self._ports.values():
                self.node.ports.release(port)
            await self.node.network.release(self.uid)
        await self._remove()

    async def shut_down(self, grace_seconds: float) -> None:
        """Ends the containers because the agent ends; the Pod stays in the API as it was. Cancel `run` afterwards."""
        if self._reporter is not None:
            await _cancelled(self._reporter)
        await self._stop(grace_seconds)

    async def _live(self) -> None:
        """Init containers one after the other, then the containers side by side."""
        if (self.pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}:
            return
        self._take_ports()
        self._changed.set()
        await self._announce_ports()
        await self._expose()
        await self.volumes.set_up()
        self._stage = Stage()
        fresh = asyncio.create_task(self.volumes.keep_fresh())
        try:
            await self._run_containers()
        finally:
            await _cancelled(fresh)

    async def _run_containers(self) -> None:
        for container in self._init:
            if container.definition.get("restartPolicy") == "Always":
                self._events.warn("Failed", f"the sandbox's nodes do not run sidecar containers: {container.name}")
                return
            await container.run()
            if not container.record.terminated or container.record.terminated["exitCode"]:
                return
        async with asyncio.TaskGroup() as group:
            for container in self._main:
                group.create_task(container.run())

    async def _stop(self, grace_seconds: float) -> None:
        async with asyncio.TaskGroup() as group:
            for container in [*self._init, *self._main]:
                group.create_task(container.stop(grace_seconds))

    def _complain(self, life: "asyncio.Task[None]") -> None:
        if not life.cancelled() and (error := life.exception()) is not None:
            log.error("pod %s", self.pod["metadata"]["name"], exc_info=error)

    def _take_ports(self) -> None:
        """A local port for each container port, those of before when they are free."""
        before = announced(self.pod)
        for container in [*self._init, *self._main]:
            for port in wanted_ports(container.definition):
                if port not in self._ports:
                    self._ports[port] = self.node.ports.reserve(before.get(str(port)))

    async def _announce_ports(self) -> None:
        """Without a pod network, says in an annotation where the ports are."""
        taken = {str(port): local for port, local in self._ports.items()}
        if self.node.announces_ports and taken != announced(self.pod):
            body = {"metadata": {"uid": self.uid, "annotations": {PORTS_ANNOTATION: json.dumps(taken)}}}
            await self._patch(lambda name, namespace: self.node.client.patch(PODS, name, body, namespace))

    async def _expose(self) -> None:
        """In a pod network, has the pod's address answer at the container ports."""
        wanted = forwards(self.pod, self.pod_ip, self.node_ip, self._ports)
        while True:
            try:
                await self.node.network.expose(self.uid, wanted)
            except OSError as error:
                self._events.warn("FailedCreatePodSandBox", f"Failed to create pod sandbox: {error}")
                await asyncio.sleep(NETWORK_RETRY)
            else:
                return

    async def _report(self) -> None:
        """Patches the status whenever it has changed; changes that come together are one patch."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._write_status()

    async def _write_status(self) -> None:
        records = [[container.record for container in group] for group in (self._init, self._main)]
        status = pod_status(self.pod, self._addresses(), records[0], records[1], self._reported, self._stage)
        if status == {name: self._reported.get(name) for name in status}:
            return
        body = {"metadata": {"uid": self.uid}, "status": status_patch(status, self._reported)}
        client = self.node.client
        await self._patch(lambda name, namespace: client.strategic_patch(PODS, name, body, namespace, "status"))
        self._reported = self._reported | status

    async def _patch(self, patch: Callable[[str, str], Awaitable[Object]]) -> None:
        """Patches the object if it is still there, however long the API server is away."""
        metadata = self.pod["metadata"]
        while True:
            try:
                await patch(metadata["name"], metadata["namespace"])
            except ApiError as error:
                if error.status in {404, 409}:  # gone, or another Pod of the same name
                    return
                log.warning("patching pod %s: %s", metadata["name"], error)
                await asyncio.sleep(REPORT_RETRY)
            else:
                return

    async def _remove(self) -> None:
        """What a kubelet does last: the final status, then the object, then its files."""
        metadata = self.pod["metadata"]
        if not self._gone:
            self._stage = Stage(stopped=True)
            await self._write_status()
            with contextlib.suppress(ApiError):  # the API server is away: the Pod is found again at the next start
                await self.node.client.delete(PODS, metadata["name"], metadata["namespace"], 0, self.uid)
        await asyncio.to_thread(shutil.rmtree, self.directory, ignore_errors=True)

    def _grace(self) -> float:
        """Seconds between SIGTERM and SIGKILL; a Pod that is gone already has none left but a moment."""
        if self._gone:
            return 1.0
        asked = self.pod["metadata"].get("deletionGracePeriodSeconds")
        return float(self.pod["spec"].get("terminationGracePeriodSeconds", 30) if asked is None else asked)

    def _addresses(self) -> Object:
        pod, host = self.pod_ip, self.node_ip
        return {"podIP": pod, "podIPs": [{"ip": pod}], "hostIP": host, "hostIPs": [{"ip": host}]}

    def _containers(self, entries: str, statuses: str, place: PodPlace, policy: str, first: str) -> list[Container]:
        known = {status["name"]: status for status in self._reported.get(statuses) or []}
        return [
            Container(self.node, place, definition, policy, _record(definition, known.get(definition["name"]), first))
            for definition in self.pod["spec"].get(entries) or []
        ]


def _record(definition: Object, before: Object | None, first: str) -> ContainerRecord:
    """The record to start from. A container that ran when the agent ended is one that was lost, and starts again."""
    record = ContainerRecord(definition["name"], definition["image"], waiting(first))
    if before is None:
        return record
    record.restart_count = before.get("restartCount", 0)
    record.last_state = before.get("lastState") or {}
    record.container_id = before.get("containerID", "")
    state = before.get("state") or {}
    if running := state.get("running"):
        ended = {"exitCode": 137, "reason": "Error", "message": LOST, "startedAt": running["startedAt"]}
        record.state = {"terminated": ended | {"finishedAt": clock.now()}}
    elif "terminated" in state or record.last_state:
        record.state = state if "terminated" in state else record.last_state
    return record


async def _cancelled(task: "asyncio.Task[None]") -> None:
    """Cancels a task and waits for its end."""
    task.cancel()
    await asyncio.wait([task])
