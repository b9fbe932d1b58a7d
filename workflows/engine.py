"""The engine: walks a phase graph as durable workflows, forwards for an install, backwards for an uninstall, and for an
upgrade or a repair only where there is something to do.

The parent starts a child workflow per phase as soon as the phase's needs are met, and waits for whichever ends first
(`DBOS.wait_first_async`, checkpointed: a replay makes the same choices). After a failure nothing new starts, phases
already running finish, and the operation ends in ERROR, from where `control.retry` rewinds it.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, cast

from dbos import DBOS, SetWorkflowID, StepOptions, WorkflowHandleAsync
from dbos import error as dbos_error

from steps.errors import Code, problem_of
from workflows.changing import Action, graph_of
from workflows.context import context
from workflows.durable import Run, in_pool
from workflows.facts import Facts, outputs
from workflows.fields import leaves, part
from workflows.graph import Graph, Phase
from workflows.journal import Settled
from workflows.report import report_of
from workflows.spec import ExposureMode, InstallationSpec

WAIT_FIRST_POLL_SECONDS = 0.2
_ELSEWHERE = (dbos_error.DBOSWorkflowCancelledError, dbos_error.DBOSWorkflowConflictIDError)
"""Not an outcome: the operation was cancelled, or another execution of this workflow goes on with it."""
StartPhase = Callable[[str, Facts], Awaitable[WorkflowHandleAsync[dict[str, Any]]]]


def child_id(operation_id: str, phase: str) -> str:
    """DBOS workflow id of a phase."""
    return f"{operation_id}.{phase}"


@DBOS.workflow(name="podium.install")
async def install(operation_id: str, spec: dict[str, Any]) -> dict[str, Any]:
    """Runs all phases that the spec wants. Returns the installation's outputs; raises the first phase's error."""
    return await _to_its_end(operation_id, _install(operation_id, spec))


async def _install(operation_id: str, spec: dict[str, Any]) -> dict[str, Any]:
    parsed, graph = InstallationSpec.model_validate(spec), context().graphs["install"]

    async def start(phase: str, facts: Facts) -> WorkflowHandleAsync[dict[str, Any]]:
        return await DBOS.start_workflow_async(run_phase, operation_id, phase, spec, dict(facts))

    return await _ready(operation_id, parsed, await _walk(operation_id, graph, graph.wanted(parsed), start))


@DBOS.workflow(name="podium.upgrade")
async def upgrade(
    operation_id: str, spec: dict[str, Any], options: dict[str, Any], known: dict[str, Any]
) -> dict[str, Any]:
    """Brings an installation to a new spec. Returns the installation's outputs; raises the first phase's error.

    `options` are those of workflows.changing.Touched; `known` are the facts of what is not touched.
    """
    return await _to_its_end(operation_id, _changed(operation_id, spec, options, known))


@DBOS.workflow(name="podium.repair")
async def repair(
    operation_id: str, spec: dict[str, Any], options: dict[str, Any], known: dict[str, Any]
) -> dict[str, Any]:
    """Brings back to its spec what has drifted away from it; see `upgrade`."""
    return await _to_its_end(operation_id, _changed(operation_id, spec, options, known))


async def _changed(
    operation_id: str, spec: dict[str, Any], options: dict[str, Any], known: dict[str, Any]
) -> dict[str, Any]:
    graph = graph_of(context().graphs, "upgrade", options)

    async def start(phase: str, facts: Facts) -> WorkflowHandleAsync[dict[str, Any]]:
        return await DBOS.start_workflow_async(change_phase, operation_id, phase, spec, dict(facts), options)

    facts = await _walk(operation_id, graph, graph.phases, start, cast(Facts, known))
    return await _ready(operation_id, InstallationSpec.model_validate(spec), facts)


async def _ready(operation_id: str, spec: InstallationSpec, facts: Facts) -> dict[str, Any]:
    """The outputs, once the operation is recorded as a success."""
    exposed = spec.exposure.mode is not ExposureMode.INTERNAL
    shown = outputs(
        facts,
        conductor_path=spec.exposure.conductor_path if exposed else None,
        app_path=spec.exposure.app_path if exposed else None,
    )
    done = partial(context().journal.operation_succeeded, operation_id, outputs=shown, facts=dict(facts))
    await _journalled("operation.succeeded", done)
    return shown


@DBOS.workflow(name="podium.uninstall")
async def uninstall(operation_id: str, spec: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Unmakes everything, whatever there is of it. Returns the report; raises the first phase's error.

    `options`: data "retain" (a last snapshot of the database) or "delete", force bool (without the Kubernetes API).
    """
    return await _to_its_end(operation_id, _uninstall(operation_id, spec, options))


