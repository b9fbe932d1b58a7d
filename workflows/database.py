"""Podium's own database: connections, migrations, one process at a time on SQLite, and what an outage looks like."""

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from dbos import DBOS
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from workflows.errors import DatabaseInUse
from workflows.tables import SCHEMA_VERSION, VERSION_TABLE

MIGRATION_LOCK = 0x706F6469756D
"""PostgreSQL's advisory lock (the word podium) of whoever migrates."""
MIGRATION_SECONDS = 60.0
IDLE_SECONDS = 10.0
_IDLE_IN_TRANSACTION = "25P03"
_SQLITE_BUSY = {5, 6}
"""SQLITE_BUSY and SQLITE_LOCKED (sqlite.org/rescode.html)."""


def make_engine(database_url: str, pool_size: int, *, idle_seconds: float = IDLE_SECONDS, **options: Any) -> sa.Engine:
    """psycopg 3 for PostgreSQL. Dead connections are found before use, since the database may restart under us.

    A transaction that stands still for `idle_seconds` is ended by the server: its process is suspended, and others wait
    for its locks. `options` are libpq's, e.g. tcp_user_timeout.
    """
    url = sa.make_url(database_url)
    if url.get_backend_name() == "sqlite":
        return sa.create_engine(url, connect_args={"timeout": 30})
    url = url.set(drivername="postgresql+psycopg")
    arguments = {"connect_timeout": 5, **options}
    engine = sa.create_engine(url, pool_size=pool_size, max_overflow=5, pool_pre_ping=True, connect_args=arguments)

    @sa.event.listens_for(engine, "connect")
    def end_what_stands_still(connection: Any, _record: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET idle_in_transaction_session_timeout = {int(idle_seconds * 1000)}")
        connection.commit()

    return engine


@contextmanager
def snapshot(engine: sa.Engine) -> Iterator[sa.Connection]:
    """For reads of several queries: all of them see the database as it was at the first one."""
    if is_sqlite(engine):
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")  # Python's driver begins a transaction for writes only
            yield connection
        return
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        yield connection


def is_sqlite(engine: sa.Engine) -> bool:
    return engine.dialect.name == "sqlite"


def prepare(engine: sa.Engine, database_url: str) -> None:
    """Makes or migrates all tables, DBOS's too: a process that only enqueues may be the first one.

    Several processes may start at once; the others wait for the first. Raises SQLAlchemyError.
    """
    with _alone(engine):
        migrate(engine)
        DBOS.migrate(database_url)


def migrate(engine: sa.Engine) -> None:
    """Brings Podium's own tables to the newest version."""
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


@contextmanager
def _alone(engine: sa.Engine) -> Iterator[None]:
    """Holds the migration lock. It is asked for again and again, not waited for: DBOS makes indexes concurrently, for
    which PostgreSQL waits until every statement that began before has ended."""
    if is_sqlite(engine):
        yield
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        deadline = time.monotonic() + MIGRATION_SECONDS
        while not connection.execute(sa.select(sa.func.pg_try_advisory_lock(MIGRATION_LOCK))).scalar():
            if time.monotonic() > deadline:
                raise OperationalError("pg_try_advisory_lock", {}, TimeoutError("another process migrates too long"))
            time.sleep(0.1)  # polling with a deadline
        try:
            yield
        finally:
            connection.execute(sa.select(sa.func.pg_advisory_unlock(MIGRATION_LOCK)))


def is_outage(error: BaseException) -> bool:
    """Whether the database did not answer (it stopped, restarts, refuses, or has no connection left): worth waiting."""
    if isinstance(error, PoolTimeout | InterfaceError):
        return True
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    if getattr(getattr(error, "orig", None), "sqlstate", None) == _IDLE_IN_TRANSACTION:
        return True
    if not isinstance(error, OperationalError):
        return False
    code = getattr(error.orig, "sqlite_errorcode", None)
    return code is None or (code & 0xFF) in _SQLITE_BUSY


class Sole:
    """The lock of the one process that may use a SQLite file; nothing for other databases. The kernel frees it when
    the process ends, however it ends."""

    def __init__(self, engine: sa.Engine) -> None:
        """Raises DatabaseInUse, naming the holder."""
        self._file: int | None = None
        path = engine.url.database
        if not is_sqlite(engine) or not path or path == ":memory:":
            return
        self._file = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(self._file, 200, 0).decode(errors="replace").strip()
            self.release()
            raise DatabaseInUse(path, holder or "another process") from error
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)

    def release(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                os.close(self._file)
            self._file = None
