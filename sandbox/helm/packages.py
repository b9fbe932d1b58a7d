"""The three charts of an installation as archives for the real helm, made on this machine.

sealed-secrets is the real chart, from the project's Go module. The charts of ingress-nginx and KEDA are in no package
registry, so theirs are the sandbox's built-in ones with Go templates where Podium's values go; KEDA's definitions are
the real ones, from its Go module. Versions are those that Podium pins (a test compares them).
"""

from pathlib import Path
from typing import Any

import yaml

from sandbox.control_plane.binaries.build import data_module
from sandbox.control_plane.binaries.recipes import DATA_MODULES
from sandbox.helm.archives import Files, archive_name, metadata_of, pack
from sandbox.helm.charts import built_in
from sandbox.helm.rendering import Target

Object = dict[str, Any]

VERSIONS = {"ingress-nginx": "4.15.1", "sealed-secrets": "2.19.3", "keda": "2.21.1"}
_SLOT = "podium-slot-"


def build(folder: Path) -> None:
    """Write the three archives and index.yaml into the folder, which is made. Raises when a Go module is missing."""
    from sandbox.helm.repository import write_index  # noqa: PLC0415 - the repository builds with this module

    folder.mkdir(parents=True, exist_ok=True)
    for name, files in (
        ("ingress-nginx", ingress_nginx()),
        ("sealed-secrets", sealed_secrets()),
        ("keda", keda()),
    ):
        (folder / archive_name(metadata_of(files))).write_bytes(pack(name, files))
    write_index(folder)


def sealed_secrets() -> Files:
    """The real chart."""
    folder = data_module(*DATA_MODULES["sealed-secrets"]) / "helm" / "sealed-secrets"
    files = {str(file.relative_to(folder)): file.read_text(encoding="utf-8") for file in _files(folder)}
    found = str(metadata_of(files)["version"])
    if found != VERSIONS["sealed-secrets"]:
        raise ValueError(f"the Go module's chart is {found}, not {VERSIONS['sealed-secrets']}")
    return files


def ingress_nginx() -> Files:
    """The controller, its Service (type and annotations from the values) and its class."""
    objects = _rendered("ingress-nginx")
    slots: dict[str, str] = {}
    for obj in objects:
        if obj["kind"] == "Service":
            obj["spec"]["type"] = "{{ .Values.controller.service.type }}"
            obj["metadata"]["annotations"] = _slot(slots, ".Values.controller.service.annotations", 4)
        if obj["kind"] == "IngressClass":
            obj["metadata"]["name"] = "{{ .Values.controller.ingressClassResource.name }}"
        if obj["kind"] == "Deployment":
            obj["spec"]["replicas"] = _slot(slots, ".Values.controller.replicaCount", 0)
    values = {
        "controller": {
            "replicaCount": 1,
            "service": {"type": "LoadBalancer", "annotations": {}},
            "ingressClassResource": {"name": "nginx"},
        }
    }
    return _chart("ingress-nginx", values, {"templates/all.yaml": _template(objects, slots)})


def keda() -> Files:
    """Operator, metrics server and webhooks; the project's own definitions, as templates like in its chart."""
    slots: dict[str, str] = {}
    objects = [obj for obj in _rendered("keda") if obj["kind"] != "CustomResourceDefinition"]
    bases = data_module(*DATA_MODULES["keda"]) / "config" / "crd" / "bases"
    files = {"templates/all.yaml": _template(objects, slots)}
    for file in _files(bases):
        definition: Object = yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        annotations = _slot(slots, ".Values.crds.additionalAnnotations", 4)
        definition["metadata"]["annotations"] = annotations
        definition["metadata"].pop("creationTimestamp", None)
        files[f"templates/crds/{file.name}"] = _template([definition], slots)
    return _chart("keda", {"crds": {"install": True, "additionalAnnotations": {}}}, files)


def _rendered(name: str) -> list[Object]:
    """The built-in chart's objects for a release of the chart's own name, in whichever namespace helm is told."""
    objects = built_in(name, VERSIONS[name]).render(Target(name, "{{ .Release.Namespace }}"), {})
    for obj in objects:
        obj["metadata"].pop("namespace", None)
    return objects


def _slot(slots: dict[str, str], value: str, indent: int) -> str:
    """A word to put where a template goes that is no text: YAML's writer would quote the template itself."""
    word = f"{_SLOT}{len(slots)}-end"
    slots[word] = f"{{{{- toYaml {value} | nindent {indent} }}}}" if indent else f"{{{{ {value} }}}}"
    return word


def _template(objects: list[Object], slots: dict[str, str]) -> str:
    """The objects as one template; braces of their own are taken literally."""
    text = "".join(f"---\n{yaml.dump(obj, Dumper=yaml.CSafeDumper, sort_keys=False, width=10_000)}" for obj in objects)
    for word, template in slots.items():
        text = text.replace(f" {word}" if "nindent" in template else word, template)
    return text


def _chart(name: str, values: Object, templates: Files) -> Files:
    metadata = {key: value for key, value in built_in(name, VERSIONS[name]).metadata.items() if key != "annotations"}
    return {
        "Chart.yaml": yaml.safe_dump(metadata, sort_keys=False),
        "values.yaml": yaml.safe_dump(values, sort_keys=False),
        **templates,
    }


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file() and file.name != "kustomization.yaml")
