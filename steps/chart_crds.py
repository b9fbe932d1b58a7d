"""The CustomResourceDefinitions of a chart's crds/: helm installs them once, never upgrades and never removes them.

So Podium applies them itself, before each install or upgrade, by server-side apply and with its label. A definition
that somebody else made is used as it is: changing it could break what they run. Definitions go with the release only
when no object of their kinds is left in the cluster, for those objects, and with them people's data, would go too.
"""

import time

from steps import objects
from steps.chart_table import Chart
from steps.clients.kubernetes import Kube, Object
from steps.errors import Code, Fault, TransientError
from steps.names import Owner
from steps.reporting import report

COMPONENT = "charts"
KIND = "CustomResourceDefinition"
HELM = "helm"
"""The field manager of the helm binary, which is its name (helm `pkg/kube/client.go`, getManagedFieldsManager)."""
POLL_SECONDS = 0.2
SERVED_SECONDS = 30.0
HELM_RELEASE = "meta.helm.sh/release-name"


def ensure(kube: Kube, owner: Owner, definitions: list[Object], *, adopt: bool) -> None:
    """Apply those that are ours or missing, and wait until they are served.

    `adopt`: also those that a helm made, as it did when our release was installed by an earlier Podium.
    """
    applied = []
    for wanted in definitions:
        name = wanted["metadata"]["name"]
        found = _lasting(kube, name)
        if found is None or objects.is_ours(found, owner) or (adopt and _made_by_helm(found)):
            kube.apply(objects.label(wanted, owner, COMPONENT))
            applied.append(name)
        else:
            report([f"{KIND} {name} is there and not Podium's: it is used as it is."])
    if applied:
        report([f"Applied {KIND} {name}" for name in applied])
        _await_served(kube, applied)


def delete_unused(kube: Kube, owner: Owner, chart: Chart) -> bool:
    """Delete the chart's definitions that are ours unless objects of them are left; whether that was so."""
    if any(kube.list(kind) for kind in chart.resources):
        report([f"Kept the definitions of {chart.name}: there are objects of them in the cluster."])
        return False
    for name in chart.definitions:
        found = kube.get(KIND, name)
        if found is not None and (objects.is_ours(found, owner) or _is_of(found, chart)):
            kube.delete(KIND, name)
    return True


def _made_by_helm(found: Object) -> bool:
    """By a helm's install, and nobody's since: neither another installation's nor a release's template."""
    labels, managed = found["metadata"].get("labels") or {}, found["metadata"].get("managedFields") or []
    return objects.LABEL_INSTALLATION not in labels and any(each.get("manager") == HELM for each in managed)


def _is_of(found: Object, chart: Chart) -> bool:
    """Whether it is a template of the release, kept by helm because of its annotation; or of its crds/."""
    annotations = found["metadata"].get("annotations") or {}
    return annotations.get(HELM_RELEASE, chart.name) == chart.name and _made_by_helm(found)


def _lasting(kube: Kube, name: str) -> Object | None:
    """The definition, None when there is none. One that is being deleted is awaited: what is applied goes with it."""
    deadline = time.monotonic() + SERVED_SECONDS
    while (found := kube.get(KIND, name)) is not None and "deletionTimestamp" in found["metadata"]:
        if time.monotonic() > deadline:
            raise _late(name, "is still being deleted")
        time.sleep(POLL_SECONDS)
    return found


def _await_served(kube: Kube, names: list[str]) -> None:
    deadline = time.monotonic() + SERVED_SECONDS
    for name in names:
        while (found := kube.get(KIND, name)) is None or objects.condition(found, "Established").get(
            "status"
        ) != "True":
            if time.monotonic() > deadline:
                raise _late(name, "is not served")
            time.sleep(POLL_SECONDS)


def _late(name: str, what: str) -> TransientError:
    return TransientError(
        Code.HELM_FAILED,
        f"{KIND} {name} {what} after {SERVED_SECONDS:.0f} s.",
        fault=Fault.PROVIDER,
        retryable=True,
        remedy=f"Look at its conditions: kubectl get crd {name} -o yaml; then retry.",
    )
