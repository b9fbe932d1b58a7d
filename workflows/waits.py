"""Since when a wait has been going on: from the event log, so that a restart does not give it its whole time again."""

from datetime import UTC, datetime

import sqlalchemy as sa

from workflows.tables import events

_ENDS = ("step.succeeded", "step.failed")
_NEW_PATIENCE = ("operation.retried", "operation.cancelled")
_PERSONS_TURN = ("phase.waiting", "phase.resumed")


def waited(engine: sa.Engine, operation_id: str, phase: str, step: str, action: str) -> float:
    """Seconds since the wait began: its first start after the last retry, or after it last waited for a person.

    Two waits of one phase that use the same look are told apart by `action`. Times are those of the workers' clocks.
    """
    here = sa.and_(events.c.operation_id == operation_id, events.c.phase == phase)
    this = sa.and_(here, events.c.step == step, events.c.message == action)
    with engine.connect() as connection:
        before = sa.or_(
            sa.and_(events.c.operation_id == operation_id, events.c.kind.in_(_NEW_PATIENCE)),
            sa.and_(here, events.c.step == step, events.c.kind.in_(_ENDS)),
        )
        last = connection.execute(sa.select(sa.func.max(events.c.seq)).where(before)).scalar() or 0
        starts = sa.and_(this, events.c.kind == "step.started", events.c.seq > last)
        began = connection.execute(sa.select(sa.func.min(events.c.seq)).where(starts)).scalar()
        if began is None:
            return 0.0
        turns = sa.and_(here, events.c.kind.in_(_PERSONS_TURN), events.c.seq > began)
        turn = connection.execute(sa.select(sa.func.max(events.c.seq)).where(turns)).scalar()
        at = sa.select(events.c.at).where(events.c.operation_id == operation_id, events.c.seq == (turn or began))
        since: datetime = connection.execute(at).scalar_one()
    return max(0.0, (datetime.now(UTC) - since).total_seconds())
