"""An install that an older Podium began is finished, changed and removed by this one: the older one's own code runs
until it is killed, in a sandbox of today.
"""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness import ROOT, Sandbox, Service, guide, until
from tests.older import tree

pytestmark = [pytest.mark.chaos, pytest.mark.e2e]

OLDER = "e5a6bac"
"""The last commit before upgrades: its database has neither what was applied nor what an operation does to a phase."""
NAME = "/v1/installations/dbos-conductor"
MADE_ONCE = ("CreateVpc", "CreateNatGateway", "CreateCluster", "CreateNodegroup", "CreateDBInstance")
HALFWAY = "nodes"


class Older(Service):
    """A service of other files than today's, until `tree` says otherwise."""

    def __init__(self, sandbox: Sandbox, tree: Path) -> None:
        self.tree = tree
        super().__init__(sandbox)


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tree(OLDER, tmp_path_factory.mktemp("older"))


@pytest.fixture(scope="module")
def service(older: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    sandbox = Sandbox(tmp_path_factory.mktemp("sandbox"))
    service = Older(sandbox, older)
    try:
        yield service
    finally:
        service.stop()
        sandbox.stop()


def made(service: Service) -> dict[str, int]:
    calls = Counter(call["operation"] for call in service.sandbox.calls() if call["status"] < 300)
    return {name: calls[name] for name in MADE_ONCE}


@pytest.fixture(scope="module")
def taken_over(service: Service) -> list[dict[str, Any]]:
    """The older one's events; this one runs now, on its database."""
    service.create(guide()).raise_for_status()
    until(lambda: service.phases()[HALFWAY]["state"] == "running", f"{HALFWAY} is under way", 120)
    before = service.events()
    service.kill()
    service.tree = ROOT
    service.start()
    return before


def test_this_version_finishes_it_without_doing_anything_twice(
    service: Service, taken_over: list[dict[str, Any]]
) -> None:
    done = [one["phase"] for one in taken_over if one["kind"] == "phase.succeeded"]
    assert done
    service.reach("READY", seconds=240)
    events = service.events()
    assert events[: len(taken_over)] == taken_over
    assert {one["phase"] for one in events[len(taken_over) :]}.isdisjoint(done)
    assert made(service) == dict.fromkeys(MADE_ONCE, 1)


def test_it_is_in_sync_and_can_be_changed(service: Service, taken_over: list[dict[str, Any]]) -> None:
    assert taken_over
    report = service.http.get(f"{NAME}/drift", timeout=120).json()
    assert report["in_sync"] is True, json.dumps(report)
    spec = guide(app={"name": "dbos-app", "replicas": 2})
    assert service.http.put(NAME, json=guide()).json()["unchanged"] is True
    answer = service.http.put(NAME, json=spec)
    assert answer.status_code == 202, answer.text
    service.reach("READY", seconds=120)
    touched = [name for name, phase in service.phases().items() if phase["state"] != "skipped"]
    assert "app" in touched
    assert "network" not in touched


def test_it_can_be_removed(service: Service, taken_over: list[dict[str, Any]]) -> None:
    assert taken_over
    assert service.http.delete(NAME).status_code == 202
    found = service.reach("DELETED", seconds=240)
    assert found["operation"]["report"]["proof"]["leftovers"] == []
