"""Drift: what the phases' own functions would do, found by running them with clients that change nothing.

One source of what an installation consists of, the phases, serves install, upgrade, repair and this look. What only
runs (Jobs, trials) is not compared. Phases are compared side by side: what one needs of another is known since it was
applied.
"""

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

import structlog

from steps.clients.aws import AwsTarget
from steps.errors import Code, Problem, problem_of
from steps.gate import gated
from steps.readonly import ReadOnlyKube, Records, Stopped, reading_aws, recording
from workflows import applied as ground
from workflows.applied import Applied
from workflows.context import cluster_token
from workflows.difference import has_reached
from workflows.drift_run import DriftRun, NotCompared, Reading, Unreadable
from workflows.durable import Run
from workflows.facts import Facts
from workflows.graph import Graph, Phase
from workflows.records import InstallationRecord
from workflows.spec import InstallationSpec

SECONDS = 60.0
"""For all of it."""
AT_ONCE = 8
"""Phases side by side."""
MOST = 200
"""Differences told."""
NOT_COMPARED = {
    "preflight": "It only checks the account; nothing is made.",
    "databases": "Databases and roles are in the server, which only the cluster reaches.",
    "migration": "The Job has run; the schema is in the database.",
    "privileges": "The Job has run and left nothing.",
    "smoke-test": "It is a trial; nothing of it stays.",
}
NOT_MADE = "It was never done to its end; a repair does it."
NOT_REACHED = "A changed spec has not reached it: the change did not get that far. A repair, or `:retry`, brings it."
_places = threading.BoundedSemaphore(2)
"""Looks at once in this process."""
log = structlog.get_logger(__name__)


class OutOfTime(Exception):
    """The look has taken too long; no further request is sent."""


@dataclass
class Compared:
    """What came of one phase."""

    phase: Phase
    records: Records = field(default_factory=Records)
    why_not: str | None = None
    unreadable: Problem | None = None

    @property
    def is_undone(self) -> bool:
        """Whether an operation owes it something."""
        return self.why_not in (NOT_MADE, NOT_REACHED)


def report(graph: Graph, installation: InstallationRecord) -> dict[str, Any]:
    """{name, checked_at, in_sync, differences, not_compared, unreadable, truncated}; see service.api.models.Drift."""
    spec = InstallationSpec.model_validate(installation.spec)
    applied = ground.of_installation(graph, installation)
    facts = ground.known_facts(installation, applied)
    found = [_of(phase, applied.get(phase.name), spec) for phase in graph.wanted(spec)]
    compared, deadline = [one for one in found if one.why_not is None], time.monotonic() + SECONDS
    if _places.acquire(timeout=SECONDS):
        try:
            with _reading(spec) as reading:
                _compare(compared, installation.operation.id, spec, facts, reading, deadline)
        finally:
            _places.release()
    else:
        for one in compared:
            one.unreadable = _late()
    return _answer(installation.name, found)


def _of(phase: Phase, applied: Applied | None, spec: InstallationSpec) -> Compared:
    if applied is None or not applied.settled:
        return Compared(phase, why_not=NOT_MADE)
    if not has_reached(phase, applied, spec):
        return Compared(phase, why_not=NOT_REACHED)
    return Compared(phase, why_not=NOT_COMPARED.get(phase.name))


@contextmanager
def _reading(spec: InstallationSpec) -> Iterator[Reading]:
    """Clients of this look, closed at its end."""
    aws = reading_aws(AwsTarget(spec.aws.region, spec.aws.role_arn, spec.aws.external_id))
    made: list[ReadOnlyKube] = []
    lock, ended = threading.Lock(), threading.Event()

    def kube(facts: Facts) -> ReadOnlyKube:
        with lock:
            if ended.is_set():
                raise OutOfTime
            if not made:
                name = facts["cluster_name"]
                token = partial(cluster_token, aws, name)
                made.append(ReadOnlyKube(facts["cluster_endpoint"], facts["cluster_ca"], token))
            return made[0]

    try:
        yield Reading(aws, kube)
    finally:
        with lock:
            ended.set()
        for each in made:
            each.close()
        aws.close()


def _compare(
    phases: list[Compared],
    operation_id: str,
    spec: InstallationSpec,
    facts: Facts,
    reading: Reading,
    deadline: float,
) -> None:
    """Fills them in, as far as time allows (`deadline`: of the monotonic clock)."""
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="drift")
    running: dict[Future[None], Compared] = {}
    try:
        for one in phases:
            run = DriftRun(operation_id, one.phase.name, spec, facts, reading)
            running[pool.submit(_one, one, run, deadline)] = one
        _done, late = wait(running, max(0, deadline - time.monotonic()))
        for future in late:
            running[future].unreadable = _late()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _one(one: Compared, run: DriftRun, deadline: float) -> None:
    """One phase in one thread; whatever it raises becomes part of the answer."""

    def in_time() -> None:
        if time.monotonic() > deadline:
            raise OutOfTime

    function = one.phase.change.run or one.phase.run
    with recording(one.records), gated(in_time):
        try:
            asyncio.run(_awaited(function(cast(Run, run))))
        except Stopped:
            one.records.cut()
        except NotCompared as why:
            one.why_not = str(why)
        except Unreadable as error:
            one.unreadable = error.problem
        except OutOfTime:
            one.unreadable = _late()
        except Exception as error:  # noqa: BLE001 - one phase must not hide what the others found
            log.error("drift.unexpected_error", phase=one.phase.name, type=type(error).__name__)
            one.unreadable = problem_of(error)


async def _awaited(running: Any) -> None:
    await running


def _late() -> Problem:
    return Problem(
        Code.TIMED_OUT,
        f"This was not compared to its end within {SECONDS:.0f} s.",
        remedy="Ask again; if it happens again, look at what answers slowly: AWS, the cluster's API, or Conductor.",
    )


def _answer(name: str, found: list[Compared]) -> dict[str, Any]:
    differences = [
        {"phase": one.phase.name, **difference.as_dict()} for one in found for difference in one.records.differences
    ]
    unreadable = [(one.phase.name, one.unreadable) for one in found if one.unreadable is not None]
    return {
        "name": name,
        "checked_at": datetime.now(UTC),
        "in_sync": not differences and not unreadable and not any(one.is_undone for one in found),
        "differences": differences[:MOST],
        "not_compared": [{"phase": one.phase.name, "why": one.why_not} for one in found if one.why_not is not None],
        "unreadable": [
            {"phase": phase, "code": str(problem.code), "message": problem.message, "remedy": problem.remedy}
            for phase, problem in unreadable
        ],
        "truncated": len(differences) > MOST or any(one.records.truncated for one in found),
    }


def drifted(found: dict[str, Any]) -> dict[str, str]:
    """The phases of a report that a repair has to do again, and why."""
    why: dict[str, str] = {}
    for one in found["differences"]:
        why.setdefault(one["phase"], f"Drifted: {one['message']}")
    return why
