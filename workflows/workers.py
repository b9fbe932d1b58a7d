"""The workers of one PostgreSQL database: who beats, who has stopped, and taking over from those who have.

A row per process (`podium_workers`); its id is the executor id that DBOS stamps on the workflows it executes. All times
are the database's: clocks of machines jump. A worker is given up when its row is older than `dead` seconds, and only by
one whose own row has been renewed without a gap for as long: after an outage of the database nobody has, and everybody
gets the same grace. The row is locked while its workflows are handed over, so one survivor does it, and a worker that
wakes up meanwhile learns the outcome.

Handing over is DBOS's `resume_workflow`: the workflow is enqueued again, any worker takes it, and what the old one
still wants to record is refused, since it no longer owns it.
"""

import os
import socket
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from dbos import DBOSClient
from sqlalchemy.dialects.postgresql import insert as pg_insert

from workflows.errors import ExecutorIdInUse
from workflows.tables import operations, workers

APPLICATION = "podium"
LOCK_SECONDS = 15
"""A survivor that is itself suspended while it takes over loses its lock after this, for another to do it."""
KEPT_DAYS = 1
"""How long rows of workers that are gone are kept."""
_OVER = ("CANCELLING", "CANCELLED")


def _process() -> str:
    """This process, so that a successor on this machine can tell whether it still runs: machine, pid, start."""
    return f"{_boot_id()} {os.getpid()} {_start_of(os.getpid())}"


def _boot_id() -> str:
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else "?"


def _start_of(pid: int) -> str:
    """When a process began, in the kernel's ticks (proc(5), stat, field 22); ? when there is none, or no /proc."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "?"
    return text.rpartition(")")[2].split()[19]


def _runs_here(process: str) -> bool:
    boot, pid, start = process.split() if process.count(" ") == 2 else ("?", "0", "?")
    return "?" not in (boot, start) and boot == _boot_id() and int(pid) != os.getpid() and _start_of(int(pid)) == start


@dataclass(frozen=True)
class Rhythm:
    """Seconds: `beat` between heartbeats, `dead` without one until a worker is given up (at least three beats)."""

    beat: float = 5.0
    dead: float = 20.0


@dataclass(frozen=True)
class Worker:
    """This process among the others. `executor_id` is what its successor has too, `id` is its own."""

    executor_id: str
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])

    @property
    def dbos_id(self) -> str:
        """Executor id in DBOS."""
        return f"{self.executor_id}:{self.id}"


class Registry:
    """Rows of `podium_workers`. `client` raises while the database does not answer, as all methods do."""

    def __init__(self, engine: sa.Engine, client: DBOSClient, me: Worker, rhythm: Rhythm) -> None:
        self._engine, self._client, self.me, self._rhythm = engine, client, me, rhythm

    def register(self) -> None:
        """Writes this worker's row and hands over at once what its predecessors of the same executor id left.

        Raises ExecutorIdInUse when one of them runs on this machine.
        """
        with self._engine.begin() as connection:
            mine = workers.c.executor_id == self.me.executor_id
            query = sa.select(workers).where(mine, workers.c.state == "working").with_for_update()
            predecessors = connection.execute(query).mappings().all()
            for row in predecessors:
                if _runs_here(row["process"]):
                    raise ExecutorIdInUse(self.me.executor_id, f"process {row['process'].split()[1]}")
            for row in predecessors:
                hand_over(self._engine, self._client, row["id"])
                self._set(connection, row["id"], state="replaced")
            hand_over(self._engine, self._client, self.me.executor_id)
            self._join(connection)

    def beat(self) -> str:
        """Renews this worker's row; its state before: working, or lost (taken over), replaced, or gone."""
        steady = sa.case((self._in_step(), workers.c.steady_since), else_=_now())
        query = (
            sa.update(workers)
            .where(workers.c.id == self.me.dbos_id, workers.c.state == "working")
            .values(beat_at=_now(), steady_since=steady)
        )
        with self._engine.begin() as connection:
            if connection.execute(query).rowcount == 1:
                return "working"
            found = connection.execute(sa.select(workers.c.state).where(workers.c.id == self.me.dbos_id)).scalar()
            return found or "gone"

    def rejoin(self) -> None:
        """After this worker was taken over: what it began in ignorance is handed over, and it is one of us again."""
        with self._engine.begin() as connection:
            hand_over(self._engine, self._client, self.me.dbos_id)
            self._join(connection)

    def hand_over_all_but(self, keep: Collection[str]) -> None:
        """Hands over what this worker executes, without the workflows of `keep`, which are within a step."""
        hand_over(self._engine, self._client, self.me.dbos_id, keep)

    def leave(self) -> None:
        """Hands over what this worker still executes; nobody has to wait for its heart to stop."""
        with self._engine.begin() as connection:
            hand_over(self._engine, self._client, self.me.dbos_id)
            self._set(connection, self.me.dbos_id, state="left")

    def take_over(self) -> dict[str, list[str]]:
        """Hands over the workflows of workers that have stopped: ids of workflows by worker."""
        owners = _pending(self._client)
        owners.pop(self.me.dbos_id, None)
        taken = {owner: found for owner in owners if (found := self._take_over(owner)) is not None}
        self._forget_old(owners)
        return taken

    def owns(self, workflow_id: str) -> bool:
        """Whether this worker is to execute the workflow."""
        found = self._client.list_workflows(workflow_ids=[workflow_id], load_input=False, load_output=False)
        return any(one.status == "PENDING" and one.executor_id == self.me.dbos_id for one in found)

    def _take_over(self, owner: str) -> list[str] | None:
        """None when it is not to be taken over, or somebody else is doing it."""
        dead = timedelta(seconds=self._rhythm.dead)
        with self._engine.begin() as connection:
            connection.execute(sa.text(f"SET LOCAL idle_in_transaction_session_timeout = '{LOCK_SECONDS}s'"))
            steady = sa.and_(workers.c.state == "working", self._in_step(), workers.c.steady_since < _now() - dead)
            if connection.execute(sa.select(steady).where(workers.c.id == self.me.dbos_id)).scalar() is not True:
                return None
            silent = sa.or_(workers.c.state == "left", ~workers.c.beat_at.between(_now() - dead, _now() + dead))
            row = sa.select(workers.c.id).where(workers.c.id == owner, silent).with_for_update(skip_locked=True)
            if connection.execute(row).first() is None:
                connection.execute(_first_seen(owner))
                return None
            taken = hand_over(self._engine, self._client, owner)
            self._set(connection, owner, state="lost", beat_at=_now())
            return taken

    def _in_step(self) -> sa.ColumnElement[bool]:
        """The row's last beat is no older than half of what others tolerate, on a clock that did not jump."""
        gap = timedelta(seconds=self._rhythm.dead / 2)
        return workers.c.beat_at.between(_now() - gap, _now() + gap)

    def _join(self, connection: sa.Connection) -> None:
        about = {"executor_id": self.me.executor_id, "host": socket.gethostname()[:255], "process": _process()}
        values = {"state": "working", **about, "beat_at": _now(), "steady_since": _now()}
        row = pg_insert(workers).values(id=self.me.dbos_id, started_at=_now(), **values)
        connection.execute(row.on_conflict_do_update(index_elements=[workers.c.id], set_=values))

    def _set(self, connection: sa.Connection, worker: str, **values: Any) -> None:
        connection.execute(sa.update(workers).where(workers.c.id == worker).values(values))

    def _forget_old(self, owners: Iterable[str]) -> None:
        old = workers.c.beat_at < _now() - timedelta(days=KEPT_DAYS)
        with self._engine.begin() as connection:
            connection.execute(sa.delete(workers).where(old, workers.c.id.not_in(list(owners))))


