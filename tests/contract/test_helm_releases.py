"""What Podium asks of helm, on both API servers: the stand-in on each, the real helm on the real one.

The chart is a folder of plain manifests, since the stand-in renders no Go templates. How the real helm is killed in the
middle and what comes of it is tests/cluster/test_helm_repairs.py's matter: here its traces are written by hand.
"""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.control_plane.binaries.build import programs
from sandbox.helm.archives import Files, archive_name, metadata_of, pack
from sandbox.helm.registry import Registry
from sandbox.helm.releases import decode, encode
from sandbox.helm.repository import Repository, write_index
from sandbox.helm.serving import Site, served
from sandbox.helm.wrapper import write_wrapper
from steps import chart_releases, charts
from steps.clients.helm import HISTORY, ChartReference, Helm
from steps.clients.kubernetes import Kube
from steps.errors import TransientError
from steps.names import Owner
from steps.reporting import heard
from tests.contract.server import ApiServer

OWNER = Owner("contract", "operation-1")
NAME = NAMESPACE = "keda"
LOGIN = ("robot", "p@ss: word")
REAL = "PODIUM_CONTRACT_KUBECONFIG" in os.environ


def chart(version: str, **data: str) -> Files:
    """A chart in KEDA's place with one ConfigMap, one object that helm is to keep, and a definition with `data`."""
    settings = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "settings"}, "data": data}
    kept = {"helm.sh/resource-policy": "keep"}
    keep = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "kept", "annotations": kept}}
    return {
        "Chart.yaml": yaml.safe_dump({"apiVersion": "v2", "name": NAME, "version": version, "appVersion": "1"}),
        "templates/settings.yaml": yaml.safe_dump(settings),
        "templates/kept.yaml": yaml.safe_dump(keep),
        "crds/scaledjobs.yaml": yaml.safe_dump(definition(sorted(data))),
    }


def definition(fields: list[str]) -> dict[str, Any]:
    spec = {"type": "object", "properties": {field: {"type": "string"} for field in fields}}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "scaledjobs.keda.sh"},
        "spec": {
            "group": "keda.sh",
            "scope": "Namespaced",
            "names": {"kind": "ScaledJob", "plural": "scaledjobs", "singular": "scaledjob"},
            "versions": [{"name": "v1alpha1", "served": True, "storage": True, "schema": schema}],
        },
    }


@dataclass
class World:
    """One cluster, one helm, one repository."""

    kube: Kube
    helm: Helm
    folder: Path
    repository: str = ""

    def offer(self, version: str, **data: str) -> None:
        """Put that version into the repository."""
        files = chart(version, **data)
        (self.folder / archive_name(metadata_of(files))).write_bytes(pack(NAME, files))
        write_index(self.folder)

    def ensure(self, version: str, **values: Any) -> dict[str, Any]:
        """As a step does it: again while a definition that an earlier test deleted is slow to go."""
        choice, deadline = charts.Choice(self.repository, version, values), time.monotonic() + 120
        while True:
            try:
                return charts.ensure_release(self.kube, OWNER, NAME, choice, helm=self.helm, patience_seconds=0.1)
            except TransientError as error:
                if "CustomResourceDefinition" not in error.message or time.monotonic() > deadline:
                    raise

    def pull(self, repository: str, login: tuple[str, str] = ("", "")) -> bytes:
        with self.helm.pulled(ChartReference(NAME, repository, "1.0.0", *login, in_clear=True)) as archive:
            return archive.read_bytes()

    def history(self) -> dict[int, str]:
        found = chart_releases.history(self.kube, charts.CHARTS[NAME])
        return {chart_releases.revision_of(each): chart_releases.status_of(each) for each in found}

    def leave(self, revision: int, status: str) -> None:
        """As a helm that was killed leaves a revision."""
        name = f"sh.helm.release.v1.{NAME}.v{revision}"
        secret = self.kube.get("Secret", name, NAMESPACE)
        assert secret is not None
        release = decode(secret["data"]["release"])
        release["info"]["status"] = status
        changes = {"metadata": {"labels": {"status": status}}, "data": {"release": encode(release)}}
        self.kube.patch("Secret", name, NAMESPACE, changes)

    def settings(self) -> dict[str, str]:
        found = self.kube.get("ConfigMap", "settings", NAMESPACE)
        return {} if found is None else dict(found["data"])

    def clean(self) -> None:
        for secret in self.kube.list("Secret", NAMESPACE, labels={"owner": "helm"}):
            self.kube.delete("Secret", secret["metadata"]["name"], NAMESPACE)
        for name in ("settings", "kept", "podium-release-keda"):
            self.kube.delete("ConfigMap", name, NAMESPACE)
        self.kube.delete("CustomResourceDefinition", "scaledjobs.keda.sh")


