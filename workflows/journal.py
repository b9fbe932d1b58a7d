"""Writes of Podium's own tables: every change of state and its event are one transaction.

Each method may be called again after a crash (it runs inside a DBOS step, or just before one), so each is written to
be repeated: it sets states, never counts, but for the event log, which then shows that something happened twice.
A cancelled operation is final until it is retried: late writes of steps still in flight do not bring it back to life.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from steps.errors import Problem
from steps.waiting import Blocked, NeedsPerson
from workflows.fields import Fields
from workflows.tables import events, installations, operations, phases

_FORGOTTEN = ("started_at", "finished_at", "action", "error", "waiting")
_CANCELLED = ("CANCELLING", "CANCELLED")
_BUSY = {"install": "PROVISIONING", "uninstall": "DELETING", "upgrade": "UPDATING", "repair": "UPDATING"}
_DONE = {"install": "READY", "uninstall": "DELETED", "upgrade": "READY", "repair": "READY"}
"""The installation's state while an operation of a kind runs, and when it has succeeded."""
_SUCCESS = {
    "install": "The installation is ready",
    "uninstall": "Nothing of the installation is left",
    "upgrade": "The installation is as its new spec says",
    "repair": "The installation is as its spec says again",
}


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Settled:
    """What a phase that makes something ended with: the leaves of the spec it went by, and the facts it found."""

    fields: Fields
    facts: dict[str, Any]


