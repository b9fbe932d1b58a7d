"""Whose an object in the cluster is, and how Podium applies what is its own.

Every object carries `app.kubernetes.io/managed-by: podium`, the installation's name and the component it belongs to.
An object of the wanted name without our label is somebody else's: NAME_TAKEN, and it stays as it is (design.md §3).
Objects of a component that are no longer wanted are pruned.
"""

from typing import Any

from steps import manifests
from steps.clients.kubernetes import Kube, Object
from steps.errors import Code, PodiumError
from steps.names import Owner

LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_INSTALLATION = "podium/installation"
LABEL_COMPONENT = "podium/component"
SECRETS_HASH = "podium/secrets-hash"
PRUNED_KINDS = ("Deployment", "Service", "ConfigMap", "Ingress", "ScaledObject")


def labels(owner: Owner, component: str) -> dict[str, str]:
    return {LABEL_MANAGED_BY: "podium", LABEL_INSTALLATION: owner.installation, LABEL_COMPONENT: component}


def load(name: str, owner: Owner, namespace: str) -> dict[str, Object]:
    """The objects of `manifests/<name>.yaml` by kind, labelled, in `namespace`; pod templates are labelled too."""
    objects = {}
    for found in manifests.load(name):
        found["metadata"]["namespace"] = namespace
        own = label(found, owner, name)
        template = own.get("spec", {}).get("template")
        if template:
            own_labels = template.setdefault("metadata", {}).setdefault("labels", {})
            own_labels.update(labels(owner, name))
        objects[own["kind"]] = own
    return objects


def label(manifest: Object, owner: Owner, component: str) -> Object:
    manifest["metadata"].setdefault("labels", {}).update(labels(owner, component))
    return manifest


def is_ours(found: Object, owner: Owner) -> bool:
    return (found["metadata"].get("labels") or {}).get(LABEL_INSTALLATION) == owner.installation


def find(kube: Kube, owner: Owner, kind: str, name: str, namespace: str | None = None) -> Object | None:
    """Our object of that name, None when there is none; NAME_TAKEN when it is there but not ours."""
    found = kube.get(kind, name, namespace)
    if found is not None and not is_ours(found, owner):
        raise name_taken(kind, name, namespace, owner)
    return found


def name_taken(kind: str, name: str, namespace: str | None, owner: Owner) -> PodiumError:
    where = f" -n {namespace}" if namespace else ""
    title = f"{namespace}/{name}" if namespace else name
    return PodiumError.by_user(
        Code.NAME_TAKEN,
        f"There is a {kind} {title} in the cluster that does not belong to installation {owner.installation}.",
        f"Delete it, or hand it over to Podium with: kubectl label {kind.lower()} {name}{where} "
        f"{LABEL_INSTALLATION}={owner.installation}",
    )


def apply(kube: Kube, owner: Owner, manifest: Object) -> Object:
    """Apply one object if it is ours or does not exist."""
    meta = manifest["metadata"]
    found = find(kube, owner, manifest["kind"], meta["name"], meta.get("namespace"))
    if found is not None and manifest["kind"] == "Service":
        _take_ports_back(kube, found, manifest)
    return kube.apply(manifest)


def _take_ports_back(kube: Kube, found: Object, manifest: Object) -> None:
    """A port that somebody changed counts as another one: applying ours would add it beside that, which is refused
    while they have no names. So other ports are replaced first."""
    ports = manifest["spec"]["ports"]
    wanted = {(port["port"], port.get("protocol", "TCP")) for port in ports}
    if {(port["port"], port.get("protocol", "TCP")) for port in found["spec"].get("ports") or []} - wanted:
        kube.patch(
            "Service", manifest["metadata"]["name"], manifest["metadata"]["namespace"], {"spec": {"ports": ports}}
        )


def apply_component(kube: Kube, owner: Owner, namespace: str, component: str, wanted: list[Object]) -> None:
    """Apply a component's objects, in order, and prune those it no longer has."""
    for manifest in wanted:
        apply(kube, owner, manifest)
    prune(kube, owner, namespace, component, keep={(each["kind"], each["metadata"]["name"]) for each in wanted})


def prune(kube: Kube, owner: Owner, namespace: str, component: str, keep: set[tuple[str, str]]) -> None:
    """Delete the component's objects that are not in `keep` (pairs of kind and name)."""
    for kind in PRUNED_KINDS:
        for found in kube.list(kind, namespace, labels=labels(owner, component)):
            name = found["metadata"]["name"]
            if (kind, name) not in keep:
                kube.delete(kind, name, namespace)


def delete(kube: Kube, owner: Owner, kind: str, name: str, namespace: str | None = None) -> bool:
    """Delete the object if it is there and ours; whether it was."""
    found = kube.get(kind, name, namespace)
    if found is None or not is_ours(found, owner):
        return False
    return kube.delete(kind, name, namespace)


def container(workload: Object) -> dict[str, Any]:
    """The first container of a Deployment or Job."""
    first: dict[str, Any] = workload["spec"]["template"]["spec"]["containers"][0]
    return first


def set_env(workload: Object, name: str, value: str) -> None:
    """Set the value of an environment variable that the manifest declares; KeyError when it does not."""
    for variable in container(workload)["env"]:
        if variable["name"] == name:
            variable["value"] = value
            return
    raise KeyError(name)


def annotate_pods(workload: Object, secrets_hash: str) -> None:
    """Put a hash of the secrets that its pods read into the pod template: when it changes, the pods are replaced."""
    metadata = workload["spec"]["template"]["metadata"]
    metadata.setdefault("annotations", {})[SECRETS_HASH] = secrets_hash


def condition(found: Object, kind: str) -> dict[str, Any]:
    """The condition of that type in an object's status, {} when it is not there."""
    conditions = (found.get("status") or {}).get("conditions") or []
    return next((each for each in conditions if each.get("type") == kind), {})
