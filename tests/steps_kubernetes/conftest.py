"""A Kubernetes API and a Secrets Manager that record, and clients of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from steps.clients.aws import Aws, AwsTarget
from steps.clients.kubernetes import Kube
from steps.clients.kubernetes.permissions import OWN
from steps.names import Owner
from tests.steps_kubernetes.authorization import allows, asked_of, created_by_apply
from tests.steps_kubernetes.recorded_api import REVIEWS, RecordedApi
from tests.steps_kubernetes.recorded_secrets import RecordedSecrets

OWNER = Owner("dbos-conductor", "operation-1")
NEVER_CREATED = created_by_apply(asked_of("PATCH", "/api/v1/namespaces/dbos/pods/a"))
"""Pods are annotated, never applied."""


@pytest.fixture
def api(tmp_path: Path) -> Iterator[RecordedApi]:
    """Every call that a test makes must be one that the documented role allows."""
    recorded = RecordedApi(tmp_path)
    yield recorded
    recorded.close()
    asked = {asked_of(*call.split(" ", 1)) for call in recorded.calls if REVIEWS not in call}
    asked |= {created_by_apply(each) for each in asked if each.verb == "patch"} - {NEVER_CREATED}
    unlisted = sorted(str(each) for each in asked if not allows(OWN.rules, each))
    assert not unlisted, f"calls that steps/clients/kubernetes/permissions.py does not list: {unlisted}"


@pytest.fixture
def kube(api: RecordedApi) -> Iterator[Kube]:
    client = Kube(api.endpoint, api.ca_data, lambda: "token", pauses=(0.01, 0.01))
    yield client
    client.close()


@pytest.fixture
def owner() -> Owner:
    return OWNER


@pytest.fixture
def secrets() -> Iterator[RecordedSecrets]:
    recorded = RecordedSecrets()
    yield recorded
    recorded.close()


@pytest.fixture
def aws(secrets: RecordedSecrets, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    monkeypatch.setenv("AWS_ENDPOINT_URL", secrets.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    client = Aws(AwsTarget("us-west-2"))
    yield client
    client.close()
