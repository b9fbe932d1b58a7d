"""Start-up: migrate Podium's tables, launch DBOS on the same database, recover what was interrupted."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer
from sqlalchemy.exc import SQLAlchemyError

from workflows import engine as _engine  # noqa: F401 - registers the workflows with DBOS
from workflows.context import Clients, Context, context, set_context
from workflows.control import Control
from workflows.errors import DatabaseUnavailable
from workflows.graph import Graph
from workflows.journal import Journal
from workflows.ledger import Ledger
from workflows.orders import APPLICATION_VERSION, QUEUE
from workflows.phases import GRAPHS
from workflows.tables import SCHEMA_VERSION, VERSION_TABLE

OPERATIONS_PER_ACCOUNT = 5
QUEUE_POLL_SECONDS = 0.25


@dataclass(frozen=True)
class RuntimeSettings:
    """`database_url`: postgresql://… or sqlite:///…; `executor_id`: stable per worker, who recovers its own workflows;
    `helm`: path or name of the binary; `pool_size`: database connections, of DBOS and of Podium's own tables each."""

    database_url: str
    executor_id: str = "local"
    helm: str = "helm"
    pool_size: int = 10


@dataclass(frozen=True)
class Runtime:
    """What the service gets."""

    ledger: Ledger
    control: Control
    engine: sa.Engine
    client: DBOSClient
    executes: bool

    def stop(self) -> None:
        """Ends this process's part; workflows under way are recovered by the next start."""
        if self.executes:
            DBOS.destroy(workflow_completion_timeout_sec=0)
        self.client.destroy()
        context().pool.shutdown(wait=False, cancel_futures=True)
        set_context(None)
        self.engine.dispose()


def launch(settings: RuntimeSettings, *, execute: bool = True, graphs: Mapping[str, Graph] = GRAPHS) -> Runtime:
    """Raises DatabaseUnavailable when the database cannot be reached or migrated."""
    engine = make_engine(settings.database_url, settings.pool_size)
    try:
        migrate(engine)
    except (SQLAlchemyError, OSError) as error:
        engine.dispose()
        raise DatabaseUnavailable(type(error).__name__) from error
    set_context(Context(Journal(engine), Ledger(engine), Clients(settings.helm), graphs))
    if execute:
        DBOS(config=dbos_config(settings))
        DBOS.launch()
        DBOS.register_queue(
            QUEUE,
            partition_concurrency=OPERATIONS_PER_ACCOUNT,
            polling_interval_sec=QUEUE_POLL_SECONDS,
            on_conflict="always_update",
        )
    client = DBOSClient(
        system_database_engine=engine, serializer=DBOSPortableJSONSerializer(), application_name="podium"
    )
    return Runtime(context().ledger, Control(engine, context(), client), engine, client, execute)


def make_engine(database_url: str, pool_size: int) -> sa.Engine:
    """psycopg 3 for PostgreSQL. Dead connections are found before use, since the database may restart under us."""
    url = sa.make_url(database_url)
    if url.get_backend_name() == "sqlite":
        return sa.create_engine(url, connect_args={"timeout": 30})
    url = url.set(drivername="postgresql+psycopg")
    return sa.create_engine(
        url, pool_size=pool_size, max_overflow=5, pool_pre_ping=True, connect_args={"connect_timeout": 5}
    )


def migrate(engine: sa.Engine) -> None:
    """Brings Podium's own tables to the newest version (DBOS migrates its own)."""
    if schema_version(engine) == SCHEMA_VERSION:
        return
    from alembic import command  # noqa: PLC0415 - half a second, needed once per release
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def schema_version(engine: sa.Engine) -> str | None:
    """The newest migration that the database has; None for an empty database."""
    if not sa.inspect(engine).has_table(VERSION_TABLE):
        return None
    with engine.connect() as connection:
        found: str | None = connection.execute(sa.text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608
        return found


def dbos_config(settings: RuntimeSettings) -> DBOSConfig:
    """JSON, not pickle; an explicit application version, so that a compatible release can finish older runs."""
    return DBOSConfig(
        name="podium",
        system_database_url=settings.database_url,
        sys_db_pool_size=settings.pool_size,
        application_version=APPLICATION_VERSION,
        executor_id=settings.executor_id,
        serializer=DBOSPortableJSONSerializer(),
        enable_otlp=False,
        log_level="WARNING",
    )
