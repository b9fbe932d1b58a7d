"""Three phases made to fail on a real control plane, each retried: the test of tests/e2e, on this module's sandbox."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.installs import REAL, charts
from tests.e2e.harness import Sandbox, Service, guide
from tests.e2e.test_retries import (  # noqa: F401 - on this module's fixtures
    test_three_phases_fail_and_each_retry_runs_only_the_failed_step_again,
)

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    sandbox = Sandbox(tmp_path_factory.mktemp("retries"), **REAL)
    yield sandbox
    sandbox.stop()


@pytest.fixture(scope="module")
def service(sandbox: Sandbox, programs: dict[str, Path]) -> Iterator[Service]:
    service = Service(sandbox, PODIUM_HELM=str(programs["helm"]))
    yield service
    service.stop()


@pytest.fixture(scope="module")
def spec(chart_repository: str) -> dict[str, Any]:
    return guide(charts=charts(chart_repository))