def count_alive(engine: sa.Engine, rhythm: Rhythm) -> int:
    """How many workers beat."""
    fresh = workers.c.beat_at > _now() - timedelta(seconds=rhythm.dead)
    query = sa.select(sa.func.count()).select_from(workers).where(workers.c.state == "working", fresh)
    with engine.connect() as connection:
        return int(connection.execute(query).scalar_one())


def hand_over(
    engine: sa.Engine, client: DBOSClient, owner: str | None, keep: Collection[str] = frozenset()
) -> list[str]:
    """Enqueues again what `owner` executes (None: what anybody does) but for `keep`, where it came from; the ids.

    An operation that is cancelled at this very moment stays cancelled: a cancel marks it before it stops its workflows,
    so that looking at the marks afterwards finds every one that was brought back to life.
    """
    by_owner = _pending(client)
    found = by_owner.get(owner, {}) if owner is not None else _merged(by_owner.values())
    handed: list[str] = []
    for queue, workflow_ids in found.items():
        going = [workflow_id for workflow_id in workflow_ids if workflow_id not in keep]
        if going:
            client.resume_workflows(going, queue_name=queue)
        handed += going
    over = _cancelled(engine, handed) if handed else set()
    revived = [one for one in handed if one.partition(".")[0] in over]
    if revived:
        client.cancel_workflows(revived)
    return handed


def _pending(client: DBOSClient) -> dict[str, dict[str | None, list[str]]]:
    """Executor to queue to ids of the workflows that are said to be executed."""
    found: dict[str, dict[str | None, list[str]]] = defaultdict(lambda: defaultdict(list))
    for one in client.list_workflows(
        status="PENDING", application_name=APPLICATION, load_input=False, load_output=False
    ):
        found[one.executor_id or ""][one.queue_name].append(one.workflow_id)
    return found


def _merged(found: Iterable[dict[str | None, list[str]]]) -> dict[str | None, list[str]]:
    merged: dict[str | None, list[str]] = defaultdict(list)
    for by_queue in found:
        for queue, workflow_ids in by_queue.items():
            merged[queue] += workflow_ids
    return merged


def _cancelled(engine: sa.Engine, workflow_ids: list[str]) -> set[str]:
    ids = {workflow_id.partition(".")[0] for workflow_id in workflow_ids}
    query = sa.select(operations.c.id).where(operations.c.id.in_(ids), operations.c.state.in_(_OVER))
    with engine.connect() as connection:
        return set(connection.execute(query).scalars())


def _first_seen(owner: str) -> sa.Executable:
    """A worker without a row (of a version that knew none) gets one, and with it the usual patience."""
    values = {"id": owner, "executor_id": owner, "state": "working", "host": "", "process": ""}
    times = dict.fromkeys(("started_at", "beat_at", "steady_since"), _now())
    return pg_insert(workers).values(**values, **times).on_conflict_do_nothing()


def _now() -> sa.ColumnElement[Any]:
    """The database's clock at this instant, whenever the transaction began."""
    return sa.func.clock_timestamp()
