"""Going after one of EKS's updates: begun when nothing else is under way, watched, and begun anew after a failure.

EKS takes one update at a time of each thing. What failed stays in its list of updates, and its client token makes
nothing again: so a token names the updates that were there before it.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from steps.clients.aws.eks_updates import Update
from steps.errors import Code, PodiumError
from steps.waiting import Pending

ENDED_BADLY = ("Failed", "Cancelled")
Begin = Callable[[str], str | None]
"""Begins the update, with a word for its token that is another after each update: its id; None when EKS is busy."""


@dataclass
class Attempt:
    """One try of a wait: the id of the update that it follows. A retry is a new one, and begins anew what failed."""

    watched: str | None = None


def begin_unless_busy(found: list[Update], begin: Begin) -> None:
    """`found`: all updates of the thing."""
    if not _under_way(found):
        begin(generation(found))


def pursue(found: list[Update], kind: str, what: str, attempt: Attempt, begin: Begin) -> Pending:
    """One look at a thing that is not as wanted, though EKS calls it usable. `what`: e.g. "the node group default".

    Raises AWS_RESOURCE_FAILED, with EKS's own errors, when the update that this attempt began, or saw, has failed.
    """
    running = _under_way(found)
    if running is not None:
        attempt.watched = running.id if running.kind == kind else attempt.watched
        return Pending(f"EKS says its {running.kind} is {running.status}")
    watched = next((one for one in found if one.id == attempt.watched), None)
    if watched is not None and watched.status in ENDED_BADLY:
        raise _failed(what, watched)
    if watched is not None:
        attempt.watched = None  # done, but not shown yet; or it was somebody else's, of another aim
        return Pending(f"EKS says its {watched.kind} is {watched.status}")
    attempt.watched = begin(generation(found))
    return Pending(f"EKS has been asked for a {kind}")


def _under_way(found: list[Update]) -> Update | None:
    return next((one for one in found if one.status == "InProgress"), None)


def generation(found: list[Update]) -> str:
    """A word for client tokens that is another after each update of the thing."""
    return hashlib.sha256("/".join(sorted(one.id for one in found)).encode()).hexdigest()[:12]


def _failed(what: str, update: Update) -> PodiumError:
    because = "; ".join(update.errors) or "EKS gives no reason"
    version = update.params.get("Version") or update.params.get("AddonVersion")
    aim = f" to {version}" if version else ""
    return PodiumError.by_provider(
        Code.AWS_RESOURCE_FAILED,
        f"EKS's {update.kind} of {what}{aim} is {update.status}: {because}"[:1000],
        "Mend what EKS names, then retry: the update is begun anew.",
    )
