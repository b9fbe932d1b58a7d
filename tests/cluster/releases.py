"""Releases of a small chart in KEDA's place: made by the product, broken by a real helm that is killed."""

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.helm.archives import Files, archive_name, metadata_of, pack
from sandbox.helm.releases import decode, encode
from sandbox.helm.repository import write_index
from steps import chart_crds, chart_releases, charts
from steps.clients.helm import Helm
from steps.clients.kubernetes import Kube, Object, kubeconfig
from steps.errors import TransientError
from steps.names import Owner
from tests.cluster.planes import in_this_network, until

NAME = NAMESPACE = "keda"
OWNER = Owner("helm-tests", "operation-1")
CHART = Path(__file__).parent / "charts" / "keda"
VERSIONS = ("1.0.0", "2.0.0")
DEFINITIONS = ("scaledobjects.keda.sh", "scaledjobs.keda.sh")
MADE = ("Deployment", "Service", "ConfigMap", "Job")


def package(folder: Path) -> None:
    """The chart in two versions and an index. In the second, each definition has one more field."""
    files: Files = {str(path.relative_to(CHART)): path.read_text() for path in CHART.rglob("*") if path.is_file()}
    field = "                size: {type: integer}\n"
    folder.mkdir(parents=True, exist_ok=True)
    for version in VERSIONS:
        made = {name: text.replace("version: 1.0.0", f"version: {version}") for name, text in files.items()}
        if version == VERSIONS[1]:
            made = {
                name: text.replace(field, f"{field}{field.replace('size', 'count')}") for name, text in made.items()
            }
        (folder / archive_name(metadata_of(made))).write_bytes(pack(NAME, made))
    write_index(folder)


@dataclass(frozen=True)
class Releases:
    """What the tests do with the one release of that chart."""

    kube: Kube
    binary: Path
    repository: str
    folder: Path

    def ensure(self, version: str = VERSIONS[0], patience: float = 0.1, **values: Any) -> dict[str, Any]:
        """What the step does."""
        choice = charts.Choice(self.repository, version, values)
        helm = Helm(str(self.binary))
        return charts.ensure_release(self.kube, OWNER, NAME, choice, helm=helm, patience_seconds=patience)

    def history(self) -> dict[int, str]:
        """Status by revision."""
        found = chart_releases.history(self.kube, charts.CHARTS[NAME])
        return {chart_releases.revision_of(each): chart_releases.status_of(each) for each in found}

    @contextmanager
    def stuck(self, status: str, version: str = VERSIONS[0], **values: Any) -> Iterator[int]:
        """The step, whose helm hangs in a release of that status: helm's process id. Killed when the block ends."""
        with ThreadPoolExecutor(1) as pool:
            step = pool.submit(self.ensure, version, **values)
            helm = self._hanging("upgrade", status, step.done)
            try:
                yield helm
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(helm, signal.SIGKILL)
                assert step.exception() is None or isinstance(step.exception(), TransientError)

    def kill_upgrade(self, status: str, version: str = VERSIONS[0], **values: Any) -> None:
        """Kill -9 the step's helm in the middle: the release is left with that status."""
        with self.stuck(status, version, **values):
            pass
        assert self.status == status

    def kill(self, *arguments: str, status: str) -> None:
        """Kill -9 a helm that a person has started, once its release has that status and it waits."""
        with tempfile.TemporaryDirectory() as folder:
            access = Path(folder) / "kubeconfig"
            access.write_text(kubeconfig(self.kube))
            command = [str(self.binary), *arguments, "--namespace", NAMESPACE, "--kubeconfig", str(access)]
            with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
                self._hanging(arguments[0], status, lambda: process.poll() is not None)
                process.kill()
        assert self.status == status

    def run(self, *arguments: str) -> None:
        """A helm that a person runs."""
        with tempfile.TemporaryDirectory() as folder:
            access = Path(folder) / "kubeconfig"
            access.write_text(kubeconfig(self.kube))
            command = [str(self.binary), *arguments, "--namespace", NAMESPACE, "--kubeconfig", str(access)]
            subprocess.run(command, check=True, capture_output=True)

    @property
    def status(self) -> str:
        """The newest revision's."""
        return list(self.history().values())[-1]

    def relabel(self, revision: int, status: str) -> None:
        """Give a revision another status, in its label and inside, as helm itself does it."""
        name = f"sh.helm.release.v1.{NAME}.v{revision}"
        secret = self.kube.get("Secret", name, NAMESPACE)
        assert secret is not None
        release = decode(secret["data"]["release"])
        release["info"]["status"] = status
        changes = {"metadata": {"labels": {"status": status}}, "data": {"release": encode(release)}}
        self.kube.patch("Secret", name, NAMESPACE, changes)

    def settings(self) -> dict[str, str]:
        """What the release's ConfigMap holds."""
        return dict(self.get("ConfigMap", "settings").get("data") or {})

    def get(self, kind: str, name: str) -> Object:
        found = self.kube.get(kind, name, NAMESPACE)
        assert found is not None, f"{kind} {name} is gone"
        return found

    def has(self, kind: str, name: str) -> bool:
        return self.kube.get(kind, name, NAMESPACE) is not None

    def make_object(self) -> str:
        """A custom resource that must survive; its uid."""
        made = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "spec": {"size": 1}}
        made["metadata"] = {"name": "precious", "namespace": NAMESPACE}
        return str(self.kube.apply(made)["metadata"]["uid"])

    def delete_definitions(self) -> bool:
        """What the step that uninstalls does last; again while the API server is still getting to know them."""
        while True:
            try:
                return chart_crds.delete_unused(self.kube, OWNER, charts.CHARTS[NAME])
            except TransientError:
                time.sleep(0.2)

    def clean(self) -> None:
        """Everything away, whatever state it is in; custom resources go with their definitions."""
        for kind in MADE:
            for found in self.kube.list(kind, NAMESPACE):
                name = found["metadata"]["name"]
                if found["metadata"].get("finalizers"):
                    self.kube.patch(kind, name, NAMESPACE, {"metadata": {"finalizers": None}})
                if name != "kube-root-ca.crt":
                    self.kube.delete(kind, name, NAMESPACE)
        for secret in self.kube.list("Secret", NAMESPACE, labels={"owner": "helm"}):
            self.kube.delete("Secret", secret["metadata"]["name"], NAMESPACE)
        for name in DEFINITIONS:
            self.kube.delete("CustomResourceDefinition", name)
        gone = 90  # seconds: a definition deleted just after it was made waits until the API server has served it
        until(lambda: not any(self.kube.get("CustomResourceDefinition", name) for name in DEFINITIONS), gone)

    def _hanging(self, verb: str, status: str, ended: Callable[[], bool]) -> int:
        """The process id of the helm that does that, once its release has the status and it waits for something."""
        until(lambda: ended() or (list(self.history().values())[-1:] == [status] and self._waits()))
        assert not ended(), f"helm ended: {self.history()}"
        [helm] = [process for process, command in in_this_network() if command.startswith(f"{self.binary} {verb}")]
        return helm

    def _waits(self) -> bool:
        """For a hook's Job, or for an object that does not go."""
        sticky = self.kube.get("ConfigMap", "sticky", NAMESPACE)
        return self.has("Job", "hanging") or (sticky is not None and "deletionTimestamp" in sticky["metadata"])
