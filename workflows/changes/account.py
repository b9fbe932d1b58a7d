"""The account, before a change: what the change can meet, found before anything is changed."""

from steps import preflight_change
from workflows.durable import Run
from workflows.facts import Facts
from workflows.install.account import wanted_of


async def preflight(run: Run) -> Facts:
    """Finds all problems at once; the Kubernetes version is the one that the cluster has now."""
    found = await run.step(
        "Checking what the change needs",
        preflight_change.check_change,
        run.aws,
        run.owner,
        wanted_of(run.spec),
        run.facts.get("account_id"),
    )
    return Facts(
        account_id=found["account_id"],
        kubernetes_version=found["kubernetes_version"],
        zones=found["zones"],
        warnings=found["warnings"],
    )