@pytest.fixture(params=["stand-in", *(["real"] if REAL else [])])
def helm(request: pytest.FixtureRequest, server: ApiServer, tmp_path: Path) -> Helm:
    if request.param == "stand-in":
        return Helm(str(write_wrapper(tmp_path / "bin")))
    if str(server.kubeconfig) != os.environ["PODIUM_CONTRACT_KUBECONFIG"]:
        pytest.skip("the real helm is tried on the real API server")
    return Helm(str(programs()["helm"]))


@pytest.fixture(scope="module")
def kube(server: ApiServer) -> Iterator[Kube]:
    """Podium's own client; in the end the namespace of the releases goes."""
    config = yaml.safe_load(server.kubeconfig.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    client = Kube(cluster["server"], cluster["certificate-authority-data"], lambda: str(user["token"]))
    yield client
    client.delete("Namespace", NAMESPACE)
    deadline = time.monotonic() + 60
    while client.get("Namespace", NAMESPACE) and time.monotonic() < deadline:
        time.sleep(0.2)
    client.close()


@pytest.fixture
def world(kube: Kube, helm: Helm, tmp_path: Path) -> Iterator[World]:
    made = World(kube, helm, tmp_path / "charts")
    made.folder.mkdir()
    made.offer("1.0.0", a="1")
    made.offer("2.0.0", a="2", b="2")
    with served(Repository(made.folder)) as address:
        made.repository = f"http://{address}"
        yield made
    made.clean()


def test_a_chart_is_installed_once_and_upgraded_with_its_definitions(world: World) -> None:
    first = world.ensure("1.0.0")
    assert first == {"release": NAME, "version": "1.0.0", "revision": 1}
    assert world.ensure("1.0.0") == first
    assert world.ensure("2.0.0")["revision"] == 2
    assert world.history() == {1: "superseded", 2: "deployed"}
    assert world.settings() == {"a": "2", "b": "2"}
    found = world.kube.get("CustomResourceDefinition", "scaledjobs.keda.sh")
    assert found is not None
    schema = found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert set(schema["properties"]["spec"]["properties"]) == {"a", "b"}


def test_what_helm_says_is_reported(world: World) -> None:
    with heard() as lines:
        world.ensure("1.0.0")
        world.ensure("2.0.0")
    assert 'Release "keda" does not exist. Installing it now.' in lines
    assert 'Release "keda" has been upgraded. Happy Helming!' in lines
    assert {"STATUS: deployed", "REVISION: 2"} <= set(lines)


@pytest.mark.parametrize("status", ["pending-install", "failed", "superseded"])
def test_a_first_revision_that_was_left_behind_is_gone_on_from(world: World, status: str) -> None:
    world.ensure("1.0.0")
    world.kube.delete("ConfigMap", "settings", NAMESPACE)
    world.leave(1, status)
    assert world.ensure("2.0.0")["revision"] == (3 if status == "pending-install" else 2)
    assert world.settings() == {"a": "2", "b": "2"}


@pytest.mark.parametrize("status", ["pending-upgrade", "pending-rollback", "failed"])
def test_a_later_revision_that_was_left_behind_is_rolled_back_first(world: World, status: str) -> None:
    world.ensure("1.0.0")
    world.ensure("2.0.0")
    world.leave(1, "deployed")
    world.leave(2, status)
    assert world.ensure("2.0.0")["revision"] == 4
    assert list(world.history().values())[2:] == ["superseded", "deployed"]


def test_an_uninstall_that_was_interrupted_is_finished_first(world: World) -> None:
    world.ensure("1.0.0")
    world.leave(1, "uninstalling")
    assert world.ensure("2.0.0")["revision"] == 1
    assert world.settings() == {"a": "2", "b": "2"}


def test_an_uninstall_leaves_definitions_and_what_is_to_be_kept(world: World) -> None:
    world.ensure("1.0.0")
    said = world.helm.uninstall(world.kube, NAME, NAMESPACE, wait=True)
    assert 'release "keda" uninstalled' in said
    assert "[ConfigMap] kept" in said
    assert (world.history(), world.settings()) == ({}, {})
    assert world.kube.get("ConfigMap", "kept", NAMESPACE) is not None
    assert world.kube.get("CustomResourceDefinition", "scaledjobs.keda.sh") is not None
    world.helm.uninstall(world.kube, NAME, NAMESPACE)


def test_a_definition_that_is_being_deleted_is_waited_for(world: World) -> None:
    """What is applied to it would go with it."""
    world.offer("1.0.0")
    world.ensure("1.0.0")
    kind, name = "CustomResourceDefinition", "scaledjobs.keda.sh"
    world.kube.patch(kind, name, None, {"metadata": {"finalizers": ["podium.test/held"]}})
    held = world.kube.get(kind, name)
    assert held is not None
    world.kube.delete(kind, name)
    with ThreadPoolExecutor(1) as pool:
        upgraded = pool.submit(world.ensure, "1.0.0", color="red")
        time.sleep(0.5)  # the step is to meet it while it goes; when it comes later, there is nothing to wait for
        world.kube.patch(kind, name, None, {"metadata": {"finalizers": None}})
        upgraded.result()
    made = world.kube.get(kind, name)
    assert made is not None
    assert made["metadata"]["uid"] != held["metadata"]["uid"]
    assert "deletionTimestamp" not in made["metadata"]


def test_the_history_is_bounded(world: World) -> None:
    for number in range(HISTORY + 1):
        world.ensure("1.0.0", round=number)
    assert sorted(world.history()) == list(range(2, HISTORY + 2))


def test_a_version_that_is_not_there_is_said_so(world: World) -> None:
    with pytest.raises(TransientError, match=r'chart "keda" version "9\.9\.9" not found in http'):
        world.ensure("9.9.9")


def test_a_repository_that_is_away_is_said_so(world: World) -> None:
    with pytest.raises(TransientError, match="not a valid chart repository or cannot be reached"):
        world.pull("http://127.0.0.1:9")


def _private(world: World, kind: str) -> Site:
    archives = sorted(world.folder.glob("*.tgz"))
    return Repository(world.folder, LOGIN) if kind == "http" else Registry("mirror/charts", archives, LOGIN)


@pytest.mark.parametrize("kind", ["http", "oci"])
def test_a_private_mirror_wants_its_credentials(world: World, kind: str) -> None:
    site = _private(world, kind)
    with served(site) as address:
        url = f"http://{address}" if kind == "http" else f"oci://{address}/mirror/charts"
        assert world.pull(url, LOGIN) == (world.folder / "keda-1.0.0.tgz").read_bytes()
        for login in (("", ""), ("robot", "canary")):
            with pytest.raises(TransientError, match=r"helm (pull|repo) failed") as caught:
                world.pull(url, login)
            assert "canary" not in caught.value.message
    assert site.requests


def test_a_registry_without_a_password_is_pulled_from(world: World) -> None:
    with served(Registry("", sorted(world.folder.glob("*.tgz")))) as address:
        world.repository = f"oci://{address}"
        assert world.ensure("2.0.0")["version"] == "2.0.0"
        with pytest.raises(TransientError, match="helm pull failed"):
            world.ensure("9.9.9")
