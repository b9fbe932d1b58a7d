"""Phases made to fail, each in its own way, in one install: FAILED with code and remedy, `:retry`, READY."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness import Sandbox, Service, guide

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    sandbox = Sandbox(tmp_path_factory.mktemp("retries"))
    yield sandbox
    sandbox.stop()


@pytest.fixture(scope="module")
def service(sandbox: Sandbox) -> Iterator[Service]:
    service = Service(sandbox)
    yield service
    service.stop()


@pytest.fixture(scope="module")
def spec() -> dict[str, Any]:
    return guide()


def failed(service: Service, phase: str) -> dict[str, Any]:
    """Waits for FAILED and returns the phase's error."""
    service.reach("FAILED", seconds=180)
    found = service.phases()[phase]
    assert found["state"] == "failed"
    error: dict[str, Any] = found["error"]
    return error


def started(service: Service) -> Counter[tuple[str, str]]:
    """How often each step of each phase was started."""
    return Counter((event["phase"], event["step"]) for event in service.events() if event["kind"] == "step.started")


def retry(service: Service) -> None:
    answer = service.http.post("/v1/installations/dbos-conductor:retry", json={})
    assert answer.status_code == 202, answer.text


def test_three_phases_fail_and_each_retry_runs_only_the_failed_step_again(
    sandbox: Sandbox, service: Service, spec: dict[str, Any]
) -> None:
    sandbox.fault(match="ec2:CreateNatGateway", kind="error", code="UnauthorizedOperation", status=403, times=99)
    service.create(spec).raise_for_status()

    error = failed(service, "egress")
    assert (error["code"], error["fault"], error["step"]) == ("AWS_ACCESS_DENIED", "user", "egress.ensure_nat_gateway")
    assert "CreateNatGateway" in error["message"] + error["remedy"]
    before = started(service)
    sandbox.clear_faults()
    break_pods(sandbox, {"dbosdev/conductor": "ImagePullBackOff"})
    retry(service)

    error = failed(service, "conductor")
    assert (error["code"], error["retryable"]) == ("IMAGE_PULL_FAILED", True)
    assert error["remedy"]
    again = started(service) - before
    assert again["egress", "egress.ensure_nat_gateway"] == 1
    assert again["egress", "egress.ensure_address"] == 0
    before = started(service)
    sandbox.clear_faults()
    break_pods(sandbox, {"/dbos-app": "CrashLoopBackOff"})
    retry(service)

    error = failed(service, "app")
    assert (error["code"], error["step"]) == ("WORKLOAD_FAILED", "app.await_app")
    again = started(service) - before
    assert again["conductor", "conductor.await_conductor"] == 1
    assert again["conductor", "conductor.ensure_conductor"] == 0
    break_pods(sandbox, {})
    retry(service)

    service.reach("READY")
    attempts = {name: phase["attempt"] for name, phase in service.phases().items()}
    assert {name for name, attempt in attempts.items() if attempt > 1} == {"egress", "conductor", "app"}


def break_pods(sandbox: Sandbox, faults: dict[str, str]) -> None:
    """Tells the node agents to let pods with images of these patterns fail; an empty dictionary mends them."""
    for agent in directories(sandbox.home):
        agent.mkdir(parents=True, exist_ok=True)
        (agent / "faults.json").write_text(json.dumps(faults))


def directories(home: Path) -> list[Path]:
    return [cluster / "nodes" for cluster in (home / "clusters").iterdir()]
