"""One API server with its controllers for all tests here, as the process that the sandbox runs."""

import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.helm.kube import Kube
from sandbox.helm.kubeconfig import read_access
from sandbox.processes import free_port, spawn, stop, wait_until_listening
from tests.sandbox.helm.command import HelmCommand


@pytest.fixture(scope="session")
def cluster_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory of a running cluster."""
    directory = tmp_path_factory.mktemp("cluster")
    port = free_port()
    arguments = ["--cluster", "test", "--account", "123456789012", "--region", "us-west-2", "--speed", "max"]
    arguments += ["--dir", str(directory), "--port", str(port), "--aws-endpoint", "http://127.0.0.1:1"]
    command = [sys.executable, "-m", "sandbox.kubernetes", *arguments, "--parent-pipe"]
    process = spawn(command, log=directory / "kubernetes.log")
    try:
        wait_until_listening(port, process, 20)
        yield directory
    finally:
        stop(process)


@pytest.fixture(scope="session")
def kubeconfig(cluster_dir: Path) -> str:
    """The cluster's admin kubeconfig."""
    return str(cluster_dir / "admin.kubeconfig")


@pytest.fixture
def kube(kubeconfig: str) -> Iterator[Kube]:
    """A client of the cluster."""
    with Kube(read_access(kubeconfig)) as client:
        yield client


@pytest.fixture
def helm(kubeconfig: str, kube: Kube) -> Iterator[HelmCommand]:
    """helm, in a namespace of the test's own that goes with everything in it."""
    namespace = f"test-{uuid.uuid4().hex[:8]}"
    yield HelmCommand(kubeconfig, namespace)
    kube.delete("Namespace", "", namespace)
    for kind in ("IngressClass", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"):
        for obj in kube.list(kind, "", {"app.kubernetes.io/managed-by": "Helm"}):
            kube.delete(kind, "", obj["metadata"]["name"])
