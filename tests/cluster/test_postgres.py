"""RDS instances on a PostgreSQL that was built with OpenSSL: TLS is the server's own, and can be demanded."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from sandbox.certificates import self_signed
from sandbox.control_plane.binaries.build import cache_directory
from sandbox.control_plane.binaries.postgres import PostgresError, find
from sandbox.postgres import programs as programs_of_the_wheel
from tests.cluster.planes import ROOT
from tests.sandbox.aws.standin import Network, StandIn, make_network, until
from tests.sandbox.aws.test_rds import create, describe, password

APP = ROOT / ".venv" / "dbos-app" / "bin"
NO_ENTRY = "no pg_hba.conf entry .* no encryption"


@pytest.fixture(scope="module")
def programs() -> Path:
    """The folder of psql and its siblings."""
    return find(cache_directory(), print)


@pytest.fixture(scope="module")
def aws(programs: Path) -> Iterator[StandIn]:
    with tempfile.TemporaryDirectory(prefix="cluster-rds-") as folder:
        standin = StandIn(Path(folder), environment={"SANDBOX_POSTGRES_BIN": str(programs)}).start()
        yield standin
        assert standin.stop() == 0, (standin.home / "aws.log").read_text()[-3000:]


@pytest.fixture(scope="module")
def network(aws: StandIn) -> Network:
    made = make_network(aws)
    aws.client("rds").create_db_subnet_group(
        DBSubnetGroupName="db", DBSubnetGroupDescription="d", SubnetIds=made.private
    )
    return made


@pytest.fixture(scope="module")
def instance(aws: StandIn, network: Network) -> dict[str, Any]:
    """An instance with a parameter group of its own."""
    aws.client("rds").create_db_parameter_group(
        DBParameterGroupName="own", DBParameterGroupFamily="postgres16", Description="d"
    )
    create(aws, DBParameterGroupName="own")
    until(lambda: describe(aws)["DBInstanceStatus"], "available")
    return describe(aws)


def url(aws: StandIn, instance: dict[str, Any], sslmode: str, database: str = "postgres") -> str:
    endpoint = instance["Endpoint"]
    parts = {"host": endpoint["Address"], "port": endpoint["Port"], "user": "postgres", "dbname": database}
    secret = {"password": password(aws, instance), "sslmode": sslmode, "sslrootcert": certificate(aws)}
    return psycopg.conninfo.make_conninfo("", **parts, **secret)


def certificate(aws: StandIn) -> str:
    return str(aws.home / "aws" / "rds" / "tls" / "server.crt")


@pytest.mark.parametrize("sslmode", ["require", "verify-ca", "verify-full"])
def test_the_server_itself_speaks_tls(aws: StandIn, instance: dict[str, Any], sslmode: str) -> None:
    with psycopg.connect(url(aws, instance, sslmode)) as connection:
        assert connection.pgconn.ssl_in_use
        seen = connection.execute("SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone()
        assert seen == (True, "TLSv1.3")
        found = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
        assert found == (False,)


def test_another_authoritys_certificate_is_noticed(aws: StandIn, instance: dict[str, Any], tmp_path: Path) -> None:
    other, _ = self_signed(tmp_path, "somebody else")
    wrong = psycopg.conninfo.make_conninfo(url(aws, instance, "verify-full"), sslrootcert=str(other))
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        psycopg.connect(wrong)


def test_psql_and_its_siblings_speak_tls_too(aws: StandIn, instance: dict[str, Any], programs: Path) -> None:
    question = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    command = [str(programs / "psql"), url(aws, instance, "verify-full"), "-Atc", question]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "t\n"


def test_the_app_migrates_over_tls(aws: StandIn, instance: dict[str, Any]) -> None:
    with psycopg.connect(url(aws, instance, "require"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE migrated")
    endpoint, secret = instance["Endpoint"], quote(password(aws, instance), safe="")
    address = f"{endpoint['Address']}:{endpoint['Port']}"
    variables = {"DBOS_SYSTEM_DATABASE_URL": f"postgresql://postgres:{secret}@{address}/migrated?sslmode=require"}
    folder = ROOT / "examples" / "app" / "migrate"
    command = [str(APP / "python"), str(APP / "dbos"), "migrate"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=os.environ | variables)
    assert done.returncode == 0, done.stderr[-2000:]
    with psycopg.connect(url(aws, instance, "require", "migrated")) as connection:
        assert connection.execute("SELECT count(*) FROM dbos.workflow_status").fetchone() == (0,)


def test_tls_is_demanded_unless_the_parameter_group_says_otherwise(aws: StandIn, instance: dict[str, Any]) -> None:
    with pytest.raises(psycopg.OperationalError, match=NO_ENTRY):
        psycopg.connect(url(aws, instance, "disable"))
    set_parameter(aws, "0")
    until(lambda: _enters(url(aws, instance, "disable")))
    set_parameter(aws, "1")
    until(lambda: _enters(url(aws, instance, "disable")), False)
    with psycopg.connect(url(aws, instance, "require")) as connection:
        assert connection.pgconn.ssl_in_use


def test_before_version_15_tls_is_not_demanded(aws: StandIn, network: Network) -> None:
    create(aws, "old", EngineVersion="14")
    until(lambda: describe(aws, "old")["DBInstanceStatus"], "available")
    for sslmode in ("disable", "require"):
        psycopg.connect(url(aws, describe(aws, "old"), sslmode)).close()


def test_it_stays_so_when_everything_was_killed(aws: StandIn, instance: dict[str, Any]) -> None:
    with psycopg.connect(url(aws, instance, "require"), autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept AS SELECT 42 AS answer")
    aws.kill()
    aws.start()
    until(lambda: _enters(url(aws, describe(aws), "require")))
    with psycopg.connect(url(aws, describe(aws), "verify-full")) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    with pytest.raises(psycopg.OperationalError, match=NO_ENTRY):
        psycopg.connect(url(aws, describe(aws), "disable"))


def set_parameter(aws: StandIn, value: str) -> None:
    parameter = {"ParameterName": "rds.force_ssl", "ParameterValue": value, "ApplyMethod": "immediate"}
    aws.client("rds").modify_db_parameter_group(DBParameterGroupName="own", Parameters=[parameter])


def _enters(target: str) -> bool:
    try:
        psycopg.connect(target, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def test_programs_without_openssl_are_not_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SANDBOX_POSTGRES_BIN", str(programs_of_the_wheel()))
    with pytest.raises(PostgresError, match="built without OpenSSL"):
        find(tmp_path, print)
    monkeypatch.setenv("SANDBOX_POSTGRES_BIN", str(tmp_path))
    with pytest.raises(PostgresError, match="there is no postgres, initdb, psql"):
        find(tmp_path, print)


def test_without_any_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SANDBOX_POSTGRES_BIN", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PostgresError, match="install one, name it SANDBOX_POSTGRES_BIN"):
        find(tmp_path, print, installed=tmp_path)
