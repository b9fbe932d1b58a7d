"""One container's life: pull, configure, start, probe, end, back off, start again, as its Pod's restartPolicy says."""

import asyncio
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.nodes import clock, container_probes, container_spec, log_times, memory, volumes
from sandbox.nodes.api import ApiError, Object
from sandbox.nodes.environment import ConfigError
from sandbox.nodes.faults import PROBE_FAULTS, Fault
from sandbox.nodes.images.exited import Exited
from sandbox.nodes.images.registry import ContainerSpec, Running, StartError, Subprocess, find
from sandbox.nodes.images.running import execute
from sandbox.nodes.node_context import NodeContext
from sandbox.nodes.probes import Kind, Surroundings, port_names, wanted_ports
from sandbox.nodes.status import ContainerRecord, waiting

log = logging.getLogger(__name__)
CONFIG_RETRY = 0.3  # seconds between looks for a missing Secret; a kubelet takes about ten
FAULT_EXITS = {"OOMKilled": 137, "CrashLoopBackOff": 1}  # exit codes of containers that a fault ends at once
LOST = "the node was restarted"  # how a container is recorded that ran when the agent ended; it starts again at once
REFERENCE = re.compile(  # distribution/reference, without its length limits
    r"(?:[\w.-]+(?::\d+)?/)?[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
    r"(?::\w[\w.-]*)?(?:@[a-z0-9]+:[0-9a-f]+)?"
)
START_ERROR = 128  # what containerd reports for a command that cannot be executed


@dataclass(frozen=True)
class PodPlace:
    """What the containers of one Pod share."""

    pod: Callable[[], Object]  # the newest Pod object, with its podIP filled in
    directory: Path
    volumes: Mapping[str, Path]  # volume name -> directory
    ports: Mapping[int, int]  # containerPort -> local port, of all containers
    changed: Callable[[], None]  # something is to be reported
    warn: Callable[[str, str], None]  # (reason, message) of a warning Event


