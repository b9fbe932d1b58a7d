from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from fastapi import FastAPI
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests.service.world import KEY, Story, make_tables, runtime_on
from workflows.runtime import Runtime

URL = "http://127.0.0.1:8400"


@pytest.fixture(autouse=True)
def _logged_by_pytest() -> Iterator[None]:
    """Through stdlib's loggers, which pytest captures; structlog alone prints to stdout."""
    structlog.configure(
        processors=[structlog.stdlib.add_log_level, structlog.stdlib.render_to_log_kwargs],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tables(tmp_path_factory.mktemp("tables"))


@pytest.fixture
def runtime(tables: Path, tmp_path: Path) -> Iterator[Runtime]:
    with runtime_on(tables, tmp_path) as runtime:
        yield runtime


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("PODIUM_API_KEY", KEY)
    monkeypatch.setenv("PODIUM_URL", URL)
    return Settings()


@pytest.fixture
def app(runtime: Runtime, settings: Settings) -> FastAPI:
    return create_app(runtime, settings)


@pytest.fixture
def anonymous(app: FastAPI) -> TestClient:
    return TestClient(app, base_url=URL, raise_server_exceptions=False)


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    headers = {"Authorization": f"Bearer {KEY}"}
    return TestClient(app, base_url=URL, headers=headers, raise_server_exceptions=False)


@pytest.fixture
def story(runtime: Runtime) -> Story:
    return Story(runtime)