class Journal:
    """The writer. `Moment` values say where in the operation something happened."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def operation_started(self, operation_id: str) -> None:
        with self._engine.begin() as connection:
            values = {"state": "RUNNING", "started_at": sa.func.coalesce(operations.c.started_at, now())}
            _set_operation(connection, operation_id, _BUSY[_kind(connection, operation_id)], values)
            _log(connection, operation_id, "operation.started", "The operation started")

    def operation_succeeded(
        self,
        operation_id: str,
        *,
        outputs: dict[str, Any],
        facts: dict[str, Any],
        report: dict[str, Any] | None = None,
    ) -> None:
        """`facts` are what a later operation on the installation needs to know; `report` is the operation's own."""
        with self._engine.begin() as connection:
            kind = _kind(connection, operation_id)
            values = {"state": "SUCCEEDED", "finished_at": now(), "error": None, "report": report}
            if not _set_operation(connection, operation_id, _DONE[kind], values):
                return
            owner = sa.select(operations.c.installation).where(operations.c.id == operation_id).scalar_subquery()
            found = {"outputs": outputs, "facts": facts}
            connection.execute(sa.update(installations).where(installations.c.name == owner).values(found))
            _log(connection, operation_id, "operation.succeeded", _SUCCESS[kind])

    def operation_failed(self, operation_id: str, problem: Problem) -> None:
        with self._engine.begin() as connection:
            values = {"state": "FAILED", "finished_at": now(), "error": problem.as_dict()}
            if _set_operation(connection, operation_id, "FAILED", values):
                _log(connection, operation_id, "operation.failed", problem.message, data=problem.as_dict())

    def phase_started(self, operation_id: str, phase: str, title: str, fields: Fields | None = None) -> None:
        """`fields`: the leaves of the spec that it goes by (workflows/applied.py); None for a phase that unmakes."""
        with self._engine.begin() as connection:
            values = {"state": "running", "started_at": now(), "finished_at": None, "error": None, "action": title}
            if _set_phase(connection, operation_id, phase, values):
                _unsettle(connection, operation_id, phase, fields)
                _log(connection, operation_id, "phase.started", title, phase=phase)

    def phase_succeeded(self, operation_id: str, phase: str, title: str, settled: Settled | None = None) -> None:
        """`settled`: what it went by and found out; None for a phase that has unmade its things."""
        with self._engine.begin() as connection:
            values = {"state": "succeeded", "finished_at": now(), "action": None, "error": None, "waiting": None}
            if _set_phase(connection, operation_id, phase, values):
                seq = _log(connection, operation_id, "phase.succeeded", title, phase=phase)
                _settle(connection, operation_id, phase, settled, seq)

    def phase_skipped(self, operation_id: str, phase: str, why: str) -> None:
        with self._engine.begin() as connection:
            values = {"state": "skipped", "finished_at": now(), "action": why, "error": None, "waiting": None}
            if _set_phase(connection, operation_id, phase, values):
                seq = _log(connection, operation_id, "phase.skipped", why, phase=phase)
                _settle(connection, operation_id, phase, None, seq)

    def phase_failed(self, operation_id: str, phase: str, problem: Problem) -> None:
        with self._engine.begin() as connection:
            error, step = problem.as_dict(), problem.step
            values = {"state": "failed", "finished_at": now(), "error": error, "waiting": None}
            if _set_phase(connection, operation_id, phase, values):
                _log(connection, operation_id, "phase.failed", problem.message, phase=phase, step=step, data=error)

    def phase_interrupted(self, operation_id: str, phase: str, problem: Problem) -> None:
        """A wait was given up because something else failed: it goes on with a retry, and is no failed attempt."""
        with self._engine.begin() as connection:
            values = {"state": "cancelled", "finished_at": now(), "action": problem.message[:400], "waiting": None}
            if _set_phase(connection, operation_id, phase, values):
                _log(connection, operation_id, "phase.interrupted", problem.message, phase=phase, step=problem.step)

    def step_started(self, operation_id: str, phase: str, step: str, action: str) -> None:
        """Also brings a phase that was retried from `pending` back to `running`."""
        with self._engine.begin() as connection:
            _resume(connection, operation_id, phase, action)
            _log(connection, operation_id, "step.started", action, phase=phase, step=step)

    def step_succeeded(self, operation_id: str, phase: str, step: str, action: str) -> None:
        with self._engine.begin() as connection:
            _log(connection, operation_id, "step.succeeded", action, phase=phase, step=step)

    def step_failed(self, operation_id: str, phase: str, step: str, problem: Problem) -> None:
        with self._engine.begin() as connection:
            data = problem.as_dict()
            _log(connection, operation_id, "step.failed", problem.message, phase=phase, step=step, data=data)

    def step_repeated(self, operation_id: str, phase: str, step: str, problem: Problem, seconds: float) -> None:
        """A step met a transient error and tries again after `seconds`."""
        with self._engine.begin() as connection:
            message = f"{problem.message} Trying again in {seconds:.0f} s."
            _log(connection, operation_id, "step.repeated", message, phase=phase, step=step, data=problem.as_dict())

    def rolled_back(self, operation_id: str, phase: str, step: str, words: str, problem: Problem) -> None:
        """A rollout failed with `problem`; `words` say how going back went."""
        with self._engine.begin() as connection:
            data = problem.as_dict()
            _log(connection, operation_id, "rollout.rolled_back", words, phase=phase, step=step, data=data)

    def step_reported(self, operation_id: str, phase: str, step: str, lines: list[str]) -> None:
        """What programs that a step ran have said: scrubbed and bounded (steps/reporting.py)."""
        with self._engine.begin() as connection:
            _log(
                connection, operation_id, "step.output", "\n".join(lines), phase=phase, step=step, data={"lines": lines}
            )

    def action(self, operation_id: str, phase: str, action: str) -> None:
        """What the phase is doing or waiting for, without an event."""
        with self._engine.begin() as connection:
            _set_phase(connection, operation_id, phase, {"action": action[:400]})

    def phase_waiting(self, operation_id: str, phase: str, step: str, need: NeedsPerson | Blocked) -> None:
        waiting = need.as_dict()
        with self._engine.begin() as connection:
            if _set_phase(
                connection, operation_id, phase, {"state": "waiting", "action": need.what, "waiting": waiting}
            ):
                _set_operation(connection, operation_id, "WAITING", {"state": "WAITING"})
                _log(connection, operation_id, "phase.waiting", need.what, phase=phase, step=step, data=waiting)

    def phase_resumed(self, operation_id: str, phase: str, action: str) -> None:
        """The wait for a person ended."""
        with self._engine.begin() as connection:
            if _resume(connection, operation_id, phase, action):
                _log(connection, operation_id, "phase.resumed", action, phase=phase)

    def cancelling(self, operation_id: str) -> None:
        with self._engine.begin() as connection:
            _set_operation(connection, operation_id, "CANCELLING", {"state": "CANCELLING"})

    def cancelled(self, operation_id: str) -> None:
        """The end of a cancel: phases that ran or waited become cancelled; they go on with a retry."""
        with self._engine.begin() as connection:
            lock_installation(connection, operation_id)
            unfinished = phases.c.state.in_(("running", "waiting"))
            connection.execute(
                sa.update(phases)
                .where(phases.c.operation_id == operation_id, unfinished)
                .values(state="cancelled", finished_at=now(), waiting=None)
            )
            done = {"state": "CANCELLED", "finished_at": now()}
            connection.execute(sa.update(operations).where(operations.c.id == operation_id).values(done))
            _set_installation_state(connection, operation_id, "CANCELLED")
            _log(connection, operation_id, "operation.cancelled", "The operation was cancelled")

    def retried(self, operation_id: str, again: Iterable[str], resumed: Iterable[str] = ()) -> None:
        """Phases of `again` get a new attempt; they and `resumed` become pending, and so does the operation."""
        again, resumed = list(again), list(resumed)
        with self._engine.begin() as connection:
            lock_installation(connection, operation_id)
            connection.execute(
                sa.update(phases)
                .where(phases.c.operation_id == operation_id, phases.c.name.in_(again))
                .values(attempt=phases.c.attempt + 1)
            )
            connection.execute(
                sa.update(phases)
                .where(phases.c.operation_id == operation_id, phases.c.name.in_(again + resumed))
                .values(state="pending", **dict.fromkeys(_FORGOTTEN))
            )
            values = {"state": "PENDING", "error": None, "finished_at": None}
            connection.execute(sa.update(operations).where(operations.c.id == operation_id).values(values))
            _set_installation_state(connection, operation_id, _BUSY[_kind(connection, operation_id)])
            message = f"Retrying {', '.join(again)}" if again else "Going on"
            _log(connection, operation_id, "operation.retried", message, data={"phases": again})

    def provided(self, operation_id: str, phase: str, reference: dict[str, Any]) -> None:
        with self._engine.begin() as connection:
            _set_phase(connection, operation_id, phase, {"provided": reference})
            _log(connection, operation_id, "phase.provided", "A person provided what the phase waits for", phase=phase)


