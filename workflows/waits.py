"""Since when a wait has been going on: from the event log, so that a restart does not give it its whole time again."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from workflows.tables import events

_STARTS = ("step.started", "rollout.rolling_back")
_ENDS = ("step.succeeded", "step.failed")
_NEW_PATIENCE = ("operation.retried", "operation.cancelled")
_PERSONS_TURN = ("phase.waiting", "phase.resumed")


def waited(engine: sa.Engine, operation_id: str, phase: str, step: str, action: str) -> float:
    """Seconds since the wait began: its first start after the last retry, or after it last waited for a person.

    Two waits of one phase that use the same look are told apart by `action`. Times are those of the workers' clocks.
    """
    here = sa.and_(events.c.operation_id == operation_id, events.c.phase == phase)
    with engine.connect() as connection:
        this = _since_the_last_end(connection, operation_id, phase, step)
        starts = sa.and_(this, events.c.message == action, events.c.kind.in_(_STARTS))
        began = connection.execute(sa.select(sa.func.min(events.c.seq)).where(starts)).scalar()
        if began is None:
            return 0.0
        turns = sa.and_(here, events.c.kind.in_(_PERSONS_TURN), events.c.seq > began)
        turn = connection.execute(sa.select(sa.func.max(events.c.seq)).where(turns)).scalar()
        at = sa.select(events.c.at).where(events.c.operation_id == operation_id, events.c.seq == (turn or began))
        since: datetime = connection.execute(at).scalar_one()
    return max(0.0, (datetime.now(UTC) - since).total_seconds())


def going_back(engine: sa.Engine, operation_id: str, phase: str, step: str) -> dict[str, Any] | None:
    """What the rollout failed with that this step is going back from, as of an earlier process; else None."""
    with engine.connect() as connection:
        this = _since_the_last_end(connection, operation_id, phase, step)
        query = sa.select(events.c.data).where(this, events.c.kind == "rollout.rolling_back").order_by(events.c.seq)
        found: dict[str, Any] | None = connection.execute(query.limit(1)).scalar()
        return found


def _since_the_last_end(connection: sa.Connection, operation_id: str, phase: str, step: str) -> sa.ColumnElement[bool]:
    """The step's events since it ended last, or since the last retry or cancel."""
    this = sa.and_(events.c.operation_id == operation_id, events.c.phase == phase, events.c.step == step)
    before = sa.or_(
        sa.and_(events.c.operation_id == operation_id, events.c.kind.in_(_NEW_PATIENCE)),
        sa.and_(this, events.c.kind.in_(_ENDS)),
    )
    last = connection.execute(sa.select(sa.func.max(events.c.seq)).where(before)).scalar() or 0
    return sa.and_(this, events.c.seq > last)
