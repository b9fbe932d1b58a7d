"""Startup, readiness and liveness probes.

They really run, on a faster clock: a delay of 30 s in a manifest would make every sandbox install wait for it.
Readiness is asked every 0.2 s until it first succeeds, then at most every second. Liveness is the other way round: a
laptop under load starts a container more slowly than a node does, so liveness waits for the first readiness, or for
the manifest's real delay, and leaves up to `LIVENESS_PERIOD` between attempts; a startup probe's failures count once a
second. The thresholds are the manifest's.
"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from sandbox.nodes import http
from sandbox.nodes.api import Object
from sandbox.nodes.images.running import StartError

Kind = Literal["startup", "readiness", "liveness"]
Veto = Callable[[Kind], str | None]  # why an attempt fails without being made: a fault of the sandbox
Execute = Callable[[list[str]], Awaitable[tuple[int, str]]]  # runs a command in the container: exit code and output
HOST = "127.0.0.1"
SHORTEST_TIMEOUT = 5.0  # seconds; a probe's one second is short for a laptop that compiles something
LONGEST_OUTPUT = 10 * 1024  # bytes of a command's output that a message shows; the kubelet's limit
FIRST_DELAY = 0.2  # seconds, the longest initial delay
EAGER_PERIOD = 0.2  # seconds between attempts before the first success
LONGEST_PERIOD = 1.0  # seconds between attempts after it
LIVENESS_PERIOD = 3.0  # seconds between attempts of a liveness probe, at most
LIVENESS_DELAY = 5.0  # seconds before the first one, at least, for a container that has no readiness probe


@dataclass(frozen=True)
class Surroundings:
    """What a probe needs of its container."""

    pod_ip: str  # for messages only
    ports: Mapping[int, int]  # containerPort -> local port
    names: Mapping[str, int]  # a port's name -> containerPort
    veto: Veto
    execute: Execute


@dataclass
class Threshold:
    """Turns single results into verdicts: so many successes or failures in a row."""

    success: int
    failure: int
    _healthy: bool | None = None
    _last: bool | None = None
    _row: int = 0  # equal results in a row

    @property
    def unhealthy(self) -> bool:
        """Whether the last verdict was a bad one."""
        return self._healthy is False

    def feed(self, ok: bool) -> bool | None:
        """The new verdict when this result brings one about, else None."""
        self._row = self._row + 1 if ok is self._last else 1
        self._last = ok
        if ok is self._healthy or self._row < (self.success if ok else self.failure):
            return None
        self._healthy = ok
        return ok


class Probe:
    """One probe of one container."""

    def __init__(self, kind: Kind, definition: Object, around: Surroundings) -> None:
        self._kind, self._definition, self._around = kind, definition, around
        self._period = float(definition.get("periodSeconds", 10))
        success = int(definition.get("successThreshold", 1))
        self._next_count = time.monotonic() + FIRST_DELAY  # seconds
        self._threshold = Threshold(success, int(definition.get("failureThreshold", 3)))

    async def verdicts(self, ready: asyncio.Event, complain: Callable[[str], None]) -> AsyncGenerator[bool, None]:
        """Asks for ever, and gives each change of verdict: healthy or not.

        `ready`: the container has been ready (liveness waits for it). `complain` hears of each failed attempt from the
        one on that made the verdict.
        """
        await self._initial_delay(ready)
        succeeded = False
        while True:
            failure = await self.attempt()
            succeeded = succeeded or failure is None
            verdict = self._threshold.feed(failure is None) if failure is None or self._counts() else None
            if failure is not None and self._threshold.unhealthy:
                complain(failure)
            if verdict is not None:
                yield verdict
            await asyncio.sleep(self._pause(succeeded))

    def _counts(self) -> bool:
        """Whether a failure counts: those of a startup probe do once in `LONGEST_PERIOD`, however often it is asked."""
        now = time.monotonic()
        if self._kind == "startup" and now < self._next_count:
            return False
        self._next_count = now + min(self._period, LONGEST_PERIOD)
        return True

    async def attempt(self) -> str | None:
        """One attempt: None when it succeeded, else the kubelet's words for what went wrong."""
        if reason := self._around.veto(self._kind):
            return reason
        timeout = max(float(self._definition.get("timeoutSeconds", 1)), SHORTEST_TIMEOUT)
        try:
            async with asyncio.timeout(timeout):
                return await self._ask()
        except TimeoutError:
            if "exec" in self._definition:
                return f"command timed out: {words(self._definition['exec'])} timed out after {timeout:g}s"
            return "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        except OSError as error:
            return self._unreachable(error)
        except (ValueError, StartError) as error:
            return str(error)

    async def _ask(self) -> str | None:
        if action := self._definition.get("httpGet"):
            headers = {header["name"]: header["value"] for header in action.get("httpHeaders") or []}
            tls = action.get("scheme", "HTTP") == "HTTPS"
            status = await http.get_status(HOST, self._port(action), action.get("path") or "/", headers, tls=tls)
            return None if 200 <= status < 400 else f"HTTP probe failed with statuscode: {status}"
        if action := self._definition.get("tcpSocket") or self._definition.get("grpc"):
            _, writer = await asyncio.open_connection(HOST, self._port(action))
            await http.close(writer)
            return None
        code, output = await self._around.execute(self._definition["exec"]["command"])
        return None if code == 0 else output[:LONGEST_OUTPUT].strip() or f"command exited with {code}"

    def _port(self, action: Object) -> int:
        number = container_port(action["port"], self._around.names)
        if number is None or number not in self._around.ports:
            raise ConnectionRefusedError(f"connection refused: no such port {action['port']}")
        return self._around.ports[number]

    def _unreachable(self, error: OSError) -> str:
        """A failed connection in the kubelet's words, with the address that it has in the cluster."""
        action = self._definition.get("httpGet") or self._definition.get("tcpSocket") or self._definition["grpc"]
        target = f"{self._around.pod_ip}:{container_port(action['port'], self._around.names)}"
        reason = "connection refused" if isinstance(error, ConnectionRefusedError) else error.strerror or str(error)
        dial = f"dial tcp {target}: connect: {reason}"
        if "httpGet" not in self._definition:
            return dial
        return f'Get "{action.get("scheme", "HTTP").lower()}://{target}{action.get("path") or "/"}": {dial}'

    async def _initial_delay(self, ready: asyncio.Event) -> None:
        delay = float(self._definition.get("initialDelaySeconds", 0))
        if self._kind != "liveness":
            await asyncio.sleep(min(delay, FIRST_DELAY))
            return
        try:
            async with asyncio.timeout(max(delay, LIVENESS_DELAY)):  # see volumes.py
                await ready.wait()
        except TimeoutError:
            return

    def _pause(self, succeeded: bool) -> float:
        if self._kind == "liveness":
            return min(self._period, LIVENESS_PERIOD)
        return min(self._period, LONGEST_PERIOD) if succeeded else EAGER_PERIOD


def words(action: Object) -> str:
    """A command as the kubelet quotes it in messages."""
    return json.dumps(" ".join(action["command"]))


def container_port(port: int | str, names: Mapping[str, int]) -> int | None:
    """The number of a port given as number or name."""
    if isinstance(port, int):
        return port
    return int(port) if port.isdigit() else names.get(port)


def port_names(container: Object) -> dict[str, int]:
    """The named ports of a container."""
    return {port["name"]: port["containerPort"] for port in container.get("ports") or [] if "name" in port}


def wanted_ports(container: Object) -> list[int]:
    """The container ports that need a local one: those declared, and those that only a probe mentions."""
    declared = [port["containerPort"] for port in container.get("ports") or [] if port.get("protocol", "TCP") == "TCP"]
    probes = [container.get(f"{kind}Probe") or {} for kind in ("startup", "readiness", "liveness")]
    actions = [probe.get("httpGet") or probe.get("tcpSocket") or probe.get("grpc") for probe in probes]
    asked = [container_port(action["port"], port_names(container)) for action in actions if action]
    return list(dict.fromkeys([*declared, *(port for port in asked if port)]))
