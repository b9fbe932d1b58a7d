"""A rollout that goes back by itself: apply, wait, and when the new generation cannot start, the one before again.

It is one step: `:retry` goes back to the first step that failed, and must apply the new generation again, not only look
at the old one. Which generation was healthy before is a step of its own in front of it, so that neither a crash nor a
retry takes a generation that failed for it. That it is going back is in the event log before it does: after a crash it
goes on with that, and does not give the pods of a generation that failed another round.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from dbos import error as dbos_error

from steps import rollback
from steps.errors import Code, Fault, PodiumError
from workflows.context import context
from workflows.durable import Run, in_pool, name_of
from workflows.failures import failure_of
from workflows.waits import going_back

FAILURES = (Code.WORKLOAD_FAILED, Code.IMAGE_PULL_FAILED, Code.TIMED_OUT)
"""What going back may help with."""


@dataclass(frozen=True)
class Rollout:
    """`apply` gives a Deployment its new generation, `look` (as `Run.wait` takes one) tells when it is there.

    `scaled`: the number of its pods is an autoscaler's.
    """

    deployment: str
    apply: Callable[[], object]
    look: Callable[[], Any]
    step: str
    """The step's name in DBOS."""
    minutes: float = 15
    scaled: bool = False


async def roll_out(run: Run, action: str, new: Rollout) -> None:
    """Raises what the new generation failed with, and says whether the one before is back.

    Cancelled, or handed over to another worker, it stays where it is.
    """
    before = await run.step(
        f"Remembering the healthy generation of {new.deployment}",
        rollback.healthy_generation,
        run.kube,
        run.spec.namespace,
        new.deployment,
    )

    async def body() -> Any:
        failed = await in_pool(partial(going_back, context().engine, run.operation_id, run.phase, new.step))
        if before is not None and failed is not None:
            raise await _gone_back(run, new, before, _failure(failed))
        await run.patiently(action, new.step, new.apply)
        try:
            return await run.look(action, new.step, new.look, new.minutes)
        except PodiumError as failure:
            if before is None or failure.code not in FAILURES:
                raise
            raise await _gone_back(run, new, before, failure) from failure

    await run.checkpointed(action, new.step, body)


async def _gone_back(run: Run, new: Rollout, before: dict[str, Any], failure: PodiumError) -> PodiumError:
    """The failure, which says how going back went."""
    journal, back = context().journal, f"Rolling back {new.deployment}"
    begun = partial(journal.rolling_back, run.operation_id, run.phase, new.step, back, failure.problem)
    if not await in_pool(begun):
        return failure
    told = f"the previous generation (revision {before['revision']}, image {before['image']})"
    try:
        await _go_back(run, back, new, before)
        words = f"Rolled back to {told}, which is ready."
    except dbos_error.DBOSWorkflowCancelledError:
        raise
    except Exception as error:  # noqa: BLE001 - what is reported is why the rollout failed, and this beside it
        words = f"Rolling back to {told} did not succeed either: {failure_of(error, new.step).message}"
    await in_pool(partial(journal.rolled_back, run.operation_id, run.phase, new.step, words, failure.problem))
    return PodiumError(
        failure.code,
        f"{failure.message.rstrip('.')}. {words}",
        fault=failure.fault,
        retryable=failure.retryable,
        remedy=failure.remedy,
        details=failure.details,
    )


async def _go_back(run: Run, back: str, new: Rollout, before: dict[str, Any]) -> None:
    undo = partial(
        rollback.roll_back, run.kube, run.owner, run.spec.namespace, new.deployment, before, scaled=new.scaled
    )
    await run.patiently(back, new.step, undo)
    await run.look(back, new.step, new.look, new.minutes)


def _failure(data: Mapping[str, Any]) -> PodiumError:
    """The error again that an event holds (steps.errors.Problem)."""
    return PodiumError(
        Code(data["code"]),
        data["message"],
        fault=Fault(data["fault"]),
        retryable=data["retryable"],
        remedy=data["remedy"],
        details=tuple(data["details"]),
    )


def of(function: Callable[..., object], /, *arguments: object, **keywords: object) -> tuple[str, Callable[[], object]]:
    """(step name, call) of a step's function with its arguments."""
    return name_of(function), partial(function, *arguments, **keywords)
