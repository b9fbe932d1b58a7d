"""The probes of one running container: the startup probe first, then readiness and liveness side by side."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sandbox.nodes.api import Object
from sandbox.nodes.probes import Kind, Probe, Verdict, Veto, port_names


@dataclass(frozen=True)
class Hooks:
    """What the probes tell the container."""

    started: Callable[[], None]
    ready: Callable[[bool], None]
    kill: Callable[[], None]  # a startup or liveness probe has failed for good
    warn: Callable[[str, str], None]  # (reason, message) of a warning Event
    veto: Veto  # why the container is not ready whatever it answers


async def run(definition: Object, ports: Mapping[int, int], hooks: Hooks) -> None:
    """Probes the container until cancelled. `ports` maps containerPort to local port."""
    if "startupProbe" in definition:
        await _startup(_probe("startup", definition, ports), hooks)
    hooks.started()
    ready = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(_readiness(definition, ports, hooks, ready))
        if "livenessProbe" in definition:
            group.create_task(_liveness(_probe("liveness", definition, ports), hooks, ready))


async def _startup(probe: Probe, hooks: Hooks) -> None:
    async with contextlib.aclosing(probe.verdicts(asyncio.Event())) as verdicts:
        async for verdict in verdicts:
            if verdict.healthy:
                return
            _unhealthy("Startup", verdict, hooks)
            hooks.kill()


async def _readiness(definition: Object, ports: Mapping[int, int], hooks: Hooks, ready: asyncio.Event) -> None:
    if "readinessProbe" not in definition:
        hooks.ready(hooks.veto() is None)
        ready.set()
        return
    probe = Probe("readiness", definition["readinessProbe"], ports, port_names(definition), hooks.veto)
    async with contextlib.aclosing(probe.verdicts(ready)) as verdicts:
        async for verdict in verdicts:
            if not verdict.healthy:
                _unhealthy("Readiness", verdict, hooks)
            else:
                ready.set()
            hooks.ready(verdict.healthy)


async def _liveness(probe: Probe, hooks: Hooks, ready: asyncio.Event) -> None:
    async with contextlib.aclosing(probe.verdicts(ready)) as verdicts:
        async for verdict in verdicts:
            if not verdict.healthy:
                _unhealthy("Liveness", verdict, hooks)
                hooks.kill()


def _probe(kind: Kind, definition: Object, ports: Mapping[int, int]) -> Probe:
    return Probe(kind, definition[f"{kind}Probe"], ports, port_names(definition))


def _unhealthy(kind: str, verdict: Verdict, hooks: Hooks) -> None:
    hooks.warn("Unhealthy", f"{kind} probe failed: {verdict.failure}")
