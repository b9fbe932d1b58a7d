"""The engine: walks the phase graph as durable workflows.

The parent starts a child workflow per phase as soon as the phase's needs are met, and waits for whichever ends first
(`DBOS.wait_first_async`, checkpointed: a replay makes the same choices). After a failure nothing new starts, phases
already running finish, and the operation ends in ERROR, from where `control.retry` rewinds it.
"""

from functools import partial
from typing import Any

from dbos import DBOS, SetWorkflowID, StepOptions, WorkflowHandleAsync
from dbos import error as dbos_error

from steps.errors import Code, problem_of
from workflows.context import context
from workflows.durable import Run, in_pool
from workflows.facts import Facts, outputs
from workflows.graph import Phase
from workflows.spec import ExposureMode, InstallationSpec

WAIT_FIRST_POLL_SECONDS = 0.2


def child_id(operation_id: str, phase: str) -> str:
    """DBOS workflow id of a phase."""
    return f"{operation_id}.{phase}"


@DBOS.workflow(name="podium.install")
async def install(operation_id: str, spec: dict[str, Any]) -> dict[str, Any]:
    """Runs all phases that the spec wants. Returns the installation's outputs; raises the first phase's error."""
    parsed = InstallationSpec.model_validate(spec)
    journal = context().journal
    await _journalled("operation.started", partial(journal.operation_started, operation_id))
    walk = _Walk(operation_id, spec, context().graph.wanted(parsed))
    facts = await walk.to_the_end()
    if walk.failure is not None:
        problem = problem_of(walk.failure)
        await _journalled("operation.failed", partial(journal.operation_failed, operation_id, problem))
        raise walk.failure
    exposed = parsed.exposure.mode is not ExposureMode.INTERNAL
    shown = outputs(
        facts,
        conductor_path=parsed.exposure.conductor_path if exposed else None,
        app_path=parsed.exposure.app_path if exposed else None,
    )
    await _journalled("operation.succeeded", partial(journal.operation_succeeded, operation_id, shown))
    return shown


class _Walk:
    """One walk over the graph; its state is rebuilt from checkpoints on replay."""

    def __init__(self, operation_id: str, spec: dict[str, Any], phases: tuple[Phase, ...]) -> None:
        self._operation_id = operation_id
        self._spec = spec
        self._todo = list(phases)
        self._done: set[str] = set(context().graph.names) - {phase.name for phase in phases}
        self._running: dict[str, WorkflowHandleAsync[dict[str, Any]]] = {}
        self._facts: Facts = {}
        self.failure: Exception | None = None

    async def to_the_end(self) -> Facts:
        while True:
            if self.failure is None:
                await self._start_what_can()
            if not self._running:
                return self._facts
            await self._finish_one()

    async def _start_what_can(self) -> None:
        ready = [phase for phase in self._todo if self._done.issuperset(phase.needs)]
        for phase in ready:
            self._todo.remove(phase)
            identifier = child_id(self._operation_id, phase.name)
            with SetWorkflowID(identifier):
                self._running[identifier] = await DBOS.start_workflow_async(
                    run_phase, self._operation_id, phase.name, self._spec, dict(self._facts)
                )

    async def _finish_one(self) -> None:
        handles = list(self._running.values())
        handle = await DBOS.wait_first_async(handles, polling_interval_sec=WAIT_FIRST_POLL_SECONDS)
        identifier = handle.workflow_id
        del self._running[identifier]
        try:
            found = await handle.get_result(polling_interval_sec=WAIT_FIRST_POLL_SECONDS)
        except dbos_error.DBOSWorkflowCancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a phase raised is what the operation reports
            if self.failure is None or problem_of(self.failure).code == Code.INTERRUPTED:
                self.failure = error
        else:
            self._facts.update(found)
            self._done.add(identifier.removeprefix(f"{self._operation_id}."))


@DBOS.workflow(name="podium.phase")
async def run_phase(operation_id: str, phase: str, spec: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    """One phase, as a child workflow: its steps have ids of their own. Returns the facts it adds."""
    journal, row = context().journal, context().graph[phase]
    run = Run(operation_id, phase, InstallationSpec.model_validate(spec), Facts(**facts))  # type: ignore[typeddict-item]
    await _journalled("phase.started", partial(journal.phase_started, operation_id, phase, row.title))
    try:
        found = await row.run(run)
    except dbos_error.DBOSWorkflowCancelledError:
        raise
    except Exception as error:
        problem = problem_of(error)
        record = journal.phase_interrupted if problem.code == Code.INTERRUPTED else journal.phase_failed
        await _journalled("phase.failed", partial(record, operation_id, phase, problem))
        raise
    await _journalled("phase.succeeded", partial(journal.phase_succeeded, operation_id, phase, row.title))
    return dict(found)


async def _journalled(name: str, write: Any) -> None:
    async def execute() -> None:
        await in_pool(write)

    await DBOS.run_step_async(StepOptions(name=name), execute)
