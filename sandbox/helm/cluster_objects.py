"""What a release does to the cluster: checks whose the objects are, applies, removes and awaits them."""

import time
from collections.abc import Callable, Iterable
from typing import Any

import yaml

from sandbox.helm.errors import ApiError, HelmError
from sandbox.helm.kube import Kube
from sandbox.helm.ordering import INSTALL_ORDER, UNINSTALL_ORDER, in_order
from sandbox.helm.releases import MANAGER

Object = dict[str, Any]
Identity = tuple[str, str, str]
"""Kind, namespace and name."""

MANAGED_BY = "app.kubernetes.io/managed-by"
RELEASE_NAME = "meta.helm.sh/release-name"
RELEASE_NAMESPACE = "meta.helm.sh/release-namespace"
POLL_SECONDS = 0.1
DEFINITION_SECONDS = 60.0


def identity(obj: Object) -> Identity:
    """What tells an object from all others."""
    return obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def to_manifest(objects: Iterable[Object]) -> str:
    """The objects as the YAML documents that a release keeps."""
    ordered = in_order(objects, INSTALL_ORDER)
    return "".join(f"---\n{yaml.dump(obj, Dumper=yaml.CSafeDumper, sort_keys=False)}" for obj in ordered)


def from_manifest(manifest: str) -> list[Object]:
    """The objects of a release's manifest."""
    return [obj for obj in yaml.load_all(manifest, Loader=yaml.CSafeLoader) if obj]


def check_ownership(kube: Kube, objects: Iterable[Object], release: str, namespace: str) -> None:
    """Raise HelmError when one of the objects exists and is not this release's."""
    for obj in objects:
        kind, where, name = identity(obj)
        present = kube.find(kind, where, name)
        problem = _not_owned(present, release, namespace) if present else ""
        if problem:
            subject = f'{kind} "{name}" in namespace "{where}"'
            raise HelmError(
                f"{subject} exists and cannot be imported into the current release: "
                f"invalid ownership metadata; {problem}"
            )


def _not_owned(obj: Object, release: str, namespace: str) -> str:
    """What is wrong with the object's ownership metadata, empty when it is the release's."""
    metadata = obj["metadata"]
    checks = (
        ("label", metadata.get("labels") or {}, MANAGED_BY, "Helm"),
        ("annotation", metadata.get("annotations") or {}, RELEASE_NAME, release),
        ("annotation", metadata.get("annotations") or {}, RELEASE_NAMESPACE, namespace),
    )
    problems = []
    for what, present, key, wanted in checks:
        if key not in present:
            problems.append(f'{what} validation error: missing key "{key}": must be set to "{wanted}"')
        elif present[key] != wanted:
            text = f'key "{key}" must equal "{wanted}": current value is "{present[key]}"'
            problems.append(f"{what} validation error: {text}")
    return "; ".join(problems)


def install_definitions(kube: Kube, definitions: Iterable[Object]) -> None:
    """Make the definitions of crds/ that are missing, and wait until they are served; present ones stay as they are."""
    made = []
    for definition in definitions:
        try:
            kube.create(definition, MANAGER)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                name = definition["metadata"]["name"]
                raise ApiError(error.status, error.reason, f"failed to install CRD {name}: {error}") from error
        else:
            made.append(definition)
    _await(lambda: all(_is_established(kube, definition) for definition in made), DEFINITION_SECONDS)


def _is_established(kube: Kube, definition: Object) -> bool:
    status = kube.get(*identity(definition)).get("status") or {}
    conditions = status.get("conditions") or []
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)


def create_namespace(kube: Kube, name: str) -> None:
    """Make the release's namespace unless it is there."""
    try:
        kube.create(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"name": name}}}, MANAGER
        )
    except ApiError as error:
        if error.reason != "AlreadyExists":
            raise


def apply(kube: Kube, objects: Iterable[Object], release: str, namespace: str) -> None:
    """Apply the objects in helm's order, marked as the release's."""
    for obj in in_order(objects, INSTALL_ORDER):
        metadata = obj["metadata"]
        labels = (metadata.get("labels") or {}) | {MANAGED_BY: "Helm"}
        marks = {RELEASE_NAME: release, RELEASE_NAMESPACE: namespace}
        annotations = (metadata.get("annotations") or {}) | marks
        kube.apply(obj | {"metadata": metadata | {"labels": labels, "annotations": annotations}}, MANAGER)


def remove(kube: Kube, objects: Iterable[Object]) -> list[Object]:
    """Ask for the objects' end in helm's order, but for those marked to be kept; returns those asked for."""
    removable = [obj for obj in in_order(objects, UNINSTALL_ORDER) if not _is_kept(obj)]
    for obj in removable:
        kube.delete(*identity(obj))
    return removable


def kept(objects: Iterable[Object]) -> list[Object]:
    """The objects that an uninstall leaves in place."""
    return [obj for obj in objects if _is_kept(obj)]


def _is_kept(obj: Object) -> bool:
    policy = (obj["metadata"].get("annotations") or {}).get("helm.sh/resource-policy", "")
    return str(policy).strip().lower() == "keep"


def await_gone(kube: Kube, objects: list[Object], seconds: float) -> None:
    """Wait until none of the objects is there; raises HelmError after `seconds`."""
    _await(lambda: all(kube.find(*identity(obj)) is None for obj in objects), seconds)


def await_ready(kube: Kube, objects: list[Object], seconds: float) -> None:
    """Wait until workloads are rolled out and load balancers have an address; raises HelmError after `seconds`."""
    _await(lambda: all(_is_ready(kube.get(*identity(obj))) for obj in objects), seconds)


def _is_ready(obj: Object) -> bool:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    if obj["kind"] == "Service":
        return spec.get("type") != "LoadBalancer" or bool((status.get("loadBalancer") or {}).get("ingress"))
    if obj["kind"] != "Deployment":
        return True
    seen = status.get("observedGeneration", 0) >= obj["metadata"].get("generation", 0)
    wanted = spec.get("replicas", 1)
    return bool(seen) and all(status.get(field, 0) == wanted for field in ("updatedReplicas", "availableReplicas"))


def _await(holds: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise HelmError("context deadline exceeded")
        time.sleep(POLL_SECONDS)
