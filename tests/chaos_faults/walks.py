"""An installation walked phase by phase, in the tables' order, on runs that a test provides."""

import asyncio
from collections.abc import Callable, Collection
from graphlib import TopologicalSorter
from typing import Any

from tests.chaos_faults.hands import Hands
from tests.chaos_faults.kinds import Combination
from tests.chaos_faults.trials import TriedRun, Trier
from tests.e2e.harness import guide
from workflows.facts import Facts
from workflows.graph import Graph, Phase
from workflows.phases import INSTALL, UNINSTALL
from workflows.spec import InstallationSpec

IN_CLUSTER = {phase.name for phase in UNINSTALL.phases if phase.in_cluster} | {"smoke-test"}
"""Phases whose steps ask the cluster."""
AT_AWS = {phase.name for phase in (*INSTALL.phases, *UNINSTALL.phases)} - IN_CLUSTER
OPERATIONS = {INSTALL: "11111111-install", UNINSTALL: "22222222-uninstall"}


class Walk:
    """What is known of the installation so far. `changes`: to the guide's spec; `options`: of the uninstall."""

    def __init__(self, hands: Hands, changes: dict[str, Any] | None = None, **options: Any) -> None:
        self.spec = InstallationSpec.model_validate(guide(**(changes or {})))
        self.facts: Facts = {}
        self._hands, self._options = hands, options

    def go(self, graph: Graph, phases: Collection[str], trier: Trier) -> None:
        """These phases of the graph, one after the other."""
        for phase in in_order(graph):
            if phase.name in phases:
                run = TriedRun(
                    OPERATIONS[graph],
                    phase.name,
                    self.spec,
                    self.facts,
                    (),
                    self._options,
                    epoch=0,
                    hands=self._hands,
                    trier=trier,
                )
                self.facts.update(asyncio.run(_awaited(phase.run, run)))


def in_order(graph: Graph) -> list[Phase]:
    """One after the other: a phase comes behind what it needs and what it awaits."""
    before = {phase.name: {*phase.needs, *phase.awaits} for phase in graph.phases}
    return [graph[name] for name in TopologicalSorter(before).static_order()]


def by_turns(every: list[Combination]) -> list[Combination]:
    """One fault per request, each time another."""
    ways: dict[Any, list[Combination]] = {}
    for one in every:
        ways.setdefault(one.request, []).append(one)
    return [found[(5 * number) % len(found)] for number, found in enumerate(ways.values())]


async def _awaited(phase: Callable[[TriedRun], Any], run: TriedRun) -> Facts:
    found: Facts = await phase(run)
    return found
