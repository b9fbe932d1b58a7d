"""Uninstall of an installation whose cluster lets Podium in no more: it says so and what to do; with `force` it goes on
without Kubernetes, and what the controllers have left in AWS goes all the same.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.chaos.picture import account_picture, differences
from tests.chaos_faults.cluster import Cluster
from tests.chaos_faults.cluster_kinds import AGENT
from tests.e2e.harness import Sandbox, Service, guide

pytestmark = [pytest.mark.chaos, pytest.mark.e2e]

NAME = "/v1/installations/dbos-conductor"
KEPT = ("rds snapshots", "ecr repositories")


@pytest.fixture
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    sandbox = Sandbox(tmp_path_factory.mktemp("force"))
    service = Service(sandbox)
    try:
        yield service
    finally:
        service.stop()
        sandbox.stop()


def lock_out(service: Service) -> None:
    """As an administrator who takes Podium's access away: everybody else is still let in."""
    cluster = Cluster(service.sandbox.env)
    cluster.fault({"match": ".*", "agent": AGENT, "times": 99999, "kind": "error", "status": 403})
    cluster.close()


def failed(service: Service) -> dict[str, Any]:
    found: dict[str, Any] = service.reach("FAILED", seconds=240)["operation"]["error"]
    return found


def test_without_a_way_into_the_cluster_an_uninstall_says_so_and_goes_on_with_force(service: Service) -> None:
    before = account_picture(service.sandbox.env)
    service.create(guide()).raise_for_status()
    service.reach("READY", seconds=240)
    lock_out(service)
    assert service.http.delete(NAME).status_code == 202
    error = failed(service)
    assert error["code"] == "KUBERNETES_ACCESS_DENIED"
    assert "force" in error["remedy"]
    assert {"DeleteCluster", "DeleteNodegroup", "DeleteVpc", "DeleteDBInstance"}.isdisjoint(
        call["operation"] for call in service.sandbox.calls()
    )
    assert service.http.delete(NAME, params={"force": "true"}).status_code == 202
    found = service.reach("DELETED", seconds=240)
    assert found["operation"]["report"]["proof"]["leftovers"] == []
    left = differences(before, account_picture(service.sandbox.env))
    assert [line for line in left if not line.startswith(tuple(f"+ {kind}" for kind in KEPT))] == []
