"""PostgreSQL with the guide's databases and roles, and the real processes: Conductor, `dbos migrate`, the app."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from sandbox.postgres import PostgresServer, Template
from sandbox.processes import free_port, spawn, stop, wait_until_listening

ROOT = Path(__file__).parents[3]
APP = ROOT / "examples" / "app"
APP_PYTHON = ROOT / ".venv" / "dbos-app" / "bin" / "python"
CANARY_KEY = "license-canary-8731"
ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}

# As the guide's pg-setup pod; the master user is no superuser, as on RDS.
SETUP = """
CREATE ROLE postgres LOGIN PASSWORD 'pg' CREATEDB CREATEROLE
SET ROLE postgres
CREATE DATABASE dbos_conductor
CREATE DATABASE dbos_app
CREATE ROLE dbos_conductor_role LOGIN PASSWORD 'conductor-pw'
CREATE ROLE dbos_app_role LOGIN PASSWORD 'app-pw'
GRANT ALL PRIVILEGES ON DATABASE dbos_conductor TO dbos_conductor_role
RESET ROLE
"""


@dataclass
class Databases:
    """The URLs that the guide's secrets hold."""

    server: PostgresServer

    @property
    def admin(self) -> str:
        return self.server.url("dbos_app", "postgres", "pg")

    @property
    def conductor(self) -> str:
        return self.server.url("dbos_conductor", "dbos_conductor_role", "conductor-pw")

    @property
    def app(self) -> str:
        return self.server.url("dbos_app", "dbos_app_role", "app-pw")


@dataclass
class Program:
    """A started process and where it answers."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    http: httpx2.Client

    def output(self) -> str:
        return self.log.read_text()


Starter = Callable[..., Program]


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    home = tmp_path_factory.mktemp("postgres")
    server = PostgresServer(home / "server", free_port(), Template(home))
    server.start()
    try:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            for statement in SETUP.strip().splitlines():
                connection.execute(statement.encode())
        with psycopg.connect(server.url("dbos_conductor", "postgres", "pg"), autocommit=True) as connection:
            connection.execute("GRANT ALL ON SCHEMA public TO dbos_conductor_role")
        yield Databases(server)
    finally:
        server.stop()


@pytest.fixture(scope="session")
def migrated(databases: Databases) -> str:
    """The output of the migration, run as the Job runs it."""
    done = subprocess.run(
        [str(APP_PYTHON.parent / "dbos"), "migrate", "--app-role", "dbos_app_role"],
        cwd=APP / "migrate",
        env={**ENVIRONMENT, "DBOS_SYSTEM_DATABASE_URL": databases.admin},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@contextmanager
def running(args: list[str], log: Path, env: dict[str, str], cwd: Path, port: int) -> Iterator[Program]:
    process = spawn(args, log=log, env={**ENVIRONMENT, **env}, cwd=cwd)
    try:
        wait_until_listening(port, process)
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
            yield Program(process, port, log, http)
    finally:
        process.kill()  # how the application and Conductor end by themselves has tests of its own
        stop(process)


def empty(databases: Databases) -> None:
    """Makes Conductor's database as the guide leaves it: without tables, its role allowed to make them."""
    with psycopg.connect(databases.conductor, autocommit=True) as connection:
        connection.execute("DROP OWNED BY dbos_conductor_role")
    with psycopg.connect(databases.server.url("dbos_conductor", "postgres", "pg"), autocommit=True) as connection:
        connection.execute("GRANT ALL ON SCHEMA public TO dbos_conductor_role")


@contextmanager
def conductor_process(databases: Databases, folder: Path, port: int | None = None, **env: str) -> Iterator[Program]:
    """Conductor on the database of its role; keyword arguments are environment variables."""
    port = free_port(port)
    environment = {"DBOS__CONDUCTOR_DB_URL": databases.conductor, "DBOS_CONDUCTOR_LICENSE_KEY": CANARY_KEY, **env}
    args = [sys.executable, "-m", "sandbox.conductor", "--port", str(port), "--parent-pipe"]
    with running(args, folder / f"conductor-{port}.log", environment, ROOT, port) as program:
        yield program


@pytest.fixture
def start_conductor(databases: Databases, tmp_path: Path) -> Iterator[Starter]:
    """Starts Conductor, as often as called, on a database that was empty before the test."""
    empty(databases)
    with ExitStack() as stack:
        yield lambda **given: stack.enter_context(conductor_process(databases, tmp_path, **given))


@pytest.fixture
def start_app(databases: Databases, migrated: str, tmp_path: Path) -> Iterator[Starter]:
    """Starts the sample application with its restricted role on an empty database, connected to a Conductor.

    Versions and queues belong to the application's name: another name would be refused them.
    """
    with psycopg.connect(databases.app, autocommit=True) as connection:
        for table in ("workflow_status", "application_versions", "queues"):
            connection.execute(SQL("DELETE FROM dbos.{}").format(Identifier(table)))
    with ExitStack() as stack:

        def start(conductor: Program, key: str, **env: str) -> Program:
            port = free_port()
            environment = {
                "DBOS_SYSTEM_DATABASE_URL": databases.app,
                "DBOS_CONDUCTOR_URL": f"ws://127.0.0.1:{conductor.port}/",
                "DBOS_CONDUCTOR_KEY": key,
                "STEP_SECONDS": "0.05",
                "HOST": "127.0.0.1",
                "PORT": str(port),
                **env,
            }
            log = tmp_path / f"app-{port}.log"
            return stack.enter_context(running([str(APP_PYTHON), "main.py"], log, environment, APP, port))

        yield start


def eventually(check: Callable[[], bool], seconds: float = 8.0) -> None:
    """Polls until `check` holds; fails the test when it does not in time."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


async def eventually_async(check: Callable[[], Awaitable[object]], seconds: float = 8.0) -> None:
    """Polls until `check` gives something true; fails the test when it does not in time."""
    deadline = time.monotonic() + seconds
    while not await check():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        await asyncio.sleep(0.05)
