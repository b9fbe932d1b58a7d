from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.world import make_tables, runtime_on
from workflows.runtime import Runtime


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tables(tmp_path_factory.mktemp("tables"))


@pytest.fixture
def runtime(tables: Path, tmp_path: Path) -> Iterator[Runtime]:
    with runtime_on(tables, tmp_path) as runtime:
        yield runtime
