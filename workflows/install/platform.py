"""What the cluster gets before DBOS's own parts: namespace, charts, databases, secrets."""

from typing import Any

from steps import charts, leftovers
from steps import databases as sql
from steps import namespace as namespaces
from steps import sealed_secrets as sealing
from steps.console import needs_root
from steps.database_target import DatabaseTarget
from workflows.context import context
from workflows.durable import Run
from workflows.facts import Facts
from workflows.install.account import reference

INGRESS_SERVICE = "ingress-nginx/ingress-nginx-controller"
"""The Service that has a load balancer, as the cloud provider tags it."""


async def namespace(run: Run) -> Facts:
    name, root = run.spec.namespace, needs_root(run.spec.console.port)
    await run.step("Creating the namespace", namespaces.ensure_namespace, run.kube, run.owner, name, allow_root=root)
    return {}


async def undo_namespace(run: Run) -> Facts:
    kube, name = run.kube, run.spec.namespace
    if await run.step("Deleting the namespace", namespaces.delete_namespace, kube, run.owner, name):
        await run.wait("Waiting for the namespace to go", namespaces.await_namespace_deleted, 15, kube, name)
    return {}


async def ingress_nginx(run: Run) -> Facts:
    """The controller, and the load balancer's host name."""
    await _release(run, "ingress-nginx")
    found = await run.wait("Waiting for the load balancer", charts.await_load_balancer, 20, run.kube)
    return Facts(load_balancer_host=found["load_balancer_host"], load_balancer_port=found["load_balancer_port"])


async def undo_ingress_nginx(run: Run) -> Facts:
    """Its load balancer goes while the controllers that can remove it still run."""
    await _no_release(run, "ingress-nginx")
    name = run.facts["cluster_name"]
    await run.wait(
        "Waiting for the load balancer to go",
        leftovers.await_load_balancers_gone,
        20,
        run.aws,
        run.owner,
        name,
        (INGRESS_SERVICE,),
    )
    return {}


async def sealed_secrets(run: Run) -> Facts:
    return await _release(run, "sealed-secrets")


async def undo_sealed_secrets(run: Run) -> Facts:
    return await _no_release(run, "sealed-secrets")


async def keda(run: Run) -> Facts:
    return await _release(run, "keda")


async def undo_keda(run: Run) -> Facts:
    return await _no_release(run, "keda")


async def _release(run: Run, chart: str) -> Facts:
    helm, choice = context().clients.helm, run.spec.charts.by_name()[chart].choice
    action = f"Installing {chart} {choice.version or charts.CHARTS[chart].version} with helm"
    await run.step(action, charts.ensure_release, run.kube, run.owner, chart, choice, helm=helm, aws=run.aws)
    await run.wait(f"Waiting for {chart}", charts.await_release, 40, run.kube, chart)
    return {}


async def _no_release(run: Run, chart: str) -> Facts:
    helm = context().clients.helm
    if await run.step(f"Uninstalling {chart}", charts.delete_release, run.kube, run.owner, helm, chart):
        await run.wait(f"Waiting for {chart} to go", charts.await_release_deleted, 20, run.kube, chart)
    return {}


def target_of(run: Run) -> DatabaseTarget:
    """Where the database is and who its master is."""
    known = run.facts
    return DatabaseTarget(
        host=known["db_host"],
        port=known["db_port"],
        sslmode=run.spec.database.sslmode,
        master_username=known["db_master_username"],
        master_secret=known["db_master_secret"],
    )


def passwords_of(run: Run) -> dict[str, dict[str, Any]]:
    return {"conductor": run.facts["conductor_role_password"], "app": run.facts["app_role_password"]}


async def databases(run: Run) -> Facts:
    """The guide's two databases and two roles, by a Job in the cluster, since the server is private."""
    kube, name = run.kube, run.spec.namespace
    job = await run.step(
        "Starting the SQL Job",
        sql.ensure_job,
        kube,
        run.aws,
        run.owner,
        name,
        target_of(run),
        passwords_of(run),
        run.operation_id,
    )
    await run.wait("Waiting for the SQL Job", sql.await_job, 15, kube, name, job)
    await run.step("Removing the SQL Job and its secret", sql.clean_up, kube, run.owner, name)
    return {}


async def undo_databases(run: Run) -> Facts:
    await run.step("Removing the SQL Job", sql.clean_up, run.kube, run.owner, run.spec.namespace)
    return {}


async def secrets(run: Run) -> Facts:
    """The five sealed secrets; the API key is a placeholder until Conductor has given one."""
    kube, name = run.kube, run.spec.namespace
    names = await run.step(
        "Sealing the secrets",
        sealing.ensure_five,
        kube,
        run.aws,
        run.owner,
        name,
        target_of(run),
        passwords_of(run),
        reference(run.spec.conductor.license_key),
    )
    await run.wait("Waiting for the secrets to be unsealed", sealing.await_unsealed, 5, kube, name, names)
    return {}


async def undo_secrets(run: Run) -> Facts:
    await run.step("Deleting the sealed secrets", sealing.delete_sealed, run.kube, run.owner, run.spec.namespace)
    return {}
