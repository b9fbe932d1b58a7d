"""This process as one that executes: DBOS launched on the database, its heart beating, and how it stops.

On SQLite there is one process only: no heart, and everything that was interrupted is its to go on with.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import sqlalchemy as sa
import structlog
from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer
from sqlalchemy.exc import SQLAlchemyError

from workflows.context import context
from workflows.database import CONNECTION, is_sqlite, make_engine
from workflows.heart import Heart
from workflows.interventions import Interventions
from workflows.lease import Lease
from workflows.orders import APPLICATION_VERSION, QUEUE
from workflows.workers import APPLICATION, Registry, Rhythm, Worker, hand_over

OPERATIONS_PER_ACCOUNT = 5
QUEUE_POLL_SECONDS = 0.25
LOOK_SECONDS = 0.1

log = structlog.get_logger(__name__)


def _nothing() -> None:
    """Nobody to tell: the heart has written it to the log."""


@dataclass(frozen=True)
class RuntimeSettings:
    """`database_url`: postgresql://… or sqlite:///…; `executor_id`: stable per worker, whose successor takes its
    workflows up at once; `helm`: path or name of the binary; `pool_size`: database connections, of DBOS and of Podium's
    own tables each; `drain`: seconds that running steps get at a stop; `on_replaced`: see workflows/heart.py."""

    database_url: str
    executor_id: str = "local"
    helm: str = "helm"
    pool_size: int = 10
    rhythm: Rhythm = field(default_factory=Rhythm)
    drain: float = 15.0
    on_replaced: Callable[[], None] = _nothing


class Membership:
    """This worker among the others, on PostgreSQL."""

    def __init__(self, settings: RuntimeSettings, engine: sa.Engine, lease: Lease) -> None:
        rhythm, me = settings.rhythm, Worker(settings.executor_id)
        self._client = client = client_of(engine, patient=False)
        self._engine = make_engine(settings.database_url, 1)
        self.registry = Registry(engine, client, me, rhythm)
        beats, finish = Registry(self._engine, client, me, rhythm), Interventions(engine, context(), client).finish
        self.heart = Heart(beats, self.registry, lease, rhythm, finish, settings.on_replaced)
        lease.dead, lease.owns = rhythm.dead, self.registry.owns

    def end(self) -> None:
        """Leaves, when this worker was a member at all; the heart stops first, or it would join again."""
        self.heart.stop()
        if self.heart.is_member:
            attempt(self.registry.leave)
        self._client.destroy()
        self._engine.dispose()


class Execution:
    """DBOS in this process. `begin` before anything else, `stop` at the end; not to be used again."""

    def __init__(self, settings: RuntimeSettings, engine: sa.Engine, lease: Lease) -> None:
        self._settings, self._engine, self.lease = settings, engine, lease
        self._membership = None if is_sqlite(engine) else Membership(settings, engine, lease)
        self._dbos: DBOS | None = None
        self._drains_since: float | None = None

    def begin(self) -> None:
        """What this worker's predecessor left goes on. Raises ExecutorIdInUse, SQLAlchemyError."""
        try:
            executor = self._register()
            self._dbos = DBOS(config=dbos_config(self._settings, executor))
            DBOS.launch()
            DBOS.register_queue(
                QUEUE,
                partition_concurrency=OPERATIONS_PER_ACCOUNT,
                polling_interval_sec=QUEUE_POLL_SECONDS,
                on_conflict="always_update",
            )
        except BaseException:
            self.lease.close()
            self._end()
            raise

    def _register(self) -> str:
        """Executor id for DBOS."""
        if self._membership is None:
            client = client_of(self._engine)
            hand_over(self._engine, client, None)
            Interventions(self._engine, context(), client).finish()
            client.destroy()
            return self._settings.executor_id
        self._membership.heart.start()
        return self._membership.registry.me.dbos_id

    @property
    def can_work(self) -> bool:
        """Whether steps may run now: heartbeats land, and no stop has begun."""
        return self.lease.fresh and not self.lease.draining

    def drain(self) -> None:
        """Begins to stop: no step begins any longer, and nothing is taken from the queue. Returns at once."""
        if self._drains_since is None:
            self._drains_since = time.monotonic()
            self.lease.drain()
            for event in self._dbos.background_thread_stop_events if self._dbos else ():
                event.set()

    def stop(self) -> None:
        """Running steps end, or are abandoned after `drain` seconds; everything else is handed over meanwhile."""
        self.drain()
        end = (self._drains_since or 0) + self._settings.drain
        while (busy := frozenset(self.lease.steps)) and time.monotonic() < end:
            if self._membership is not None:
                attempt(self._membership.registry.hand_over_all_but, busy)
            time.sleep(LOOK_SECONDS)  # polling with a deadline
        self.lease.close()
        self._end()

    def _end(self) -> None:
        DBOS.destroy(workflow_completion_timeout_sec=0)
        if self._membership is not None:
            self._membership.end()


def attempt(act: Callable[..., object], *arguments: object) -> None:
    """A database that does not answer does not hold up a stop: then the others notice that the heart has stopped."""
    try:
        act(*arguments)
    except SQLAlchemyError as error:
        log.warning("worker.stop", type=type(error).__name__)


def client_of(engine: sa.Engine, *, patient: bool = True) -> DBOSClient:
    """DBOS from outside, in its form of serialisation. Not `patient`: raises while the database does not answer."""
    return DBOSClient(
        system_database_engine=engine,
        serializer=DBOSPortableJSONSerializer(),
        application_name=APPLICATION,
        retry_connection_errors=patient,
    )


def dbos_config(settings: RuntimeSettings, executor_id: str) -> DBOSConfig:
    """JSON, not pickle; an explicit application version, so that a compatible release can finish older runs."""
    on_network = not settings.database_url.startswith("sqlite")
    return DBOSConfig(
        name=APPLICATION,
        system_database_url=settings.database_url,
        sys_db_pool_size=settings.pool_size,
        db_engine_kwargs={"connect_args": {"application_name": APPLICATION, **CONNECTION}} if on_network else None,
        sys_db_idle_transaction_timeout_sec=settings.rhythm.dead / 2,
        application_version=APPLICATION_VERSION,
        executor_id=executor_id,
        serializer=DBOSPortableJSONSerializer(),
        enable_otlp=False,
        log_level="WARNING",
    )
