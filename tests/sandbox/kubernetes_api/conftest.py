"""The stand-in's own insides; what it has in common with Kubernetes is in tests/contract."""

from collections.abc import Iterator

import httpx2
import pytest

from tests.contract.backend import Backend, serving
from tests.contract.kube import Kube, unique
from tests.contract.server import StandIn


@pytest.fixture(scope="session")
def backend() -> Iterator[Backend]:
    """AWS, a kubelet or an application, as the test needs."""
    with serving("127.0.0.1") as started:
        yield started


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, backend: Backend) -> Iterator[StandIn]:
    """The shared server."""
    started = StandIn(tmp_path_factory.mktemp("cluster"), backend.url)
    started.start()
    yield started
    started.stop()


@pytest.fixture(scope="session")
def client(server: StandIn) -> Iterator[httpx2.Client]:
    """The administrator's HTTP client."""
    with server.client() as opened:
        yield opened


@pytest.fixture
def kube(client: httpx2.Client) -> Kube:
    """A fresh namespace."""
    name = unique("test")
    client.post("/api/v1/namespaces", json={"metadata": {"name": name}}).raise_for_status()
    return Kube(client, name)
