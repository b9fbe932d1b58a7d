"""The three images of KEDA: the operator scales; the metrics API server and the admission webhooks are only healthy.

The real operator serves its metrics through an APIService for the HorizontalPodAutoscaler; the sandbox's operator sets
the replicas itself, so nobody asks the metrics server anything.
"""

import asyncio
import contextlib
from collections.abc import Iterable

from sandbox.nodes.images.keda_operator import Operator
from sandbox.nodes.images.registry import ContainerSpec, ImageContext, Running, Task, repository
from sandbox.nodes.images.web import listening, ok

OPERATOR = "keda"
IMAGES = frozenset({OPERATOR, "keda-metrics-apiserver", "keda-admission-webhooks"})
HEALTH = {"/healthz": ok, "/readyz": ok}


class Keda:
    """A task inside the agent."""

    def matches(self, image: str) -> bool:
        """`kedacore/keda…`, by whatever registry."""
        organisation, _, name = repository(image).rpartition("/")
        return organisation.rpartition("/")[2] == "kedacore" and name in IMAGES

    async def start(self, spec: ContainerSpec, context: ImageContext) -> Running:
        """Health on every declared port; the operator's loop with it when it is the operator."""
        if repository(spec.image).rpartition("/")[2] == OPERATOR:
            return Task.start(lambda: operate(Operator(context.api, context.resolve), spec.ports.values()), spec)
        return Task.start(lambda: stay_healthy(spec.ports.values()), spec)


async def operate(operator: Operator, ports: Iterable[int]) -> None:
    """The operator's loop and its health, until cancelled."""
    async with asyncio.TaskGroup() as group:
        group.create_task(stay_healthy(ports))
        group.create_task(operator.run())


async def stay_healthy(ports: Iterable[int]) -> None:
    """Answers /healthz and /readyz until cancelled."""
    async with contextlib.AsyncExitStack() as stack:
        for port in ports:
            await stack.enter_async_context(listening(port, HEALTH))
        await asyncio.Event().wait()


IMAGE = Keda()
