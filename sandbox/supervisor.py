"""The sandbox's own two processes, Podium's PostgreSQL and the AWS endpoint, and sandbox.env that says where all is."""

import logging
import subprocess
import sys
from pathlib import Path

import psycopg
from psycopg import sql

from sandbox import home as folders
from sandbox.aws.credentials import own_credentials
from sandbox.aws.rds.slots import Slots, first_server_url
from sandbox.helm.wrapper import write_wrapper
from sandbox.postgres import PostgresServer, Template
from sandbox.processes import spawn, stop, wait_until_listening

log = logging.getLogger("sandbox")
REGION = "us-west-2"
PATIENCE = 60.0  # seconds that the AWS process, with all behind it, gets to stop
PRIVATE = ("SECRET_ACCESS_KEY", "API_KEY", "DATABASE_URL", "POSTGRES_URL")


class Supervisor:
    """The processes of one sandbox in `home`; `aws_options` are passed on to the AWS process."""

    def __init__(self, home: Path, aws_options: list[str]) -> None:
        self.home = home
        self._aws_options = aws_options
        self.ports = folders.ports(home, ["aws", "postgres", "podium"])
        self._postgres = PostgresServer(home / "postgres" / "podium", self.ports["postgres"], Template(home))
        self._aws: subprocess.Popen[bytes] | None = None

    def start(self) -> Path:
        """Returns HOME/sandbox.env when everything answers; raises RuntimeError or TimeoutError when it does not."""
        aws = self._start_aws()
        self._postgres.start()
        password = folders.kept_secret(self.home, "postgres/podium-password")
        _make_database(self._postgres, "podium", password)
        wait_until_listening(self.ports["aws"], aws, timeout=60)
        wait_until_listening(Slots(self.home).all[0].port, aws, timeout=60)
        return folders.write_environment(self.home, self._environment(password))

    def watch(self) -> None:
        """Start again what has ended by itself."""
        if self._aws is not None and self._aws.poll() is not None:
            log.warning("the AWS endpoint ended with code %s: starting it again", self._aws.returncode)
            self._start_aws()
        if not self._postgres.running():
            log.warning("Podium's PostgreSQL ended: starting it again")
            self._postgres.start()

    def stop(self) -> None:
        """AWS first, with the clusters and databases behind it."""
        if self._aws is not None:
            stop(self._aws, PATIENCE)
        self._postgres.stop()

    def _start_aws(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "sandbox.aws", "--home", str(self.home), "--port", str(self.ports["aws"])]
        command += ["--parent-pipe", *self._aws_options]
        self._aws = spawn(command, log=self.home / "logs" / "aws.log", cwd=folders.REPOSITORY)
        return self._aws

    def _environment(self, password: str) -> dict[str, str]:
        credentials = own_credentials(self.home)
        endpoint = f"http://127.0.0.1:{self.ports['aws']}"
        kubeconfig = self.home / "kubeconfig"
        kubeconfig.touch(mode=0o600)
        return {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": credentials.access_key,
            "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
            "KUBECONFIG": str(kubeconfig),
            "SANDBOX_POSTGRES_URL": first_server_url(self.home),
            "SANDBOX_CONTROL_URL": f"{endpoint}/_sandbox",
            "PODIUM_DATABASE_URL": self._postgres.url("podium", "podium", password),
            "PODIUM_URL": f"http://127.0.0.1:{self.ports['podium']}",
            "PODIUM_API_KEY": folders.kept_secret(self.home, "api-key"),
            "PODIUM_HELM": str(write_wrapper(self.home / "bin")),
        }


def shown(environment: Path) -> list[str]:
    """The lines of sandbox.env without anything secret."""
    return [line for line in environment.read_text().splitlines() if not line.split("=")[0].endswith(PRIVATE)]


def _make_database(server: PostgresServer, name: str, password: str) -> None:
    """A role that may log in and create databases (DBOS makes its system database), and a database it owns."""
    role = sql.Identifier(name)
    with psycopg.connect(server.url(), autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone():
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB").format(role))
        connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(password)))
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(role, role))
