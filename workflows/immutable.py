"""What cannot be changed of an installation that is there, why, and what to do instead."""

from typing import Any

from steps.cluster_changes import minor
from workflows.fields import under

_ANEW = "Install a second one with this value, move over, and uninstall this one."
FIXED: dict[str, tuple[str, str]] = {
    "aws.region": ("what was made stays in its region", _ANEW),
    "network": ("a VPC's ranges and zones are fixed once cluster and database are in it", _ANEW),
    "cluster.existing_name": ("an installation cannot move to another cluster", _ANEW),
    "database.existing.password": ("", ""),
    "database.existing": (
        "an installation cannot move to another database server",
        "Uninstall (a last snapshot of the data is kept) and install again with the other server.",
    ),
    "namespace": ("Kubernetes objects cannot be moved between namespaces", _ANEW),
    "app.name": (
        "Conductor and the app's workflows know the app by this name",
        "Keep the name, or uninstall and install again with the other one.",
    ),
}
"""By path, the most particular first: (why, remedy); why is empty for what may change after all."""
REPLACED: dict[str, str] = dict.fromkeys(
    ("nodes.group", "nodes.instance_type", "nodes.disk_gib"),
    "EKS cannot change this of a node group: a new group is made, then the old one is drained and deleted.",
)
"""What is changed by making the thing anew, and how."""


def refusal(path: str, before: Any, after: Any) -> tuple[str, str] | None:
    """(why, remedy) when this leaf cannot go from one value to the other; None when it can."""
    if path == "database.storage_gib" and after < before:
        return (
            f"RDS storage only grows ({before} GiB are allocated)",
            f"Ask for {before} GiB or more; for less, restore a dump into a new installation.",
        )
    if (
        path == "database.engine_version"
        and str(before).split(".", maxsplit=1)[0] != str(after).split(".", maxsplit=1)[0]
    ):
        return (
            "Podium does not change a database's major version",
            "Upgrade the instance in RDS (test it on a restored snapshot first), then give its version here.",
        )
    found = next((words for prefix, words in FIXED.items() if under(path, prefix)), None)
    return found if found and found[0] else None


def version_refusal(before: str, after: str) -> tuple[str, str] | None:
    """The same for the cluster's Kubernetes version, `1.34`."""
    if minor(after) >= minor(before):
        return None
    return f"EKS cannot go back from Kubernetes {before}", f"Ask for {before} or newer."


def hops(before: str, after: str) -> list[str]:
    """The versions to go through, one minor at a time: 1.31 → 1.33 gives 1.32, 1.33."""
    return [f"1.{number}" for number in range(minor(before) + 1, minor(after) + 1)]


def _major(version: str) -> str:
    return version.partition(".")[0]
