"""Conductor, its Console, and the app's API key."""

from typing import Any

from steps import api_key as keys
from steps import conductor as server
from steps import console as web_console
from steps import sealed_secrets as sealing
from steps.waiting import NeedsPerson
from workflows.context import context
from workflows.durable import Run
from workflows.facts import Facts


async def conductor(run: Run) -> Facts:
    kube, name, spec = run.kube, run.spec.namespace, run.spec.conductor
    licensed = spec.license_key is not None
    await run.step(
        "Applying Conductor", server.ensure_conductor, kube, run.owner, name, spec.image, spec.replicas, licensed
    )
    await run.wait("Waiting for Conductor", server.await_conductor, 15, kube, name)
    return {}


async def undo_conductor(run: Run) -> Facts:
    await run.step("Deleting Conductor", server.delete_conductor, run.kube, run.owner, run.spec.namespace)
    return {}


async def console(run: Run) -> Facts:
    kube, name, spec = run.kube, run.spec.namespace, run.spec.console
    await run.step(
        "Applying the Console", web_console.ensure_console, kube, run.owner, name, spec.image, spec.replicas, spec.port
    )
    await run.wait("Waiting for the Console", web_console.await_console, 15, kube, name)
    return {}


async def undo_console(run: Run) -> Facts:
    await run.step("Deleting the Console", web_console.delete_console, run.kube, run.owner, run.spec.namespace)
    return {}


async def api_key(run: Run) -> Facts:
    """By Conductor's API; by a person where Conductor is too old to have one."""
    kube, name, app = run.kube, run.spec.namespace, run.spec.app.name
    how = await run.step("Registering the app in Conductor", keys.register_app, kube, name, app)
    if how == "unsupported":
        given = await run.wait("Waiting for an API key", await_provided_key, 60, run.operation_id, run.phase, name)
    else:
        given = await run.step("Creating the API key", keys.ensure_api_key, kube, run.aws, run.owner, name, app)
    await run.step("Swapping the API key", keys.swap, kube, run.aws, run.owner, name, given)
    await run.wait("Waiting for the key to be unsealed", sealing.await_unsealed, 5, kube, name, [keys.PURPOSE])
    return {}


def await_provided_key(operation_id: str, phase: str, namespace: str) -> dict[str, Any] | NeedsPerson:
    """The reference that `:provide` left in the ledger, or what to do to get a key."""
    given = context().ledger.provided(operation_id, phase)
    return given if given is not None else keys.instructions(namespace)


async def undo_api_key(run: Run) -> Facts:
    """The key dies with Conductor's database; its copy goes with the other secrets."""
    return {}
