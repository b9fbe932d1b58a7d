"""The two phases that an uninstall has of its own: what is there, and the proof that nothing of it is left."""

from steps import proof as proving
from steps import survey as looking
from workflows.context import context
from workflows.durable import Run
from workflows.facts import Facts
from workflows.install.account import SECRET_PURPOSES, image_repositories


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
    given = run.spec.network.existing
    database = run.spec.database.existing
    alone = await run.step(
        "Naming what was given",
        proving.what_is_left,
        run.aws,
        run.owner,
        vpc_id=given.vpc_id if given else None,
        subnet_ids=[*given.public_subnet_ids, *given.private_subnet_ids] if given else [],
        cluster=run.spec.cluster.existing_name,
        database_host=database.host if database else None,
        repositories=list(image_repositories(run.spec).values()),
    )
    left = [*alone, *run.facts.get("left", [])]
    scope = proving.Scope(
        repositories=tuple(image_repositories(run.spec).values()),
        purposes=SECRET_PURPOSES,
        own_cluster=run.spec.cluster.existing_name is None,
        own_database=database is None,
        data_kept=run.options["data"] == "retain",
    )
    found = await run.wait("Looking for leftovers", proving.prove, 15, run.aws, run.owner, scope, left)
    return Facts(left=left, proof=found)


async def nothing(run: Run) -> Facts:
    """For phases that make nothing."""
    return {}
