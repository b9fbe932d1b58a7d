"""A Kubernetes API that records, a client of it, and a clock for statuses."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from steps.clients.kubernetes import Kube
from steps.names import Owner
from tests.steps_kubernetes.recorded_api import RecordedApi

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
