"""The charts that this helm knows: where they come from, what they hold, which values they honour.

Each is a folder of plain manifests; what the values say is set in Python. Names, labels, ports and images are those
of the real charts, the rest is only what an installation needs.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sandbox.helm.errors import HelmError
from sandbox.helm.kubeconfig import load_yaml
from sandbox.helm.rendering import RENDERERS, Target, Values

Object = dict[str, Any]

FOLDER = Path(__file__).parent / "charts"
VERSION = re.compile(r"^v?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$")

# Chart repositories on the web, by URL, with the charts they offer.
REPOSITORIES = {
    "https://kubernetes.github.io/ingress-nginx": ("ingress-nginx",),
    "https://bitnami-labs.github.io/sealed-secrets": ("sealed-secrets",),
    "https://bitnami.github.io/sealed-secrets": ("sealed-secrets",),
    "https://kedacore.github.io/charts": ("keda",),
}


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart in one version; `metadata` is its Chart.yaml."""

    folder: Path
    metadata: Object

    @property
    def full_name(self) -> str:
        """Name and version as lists show it: `keda-2.17.0`."""
        return f"{self.metadata['name']}-{self.metadata['version']}"

    def crds(self) -> list[Object]:
        """The definitions in crds/: installed before everything else, never upgraded or removed by helm."""
        return _manifests(self.folder / "crds")

    def render(self, target: Target, values: Values) -> list[Object]:
        """The chart's objects for a release, as the values ask."""
        objects = _manifests(self.folder / "templates")
        RENDERERS[str(self.metadata["name"])](objects, target, values)
        for obj in objects:
            _place(obj, target)
            labels = obj["metadata"].setdefault("labels", {})
            labels |= {"helm.sh/chart": self.full_name, "app.kubernetes.io/instance": target.name}
            labels |= {"app.kubernetes.io/version": str(self.metadata["appVersion"])}
        return objects


def find_chart(reference: str, repository: str | None, version: str | None) -> Chart:
    """The chart that `--repo` offers; raises HelmError as helm words it when there is no such repository or chart."""
    if repository is None:
        raise HelmError(_without_repository(reference))
    offered = REPOSITORIES.get(repository.rstrip("/"))
    if offered is None:
        host = repository.partition("://")[2].partition("/")[0]
        raise HelmError(
            f'looks like "{repository}" is not a valid chart repository or cannot be reached: '
            f'Get "{repository.rstrip("/")}/index.yaml": dial tcp: lookup {host}: no such host'
        )
    if reference not in offered or (version and not VERSION.match(version)):
        wanted = f'chart "{reference}"' + (f' version "{version}"' if version else "")
        raise HelmError(f"{wanted} not found in {repository} repository")
    folder = FOLDER / reference
    metadata = load_yaml(folder / "Chart.yaml")
    return Chart(folder, metadata | ({"version": version} if version else {}))


def _without_repository(reference: str) -> str:
    repository, slash, _ = reference.partition("/")
    if not slash:
        return f"non-absolute URLs should be in form of repo_name/path_to_chart, got: {reference}"
    return f"repo {repository} not found"


def _manifests(folder: Path) -> list[Object]:
    files = sorted(folder.glob("*.yaml")) if folder.is_dir() else []
    texts = (file.read_text(encoding="utf-8") for file in files)
    loader = yaml.CSafeLoader
    return [obj for text in texts for obj in yaml.load_all(text, Loader=loader) if obj]


def _place(obj: Object, target: Target) -> None:
    """Put an object into the release's namespace, and the subjects of a binding too."""
    if obj["kind"] not in ("ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "IngressClass"):
        obj["metadata"].setdefault("namespace", target.namespace)
    for subject in obj.get("subjects") or []:
        subject["namespace"] = target.namespace
