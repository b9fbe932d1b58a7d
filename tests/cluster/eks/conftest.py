"""An AWS stand-in that knows one EKS cluster, and that cluster's real control plane, with an agent that runs pods."""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.processes import spawn, stop
from steps.clients.kubernetes import Kube
from tests.cluster.planes import ROOT, Plane, until
from tests.sandbox.aws.standin import Network, StandIn, make_network, make_role
from tests.sandbox.aws.test_eks import create_cluster, status

NODE = "ip-192-168-1-10.us-west-2.compute.internal"
APP_PYTHON = ROOT / ".venv" / "dbos-app" / "bin" / "python"

collect_ignore_glob = [] if os.environ.get("PODIUM_CONTRACT_KUBECONFIG") else ["test_*.py"]


@pytest.fixture(scope="session")
def standin() -> Iterator[StandIn]:
    with tempfile.TemporaryDirectory(prefix="cluster-eks-") as folder:
        aws = StandIn(Path(folder)).start()
        yield aws
        assert aws.stop() == 0, (aws.home / "aws.log").read_text()[-3000:]


@pytest.fixture
def aws(standin: StandIn) -> Iterator[StandIn]:
    """The shared stand-in, without faults of an earlier test."""
    yield standin
    standin.control("DELETE", "/faults")


@pytest.fixture(scope="session")
def network(standin: StandIn) -> Network:
    """Its public subnets are marked for load balancers."""
    made = make_network(standin)
    tags = [{"Key": "kubernetes.io/role/elb", "Value": "1"}]
    standin.client("ec2").create_tags(Resources=made.public, Tags=tags)
    return made


@pytest.fixture(scope="session")
def control_plane(standin: StandIn, network: Network) -> Iterator[Plane]:
    """EKS cluster `one`: its entry in AWS, and the processes behind it."""
    create_cluster(standin, {"cluster": make_role(standin, "eks", "eks.amazonaws.com")}, network)
    until(lambda: status(standin) == "ACTIVE")
    with tempfile.TemporaryDirectory(prefix="cluster-plane-") as folder:
        plane = Plane(Path(folder))
        plane.start(name="one", aws_endpoint=f"http://127.0.0.1:{standin.port}")
        yield plane
        assert plane.stop() == 0


@pytest.fixture(scope="session")
def nodes(control_plane: Plane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of an agent with one node."""
    folder = tmp_path_factory.mktemp("nodes")
    command = [sys.executable, "-m", "sandbox.nodes", "--kubeconfig", str(control_plane.kubeconfig)]
    command += ["--dir", str(folder), "--node", NODE, "--nodegroup", "default", "--app-python", str(APP_PYTHON)]
    command += ["--speed", "max", "--pod-network", "--parent-pipe"]
    agent = spawn(command, log=folder / "agent.log", cwd=ROOT)
    kube = control_plane.client()
    until(lambda: agent.poll() is not None or _ready(kube), 60)
    kube.close()
    assert agent.poll() is None, (folder / "agent.log").read_text()[-3000:]
    yield folder
    assert stop(agent) == 0, (folder / "agent.log").read_text()[-3000:]


def _ready(kube: Kube) -> bool:
    node = kube.get("Node", NODE) or {}
    conditions = (node.get("status") or {}).get("conditions") or []
    return any((each["type"], each["status"]) == ("Ready", "True") for each in conditions)
