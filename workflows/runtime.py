"""Start-up and end: tables, what running workflows need, and (in a worker) DBOS on the same database."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa
from dbos import DBOSClient
from sqlalchemy.exc import SQLAlchemyError

from steps.clients.private_folders import remove_left_behind
from workflows import engine as _engine  # noqa: F401 - registers the workflows with DBOS
from workflows.context import Clients, Context, context, set_context
from workflows.control import Control
from workflows.database import Sole, is_sqlite, make_engine, migrate, prepare, schema_version
from workflows.errors import DatabaseUnavailable
from workflows.execution import Execution, RuntimeSettings, client_of
from workflows.graph import Graph
from workflows.journal import Journal
from workflows.lease import Lease
from workflows.ledger import Ledger
from workflows.phases import GRAPHS
from workflows.workers import Rhythm, count_alive

__all__ = ["Rhythm", "Runtime", "RuntimeSettings", "launch", "make_engine", "migrate", "schema_version"]


@dataclass(frozen=True)
class Runtime:
    """What the service gets. `execution` is None in a process that only enqueues and reads."""

    ledger: Ledger
    control: Control
    engine: sa.Engine
    client: DBOSClient
    execution: Execution | None
    settings: RuntimeSettings
    sole: Sole
    abandoned: list[str] = field(default_factory=list)
    """Phases whose call to the outside had not ended when this process stopped."""

    @property
    def executes(self) -> bool:
        return self.execution is not None

    @property
    def can_work(self) -> bool:
        """Whether this process executes, may do so now, and is not about to stop."""
        return self.execution is not None and self.execution.can_work

    def workers(self) -> int:
        """How many processes execute operations now."""
        return int(self.executes) if is_sqlite(self.engine) else count_alive(self.engine, self.settings.rhythm)

    def drain(self) -> None:
        """Begins to stop; returns at once."""
        if self.execution is not None:
            self.execution.drain()

    def stop(self) -> None:
        """Ends this process's part; workflows under way go on in another worker, or at the next start."""
        if self.execution is not None:
            self.execution.stop()
        self.client.destroy()
        self.abandoned.extend(phase for (_name, phase), call in context().calls.items() if not call.done())
        context().pool.shutdown(wait=False, cancel_futures=True)
        set_context(None)
        self.engine.dispose()
        self.sole.release()


def launch(settings: RuntimeSettings, *, execute: bool = True, graphs: Mapping[str, Graph] = GRAPHS) -> Runtime:
    """Raises DatabaseUnavailable when the database cannot be reached or migrated, DatabaseInUse, ExecutorIdInUse."""
    engine = make_engine(settings.database_url, settings.pool_size, idle_seconds=settings.rhythm.dead / 2)
    sole = Sole(engine)
    if execute:
        remove_left_behind()
    try:
        prepare(engine, settings.database_url)
        client = client_of(engine)
        lease = Lease()
        set_context(Context(engine, Journal(engine), Ledger(engine), Clients(settings.helm), graphs, lease))
        execution = Execution(settings, engine, lease) if execute else None
        if execution is not None:
            execution.begin()
    except BaseException as error:
        set_context(None)
        engine.dispose()
        sole.release()
        if isinstance(error, SQLAlchemyError | OSError):
            raise DatabaseUnavailable(type(error).__name__) from error
        raise
    return Runtime(context().ledger, Control(engine, context(), client), engine, client, execution, settings, sole)
