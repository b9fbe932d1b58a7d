"""Every step of install and uninstall that asks AWS, under every fault at every request that it makes.

One world is walked from an empty account to the installed example and back to an empty account, phase by phase, on a
runner that tries each step under its faults first (tests/chaos_faults/trials.py).
"""

import asyncio
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

from tests.chaos_faults.cloud import Cloud, running
from tests.chaos_faults.contexts import working_context
from tests.chaos_faults.kinds import Combination
from tests.chaos_faults.trials import Clients, Trials, TriedRun
from tests.e2e.harness import guide
from workflows.facts import Facts
from workflows.graph import Graph, Phase
from workflows.phases import INSTALL, UNINSTALL
from workflows.spec import InstallationSpec

WITHIN = {phase.name for phase in UNINSTALL.phases if phase.in_cluster} | {"smoke-test"}
"""Phases whose steps ask the cluster: tests/chaos_faults/test_cluster_steps.py."""


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    with running(tmp_path / "aws") as cloud:
        for name, value in cloud.environment.items():
            monkeypatch.setenv(name, value)
        yield cloud


@pytest.fixture
def trials(cloud: Cloud) -> Iterator[Trials]:
    clients = Clients()
    with working_context():
        yield Trials(cloud, clients)
    clients.close()


class World:
    """What is known of the installation so far."""

    def __init__(self, trials: Trials) -> None:
        self._trials = trials
        self._spec = InstallationSpec.model_validate(guide())
        self._facts: Facts = {}

    def walk(self, graph: Graph, operation: str, **options: Any) -> None:
        """All phases of the graph that ask AWS only, in the table's order."""
        self._facts = {} if graph is UNINSTALL else self._facts
        for phase in in_order(graph):
            if phase.name not in WITHIN:
                run = TriedRun(
                    operation, phase.name, self._spec, self._facts, (), options, epoch=0, trials=self._trials
                )
                print(phase.name, flush=True)
                self._facts.update(asyncio.run(_awaited(phase.run(run))))


def in_order(graph: Graph) -> list[Phase]:
    """One after the other: a phase comes behind what it needs and what it awaits."""
    before = {phase.name: {*phase.needs, *phase.awaits} for phase in graph.phases}
    return [graph[name] for name in TopologicalSorter(before).static_order()]


async def _awaited(phase: Any) -> Facts:
    found: Facts = await phase
    return found


@pytest.mark.chaos
def test_every_request_to_aws_may_fail_in_every_way(trials: Trials) -> None:
    world = World(trials)
    world.walk(INSTALL, "11111111-operation")
    world.walk(UNINSTALL, "22222222-operation", data="retain", force=True)
    print(trials.tally)
    assert trials.failures == []


def by_turns(every: list[Combination]) -> list[Combination]:
    """One fault per request, each time another."""
    requests = list(dict.fromkeys(one.request for one in every))
    of_each = [[one for one in every if one.request == request] for request in requests]
    return [ways[number % len(ways)] for number, ways in enumerate(of_each)]
