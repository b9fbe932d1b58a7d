"""Drift and repair over the real ledger and control; AWS and the cluster cannot be reached from here."""

import json
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from rich.console import Console

from service.cli import drifting
from tests.service.test_api import DENIED, SMALLEST, problem
from tests.service.test_cli import home, podium  # noqa: F401 - a fixture
from tests.service.world import Story

PATH = "/v1/installations/dbos-conductor"
IN_SYNC: dict[str, Any] = {
    "name": "dbos-conductor",
    "checked_at": "2026-01-01T00:00:00Z",
    "in_sync": True,
    "differences": [],
    "not_compared": [{"phase": "migration", "why": "It has run."}],
    "unreadable": [],
    "truncated": False,
}
DIFFERENCE: dict[str, Any] = {
    "phase": "console",
    "kind": "changed",
    "resource": {"type": "Deployment", "name": "dbos/console"},
    "field": "spec.replicas",
    "expected": 1,
    "found": 3,
    "message": "spec.replicas of Deployment dbos/console is not as it was applied.",
    "remedy": "podium repair brings it back.",
}


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """An AWS without credentials: nothing is sent."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def test_drift_of_nothing_is_not_found(client: TestClient) -> None:
    problem(client.get(f"{PATH}/drift"), 404, "NOT_FOUND")
    problem(client.post(f"{PATH}:repair"), 404, "NOT_FOUND")


def test_drift_while_an_operation_runs_is_a_conflict(client: TestClient) -> None:
    client.post("/v1/installations", json=SMALLEST)
    problem(client.get(f"{PATH}/drift"), 409, "OPERATION_IN_PROGRESS")
    problem(client.post(f"{PATH}:repair"), 409, "OPERATION_IN_PROGRESS")


def test_drift_before_anything_was_made_says_what_to_do(client: TestClient, story: Story) -> None:
    story.fail("preflight", DENIED)
    found = problem(client.get(f"{PATH}/drift"), 409, "NOTHING_APPLIED")
    assert ":retry" in found["remedy"]


@pytest.mark.usefixtures("nowhere")
def test_an_aws_that_cannot_be_asked_is_told_phase_by_phase_and_begins_no_repair(
    client: TestClient, story: Story
) -> None:
    story.finish_all()
    found = client.get(f"{PATH}/drift")
    assert found.status_code == 200, found.text
    report = found.json()
    assert (report["in_sync"], report["differences"]) == (False, [])
    codes = {one["phase"]: one["code"] for one in report["unreadable"]}
    assert codes["identity"] == "AWS_CREDENTIALS_MISSING"
    assert all(one["remedy"] for one in report["unreadable"])
    repair = client.post(f"{PATH}:repair")
    assert (repair.status_code, repair.json()["in_sync"]) == (200, False)
    assert client.get(PATH).json()["operation"]["id"] == story.operation.id


@pytest.mark.usefixtures("nowhere")
def test_the_command_line_ends_with_3_when_not_in_sync(
    home: Path,  # noqa: F811 - the fixture
    story: Story,
    capsys: pytest.CaptureFixture[str],
) -> None:
    story.finish_all()
    assert podium("drift", "dbos-conductor", "--home", str(home), "--json") == 3
    assert json.loads(capsys.readouterr().out)["in_sync"] is False
    assert podium("repair", "dbos-conductor", "--yes", "--home", str(home)) == 3
    assert "Not looked at identity" in capsys.readouterr().out


def shown(report: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> str:
    drifting.show(Console(highlight=False, width=200), report)
    return capsys.readouterr().out


def test_the_command_line_shows_what_differs(capsys: pytest.CaptureFixture[str]) -> None:
    assert "is as it was applied" in shown(IN_SYNC, capsys)
    ready = {"phase": "addons", "kind": "unready", "resource": {"type": "Phase", "name": "addons"}, "field": None}
    waits = DIFFERENCE | ready | {"message": "EKS says coredns is UPDATING"}
    text = shown(IN_SYNC | {"in_sync": False, "differences": [DIFFERENCE, waits]}, capsys)
    row = next(line for line in text.splitlines() if line.startswith("console"))
    assert row.split() == ["console", "changed", "Deployment", "dbos/console", "spec.replicas", "1", "3"]
    assert "EKS says coredns is UPDATING" in text
    assert "Not compared: migration" in text
    assert text.count("podium repair brings it back.") == 1
