"""Reads of Podium's own tables. Writes are in `journal.py`; nothing else touches these tables."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from workflows.database import snapshot
from workflows.records import EventRecord, InstallationRecord, OperationRecord, PhaseRecord
from workflows.tables import events, installations, operations, phases

_DONE = ("succeeded", "skipped")


class Ledger:
    """What the API and the page read. Every method is one short transaction of one to three queries."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def ping(self) -> None:
        """Raises sqlalchemy.exc.SQLAlchemyError when the database cannot be reached."""
        with self._engine.connect() as connection:
            connection.execute(sa.select(1))

    def counts(self) -> dict[str, int]:
        """Number of installations by state."""
        query = sa.select(installations.c.state, sa.func.count()).group_by(installations.c.state)
        with self._engine.connect() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def installations(self, *, limit: int, after: str | None = None) -> list[InstallationRecord]:
        """Up to `limit` installations in order of name, from the first one behind `after`."""
        query = sa.select(installations).order_by(installations.c.name).limit(limit)
        if after is not None:
            query = query.where(installations.c.name > after)
        with snapshot(self._engine) as connection:
            return _installations(connection, connection.execute(query).mappings().all())

    def installation(self, name: str) -> InstallationRecord | None:
        query = sa.select(installations).where(installations.c.name == name)
        with snapshot(self._engine) as connection:
            return next(iter(_installations(connection, connection.execute(query).mappings().all())), None)

    def operation(self, operation_id: str) -> OperationRecord | None:
        with snapshot(self._engine) as connection:
            return _operations(connection, [operation_id]).get(operation_id)

    def events(self, name: str, *, after: int = 0, limit: int = 100) -> list[EventRecord]:
        """Up to `limit` events of an installation behind `after`, oldest first."""
        query = (
            sa.select(events)
            .where(events.c.installation == name, events.c.seq > after)
            .order_by(events.c.seq)
            .limit(limit)
        )
        with self._engine.connect() as connection:
            return [_event(row) for row in connection.execute(query).mappings()]

    def failed_phases(self, operation_id: str) -> set[str]:
        """Names of the phases that failed and were not retried."""
        query = sa.select(phases.c.name).where(phases.c.operation_id == operation_id, phases.c.state == "failed")
        with self._engine.connect() as connection:
            return set(connection.execute(query).scalars())

    def attempt(self, operation_id: str, phase: str) -> int:
        """1, and one more with each retry of the phase."""
        query = sa.select(phases.c.attempt).where(phases.c.operation_id == operation_id, phases.c.name == phase)
        with self._engine.connect() as connection:
            found: int = connection.execute(query).scalar_one()
            return found

    def provided(self, operation_id: str, phase: str) -> dict[str, Any] | None:
        """What a person provided for a waiting phase: a reference to a secret, or None."""
        query = sa.select(phases.c.provided).where(phases.c.operation_id == operation_id, phases.c.name == phase)
        with self._engine.connect() as connection:
            found: dict[str, Any] | None = connection.execute(query).scalar_one_or_none()
            return found


def _installations(connection: sa.Connection, rows: Iterable[sa.RowMapping]) -> list[InstallationRecord]:
    rows = list(rows)
    by_id = _operations(connection, [row["operation_id"] for row in rows])
    names = InstallationRecord.__dataclass_fields__.keys() - {"operation"}
    return [
        InstallationRecord(**{name: row[name] for name in names}, operation=by_id[row["operation_id"]]) for row in rows
    ]


def _operations(connection: sa.Connection, ids: list[str]) -> dict[str, OperationRecord]:
    if not ids:
        return {}
    by_operation: dict[str, list[PhaseRecord]] = defaultdict(list)
    query = sa.select(phases).where(phases.c.operation_id.in_(ids)).order_by(phases.c.position)
    for row in connection.execute(query).mappings():
        by_operation[row["operation_id"]].append(_phase(row))
    found = connection.execute(sa.select(operations).where(operations.c.id.in_(ids))).mappings()
    return {row["id"]: _operation(row, tuple(by_operation[row["id"]])) for row in found}


def _operation(row: sa.RowMapping, of_phases: tuple[PhaseRecord, ...]) -> OperationRecord:
    names = OperationRecord.__dataclass_fields__.keys() - {"phases", "progress"}
    record = OperationRecord(**{name: row[name] for name in names}, progress=0)
    return replace(record, phases=of_phases, progress=progress(of_phases))


def _phase(row: sa.RowMapping) -> PhaseRecord:
    values = {name: row[name] for name in PhaseRecord.__dataclass_fields__}
    return PhaseRecord(**values | {"needs": tuple(row["needs"])})


def _event(row: sa.RowMapping) -> EventRecord:
    return EventRecord(**{name: row[name] for name in EventRecord.__dataclass_fields__})


def progress(of_phases: Iterable[PhaseRecord]) -> int:
    """Percentage of the expected time that is behind us; 100 only when every phase is done."""
    of_phases = list(of_phases)
    total = sum(phase.weight for phase in of_phases if phase.state != "skipped")
    done = sum(phase.weight for phase in of_phases if phase.state == "succeeded")
    if all(phase.state in _DONE for phase in of_phases):
        return 100
    return min(99, int(100 * done / total)) if total else 0
