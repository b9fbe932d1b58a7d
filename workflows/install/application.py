"""The DBOS application: migration, pods, routes, scaling, and the proof that it works."""

from functools import partial

from steps import app as application
from steps import autoscaling as scaling
from steps import databases as sql
from steps import ingress as routes
from steps import migration as migrate
from steps import smoke
from workflows.context import context
from workflows.durable import Run, in_pool
from workflows.facts import Facts
from workflows.install.platform import target_of
from workflows.spec import InstallationSpec

APP_ROLE = "dbos_app_role"


async def migration(run: Run) -> Facts:
    """`dbos migrate` with the admin role, so that the app itself needs no right to change the schema."""
    await migration_job(run)
    return {}


async def migration_job(run: Run) -> str:
    """The complete Job's name. One for each operation, another when the phase is run again on request or after a
    failure; never beside one that still runs."""
    kube, name, image = run.kube, run.spec.namespace, run.facts["migrate_image"]
    attempt = await in_pool(partial(context().ledger.attempt, run.operation_id, run.phase))
    generation = run.operation_id if attempt == 1 else f"{run.operation_id}/{attempt}"
    start = "Starting the migration Job"
    job = await run.wait(start, migrate.ensure_job, 20, kube, run.owner, name, image, APP_ROLE, generation)
    await run.wait("Waiting for the migration Job", migrate.await_job, 20, kube, name, job)
    return job


async def undo_migration(run: Run) -> Facts:
    await run.step("Deleting the migration Job", migrate.delete_job, run.kube, run.owner, run.spec.namespace)
    return {}


async def privileges(run: Run) -> Facts:
    return await try_privileges(run)


async def try_privileges(run: Run) -> Facts:
    """A Job logs in as the app's role and fails if it can change the schema (inventory, row 22)."""
    kube, name, password = run.kube, run.spec.namespace, run.facts["app_role_password"]
    job = await run.step(
        "Starting the Job that tries",
        sql.ensure_separation_job,
        kube,
        run.aws,
        run.owner,
        name,
        target_of(run),
        password,
        run.operation_id,
    )
    await run.wait("Waiting for the Job that tries", sql.await_job, 15, kube, name, job)
    await run.step("Removing the Job and its secret", sql.clean_up, kube, run.owner, name)
    return {}


async def undo_privileges(run: Run) -> Facts:
    await run.step("Removing the Job that tries", sql.clean_up, run.kube, run.owner, run.spec.namespace)
    return {}


async def app(run: Run) -> Facts:
    kube, name, spec = run.kube, run.spec.namespace, run.spec.app
    await run.step(
        "Applying the application",
        application.ensure_app,
        kube,
        run.owner,
        name,
        run.facts["app_image"],
        spec.replicas,
        conductor_url(run.spec),
        app_name=spec.name,
    )
    await run.wait("Waiting for the application", application.await_app, 15, kube, name)
    return {}


def conductor_url(spec: InstallationSpec) -> str:
    """Where the application reaches Conductor."""
    return spec.app.conductor_url or f"ws://conductor.{spec.namespace}.svc.cluster.local:8090/"


async def undo_app(run: Run) -> Facts:
    await run.step("Deleting the application", application.delete_app, run.kube, run.owner, run.spec.namespace)
    return {}


async def ingress(run: Run) -> Facts:
    """Only now, with the key swapped, does anything become reachable from outside (design.md section 6)."""
    kube, name, spec = run.kube, run.spec.namespace, run.spec.exposure
    await run.step(
        "Applying the Ingress", routes.ensure_ingress, kube, run.owner, name, spec.conductor_path, spec.app_path
    )
    await run.wait("Waiting for the Ingress", routes.await_ingress, 15, kube, name)
    return {}


async def undo_ingress(run: Run) -> Facts:
    await run.step("Deleting the Ingress", routes.delete_ingress, run.kube, run.owner, run.spec.namespace)
    return {}


async def autoscaling(run: Run) -> Facts:
    kube, name, spec = run.kube, run.spec.namespace, run.spec.autoscaling
    await run.step(
        "Applying the ScaledObject",
        scaling.ensure_scaled_object,
        kube,
        run.owner,
        name,
        spec.queue,
        spec.target,
        spec.min_replicas,
        spec.max_replicas,
        spec.polling_seconds,
        spec.cooldown_seconds,
    )
    await run.wait("Waiting for KEDA to take it up", scaling.await_scaled_object, 10, kube, name)
    return {}


async def undo_autoscaling(run: Run) -> Facts:
    await run.step("Deleting the ScaledObject", scaling.delete_scaled_object, run.kube, run.owner, run.spec.namespace)
    return {}


async def smoke_test(run: Run) -> Facts:
    """The guide's four calls, which only the sample need answer, and "Conductor lists the executor"."""
    kube, name, app_name = run.kube, run.spec.namespace, run.spec.app.name
    await run.wait("Waiting for Conductor to list the executor", smoke.await_executor, 5, kube, name, app_name)
    task = f"smoke-{run.operation_id[:8]}"
    is_sample = run.spec.app.image is None
    report = await run.step(
        "Calling the application", smoke.run_smoke_test, kube, name, app_name, task, is_sample=is_sample
    )
    return Facts(smoke_test=report)


async def undo_smoke_test(run: Run) -> Facts:
    """It leaves rows in the app's database, which go with it."""
    return {}
