"""Going on after a failure or a cancel: the same workflows, the same ids, from the step that did not succeed.

DBOS rewinds a workflow in a terminal state to a step and runs it again from there (`rewind_workflow`); what was
checkpointed before is replayed, not repeated. Children first, then the parent, to the `DBOS.waitFirst` that saw the
first of them end; a call that was interrupted in between can simply be made again.
"""

from collections.abc import Iterable

from dbos import DBOSClient, StepInfo

_ACTIVE = ("PENDING", "ENQUEUED", "DELAYED")
_LAST_WORDS = ("phase.failed", "operation.failed")
_SAW_CHILD_END = "DBOS.waitFirst"


def rewind(dbos: DBOSClient, operation_id: str, *, restart: Iterable[str] = ()) -> None:
    """Sets every unsuccessful child, and the phases of `restart` from their first step, on their way again.

    Of `restart` the first phase goes back to its first step; those behind it are forgotten by DBOS (their history stays
    in Podium's event log), so that the parent starts them anew, each when its needs are met. A parent that has said
    that the operation is over, but has not ended yet (it, or its worker, is about to), is not waited for. What an
    earlier call that was interrupted has set on its way is stopped and goes on from there.
    """
    dbos.cancel_workflow(operation_id)
    cancel_children(dbos, operation_id)
    states = _children(dbos, operation_id)
    anew = [child for phase in restart if (child := f"{operation_id}.{phase}") in states]
    unsuccessful = {child for child, state in states.items() if state != "SUCCESS"} - set(anew)
    start = _parents_step(dbos.list_workflow_steps(operation_id), unsuccessful.union(anew))
    for child in sorted(unsuccessful):
        _again(dbos, child, _failed_step(dbos.list_workflow_steps(child)))
    if anew[1:]:
        dbos.delete_workflows(anew[1:])
    for child in anew[:1]:
        _again(dbos, child, 1)
    _again(dbos, operation_id, start)


def cancel_children(dbos: DBOSClient, operation_id: str) -> None:
    """Those of an operation's phases that are to run or run, whether their parent has noted them or not."""
    active = [child for child, state in _children(dbos, operation_id).items() if state in _ACTIVE]
    if active:
        dbos.cancel_workflows(active)


def _again(dbos: DBOSClient, workflow_id: str, start_step: int | None) -> None:
    """From `start_step`; from where it stopped when there is none."""
    if start_step is None:
        steps = dbos.list_workflow_steps(workflow_id)
        start_step = max((step["function_id"] for step in steps), default=0) + 1
    dbos.rewind_workflow(workflow_id, start_step=start_step)


def _children(dbos: DBOSClient, operation_id: str) -> dict[str, str]:
    found = dbos.list_workflows(workflow_id_prefix=f"{operation_id}.", load_input=False, load_output=False)
    return {status.workflow_id: status.status for status in found}


def _failed_step(steps: list[StepInfo]) -> int | None:
    """The first step that raised; else the record of a failure between steps; None for a cancelled workflow."""
    for step in steps:
        if step["error"] is not None:
            return step["function_id"]
    return next((step["function_id"] for step in steps if step["function_name"] in _LAST_WORDS), None)


def _parents_step(steps: list[StepInfo], again: set[str]) -> int | None:
    """Where the parent first acted on the end of a child that runs again; else its own first error; None: nowhere."""
    for step in steps:
        if step["function_name"] == _SAW_CHILD_END and step["output"] in again:
            return step["function_id"]
    starts = (step["function_id"] for step in steps if step["child_workflow_id"] in again and _starts_child(step))
    return next(starts, None) or _failed_step(steps)


def _starts_child(step: StepInfo) -> bool:
    return step["function_name"] in ("podium.phase", "podium.undo-phase", "podium.change-phase")
