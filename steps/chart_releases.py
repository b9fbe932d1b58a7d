"""The history of a Helm release, read from helm's own Secrets, and its repair.

The labels of those Secrets are documented ("Helm: Storage backends"): reading them is cheaper than a process, and the
same for every helm 3. What a helm that was killed leaves behind, and what is done about it:

    newest revision      how it comes about                     repair
    pending-install      killed during the first install        roll forward: roll "back" to that revision itself
    pending-upgrade      killed during an upgrade               roll back to the revision in force
    pending-rollback     killed during a rollback               the same
    failed               the API refused something, or a hook   roll back if a revision is in force; else just upgrade
    deployed, twice      a helm thought dead ended after all    roll back to the newest, which supersedes all others
    superseded           killed while it changed the labels     none: helm upgrades it
    uninstalling         killed during an uninstall             finish it, then install anew
    uninstalled          removed, with its history kept         none: helm installs it

A repair never uninstalls what may be in use: an interrupted first install has made some objects of the chart, and a
rollback to its own revision makes the others (helm `pkg/action/rollback.go` does not ask for the target's status).
"""

import time
from typing import Any

from steps.chart_table import Chart
from steps.clients.helm import Helm
from steps.clients.kubernetes import Kube, Object
from steps.errors import Code, Fault, TransientError
from steps.reporting import report

POLL_SECONDS = 0.5
PENDING = frozenset({"pending-install", "pending-upgrade", "pending-rollback"})
UNDER_WAY = PENDING | {"uninstalling"}


def history(kube: Kube, chart: Chart) -> list[Object]:
    """The release's revisions, oldest first."""
    found = kube.list("Secret", chart.namespace, labels={"owner": "helm", "name": chart.name})
    return sorted(found, key=revision_of)


def settled_history(kube: Kube, chart: Chart, patience_seconds: float) -> list[Object]:
    """The revisions once no helm seems to be at work on them, or as they are when patience ends."""
    deadline = time.monotonic() + patience_seconds
    while True:
        revisions = history(kube, chart)
        if not any(status_of(each) in UNDER_WAY for each in revisions[-1:]) or time.monotonic() > deadline:
            return revisions
        time.sleep(POLL_SECONDS)


def is_in_force(revisions: list[Object]) -> bool:
    """Whether the newest revision is deployed, and it alone: a second one means that another helm ended after it."""
    return [each is revisions[-1] for each in _deployed(revisions)] == [True]


def repair(kube: Kube, helm: Helm, chart: Chart, revisions: list[Object]) -> None:
    """Bring the release into a state from which `helm upgrade --install` goes on; see the module's table."""
    status = status_of(revisions[-1]) if revisions else ""
    if status in PENDING or len(_deployed(revisions)) > 1:
        _roll(kube, helm, chart, status, revision_of(_best(revisions)))
    elif status == "uninstalling":
        report([f"Release {chart.name} was being uninstalled: finishing that."])
        report(helm.uninstall(kube, chart.name, chart.namespace, wait=True))
    elif status == "failed" and (good := _deployed(revisions)):
        try:
            _roll(kube, helm, chart, status, revision_of(good[-1]))
        except TransientError as error:
            report([error.message, "Upgrading it all the same."])


def newest_deployed(kube: Kube, chart: Chart) -> int:
    """The number of the revision that helm has just made. HELM_FAILED when another helm came in between."""
    revisions = history(kube, chart)
    if not revisions or status_of(revisions[-1]) != "deployed":
        raise TransientError(
            Code.HELM_FAILED,
            f"Release {chart.name} was changed by another helm at the same time.",
            fault=Fault.PROVIDER,
            retryable=True,
            remedy=f"Let nothing else change it, and retry; see: helm history {chart.name} -n {chart.namespace}",
        )
    return revision_of(revisions[-1])


def status_of(release: Object) -> str:
    return str(_labels(release).get("status", ""))


def revision_of(release: Object) -> int:
    return int(_labels(release).get("version", 0))


def _labels(release: Object) -> dict[str, Any]:
    labels: dict[str, Any] = release["metadata"].get("labels") or {}
    return labels


def _roll(kube: Kube, helm: Helm, chart: Chart, status: str, to: int) -> None:
    report([f"Release {chart.name} was left as {status}: rolling to revision {to}."])
    report(helm.rollback(kube, chart.name, to, chart.namespace))


def _deployed(revisions: list[Object]) -> list[Object]:
    return [each for each in revisions if status_of(each) == "deployed"]


def _best(revisions: list[Object]) -> Object:
    """The revision in force; else the newest that was; else the newest itself.

    Before a pending install nothing was in force: superseded is then what had been uninstalled, its history kept.
    """
    installing = status_of(revisions[-1]) == "pending-install"
    superseded = [each for each in revisions if status_of(each) == "superseded" and not installing]
    return (_deployed(revisions) or superseded or revisions)[-1]
