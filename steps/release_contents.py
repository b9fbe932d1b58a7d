"""What a Helm release consists of, read from helm's own Secret, and whether the cluster still has it so.

The Secret's `release` is base64 of gzip of JSON, once more in base64 as all data of Secrets (helm
`pkg/storage/driver/util.go`, encodeRelease). Its `manifest` holds the objects without the chart's hooks.
"""

import base64
import gzip
import json
from typing import Any

import yaml

from steps.chart_table import Chart
from steps.clients.kubernetes import Kube, Object
from steps.clients.kubernetes.kinds import KINDS
from steps.comparing import Field, differing, differing_values

KIND = "CustomResourceDefinition"


def differences(revision: Object, version: str, values: dict[str, Any]) -> list[Field]:
    """How chart version and values of the revision (helm's Secret) differ from these."""
    release = _release(revision)
    found = str(release["chart"]["metadata"]["version"])
    fields = [] if found.removeprefix("v") == version.removeprefix("v") else [Field("version", version, found)]
    return [*fields, *differing_values("values", release.get("config") or {}, values)]


def objects_of(chart: Chart, revision: Object) -> list[Object]:
    """The release's objects that Podium knows the kind of, each with its namespace."""
    found = []
    for each in yaml.load_all(_release(revision)["manifest"], Loader=yaml.CSafeLoader):
        kind = KINDS.get(each["kind"]) if each else None
        if kind is None or kind.api_version.partition("/")[0] != each["apiVersion"].partition("/")[0]:
            continue
        if kind.namespaced:
            each["metadata"].setdefault("namespace", chart.namespace)
        found.append(each)
    return found


def changed_objects(kube: Kube, chart: Chart, revision: Object) -> list[str]:
    """Those that are not there, or not as the release says, by kind and name."""
    changed = []
    for each in objects_of(chart, revision):
        live = kube.get(each["kind"], each["metadata"]["name"], each["metadata"].get("namespace"))
        if live is None or differing(live, kube.would_apply(each)):
            changed.append(f"{each['kind']} {each['metadata']['name']}")
    return changed


def missing_definitions(kube: Kube, names: list[str]) -> list[str]:
    """Those CustomResourceDefinitions that are not there, by kind and name."""
    return [f"{KIND} {name}" for name in names if kube.get(KIND, name) is None]


def _release(revision: Object) -> dict[str, Any]:
    packed = base64.b64decode(base64.b64decode(revision["data"]["release"]))
    found: dict[str, Any] = json.loads(gzip.decompress(packed))
    return found
