"""How a phase runs its steps: checkpointed by DBOS, in a bounded thread pool, journalled, with errors in our words.

A phase reads like the guide: `await run.step("Creating the VPC", network.ensure_vpc, run.aws, ...)`. The step's name in
DBOS is module and function (`network.ensure_vpc`); what is stored is the function's return value, never its arguments.
"""

import asyncio
import contextlib
import math
import random
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ParamSpec, TypeVar

import structlog
from dbos import DBOS, StepOptions
from dbos import error as dbos_error
from sqlalchemy.exc import SQLAlchemyError

from steps.clients.aws import Aws
from steps.clients.kubernetes import Kube
from steps.errors import Code, CredentialsError, Fault, PodiumError, TransientError, problem_of
from steps.gate import gated, pass_gate
from steps.names import Owner
from steps.reporting import heard
from steps.waiting import Blocked, NeedsPerson, Pending
from workflows.context import context
from workflows.database import is_outage
from workflows.facts import Facts
from workflows.lease import HandedOver
from workflows.spec import InstallationSpec
from workflows.waits import waited

P = ParamSpec("P")
R = TypeVar("R")

ATTEMPTS = 6
FIRST_BACKOFF_SECONDS = 1.0
SHORTEST_LOOK_SECONDS = 0.2
LONGEST_LOOK_SECONDS = 15.0
LONGEST_LOOK_FOR_A_PERSON_SECONDS = 5.0
LOOK_SHARE = 0.05
SLICE_SECONDS = 0.25
"""How soon a pause notices that this process drains."""
OUTAGE_PAUSE_SECONDS = (0.5, 5.0)
"""First and longest pause between two tries to write while the database does not answer."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Run:
    """One phase of one operation, as its function sees it."""

    operation_id: str
    phase: str
    spec: InstallationSpec
    facts: Facts
    awaits: tuple[str, ...] = ()
    """Phases that this one's waits hang on (workflows/graph.py)."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """How the operation was asked for, e.g. an uninstall's `data` and `force`."""
    epoch: int = field(default_factory=lambda: context().lease.epoch, compare=False)
    """See workflows/lease.py."""

    @property
    def owner(self) -> Owner:
        return Owner(self.spec.name, self.operation_id)

    @property
    def aws(self) -> Aws:
        return context().clients.aws(self.spec)

    @property
    def kube(self) -> Kube:
        known = self.facts
        return context().clients.kube(self.spec, known["cluster_name"], known["cluster_endpoint"], known["cluster_ca"])

    async def step(self, action: str, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Runs `function` once, checkpointed; tried again inside the step while it raises TransientError.

        While AWS's credentials do not work the phase waits, and no try is counted. Raises PodiumError, or dbos's stored
        form of one when replayed.
        """
        call = partial(function, *args, **kwargs)
        name = name_of(function)
        heard_call = self._listening(name, call)
        result: R = await self.checkpointed(action, name, lambda: self.patiently(action, name, heard_call))
        return result

    async def wait(
        self,
        action: str,
        look: Callable[P, R | Pending | NeedsPerson | Blocked],
        minutes: float,
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Looks again and again until something other than Pending or NeedsPerson is found, and returns it.

        The deadline is soft: one more look comes after it, and time spent waiting for a person does not count. It
        outlives this process: see workflows/waits.py. Raises PodiumError (code TIMED_OUT, or what the look raises).
        """
        call, name = partial(look, *args, **kwargs), name_of(look)
        result: R = await self.checkpointed(action, name, lambda: self.look(action, name, call, minutes))
        return result

    async def checkpointed(self, action: str, name: str, body: Callable[[], Any]) -> Any:
        """Awaits `body` as one DBOS step of this name, told in the event log; what `step` and `wait` are made of."""
        journal = context().journal

        async def execute() -> Any:
            await in_pool(partial(journal.step_started, self.operation_id, self.phase, name, action))
            try:
                result = await body()
            except dbos_error.DBOSWorkflowCancelledError:
                raise
            except Exception as error:
                failure = as_podium_error(error, name)
                failure.step = name
                await in_pool(partial(journal.step_failed, self.operation_id, self.phase, name, failure.problem))
                raise failure from error
            await in_pool(partial(journal.step_succeeded, self.operation_id, self.phase, name, action))
            return result

        with context().lease.step(DBOS.workflow_id or "", self.epoch):
            try:
                return await DBOS.run_step_async(StepOptions(name=name, preemptible=True), execute)
            except dbos_error.DBOSWorkflowConflictIDError as error:
                raise HandedOver(str(error)) from error

    async def _outside(self, call: Callable[[], R]) -> R:
        """Runs a call once the phase's previous one has ended: after a cancel that may still be having its effect,
        and a retry must not meet it. Each request that the call makes passes the lease."""
        key, calls = (self.spec.name, self.phase), context().calls
        before = calls.get(key)
        if before is not None and not before.done():
            await asyncio.wait({asyncio.wrap_future(before)})
        lease = context().lease

        def within_the_lease() -> R:
            with gated(partial(lease.check, self.epoch)):
                pass_gate()
                try:
                    return call()
                except SQLAlchemyError as error:
                    if not is_outage(error):
                        raise
                    raise _no_database() from error

        future, ended = context().pool.submit(within_the_lease), Future[None]()
        calls[key] = ended
        future.add_done_callback(lambda _call: ended.set_result(None))
        return await _shielded(asyncio.wrap_future(future))

    def _listening(self, name: str, call: Callable[[], R]) -> Callable[[], R]:
        """The call, and then what it reported into the event log, also when it failed."""
        workflow_id = DBOS.workflow_id

        def listened() -> R:
            with heard() as lines:
                try:
                    return call()
                finally:
                    if lines:
                        report = partial(context().journal.step_reported, self.operation_id, self.phase, name, lines)
                        _persistently(report, workflow_id)

        return listened

    async def patiently(self, action: str, name: str, call: Callable[[], R]) -> R:
        """Within a step: calls, and again while it raises TransientError; see `step`."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._with_credentials(action, name, call)
            except TransientError as error:
                if attempt == ATTEMPTS:
                    raise
                seconds = FIRST_BACKOFF_SECONDS * 2 ** (attempt - 1) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
                journal = context().journal
                await in_pool(
                    partial(journal.step_repeated, self.operation_id, self.phase, name, error.problem, seconds)
                )
                await _pause(seconds)
        raise AssertionError("unreachable")

    async def _with_credentials(self, action: str, name: str, call: Callable[[], R]) -> R:
        """Calls until AWS's credentials work; the phase says what it waits for meanwhile."""
        watch = _Watch(self, action, name, math.inf)
        while True:
            try:
                result = await self._outside(call)
            except CredentialsError as error:
                await watch.note(credentials_needed(error), late=False)
                await _pause(watch.pause())
            except TransientError:
                await watch.over()
                raise
            else:
                await watch.over()
                return result

    async def look(self, action: str, name: str, call: Callable[[], Any], minutes: float) -> Any:
        """Within a step: looks until something is found; see `wait`."""
        since = await in_pool(partial(waited, context().engine, self.operation_id, self.phase, name, action))
        watch = _Watch(self, action, name, minutes, since)
        while True:
            late = watch.late
            try:
                found = await self._outside(call)
            except CredentialsError as error:
                found = credentials_needed(error)
            except TransientError as error:
                found = Pending(error.message)
            if not isinstance(found, Pending | NeedsPerson | Blocked):
                await watch.over()
                return found
            await watch.note(found, late)
            await watch.give_up_when_hopeless()
            await _pause(watch.pause())


class _Watch:
    """The clock and the voice of one wait: says what is going on when that changes, and when patience ends."""

    def __init__(self, run: Run, action: str, name: str, minutes: float, waited_seconds: float = 0.0) -> None:
        """`waited_seconds`: how long it has been going on in earlier processes."""
        self._run, self._action, self._name, self._minutes = run, action, name, minutes
        self._started = self._changed = time.monotonic() - waited_seconds
        self._seen: Pending | NeedsPerson | Blocked | None = None

    @property
    def late(self) -> bool:
        return time.monotonic() - self._started > self._minutes * 60

    def pause(self) -> float:
        """A twentieth of the time waited so far: a wait is overshot by 5 % at most; long waits cost few looks."""
        for_person = isinstance(self._seen, NeedsPerson | Blocked)
        longest = LONGEST_LOOK_FOR_A_PERSON_SECONDS if for_person else LONGEST_LOOK_SECONDS
        return min(longest, max(SHORTEST_LOOK_SECONDS, (time.monotonic() - self._changed) * LOOK_SHARE))

    async def note(self, found: Pending | NeedsPerson | Blocked, late: bool) -> None:
        journal, run = context().journal, self._run
        if isinstance(found, NeedsPerson | Blocked):
            self._started = time.monotonic()
            if found != self._seen:
                self._changed = self._started
                await in_pool(partial(journal.phase_waiting, run.operation_id, run.phase, self._name, found))
        elif late:
            raise _timed_out(self._action, found.detail, self._minutes)
        elif isinstance(self._seen, NeedsPerson | Blocked):
            await self.over()
        elif found != self._seen:
            text = f"{self._action}: {found.detail}"
            await in_pool(partial(journal.action, run.operation_id, run.phase, text))
        self._seen = found

    async def give_up_when_hopeless(self) -> None:
        """Raises INTERRUPTED when what this wait hangs on has failed: the operation could not end otherwise."""
        ctx, run = context(), self._run
        if not run.awaits:
            return
        failed = ctx.graphs["install"].upstream(run.awaits) & await in_pool(
            partial(ctx.ledger.failed_phases, run.operation_id)
        )
        if failed:
            raise _interrupted(self._action, sorted(failed))

    async def over(self) -> None:
        if isinstance(self._seen, NeedsPerson | Blocked):
            run = self._run
            await in_pool(partial(context().journal.phase_resumed, run.operation_id, run.phase, self._action))
            self._seen, self._changed = None, time.monotonic()


def name_of(function: Callable[..., Any]) -> str:
    """The step's name in DBOS: stable, since recovery and rewinding look at it."""
    module = function.__module__.rpartition(".")[2]
    return f"{module}.{function.__name__}"


def as_podium_error(error: Exception, step: str) -> PodiumError:
    """Unexpected exceptions lose their text, which DBOS would store and nobody has checked for secrets."""
    if isinstance(error, PodiumError):
        return error
    place = _place_of(error)
    log.error("step.unexpected_error", step=step, type=type(error).__name__, place=place)
    problem = problem_of(error)
    return PodiumError(
        Code.INTERNAL,
        f"{problem.message} (in {step}, {place})",
        fault=Fault.PODIUM,
        retryable=True,
        remedy=problem.remedy,
    )


def _place_of(error: Exception) -> str:
    traceback = error.__traceback__
    while traceback and traceback.tb_next:
        traceback = traceback.tb_next
    return f"{traceback.tb_frame.f_code.co_filename.rpartition('/')[2]}:{traceback.tb_lineno}" if traceback else "?"


def _interrupted(action: str, failed: list[str]) -> PodiumError:
    return PodiumError(
        Code.INTERRUPTED,
        f"{action}: not awaited any longer, since this hangs on {', '.join(failed)}, which failed.",
        fault=Fault.PODIUM,
        retryable=True,
        remedy="Mend what failed, then retry: the wait goes on from here.",
    )


def _no_database() -> TransientError:
    return TransientError(
        Code.INTERNAL,
        "Podium's own database does not answer.",
        fault=Fault.PODIUM,
        retryable=True,
        remedy="Start it again, then retry.",
    )


def _timed_out(action: str, detail: str, minutes: float) -> PodiumError:
    return PodiumError.by_provider(
        Code.TIMED_OUT,
        f"{action}: still not done after {minutes:g} minutes. Last seen: {detail}",
        "Look at the resource named above; retry when it is ready or mended (the wait goes on from here).",
    )


def credentials_needed(error: CredentialsError) -> NeedsPerson:
    """What a phase waits for while AWS's credentials do not work; one code, whatever is wrong with them."""
    return NeedsPerson(error.message, error.remedy, code=str(Code.AWS_CREDENTIALS_EXPIRED))


async def _pause(seconds: float) -> None:
    """Sleeps. Raises HandedOver when this process drains meanwhile: a pause is a safe point to stop at."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if context().lease.draining:
            raise HandedOver("This process stops; another goes on from here.")
        await asyncio.sleep(min(left, SLICE_SECONDS))


async def in_pool(call: Callable[[], R]) -> R:
    """Runs a blocking read or write of Podium's own tables in the pool; see `_shielded`.

    Repeated while the database does not answer: writes are made to be repeated (workflows/journal.py). Raises
    HandedOver when the workflow is executed elsewhere.
    """
    repeated = partial(_persistently, call, DBOS.workflow_id)
    return await _shielded(asyncio.get_running_loop().run_in_executor(context().pool, repeated))


def _persistently(call: Callable[[], R], workflow_id: str | None) -> R:
    lease = context().lease
    seconds, longest = OUTAGE_PAUSE_SECONDS
    while True:
        try:
            lease.check_writer(workflow_id)
            return call()
        except SQLAlchemyError as error:
            if not is_outage(error):
                raise
            log.warning("database.outage", type=type(error).__name__, workflow_id=workflow_id)
        time.sleep(seconds)  # the only thing to do: nothing can be recorded now
        seconds = min(2 * seconds, longest)


async def _shielded(future: asyncio.Future[R]) -> R:
    """The result of a call in the pool. When cancelled it still waits for the call's end, which nothing can hasten,
    unless this process has stopped and abandons it."""
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        if context().lease.closed:
            raise
        await asyncio.wait({future})
        with contextlib.suppress(Exception):
            future.result()
        raise