async def _uninstall(operation_id: str, spec: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    graph = context().graphs["uninstall"]

    async def start(phase: str, facts: Facts) -> WorkflowHandleAsync[dict[str, Any]]:
        return await DBOS.start_workflow_async(undo_phase, operation_id, phase, spec, dict(facts), options)

    facts = await _walk(operation_id, graph, graph.phases, start)
    report = report_of(facts)
    done = partial(context().journal.operation_succeeded, operation_id, outputs={}, facts={}, report=report)
    await _journalled("operation.succeeded", done)
    return report


async def _to_its_end(operation_id: str, work: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    """What `work` returns. What it raises, be it a phase's error or one of our own, is the operation's last word."""
    try:
        return await work
    except _ELSEWHERE:
        raise
    except Exception as error:
        record = partial(context().journal.operation_failed, operation_id, problem_of(error))
        await _journalled("operation.failed", record)
        raise


async def _walk(
    operation_id: str, graph: Graph, phases: tuple[Phase, ...], start: StartPhase, known: Facts | None = None
) -> Facts:
    """All that was known and that the phases found out, when all succeeded. Raises the first one's error after the
    others have ended."""
    journal = context().journal
    await _journalled("operation.started", partial(journal.operation_started, operation_id))
    walk = _Walk(operation_id, graph, phases, start, known or {})
    facts = await walk.to_the_end()
    if walk.failure is not None:
        raise walk.failure
    return facts


class _Walk:
    """One walk over the graph; its state is rebuilt from checkpoints on replay."""

    def __init__(
        self, operation_id: str, graph: Graph, phases: tuple[Phase, ...], start: StartPhase, known: Facts
    ) -> None:
        self._operation_id = operation_id
        self._start = start
        self._todo = list(phases)
        self._done: set[str] = set(graph.names) - {phase.name for phase in phases}
        self._running: dict[str, WorkflowHandleAsync[dict[str, Any]]] = {}
        self._facts: Facts = {**known}
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
                self._running[identifier] = await self._start(phase.name, self._facts)

    async def _finish_one(self) -> None:
        handles = list(self._running.values())
        handle = await DBOS.wait_first_async(handles, polling_interval_sec=WAIT_FIRST_POLL_SECONDS)
        identifier = handle.workflow_id
        del self._running[identifier]
        try:
            found = await handle.get_result(polling_interval_sec=WAIT_FIRST_POLL_SECONDS)
        except _ELSEWHERE:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a phase raised is what the operation reports
            if self.failure is None or problem_of(self.failure).code == Code.INTERRUPTED:
                self.failure = error
        else:
            self._facts.update(found)
            self._done.add(identifier.removeprefix(f"{self._operation_id}."))


@DBOS.workflow(name="podium.phase")
async def run_phase(operation_id: str, phase: str, spec: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    """One phase of an install, as a child workflow: its steps have ids of their own. Returns the facts it adds."""
    return await _run(context().graphs["install"][phase], operation_id, spec, facts, {}, makes=True)


@DBOS.workflow(name="podium.change-phase")
async def change_phase(
    operation_id: str, phase: str, spec: dict[str, Any], facts: dict[str, Any], options: dict[str, Any]
) -> dict[str, Any]:
    """One phase of an upgrade or a repair: makes, changes or unmakes its things."""
    row = graph_of(context().graphs, "upgrade", options)[phase]
    makes = options["actions"].get(phase) != Action.REMOVE
    return await _run(row, operation_id, spec, facts, options, makes=makes)


@DBOS.workflow(name="podium.undo-phase")
async def undo_phase(
    operation_id: str, phase: str, spec: dict[str, Any], facts: dict[str, Any], options: dict[str, Any]
) -> dict[str, Any]:
    """One phase of an uninstall. Without a cluster there is nothing to unmake inside it."""
    row = context().graphs["uninstall"][phase]
    if row.in_cluster and "cluster_endpoint" not in facts:
        journal = context().journal
        await _journalled("phase.skipped", partial(journal.phase_skipped, operation_id, phase, "There is no cluster"))
        return {}
    return await _run(row, operation_id, spec, facts, options, makes=False)


async def _run(
    row: Phase,
    operation_id: str,
    spec: dict[str, Any],
    facts: dict[str, Any],
    options: dict[str, Any],
    *,
    makes: bool,
) -> dict[str, Any]:
    """`makes`: afterwards there is what the spec says; else nothing is left of it."""
    journal, phase = context().journal, row.name
    retries = await in_pool(partial(context().ledger.retries, operation_id))
    parsed = InstallationSpec.model_validate(spec)
    run = Run(operation_id, phase, parsed, cast(Facts, facts), row.awaits, options, retries)
    fields = part(leaves(run.spec.public()), row.change.inputs) if makes else None
    await _journalled("phase.started", partial(journal.phase_started, operation_id, phase, row.title, fields))
    try:
        found = await row.run(run)
    except _ELSEWHERE:
        raise
    except Exception as error:
        problem = problem_of(error)
        record = journal.phase_interrupted if problem.code == Code.INTERRUPTED else journal.phase_failed
        await _journalled("phase.failed", partial(record, operation_id, phase, problem))
        raise
    settled = Settled(fields, dict(found)) if fields is not None else None
    await _journalled("phase.succeeded", partial(journal.phase_succeeded, operation_id, phase, row.title, settled))
    return dict(found)


async def _journalled(name: str, write: Any) -> None:
    async def execute() -> None:
        await in_pool(write)

    await DBOS.run_step_async(StepOptions(name=name), execute)