def lock_installation(connection: sa.Connection, operation_id: str) -> str:
    """Serialises the writers of one installation and returns its name (an UPDATE locks the row on every database)."""
    owner = sa.select(operations.c.installation).where(operations.c.id == operation_id).scalar_subquery()
    query = (
        sa.update(installations)
        .where(installations.c.name == owner)
        .values(updated_at=now())
        .returning(installations.c.name)
    )
    name: str = connection.execute(query).scalar_one()
    return name


def _log(
    connection: sa.Connection,
    operation_id: str,
    kind: str,
    message: str,
    *,
    phase: str | None = None,
    step: str | None = None,
    data: dict[str, Any] | None = None,
) -> int:
    """Appends an event. The sequence number comes from the locked installation row: gapless, and no reader that has
    seen number n can miss a smaller one that commits later. Returns it."""
    owner = sa.select(operations.c.installation).where(operations.c.id == operation_id).scalar_subquery()
    numbered = (
        sa.update(installations)
        .where(installations.c.name == owner)
        .values(event_seq=installations.c.event_seq + 1, updated_at=now())
        .returning(installations.c.name, installations.c.event_seq)
    )
    name, seq = connection.execute(numbered).one()
    attempt = 1
    if phase is not None:
        found = sa.select(phases.c.attempt).where(phases.c.operation_id == operation_id, phases.c.name == phase)
        attempt = connection.execute(found).scalar_one()
    connection.execute(
        sa.insert(events).values(
            installation=name,
            seq=seq,
            at=now(),
            operation_id=operation_id,
            phase=phase,
            step=step,
            attempt=attempt,
            kind=kind,
            message=message,
            data=data or {},
        )
    )
    return int(seq)


