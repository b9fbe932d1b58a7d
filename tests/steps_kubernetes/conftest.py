"""A Kubernetes API and a Secrets Manager that record, and clients of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from steps.clients.aws import Aws, AwsTarget
from steps.clients.kubernetes import Kube
from steps.names import Owner
from tests.steps_kubernetes.recorded_api import RecordedApi
from tests.steps_kubernetes.recorded_secrets import RecordedSecrets

OWNER = Owner("dbos-conductor", "operation-1")


@pytest.fixture
def api(tmp_path: Path) -> Iterator[RecordedApi]:
    recorded = RecordedApi(tmp_path)
    yield recorded
    recorded.close()


@pytest.fixture
def kube(api: RecordedApi) -> Iterator[Kube]:
    client = Kube(api.endpoint, api.ca_data, lambda: "token")
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
