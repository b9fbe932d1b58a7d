"""Retry and cancel: requests to an operation that was begun.

Each takes several transactions, Podium's and DBOS's, so the process may die in between. What it left can be seen: the
operation is CANCELLING, or it is to run and its workflow has ended. `finish` brings that to its end; every process that
executes does so at its start, and on PostgreSQL with each heartbeat.

Only one process at a time intervenes in an installation, so that a cancel does not meet a retry half-way, and what is
under way is not taken for what was left behind.
"""

import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
import structlog
from dbos import DBOSClient

from steps.errors import problem_of
from workflows import rewind
from workflows.changing import graph_of
from workflows.context import Context
from workflows.database import is_sqlite
from workflows.errors import NotFound, UnknownPhase, WrongState
from workflows.records import ACTIVE, RETRYABLE, OperationRecord

_ENDED = ("ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
TURN_LOCK = 0x7475726E
"""First key of PostgreSQL's advisory locks (the word turn); the second one is a hash of the installation's name."""
TURN_SECONDS = 15
"""A process that is suspended in the middle loses its turn after this, for another to finish what it began."""
_here = tuple(threading.Lock() for _ in range(4))
"""By hash of the name; few, since each holder on PostgreSQL keeps a connection and needs another."""

log = structlog.get_logger(__name__)


class Interventions:
    """All methods block on the database."""

    def __init__(self, engine: sa.Engine, context: Context, dbos: DBOSClient) -> None:
        self._engine, self._dbos, self._graphs = engine, dbos, context.graphs
        self._ledger, self._journal = context.ledger, context.journal

    def retry(self, name: str, from_phase: str | None) -> str:
        """Id of the operation. See Control.retry. Raises NotFound, UnknownPhase, WrongState."""
        with self._turn(name):
            operation = self._operation(name)
            names = tuple(phase.name for phase in operation.phases)
            if from_phase is not None and from_phase not in names:
                raise UnknownPhase(from_phase, names)
            if operation.state not in RETRYABLE:
                raise WrongState(operation.state, RETRYABLE)
            self._stop(operation.id)
            restart = self._behind(operation, from_phase)
            if not self._journal.retried(operation.id, restart):
                raise WrongState(self._operation(name).state, RETRYABLE)
            rewind.rewind(self._dbos, operation.id, restart=restart)
        return operation.id

    def cancel(self, name: str) -> str:
        """Id of the operation. See Control.cancel. Raises NotFound, WrongState."""
        with self._turn(name):
            operation = self._operation(name)
            if operation.state != "CANCELLED":
                if not self._journal.cancelling(operation.id):
                    raise WrongState(self._operation(name).state, ACTIVE)
                self._stop(operation.id)
                self._journal.cancelled(operation.id)
        return operation.id

    def finish(self) -> list[str]:
        """Names of the installations whose retry or cancel was left half-way, and is brought to its end now.

        A workflow that ended without a word, which no request explains, is a failed operation.
        """
        ids = self._ledger.operations_in(ACTIVE)
        found = self._dbos.list_workflows(workflow_ids=list(ids), load_input=False, load_output=False) if ids else []
        ended = {one.workflow_id: one.status for one in found if one.status in _ENDED}
        names = [name for operation_id, (name, state) in ids.items() if state == "CANCELLING" or operation_id in ended]
        return [name for name in names if self._finish(name)]

    def _finish(self, name: str) -> bool:
        with self._turn(name):
            operation = self._operation(name)
            if operation.state == "CANCELLING":
                self._stop(operation.id)
                self._journal.cancelled(operation.id)
            elif operation.state not in ACTIVE or self._status(operation.id) not in _ENDED:
                return False
            elif (restart := self._ledger.interrupted_retry(operation.id)) is not None:
                rewind.rewind(self._dbos, operation.id, restart=restart)
                self._journal.retry_resumed(operation.id)
            else:
                log.error("operation.ended_without_a_word", operation_id=operation.id)
                self._journal.operation_failed(operation.id, problem_of(RuntimeError()))
        log.warning("operation.finished", operation_id=operation.id, state=operation.state)
        return True

    def _behind(self, operation: OperationRecord, from_phase: str | None) -> list[str]:
        """The phases that begin anew: of those that a retry from there concerns, the ones that had begun."""
        if from_phase is None:
            return []
        started = {phase.name for phase in operation.phases if phase.state not in ("pending", "skipped")}
        graph = graph_of(self._graphs, operation.kind, operation.options)
        return [phase for phase in graph.downstream(from_phase) if phase in started]

    def _stop(self, operation_id: str) -> None:
        """Cancels the workflows of an operation that are to run or run, also a child that its parent has not noted."""
        self._dbos.cancel_workflow(operation_id, cancel_children=True)
        rewind.cancel_children(self._dbos, operation_id)

    def _status(self, operation_id: str) -> str:
        return self._dbos.retrieve_workflow(operation_id).get_status().status

    def _operation(self, name: str) -> OperationRecord:
        found = self._ledger.installation(name)
        if found is None:
            raise NotFound(f"there is no installation named {name}")
        return found.operation

    @contextmanager
    def _turn(self, name: str) -> Iterator[None]:
        key = zlib.crc32(name.encode())
        with _here[key % len(_here)]:
            if is_sqlite(self._engine):
                yield
                return
            with self._engine.begin() as connection:
                connection.execute(sa.text(f"SET LOCAL idle_in_transaction_session_timeout = '{TURN_SECONDS}s'"))
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(TURN_LOCK, key - 2**31)))
                yield
