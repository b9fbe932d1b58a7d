"""A rollout that goes back by itself: apply, wait, and when the new generation cannot start, the one before again.

It is one step: `:retry` goes back to the first step that failed, and must apply the new generation again, not only look
at the old one. Which generation was healthy before is a step of its own in front of it, so that neither a crash nor a
retry takes a generation that failed for it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from steps import rollback
from steps.errors import Code, PodiumError
from workflows.context import context
from workflows.durable import Run, in_pool, name_of

FAILURES = (Code.WORKLOAD_FAILED, Code.IMAGE_PULL_FAILED, Code.TIMED_OUT)
"""What going back may help with."""


@dataclass(frozen=True)
class Rollout:
    """`apply` gives a Deployment its new generation, `look` (as `Run.wait` takes one) tells when it is there."""

    deployment: str
    apply: Callable[[], object]
    look: Callable[[], Any]
    step: str
    """The step's name in DBOS."""
    minutes: float = 15


async def roll_out(run: Run, action: str, new: Rollout) -> None:
    """Raises what the new generation failed with, and says whether the one before is back."""
    namespace = run.spec.namespace
    before = await run.step(
        f"Remembering the healthy generation of {new.deployment}",
        rollback.healthy_generation,
        run.kube,
        namespace,
        new.deployment,
    )

    async def body() -> Any:
        await run.patiently(action, new.step, new.apply)
        try:
            return await run.look(action, new.step, new.look, new.minutes)
        except PodiumError as failure:
            if before is None or failure.code not in FAILURES:
                raise
            raise await _gone_back(run, action, new, before, failure) from failure

    await run.checkpointed(action, new.step, body)


async def _gone_back(run: Run, action: str, new: Rollout, before: dict[str, str], failure: PodiumError) -> PodiumError:
    """The failure, which says how going back went."""
    told, back = f"revision {before['revision']}, image {before['image']}", f"Rolling back {new.deployment}"
    undo = partial(rollback.roll_back, run.kube, run.owner, run.spec.namespace, new.deployment, before["replica_set"])
    try:
        await run.patiently(back, new.step, undo)
        await run.look(back, new.step, new.look, new.minutes)
        words = f"Rolled back to the previous generation ({told}), which is ready."
    except PodiumError as error:
        words = f"Rolling back to the previous generation ({told}) did not succeed either: {error.message}"
    record = partial(context().journal.rolled_back, run.operation_id, run.phase, new.step, words, failure.problem)
    await in_pool(record)
    return PodiumError(
        failure.code,
        f"{failure.message.rstrip('.')}. {words}",
        fault=failure.fault,
        retryable=failure.retryable,
        remedy=failure.remedy,
        details=failure.details,
    )


def of(function: Callable[..., object], /, *arguments: object, **keywords: object) -> tuple[str, Callable[[], object]]:
    """(step name, call) of a step's function with its arguments."""
    return name_of(function), partial(function, *arguments, **keywords)