@dataclass
class Container:
    """One container of one Pod. `definition` is its entry of spec.containers, `record` what is reported of it."""

    node: NodeContext
    place: PodPlace
    definition: Object
    policy: str  # Always, OnFailure or Never
    record: ContainerRecord
    _running: Running | None = None
    _stopping: bool = False
    _out_of_memory: bool = False
    _task: "asyncio.Task[None] | None" = None
    _kill: "asyncio.Task[None] | None" = None
    _back_off: clock.BackOff = field(default_factory=clock.BackOff)

    @property
    def name(self) -> str:
        """The container's name in its Pod."""
        return str(self.definition["name"])

    @property
    def image(self) -> str:
        """The image reference."""
        return str(self.definition["image"])

    def log_file(self, *, previous: bool = False) -> Path:
        """The log of the newest run; with `previous`, that of the run which `lastState` tells of."""
        folder, number = self.place.directory / "logs" / self.name, self.record.restart_count
        newest = folder / f"{number}.log"
        if not previous or ("waiting" in self.record.state and newest.exists()):  # in CrashLoopBackOff both are one
            return newest
        return folder / f"{number - 1}.log"

    async def run(self) -> None:
        """Runs the container until it has ended for good or is stopped."""
        self._task = asyncio.current_task()
        while self._wanted():
            await self._restart_pause()
            await self._pull()
            spec = await self._configure()
            started = asyncio.get_running_loop().time()
            await self._live(spec)
            if asyncio.get_running_loop().time() - started > clock.BACK_OFF_RESET:
                self._back_off.reset()

    async def stop(self, grace_seconds: float) -> None:
        """Ends the container; it is reported as terminated if it was running."""
        self._stopping = True
        if self._running is not None:
            await self._running.stop(grace_seconds)
        elif self._task is not None:
            self._task.cancel()
        if self._task is not None:
            await asyncio.wait([self._task])

    def _wanted(self) -> bool:
        """Whether the container is to be started (again)."""
        if self._stopping:
            return False
        ended = self.record.terminated
        return ended is None or self.policy == "Always" or (self.policy == "OnFailure" and ended["exitCode"] != 0)

    async def _restart_pause(self) -> None:
        """As a kubelet does between two runs: the first restart is immediate, later ones wait longer and longer."""
        if self.record.terminated is None:
            return
        self.record.last_state = self.record.state
        if self.record.restart_count and self.record.terminated.get("message") != LOST:
            pause = self._back_off.next()
            whom = f"container={self.name} pod={self._full_name()}"
            self._set(waiting("CrashLoopBackOff", f"back-off {self._back_off.real}s restarting failed {whom}"))
            self.place.warn("BackOff", f"Back-off restarting failed container {self.name} in pod {self._full_name()}")
            await asyncio.sleep(pause)
        self.record.restart_count += 1

    async def _pull(self) -> None:
        """Waits until the image is there; ErrImagePull and ImagePullBackOff take turns meanwhile."""
        back_off = clock.BackOff()
        while True:
            if (fault := self._fault()) == "InvalidImageName" or not REFERENCE.fullmatch(self.image):
                message = f'Failed to apply default image tag "{self.image}": couldn\'t parse image name'
                self._set(waiting("InvalidImageName", f"{message}: invalid reference format"))
                self.place.warn("InspectFailed", f"{message}: invalid reference format")
                await asyncio.sleep(back_off.next())
            elif fault == "ImagePullBackOff" or find(self.image) is None:
                message = f'rpc error: code = NotFound desc = failed to pull and unpack image "{self.image}": not found'
                self._set(waiting("ErrImagePull", message))
                self.place.warn("Failed", f'Failed to pull image "{self.image}": {message}')
                await asyncio.sleep(clock.FIRST_BACK_OFF / 2)
                why = f'Back-off pulling image "{self.image}"'
                self._set(waiting("ImagePullBackOff", f"{why}: ErrImagePull: {message}"))
                self.place.warn("BackOff", why)
                await asyncio.sleep(back_off.next())
            else:
                break
        await self.node.pull(self.image)

    async def _configure(self) -> ContainerSpec:
        """The container's spec, once everything that it refers to is there."""
        while True:
            try:
                if self._fault() == "CreateContainerConfigError":
                    raise ConfigError(f'sandbox fault for image "{self.image}"')
                return await self._spec()
            except ConfigError as error:
                self._set(waiting("CreateContainerConfigError", str(error)))
                self.place.warn("Failed", f"Error: {error}")
            except ApiError as error:
                log.info("configuring %s: %s", self._full_name(), error)
            await asyncio.sleep(CONFIG_RETRY)

    async def _spec(self) -> ContainerSpec:
        directory = self.place.directory / "containers" / self.name
        for folder in (directory, self.log_file().parent):
            folder.mkdir(parents=True, exist_ok=True)
        return await container_spec.build(
            self.definition,
            self.place.pod(),
            self.node,
            directory=directory,
            log=self.log_file(),
            ports={port: self.place.ports[port] for port in wanted_ports(self.definition)},
            mounted=volumes.mounts(self.definition, self.place.volumes),
        )

    async def _live(self, spec: ContainerSpec) -> None:
        """Starts the container, probes it, and reports how it ended."""
        started_at, fault = clock.now(), self._fault()
        self.record.container_id = f"sandbox://{self._full_name()}/{self.name}/{self.record.restart_count}"
        spec.log.touch()
        try:
            self._running = await self._start(spec, fault)
        except StartError as error:
            self._ended(started_at, START_ERROR, "StartError", str(error))
            return
        self._set({"running": {"startedAt": started_at}})
        tasks = [
            asyncio.create_task(container_probes.run(self.definition, self._surroundings(spec), self._hooks())),
            asyncio.create_task(log_times.follow(spec.log)),
        ]
        self._watch_memory()
        try:
            code = await self._running.wait()
        finally:
            self._forget_memory()
            self._running = None
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        out_of_memory = fault == "OOMKilled" or self._out_of_memory
        self._ended(started_at, code, "OOMKilled" if out_of_memory else "Error" if code else "Completed")

    async def _start(self, spec: ContainerSpec, fault: Fault | None) -> Running:
        if fault in FAULT_EXITS:
            return Exited(FAULT_EXITS[fault])
        image = find(self.image)
        if image is None:
            raise StartError(f'the sandbox has no image like "{self.image}"')
        return await image.start(spec, self.node.images)

    def _ended(self, started_at: str, code: int, reason: str, message: str = "") -> None:
        self.record.ready = self.record.started = False
        ended = {"exitCode": code, "reason": reason, "startedAt": started_at, "finishedAt": clock.now()}
        ended |= {"containerID": self.record.container_id} | ({"message": message} if message else {})
        self._set({"terminated": ended})

    def _watch_memory(self) -> None:
        """A process that grows beyond the container's memory limit is killed."""
        self._out_of_memory = False
        limit = memory.limit_of(self.definition)
        if limit and isinstance(self._running, Subprocess):
            self.node.memory.add(self._running.pid, limit, self._on_out_of_memory)

    def _forget_memory(self) -> None:
        if isinstance(self._running, Subprocess):
            self.node.memory.remove(self._running.pid)

    def _on_out_of_memory(self) -> None:
        self._out_of_memory = True

    def _surroundings(self, spec: ContainerSpec) -> Surroundings:
        async def run(command: list[str]) -> tuple[int, str]:
            return await execute(self._running, [spec.local(word) for word in command], spec)

        return Surroundings(spec.pod_ip, spec.ports, port_names(self.definition), self._veto, run)

    def _hooks(self) -> container_probes.Hooks:
        return container_probes.Hooks(self._on_started, self._on_ready, self._on_unhealthy, self.place.warn)

    def _on_started(self) -> None:
        self.record.started = True
        self.place.changed()

    def _on_ready(self, ready: bool) -> None:
        self.record.ready = ready
        self.place.changed()

    def _on_unhealthy(self, kind: Kind) -> None:
        """A liveness or startup probe failed for good: the container is stopped, and restarted by its policy."""
        if self._running is not None:
            self.place.warn("Killing", f"Container {self.name} failed {kind} probe, will be restarted")
            grace = float(self.place.pod()["spec"].get("terminationGracePeriodSeconds", 30))
            self._kill = asyncio.create_task(self._running.stop(grace))

    def _veto(self, kind: Kind) -> str | None:
        return "HTTP probe failed with statuscode: 503" if self._fault() == PROBE_FAULTS[kind] else None

    def _fault(self) -> Fault | None:
        return self.node.faults.of(self.image)

    def _set(self, state: Object) -> None:
        self.record.state = state
        self.place.changed()

    def _full_name(self) -> str:
        metadata = self.place.pod()["metadata"]
        return f"{metadata['name']}_{metadata['namespace']}({metadata['uid']})"
