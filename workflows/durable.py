"""How a phase runs its steps: checkpointed by DBOS, in a bounded thread pool, journalled, with errors in our words.

A phase reads like the guide: `await run.step("Creating the VPC", network.ensure_vpc, run.aws, ...)`. The step's name in
DBOS is module and function (`network.ensure_vpc`); what is stored is the function's return value, never its arguments.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ParamSpec, TypeVar

import structlog
from dbos import DBOS, StepOptions

from steps.clients.aws import Aws
from steps.clients.kubernetes import Kube
from steps.errors import Code, Fault, PodiumError, TransientError, problem_of
from steps.names import Owner
from steps.reporting import heard
from steps.waiting import NeedsPerson, Pending
from workflows.context import context
from workflows.facts import Facts
from workflows.spec import InstallationSpec

P = ParamSpec("P")
R = TypeVar("R")

ATTEMPTS = 6
FIRST_BACKOFF_SECONDS = 1.0
SHORTEST_LOOK_SECONDS = 0.2
LONGEST_LOOK_SECONDS = 15.0
LOOK_SHARE = 0.05

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Run:
    """One phase of one operation, as its function sees it."""

    operation_id: str
    phase: str
    spec: InstallationSpec
    facts: Facts

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

        Raises PodiumError, or dbos's stored form of one when replayed.
        """
        call = partial(function, *args, **kwargs)
        name = name_of(function)
        result: R = await self._checkpointed(action, name, lambda: self._patiently(name, self._listening(name, call)))
        return result

    async def wait(
        self,
        action: str,
        look: Callable[P, R | Pending | NeedsPerson],
        minutes: float,
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Looks again and again until something other than Pending or NeedsPerson is found, and returns it.

        The deadline is soft: one more look comes after it, and time spent waiting for a person does not count.
        Raises PodiumError (code TIMED_OUT, or what the look raises).
        """
        call, name = partial(look, *args, **kwargs), name_of(look)
        result: R = await self._checkpointed(action, name, lambda: self._look(action, name, call, minutes))
        return result

    async def _checkpointed(self, action: str, name: str, body: Callable[[], Any]) -> Any:
        journal = context().journal

        async def execute() -> Any:
            await in_pool(partial(journal.step_started, self.operation_id, self.phase, name, action))
            try:
                result = await body()
            except Exception as error:
                failure = as_podium_error(error, name)
                failure.step = name
                await in_pool(partial(journal.step_failed, self.operation_id, self.phase, name, failure.problem))
                raise failure from error
            await in_pool(partial(journal.step_succeeded, self.operation_id, self.phase, name, action))
            return result

        return await DBOS.run_step_async(StepOptions(name=name, preemptible=True), execute)

    async def _outside(self, call: Callable[[], R]) -> R:
        """Runs a call once the phase's previous one has ended: after a cancel that may still be having its effect,
        and a retry must not meet it."""
        key, calls = (self.operation_id, self.phase), context().calls
        before = calls.get(key)
        if before is not None and not before.done():
            await asyncio.wait({asyncio.wrap_future(before)})
        future = context().pool.submit(call)
        calls[key] = future
        return await _shielded(asyncio.wrap_future(future))

    def _listening(self, name: str, call: Callable[[], R]) -> Callable[[], R]:
        """The call, and then what it reported into the event log, also when it failed."""

        def listened() -> R:
            with heard() as lines:
                try:
                    return call()
                finally:
                    if lines:
                        context().journal.step_reported(self.operation_id, self.phase, name, lines)

        return listened

    async def _patiently(self, name: str, call: Callable[[], R]) -> R:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._outside(call)
            except TransientError as error:
                if attempt == ATTEMPTS:
                    raise
                seconds = FIRST_BACKOFF_SECONDS * 2 ** (attempt - 1) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
                journal = context().journal
                await in_pool(
                    partial(journal.step_repeated, self.operation_id, self.phase, name, error.problem, seconds)
                )
                await asyncio.sleep(seconds)
        raise AssertionError("unreachable")

    async def _look(self, action: str, name: str, call: Callable[[], Any], minutes: float) -> Any:
        watch = _Watch(self, action, name, minutes)
        while True:
            late = watch.late
            try:
                found = await self._outside(call)
            except TransientError as error:
                found = Pending(error.message)
            if not isinstance(found, Pending | NeedsPerson):
                await watch.over()
                return found
            await watch.note(found, late)
            await watch.give_up_when_hopeless()
            await asyncio.sleep(watch.pause())


class _Watch:
    """The clock and the voice of one wait: says what is going on when that changes, and when patience ends."""

    def __init__(self, run: Run, action: str, name: str, minutes: float) -> None:
        self._run, self._action, self._name, self._minutes = run, action, name, minutes
        self._started = time.monotonic()
        self._seen: Pending | NeedsPerson | None = None

    @property
    def late(self) -> bool:
        return time.monotonic() - self._started > self._minutes * 60

    def pause(self) -> float:
        """A twentieth of the time waited so far: a wait is overshot by 5 % at most; long waits cost few looks."""
        return min(LONGEST_LOOK_SECONDS, max(SHORTEST_LOOK_SECONDS, (time.monotonic() - self._started) * LOOK_SHARE))

    async def note(self, found: Pending | NeedsPerson, late: bool) -> None:
        journal, run = context().journal, self._run
        if isinstance(found, NeedsPerson):
            if found != self._seen:
                await in_pool(partial(journal.phase_waiting, run.operation_id, run.phase, self._name, found))
            self._started = time.monotonic()
        elif late:
            raise _timed_out(self._action, found.detail, self._minutes)
        elif isinstance(self._seen, NeedsPerson):
            await self.over()
        elif found != self._seen:
            text = f"{self._action}: {found.detail}"
            await in_pool(partial(journal.action, run.operation_id, run.phase, text))
        self._seen = found

    async def give_up_when_hopeless(self) -> None:
        """Raises INTERRUPTED when what this wait hangs on has failed: the operation could not end otherwise."""
        ctx, run = context(), self._run
        awaited = ctx.graph[run.phase].awaits
        if not awaited:
            return
        failed = ctx.graph.upstream(awaited) & await in_pool(partial(ctx.ledger.failed_phases, run.operation_id))
        if failed:
            raise _interrupted(self._action, sorted(failed))

    async def over(self) -> None:
        if isinstance(self._seen, NeedsPerson):
            run = self._run
            await in_pool(partial(context().journal.phase_resumed, run.operation_id, run.phase, self._action))


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


def _timed_out(action: str, detail: str, minutes: float) -> PodiumError:
    return PodiumError.by_provider(
        Code.TIMED_OUT,
        f"{action}: still not done after {minutes:g} minutes. Last seen: {detail}",
        "Look at the resource named above; retry when it is ready or mended (the wait goes on from here).",
    )


async def in_pool(call: Callable[[], R]) -> R:
    """Runs a blocking call in the pool; see `_shielded`."""
    return await _shielded(asyncio.get_running_loop().run_in_executor(context().pool, call))


async def _shielded(future: asyncio.Future[R]) -> R:
    """The result of a call in the pool. When cancelled it still waits for the call's end, which nothing can hasten."""
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait({future})
        with contextlib.suppress(Exception):
            future.result()
        raise
