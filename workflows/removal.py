"""The two phases that an uninstall has of its own: what is there, and the proof that nothing of it is left."""

from steps import survey as looking
from workflows.context import context
from workflows.durable import Run
from workflows.facts import Facts


async def survey(run: Run) -> Facts:
    """The cluster's address, without which nothing inside it is unmade (a cluster's end takes that along)."""
    existing = run.spec.cluster.existing_name
    found = await run.wait("Looking for the cluster", looking.find_cluster, 40, run.aws, run.owner, existing)
    if not found:
        return {}
    kube = context().clients.kube(run.spec, found["cluster_name"], found["cluster_endpoint"], found["cluster_ca"])
    force = bool(run.options.get("force"))
    if not await run.step("Trying to reach the cluster", looking.reach, kube, force=force):
        return {}
    return Facts(
        cluster_name=found["cluster_name"],
        cluster_endpoint=found["cluster_endpoint"],
        cluster_ca=found["cluster_ca"],
        vpc_id=found["vpc_id"],
    )


async def proof(run: Run) -> Facts:
    """A sweep over all services by tag and by name, which must find nothing but what was kept on purpose."""
    raise NotImplementedError


async def nothing(run: Run) -> Facts:
    """For phases that make nothing."""
    return {}
