"""AWS credentials that expire in the middle of an install: it waits, can be cancelled, and goes on by itself."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.e2e.harness import Sandbox, Service, guide, until

pytestmark = pytest.mark.e2e

KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


class Owner:
    """A service whose credentials are in a shared file, as those of a profile."""

    def __init__(self, home: Path) -> None:
        self.sandbox = Sandbox(home)
        self.file = home / "credentials"
        self.own = self.sandbox.env["AWS_ACCESS_KEY_ID"]
        self.give(self.own)
        nothing = dict.fromkeys(KEYS, "")
        self.service = Service(self.sandbox, **nothing, AWS_SHARED_CREDENTIALS_FILE=str(self.file))

    def give(self, key: str) -> None:
        secret = self.sandbox.env["AWS_SECRET_ACCESS_KEY"]
        text = f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
        self.file.write_text(text)

    def state(self, key: str, state: str) -> None:
        control = f"{self.sandbox.env['SANDBOX_CONTROL_URL']}/credentials"
        httpx2.post(control, json={"access_key": key, "state": state}).raise_for_status()

    def waiting(self) -> dict[str, dict[str, Any]]:
        """What each WAITING phase waits for."""
        return {name: one["waiting"] for name, one in self.service.phases().items() if one["state"] == "waiting"}

    def close(self) -> None:
        self.service.stop()
        self.sandbox.stop()


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[Owner]:
    owner = Owner(tmp_path)
    try:
        yield owner
    finally:
        owner.close()


def test_expired_credentials_are_waited_for_and_new_ones_are_found(owner: Owner) -> None:
    service = owner.service
    service.create(guide()).raise_for_status()
    until(lambda: service.phases()["network"]["state"] == "succeeded", "the VPC is there", 60)
    owner.state(owner.own, "expired")
    found = service.reach("WAITING", seconds=30)
    assert found["operation"]["state"] == "WAITING"
    needs = until(owner.waiting, "a phase waits", 10)
    assert {one["code"] for one in needs.values()} == {"AWS_CREDENTIALS_EXPIRED"}
    assert all("get-caller-identity" in one["how"] for one in needs.values())

    began = time.monotonic()
    assert service.http.post("/v1/installations/dbos-conductor:cancel", json={}).status_code == 202
    service.reach("CANCELLED", seconds=2)
    assert time.monotonic() - began < 2
    assert service.http.post("/v1/installations/dbos-conductor:retry", json={}).status_code == 202
    service.reach("WAITING", seconds=30)

    fresh = "AKIAFRESHFRESHFRESH0"
    owner.state(fresh, "valid")
    owner.give(fresh)
    service.reach("PROVISIONING", "READY", seconds=30)
    until(lambda: service.phases()["identity"]["state"] == "succeeded", "it goes on", 30)
    assert {phase["attempt"] for phase in service.phases().values()} == {1}
    assert not [event for event in service.events() if event["kind"] in ("step.failed", "step.repeated")]
    assert any(call["access_key"] == fresh for call in owner.sandbox.calls())
