"""One suite over both API servers: the sandbox's stand-in always, the real kube-apiserver where there is one.

`python -m tests.cluster` starts a real control plane and names its administrator's kubeconfig in
PODIUM_CONTRACT_KUBECONFIG. All tests share a server, so each has a namespace of its own.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.contract.backend import Backend, serving
from tests.contract.kube import Kube, unique
from tests.contract.server import ApiServer, StandIn

REAL = os.environ.get("PODIUM_CONTRACT_KUBECONFIG", "")


@pytest.fixture(scope="session")
def backend() -> Iterator[Backend]:
    """Stands for AWS behind the stand-in; has no answers unless a test gives some."""
    with serving("127.0.0.1") as started:
        yield started


@pytest.fixture(scope="session", params=["stand-in", *(["real"] if REAL else [])])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, backend: Backend
) -> Iterator[ApiServer]:
    """The API server that the test is about."""
    if request.param == "real":
        yield ApiServer(Path(REAL))
        return
    started = StandIn(tmp_path_factory.mktemp("cluster"), backend.url)
    started.start()
    yield started
    started.stop()


@pytest.fixture(scope="session")
def client(server: ApiServer) -> Iterator[httpx2.Client]:
    """The administrator's HTTP client."""
    with server.client() as opened:
        yield opened


@pytest.fixture
def kube(client: httpx2.Client) -> Kube:
    """A fresh namespace, with the ServiceAccount that pods need."""
    name = unique("test")
    client.post("/api/v1/namespaces", json={"metadata": {"name": name}}).raise_for_status()
    fresh = Kube(client, name)
    fresh.until(lambda: fresh.find("serviceaccounts", "default"))
    return fresh
