"""Every step of install and uninstall that asks AWS, under every fault at every request that it makes.

One world is walked from an empty account to the installed example and back to an empty account, phase by phase, on a
runner that tries each step under its faults first (tests/chaos_faults/trials.py).
"""

from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.chaos_faults.cloud import Cloud, running
from tests.chaos_faults.contexts import working_context
from tests.chaos_faults.hands import Clients, Step
from tests.chaos_faults.trials import Tally, Trials, completed
from tests.chaos_faults.walks import AT_AWS, Walk, by_turns
from tests.chaos_faults.worlds import Checkpoints
from workflows.phases import INSTALL, UNINSTALL

FEW = ("network", "egress")
"""Phases that are tried in `make test`: what AWS takes no token for, and what it does."""


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    with running(tmp_path / "aws") as cloud:
        for name, value in cloud.environment.items():
            monkeypatch.setenv(name, value)
        yield cloud


@pytest.fixture
def trials(cloud: Cloud, tallied: Callable[[str, Tally], None]) -> Iterator[Trials]:
    clients = Clients()
    with working_context(clients):
        found = Trials([cloud], clients)
        tallied("AWS", found.tally)
        yield found
    clients.close()


def walk(cloud: Cloud, trials: Trials, phases: Collection[str], untried: Collection[str] = ()) -> None:
    """These phases from nothing to nothing; `untried`: those that others need and whose steps meet no fault."""
    world = Checkpoints(cloud)
    walk = Walk(trials.clients.usual, data="retain", force=True)

    def tried(phase: str, name: str, step: Step) -> Any:
        """A step that several phases have, or one phase several times, is tried once."""
        if name in trials.tally.requests or phase in untried:
            return completed(partial(step, trials.clients.usual))
        return trials.of(name, step, world)

    for graph in (INSTALL, UNINSTALL):
        walk.go(graph, {*phases, *untried}, tried)


@pytest.mark.chaos
def test_every_request_to_aws_may_fail_in_every_way(cloud: Cloud, trials: Trials) -> None:
    walk(cloud, trials, AT_AWS)
    assert trials.failures == []


def test_a_request_to_aws_may_fail_in_one_way_or_another(cloud: Cloud, trials: Trials) -> None:
    trials.choose = lambda every: by_turns(every)[::3]
    walk(cloud, trials, FEW, untried=("preflight",))
    assert trials.failures == []
    assert trials.tally.faults.total() > 20
