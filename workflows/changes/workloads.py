"""What runs in the namespace, brought to another spec: rolled out, and back when the new generation cannot start."""

from functools import partial

from steps import app as application
from steps import conductor as server
from steps import console as web_console
from steps import databases as sql
from steps import migration as migrate
from steps import sealed_secrets as sealing
from workflows.durable import Run
from workflows.facts import Facts
from workflows.install.account import reference
from workflows.install.application import conductor_url, migration_job, try_privileges
from workflows.install.platform import passwords_of, target_of
from workflows.rollouts import Rollout, of, roll_out


async def conductor(run: Run) -> Facts:
    kube, name, spec = run.kube, run.spec.namespace, run.spec.conductor
    licensed = spec.license_key is not None
    step, apply = of(server.ensure_conductor, kube, run.owner, name, spec.image, spec.replicas, licensed)
    new = Rollout(server.NAME, apply, partial(server.await_conductor, kube, name), step)
    await roll_out(run, "Rolling out Conductor", new)
    return {}


async def console(run: Run) -> Facts:
    kube, name, spec = run.kube, run.spec.namespace, run.spec.console
    step, apply = of(web_console.ensure_console, kube, run.owner, name, spec.image, spec.replicas, spec.port)
    new = Rollout(web_console.NAME, apply, partial(web_console.await_console, kube, name), step)
    await roll_out(run, "Rolling out the Console", new)
    return {}


async def migration(run: Run) -> Facts:
    """A new generation of the Job, with the database's current password: RDS rotates it (design.md section 4)."""
    kube, name = run.kube, run.spec.namespace
    licence = reference(run.spec.conductor.license_key)
    names = await run.step(
        "Sealing the database's current password",
        sealing.ensure_five,
        kube,
        run.aws,
        run.owner,
        name,
        target_of(run),
        passwords_of(run),
        licence,
    )
    await run.wait("Waiting for the secrets to be unsealed", sealing.await_unsealed, 5, kube, name, names)
    job = await migration_job(run)
    await run.step("Removing earlier migration Jobs", migrate.delete_earlier_jobs, kube, run.owner, name, job)
    return {}


async def privileges(run: Run) -> Facts:
    """What an earlier operation left of this is removed first: its Job has tried another schema."""
    await run.step("Removing an earlier trial", sql.clean_up, run.kube, run.owner, run.spec.namespace)
    return await try_privileges(run)


async def app(run: Run) -> Facts:
    """With autoscaling the number of pods is the autoscaler's."""
    kube, name, spec = run.kube, run.spec.namespace, run.spec.app
    replicas = None if run.spec.autoscaling.enabled else spec.replicas
    image, url = run.facts["app_image"], conductor_url(run.spec)
    step, apply = of(application.ensure_app, kube, run.owner, name, image, replicas, url, app_name=spec.name)
    new = Rollout(application.NAME, apply, partial(application.await_app, kube, name), step)
    await roll_out(run, "Rolling out the application", new)
    return {}
