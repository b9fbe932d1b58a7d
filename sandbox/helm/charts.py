"""What a chart holds and what it makes of values.

The three charts that an installation uses are built in: folders of plain manifests, in which Python sets what the
values say; names, labels, ports and images are those of the real charts. Any other chart is taken as it is packed, as
long as it has no Go templates, which this stand-in refuses: it never pretends to have rendered one.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from sandbox.helm.archives import Files, metadata_of, unpack
from sandbox.helm.errors import HelmError
from sandbox.helm.rendering import RENDERERS, Target, Values

Object = dict[str, Any]

FOLDER = Path(__file__).parent / "charts"
BUILT_IN = "podium-sandbox/built-in"
"""Annotation in the Chart.yaml of a built-in chart that was pulled: its templates are rendered in Python."""
CLUSTER_WIDE = ("ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "IngressClass")


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart in one version; `metadata` is its Chart.yaml, `files` are all its files."""

    files: Files
    metadata: Object

    @property
    def full_name(self) -> str:
        """Name and version as lists show it: `keda-2.17.0`."""
        return f"{self.metadata['name']}-{self.metadata['version']}"

    def crds(self) -> list[Object]:
        """The definitions in crds/: installed before everything else, never upgraded or removed by helm."""
        return [obj for text in self._texts("crds/") for obj in _parsed(text)]

    def render(self, target: Target, values: Values) -> list[Object]:
        """The chart's objects for a release, as the values ask. HelmError for a chart with templates of its own."""
        texts = self._texts("templates/")
        built_in = str((self.metadata.get("annotations") or {}).get(BUILT_IN, ""))
        if not built_in and any("{{" in text for text in texts):
            raise HelmError(f"the sandbox's helm renders no Go templates, and chart {self.full_name} has some")
        objects = [obj for text in texts for obj in _parsed(text)]
        if built_in:
            RENDERERS[built_in](objects, target, values)
        for obj in objects:
            _place(obj, target)
            labels = obj["metadata"].setdefault("labels", {})
            labels |= {"helm.sh/chart": self.full_name, "app.kubernetes.io/instance": target.name}
            labels |= {"app.kubernetes.io/version": str(self.metadata.get("appVersion", ""))}
        return objects

    def _texts(self, folder: str) -> list[str]:
        wanted = (path for path in sorted(self.files) if path.startswith(folder) and path.endswith(".yaml"))
        return [self.files[path] for path in wanted]


def built_in(name: str, version: str | None) -> Chart:
    """The built-in chart of that name, as whatever version was asked for."""
    files = dict(_read(name))
    metadata = metadata_of(files) | ({"version": version} if version else {})
    metadata |= {"annotations": {BUILT_IN: name}}
    files["Chart.yaml"] = yaml.safe_dump(metadata, sort_keys=False)
    return Chart(files, metadata)


def load_chart(path: Path) -> Chart:
    """The chart in an archive; raises HelmError."""
    try:
        files = unpack(path.read_bytes())
    except OSError as error:
        raise HelmError(f"open {path}: no such file or directory") from error
    return Chart(files, metadata_of(files))


@cache
def _read(name: str) -> Files:
    folder = FOLDER / name
    files = (file for file in folder.rglob("*.yaml") if file.is_file())
    return {str(file.relative_to(folder)): file.read_text(encoding="utf-8") for file in files}


def _parsed(text: str) -> list[Object]:
    return [obj for obj in yaml.load_all(text, Loader=yaml.CSafeLoader) if obj]


def _place(obj: Object, target: Target) -> None:
    """Put an object into the release's namespace, and the subjects of a binding too."""
    if obj["kind"] not in CLUSTER_WIDE:
        obj["metadata"].setdefault("namespace", target.namespace)
    for subject in obj.get("subjects") or []:
        subject["namespace"] = target.namespace
