"""The probes of one running container: the startup probe first, then readiness and liveness side by side."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.nodes.api import Object
from sandbox.nodes.probes import Kind, Probe, Surroundings


@dataclass(frozen=True)
class Hooks:
    """What the probes tell the container."""

    started: Callable[[], None]
    ready: Callable[[bool], None]
    kill: Callable[[Kind], None]  # a startup or liveness probe has failed for good
    warn: Callable[[str, str], None]  # (reason, message) of a warning Event


async def run(definition: Object, around: Surroundings, hooks: Hooks) -> None:
    """Probes the container until cancelled."""
    if "startupProbe" in definition and not await _startup(Probe("startup", definition["startupProbe"], around), hooks):
        return
    hooks.started()
    ready = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(_readiness(definition, around, hooks, ready))
        if "livenessProbe" in definition:
            group.create_task(_liveness(Probe("liveness", definition["livenessProbe"], around), hooks, ready))


async def _startup(probe: Probe, hooks: Hooks) -> bool:
    """Whether the container has started; it is killed when not."""
    async with contextlib.aclosing(probe.verdicts(asyncio.Event(), _complaints("Startup", hooks))) as verdicts:
        healthy = await anext(verdicts)
    if not healthy:
        hooks.kill("startup")
    return healthy


async def _readiness(definition: Object, around: Surroundings, hooks: Hooks, ready: asyncio.Event) -> None:
    if "readinessProbe" not in definition:
        hooks.ready(around.veto("readiness") is None)
        ready.set()
        return
    probe = Probe("readiness", definition["readinessProbe"], around)
    async with contextlib.aclosing(probe.verdicts(ready, _complaints("Readiness", hooks))) as verdicts:
        async for healthy in verdicts:
            if healthy:
                ready.set()
            hooks.ready(healthy)


async def _liveness(probe: Probe, hooks: Hooks, ready: asyncio.Event) -> None:
    async with contextlib.aclosing(probe.verdicts(ready, _complaints("Liveness", hooks))) as verdicts:
        async for healthy in verdicts:
            if not healthy:
                hooks.kill("liveness")


def _complaints(kind: str, hooks: Hooks) -> Callable[[str], None]:
    return lambda failure: hooks.warn("Unhealthy", f"{kind} probe failed: {failure}")
