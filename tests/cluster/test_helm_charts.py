"""The three charts of an installation on a real cluster by the real helm, from a repository on this machine."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from sandbox.control_plane.binaries.build import data_module
from sandbox.control_plane.binaries.recipes import DATA_MODULES
from sandbox.helm import packages
from sandbox.helm.repository import Repository
from sandbox.helm.serving import served
from steps import charts
from steps.clients.helm import Helm
from steps.clients.kubernetes import Kube
from steps.errors import TransientError
from steps.names import Owner
from tests.cluster.planes import until

OWNER = Owner("helm-charts", "operation-1")
SEALING_KEY = "sealed-secrets-key-test"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a repository with the three charts."""
    folder = tmp_path_factory.mktemp("charts")
    packages.build(folder)
    with served(Repository(folder)) as address:
        yield f"http://{address}"


@pytest.fixture
def helm(programs: dict[str, Path]) -> Helm:
    return Helm(str(programs["helm"]))


def install(kube: Kube, helm: Helm, repository: str, name: str) -> dict[str, object]:
    return charts.ensure_release(kube, OWNER, name, charts.Choice(repository), helm=helm)


def uninstall(kube: Kube, helm: Helm, name: str) -> None:
    patiently(lambda: charts.delete_release(kube, OWNER, helm, name))
    until(lambda: charts.await_release_deleted(kube, name) == {"deleted": True}, 60)


def patiently(call: Callable[[], object]) -> None:
    """As a step is run: again while the API server is getting to know a definition ("storage is (re)initializing")."""

    def done() -> bool:
        try:
            call()
        except TransientError:
            return False
        return True

    until(done)


def test_ingress_nginx_gets_podiums_values(kube: Kube, helm: Helm, repository: str) -> None:
    made = install(kube, helm, repository, "ingress-nginx")
    assert made == {"release": "ingress-nginx", "version": "4.15.1", "revision": 1}
    service = kube.get("Service", "ingress-nginx-controller", "ingress-nginx")
    assert service is not None
    assert service["spec"]["type"] == "LoadBalancer"
    assert service["metadata"]["annotations"][charts.ELB_IDLE_TIMEOUT] == "3600"
    charts.delete_release(kube, OWNER, helm, "ingress-nginx")

    def gone() -> bool:
        """There is no AWS here to take the load balancer away, which the Service's finalizer waits for."""
        kube.patch("Service", "ingress-nginx-controller", "ingress-nginx", {"metadata": {"finalizers": None}})
        return charts.await_release_deleted(kube, "ingress-nginx") == {"deleted": True}

    until(gone, 60)


def test_sealed_secrets_keeps_its_keys_while_anything_is_sealed_with_them(
    kube: Kube, helm: Helm, repository: str
) -> None:
    install(kube, helm, repository, "sealed-secrets")
    found = kube.get("Deployment", "sealed-secrets", "kube-system")
    assert found is not None
    image = found["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image == "docker.io/bitnami/sealed-secrets-controller:0.39.1"
    metadata = {"name": SEALING_KEY, "namespace": "kube-system", "labels": charts.SEALING_KEYS}
    kube.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata})
    sealed = {"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "spec": {"encryptedData": {"a": "AgA="}}}
    patiently(lambda: kube.apply(sealed | {"metadata": {"name": "somebodys", "namespace": "default"}}))
    uninstall(kube, helm, "sealed-secrets")
    assert kube.get("Secret", SEALING_KEY, "kube-system") is not None
    assert kube.get("SealedSecret", "somebodys", "default") is not None
    kube.delete("SealedSecret", "somebodys", "default")
    assert install(kube, helm, repository, "sealed-secrets")["revision"] == 1
    uninstall(kube, helm, "sealed-secrets")
    assert kube.get("Secret", SEALING_KEY, "kube-system") is None
    until(lambda: kube.get("CustomResourceDefinition", "sealedsecrets.bitnami.com") is None)


def test_kedas_definitions_outlive_it_while_anything_is_scaled(kube: Kube, helm: Helm, repository: str) -> None:
    install(kube, helm, repository, "keda")
    found = kube.get("CustomResourceDefinition", "scaledobjects.keda.sh")
    assert found is not None
    assert found["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    spec = {"scaleTargetRef": {"name": "web"}, "triggers": [{"type": "cpu", "metadata": {"value": "50"}}]}
    metadata = {"name": "somebodys", "namespace": "default"}
    scaled = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": metadata, "spec": spec}
    patiently(lambda: kube.apply(scaled))
    uninstall(kube, helm, "keda")
    assert kube.get("ScaledObject", "somebodys", "default") is not None
    assert install(kube, helm, repository, "keda")["revision"] == 1
    kube.delete("ScaledObject", "somebodys", "default")
    uninstall(kube, helm, "keda")
    for name in charts.CHARTS["keda"].definitions:
        until(lambda name=name: kube.get("CustomResourceDefinition", name) is None)  # type: ignore[misc]


def test_the_definitions_of_cert_manager_are_applied_as_they_are(kube: Kube) -> None:
    folder = data_module(*DATA_MODULES["cert-manager"]) / "deploy" / "crds"
    names = []
    for file in sorted(folder.glob("*.yaml")):
        definition = yaml.load(file.read_text(), Loader=yaml.CSafeLoader)
        kube.apply(definition)
        names.append(definition["metadata"]["name"])
    assert {"certificates.cert-manager.io", "clusterissuers.cert-manager.io"} <= set(names)
    for name in names:
        until(lambda name=name: "True" in _established(kube, name))  # type: ignore[misc]
        kube.delete("CustomResourceDefinition", name)
    until(lambda: not any(kube.get("CustomResourceDefinition", name) for name in names), 90)


def _established(kube: Kube, name: str) -> list[str]:
    found = kube.get("CustomResourceDefinition", name) or {}
    conditions = found.get("status", {}).get("conditions") or []
    return [str(each["status"]) for each in conditions if each["type"] == "Established"]
