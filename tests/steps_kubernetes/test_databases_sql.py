"""The SQL of the databases Job, run by psql against a real PostgreSQL with a master that is no superuser, as on RDS."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from sandbox.postgres import PostgresServer, Template, programs
from sandbox.processes import free_port
from steps.databases import scram_verifier

MANIFESTS = Path(__file__).parents[2] / "steps" / "manifests"
PASSWORDS = {"dbos_conductor_role": "conductor-'pass", "dbos_app_role": "app-pass"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    home = tmp_path_factory.mktemp("postgres")
    started = PostgresServer(home / "server", free_port(), Template(home))
    started.start()
    with psycopg.connect(started.url(), autocommit=True) as superuser:
        superuser.execute("CREATE ROLE postgres LOGIN CREATEDB CREATEROLE PASSWORD 'master'")
    for _ in range(2):
        done = run_sql(started, "databases.sql", "postgres", "postgres", "master")
        assert done.returncode == 0, done.stderr
        assert "Databases, roles and grants are in place." in done.stdout
    yield started
    started.stop()


def run_sql(
    server: PostgresServer, file: str, user: str, database: str, password: str
) -> subprocess.CompletedProcess[str]:
    """As the Job's container runs it (steps/manifests/databases.yaml)."""
    connection = {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGUSER": user, "PGDATABASE": database}
    secret = {
        "PGPASSWORD": password,
        "CONDUCTOR_VERIFIER": scram_verifier(PASSWORDS["dbos_conductor_role"]),
        "APP_VERIFIER": scram_verifier(PASSWORDS["dbos_app_role"]),
    }
    return subprocess.run(
        [str(programs() / "psql"), "--no-psqlrc", "--set", "ON_ERROR_STOP=1", "--file", str(MANIFESTS / file)],
        env={"PATH": os.environ["PATH"], **connection, **secret},
        capture_output=True,
        text=True,
        check=False,
    )


def connect(server: PostgresServer, role: str, database: str) -> psycopg.Connection:
    return psycopg.connect(
        host="127.0.0.1", port=server.port, user=role, dbname=database, password=PASSWORDS[role], autocommit=True
    )


def test_the_roles_log_in_with_their_passwords(server: PostgresServer) -> None:
    for role, database in (("dbos_conductor_role", "dbos_conductor"), ("dbos_app_role", "dbos_app")):
        with connect(server, role, database) as connection:
            assert connection.execute("SELECT current_user").fetchone() == (role,)


def test_conductor_has_every_privilege_on_its_database(server: PostgresServer) -> None:
    with connect(server, "dbos_conductor_role", "dbos_conductor") as connection:
        connection.execute("CREATE TABLE public.registry (id integer)")
        connection.execute("CREATE SCHEMA conductor")
        connection.execute("DROP TABLE public.registry")
        connection.execute("DROP SCHEMA conductor")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE public.t (id integer)",
        "CREATE SCHEMA s",
        "CREATE TEMPORARY TABLE t (id integer)",
        "CREATE DATABASE d",
        "CREATE ROLE r",
    ],
)
def test_the_application_role_may_only_connect(server: PostgresServer, statement: str) -> None:
    with (
        connect(server, "dbos_app_role", "dbos_app") as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement)


@pytest.mark.parametrize(
    ("role", "database"), [("dbos_conductor_role", "dbos_app"), ("dbos_app_role", "dbos_conductor")]
)
def test_neither_role_reaches_the_others_database(server: PostgresServer, role: str, database: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        connect(server, role, database)


def test_the_master_owns_both_databases_and_may_migrate(server: PostgresServer) -> None:
    with psycopg.connect(server.url("dbos_app", "postgres", "master"), autocommit=True) as connection:
        connection.execute("CREATE SCHEMA dbos")
        connection.execute("CREATE TABLE dbos.workflow_status (id integer)")
        connection.execute("GRANT USAGE ON SCHEMA dbos TO dbos_app_role")
        connection.execute("GRANT SELECT, INSERT ON dbos.workflow_status TO dbos_app_role")
    refused = run_sql(server, "separation.sql", "dbos_app_role", "dbos_app", PASSWORDS["dbos_app_role"])
    assert refused.returncode == 0, refused.stderr
    assert refused.stderr.count("refused, as it must be") == 5


def test_a_role_that_may_change_the_schema_fails_the_separation_job(server: PostgresServer) -> None:
    done = run_sql(server, "separation.sql", "postgres", "dbos_app", "master")
    assert done.returncode != 0
    assert "is allowed to: CREATE TABLE public.podium_probe" in done.stderr
    with psycopg.connect(server.url("dbos_app", "postgres", "master")) as connection:
        assert connection.execute("SELECT to_regclass('public.podium_probe')").fetchone() == (None,)


def test_no_password_reaches_the_servers_log(server: PostgresServer) -> None:
    log = server.log.read_text()
    assert not [password for password in PASSWORDS.values() if password in log]
