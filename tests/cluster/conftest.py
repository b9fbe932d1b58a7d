"""What the tests share: the programs, one real control plane, a client of it, an agent that runs pods.

`python -m tests.cluster` starts the control plane in a private network and names its kubeconfig; without it there is
nothing to run these tests on, so plain pytest does not collect them.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.control_plane.binaries.build import programs as programs_there
from sandbox.processes import free_port, spawn, stop
from steps.clients.kubernetes import Kube
from tests.cluster.installs import answers
from tests.cluster.planes import ROOT, Plane, until
from tests.e2e.harness import Program

KUBECONFIG = os.environ.get("PODIUM_CONTRACT_KUBECONFIG", "")
APP_PYTHON = ROOT / ".venv" / "dbos-app" / "bin" / "python"
NODE = "ip-10-0-1-10.us-west-2.compute.internal"

collect_ignore_glob = [] if KUBECONFIG else ["test_*.py"]


def pytest_report_header() -> str:
    """Says why nothing is collected, to whoever names this folder to pytest."""
    return "" if KUBECONFIG else "tests/cluster runs by: python -m tests.cluster [pytest arguments]"


@pytest.fixture(scope="session")
def programs() -> dict[str, Path]:
    """The real programs: kube-apiserver, etcd, helm, sealed-secrets-controller and so on."""
    return programs_there()


@pytest.fixture(scope="session")
def control_plane() -> Plane:
    """The real control plane that all tests share; each has a namespace of its own in it."""
    return Plane(Path(KUBECONFIG).parent)


@pytest.fixture
def kube(control_plane: Plane) -> Iterator[Kube]:
    """Podium's own client, as the cluster's administrator."""
    client = control_plane.client()
    yield client
    client.close()


@pytest.fixture(scope="session")
def nodes(control_plane: Plane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of an agent with one ready node in the shared control plane. Not for two test processes at once."""
    folder = tmp_path_factory.mktemp("nodes")
    command = [
        sys.executable,
        "-m",
        "sandbox.nodes",
        "--kubeconfig",
        str(control_plane.kubeconfig),
        "--dir",
        str(folder),
    ]
    command += ["--node", NODE, "--app-python", str(APP_PYTHON), "--speed", "max", "--parent-pipe", "--pod-network"]
    command += ["--real-images", "--kubelet-client-ca", str(control_plane.directory / "ca.crt")]
    agent = spawn(command, log=folder / "agent.log", cwd=ROOT)
    client = control_plane.client()
    try:
        until(lambda: agent.poll() is not None or _ready(client), 60)
        assert agent.poll() is None, (folder / "agent.log").read_text()[-3000:]
        yield folder
    finally:
        client.close()
        stop(agent)


def _ready(kube: Kube) -> bool:
    node = kube.get("Node", NODE)
    conditions = {each["type"]: each["status"] for each in (node or {}).get("status", {}).get("conditions", [])}
    return conditions.get("Ready") == "True"


@pytest.fixture(scope="session")
def chart_repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a repository of the three charts, made here: sealed-secrets is the project's own."""
    folder, port = tmp_path_factory.mktemp("charts"), free_port()
    arguments = ["sandbox.helm.repository", "--dir", str(folder), "--port", str(port), "--build"]
    program = Program(arguments, folder / "repository.out", {})
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: program.alive() and answers(f"{url}/index.yaml"), 60)
        yield url
    finally:
        program.stop()