def _unsettle(connection: sa.Connection, operation_id: str, phase: str, fields: Fields | None) -> None:
    """From now on nobody knows what there is of the phase's things, until it has succeeded."""
    applied = _applied(connection, operation_id)
    known = applied.get(phase)
    if known is None and fields is None:
        return
    known = known or {"facts": {}, "seq": 0}
    _set_applied(
        connection,
        operation_id,
        applied | {phase: known | {"settled": False} | ({} if fields is None else {"fields": fields})},
    )


def _settle(connection: sa.Connection, operation_id: str, phase: str, settled: Settled | None, seq: int) -> None:
    applied = _applied(connection, operation_id)
    if settled is not None:
        entry = {"fields": settled.fields, "facts": settled.facts, "settled": True, "seq": seq}
        _set_applied(connection, operation_id, applied | {phase: entry})
    elif applied.pop(phase, None) is not None:
        _set_applied(connection, operation_id, applied)


def _applied(connection: sa.Connection, operation_id: str) -> dict[str, Any]:
    owner = sa.select(operations.c.installation).where(operations.c.id == operation_id).scalar_subquery()
    query = sa.select(installations.c.applied).where(installations.c.name == owner)
    found: dict[str, Any] | None = connection.execute(query).scalar_one()
    return found or {}


def _set_applied(connection: sa.Connection, operation_id: str, applied: dict[str, Any]) -> None:
    owner = sa.select(operations.c.installation).where(operations.c.id == operation_id).scalar_subquery()
    connection.execute(sa.update(installations).where(installations.c.name == owner).values(applied=applied))


def _set_operation(
    connection: sa.Connection, operation_id: str, installation_state: str, values: dict[str, Any]
) -> bool:
    """False, and nothing changed, when the operation was cancelled meanwhile."""
    lock_installation(connection, operation_id)
    alive = sa.and_(operations.c.id == operation_id, operations.c.state.not_in(_CANCELLED))
    if connection.execute(sa.update(operations).where(alive).values(values)).rowcount == 0:
        return False
    _set_installation_state(connection, operation_id, installation_state)
    return True


def _kind(connection: sa.Connection, operation_id: str) -> str:
    kind: str = connection.execute(sa.select(operations.c.kind).where(operations.c.id == operation_id)).scalar_one()
    return kind


def _set_installation_state(connection: sa.Connection, operation_id: str, state: str) -> None:
    owner = sa.select(operations.c.installation).where(operations.c.id == operation_id).scalar_subquery()
    connection.execute(sa.update(installations).where(installations.c.name == owner).values(state=state))


def _set_phase(connection: sa.Connection, operation_id: str, phase: str, values: dict[str, Any]) -> bool:
    """False, and nothing changed, when the operation was cancelled meanwhile."""
    lock_installation(connection, operation_id)
    cancelled = sa.exists().where(operations.c.id == operation_id, operations.c.state.in_(_CANCELLED))
    this = sa.and_(phases.c.operation_id == operation_id, phases.c.name == phase, ~cancelled)
    return connection.execute(sa.update(phases).where(this).values(values)).rowcount > 0


def _resume(connection: sa.Connection, operation_id: str, phase: str, action: str) -> bool:
    """The phase is running; the operation too, unless another phase still waits for a person."""
    values: dict[str, Any] = {"state": "running", "action": action[:400], "waiting": None}
    values["started_at"] = sa.func.coalesce(phases.c.started_at, now())
    if not _set_phase(connection, operation_id, phase, values):
        return False
    waits = sa.exists().where(phases.c.operation_id == operation_id, phases.c.state == "waiting")
    if not connection.execute(sa.select(waits)).scalar_one():
        _set_operation(connection, operation_id, _BUSY[_kind(connection, operation_id)], {"state": "RUNNING"})
    return True
