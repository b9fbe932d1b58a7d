"""AWS, brought to a new spec: access to the control plane, versions, nodes, the database instance.

Each function makes what is not there as an install does, looks at what is, and changes what differs; run again after an
interruption it goes on from what it finds.
"""

from steps import addon_changes, cluster_changes, database_changes, eks_updates, node_changes, ready_nodes
from steps import nodes as node_group
from workflows.durable import Run
from workflows.facts import Facts
from workflows.install import infrastructure
from workflows.install.infrastructure import ADDONS


async def cluster(run: Run) -> Facts:
    """The control plane, and who may reach it. Its version is changed by `kubernetes`."""
    facts = await infrastructure.cluster(run)
    if run.spec.cluster.existing_name:
        return facts
    aws, owner, cidrs = run.aws, run.owner, list(run.spec.cluster.public_access_cidrs)
    await run.step("Changing who may reach the Kubernetes API", cluster_changes.ensure_access, aws, owner, cidrs)
    attempt = eks_updates.Attempt()
    await run.wait(
        "Waiting for the EKS control plane to change", cluster_changes.await_access, 40, aws, owner, cidrs, attempt
    )
    return facts


async def addons(run: Run) -> Facts:
    """The add-ons, none older than EKS's default for the control plane's version."""
    await infrastructure.addons(run)
    if not run.spec.cluster.existing_name:
        await _newer_addons(run, run.facts["kubernetes_version"])
    return {}


async def nodes(run: Run) -> Facts:
    """The node group as the spec has it; what cannot be changed of one is had by another group beside it, after which
    the old one is drained and deleted."""
    if run.spec.cluster.existing_name:
        return {}
    aws, owner, known, spec = run.aws, run.owner, run.facts, run.spec.nodes
    group = await run.step(
        "Looking at the node groups",
        node_changes.choose_group,
        aws,
        owner,
        spec.group,
        spec.instance_type,
        spec.disk_gib,
    )
    await run.step(
        f"Creating the node group {group}, if it is not there",
        node_group.ensure_node_group,
        aws,
        owner,
        known["cluster_name"],
        group,
        known["node_role_arn"],
        known["private_subnet_ids"],
        spec.instance_type,
        spec.count,
        spec.disk_gib,
    )
    await run.step(f"Giving it {spec.count} nodes", node_changes.ensure_size, aws, owner, group, spec.count)
    attempt = eks_updates.Attempt()
    await run.wait("Waiting for the node group", node_changes.await_size, 30, aws, owner, group, spec.count, attempt)
    await run.wait("Waiting for the nodes", ready_nodes.await_ready_nodes, 30, run.kube, group, spec.count)
    await run.step("Deleting other node groups", node_group.delete_node_group, aws, owner, group)
    await run.wait("Waiting for their nodes to go", node_group.await_node_group_deleted, 45, aws, owner, group)
    return Facts(node_group=group)


async def database(run: Run) -> Facts:
    """The PostgreSQL instance, with the class, storage and version that the spec asks for."""
    facts = await infrastructure.database(run)
    if run.spec.database.existing:
        return facts
    spec = run.spec.database
    wanted = (spec.engine_version, spec.instance_class, spec.storage_gib, spec.backup_retention_days)
    await run.step("Changing the PostgreSQL instance", database_changes.ensure_settings, run.aws, run.owner, *wanted)
    await run.wait(
        "Waiting for the PostgreSQL instance to change",
        database_changes.await_settings,
        90,
        run.aws,
        run.owner,
        *wanted,
        database_changes.Attempt(),
    )
    return facts


async def kubernetes(run: Run, version: str) -> Facts:
    """One minor version up: the control plane, then every add-on, then the nodes, which EKS exchanges one by one.

    Nothing for a cluster that is beyond it: one that this very change made, after an install that never got there.
    """
    if cluster_changes.minor(run.facts["kubernetes_version"]) > cluster_changes.minor(version):
        return {}
    aws, owner = run.aws, run.owner
    await run.step(f"Upgrading the control plane to {version}", cluster_changes.ensure_version, aws, owner, version)
    attempt = eks_updates.Attempt()
    found = await run.wait(
        "Waiting for the control plane", cluster_changes.await_version, 60, aws, owner, version, attempt
    )
    await _newer_addons(run, version)
    for group in await run.step("Looking at the node groups", node_changes.group_names, aws, owner):
        action = f"Upgrading the nodes of {group} to {version}"
        await run.step(action, node_changes.ensure_node_version, aws, owner, group, version)
        await run.wait(
            f"Waiting for the nodes of {group}",
            node_changes.await_node_version,
            120,
            aws,
            owner,
            group,
            version,
            eks_updates.Attempt(),
        )
    return Facts(kubernetes_version=found["kubernetes_version"])


async def _newer_addons(run: Run, kubernetes_version: str) -> None:
    aws, owner, cluster = run.aws, run.owner, run.owner.names.cluster
    for name in ADDONS:
        wanted = await run.step(
            f"Upgrading add-on {name}",
            addon_changes.ensure_addon_version,
            aws,
            owner,
            cluster,
            name,
            kubernetes_version,
        )
        await run.wait(
            f"Waiting for add-on {name} to change",
            addon_changes.await_addon_version,
            40,
            aws,
            owner,
            cluster,
            name,
            wanted,
            eks_updates.Attempt(),
        )
