"""`python -m sandbox [--home DIR] [--speed N|max]`: a whole sandbox, until SIGTERM or SIGINT.

Starts Podium's own PostgreSQL and the AWS endpoint (which starts everything else), writes HOME/sandbox.env with what
Podium needs to use them, and starts again what ends by itself. All state is in HOME and survives a restart.
"""

import argparse
import logging
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psycopg
from psycopg import sql

from sandbox import home as folders
from sandbox.aws.clock import Clock
from sandbox.aws.credentials import own_credentials
from sandbox.aws.rds.slots import Slots, first_server_url
from sandbox.postgres import PostgresServer, Template
from sandbox.processes import exit_with_parent, spawn, stop, wait_until_listening

log = logging.getLogger("sandbox")
REGION = "us-west-2"
WATCH = 0.2  # seconds between looks at the processes
PATIENCE = 60.0  # seconds that the AWS process, with all behind it, gets to stop


class Sandbox:
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
            "PODIUM_HELM": str(folders.write_helm(self.home)),
        }


def main() -> int:
    options = _parser().parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    if options.parent_pipe:
        exit_with_parent(stopping.set)
    aws_options = ["--speed", options.speed.text, *(["--no-clusters"] if options.no_clusters else [])]
    try:
        with folders.alone(options.home.resolve()):
            _run(Sandbox(options.home.resolve(), aws_options), stopping)
    except folders.AlreadyRunningError as problem:
        log.error("%s", problem)
        return 1
    return 0


def _run(sandbox: Sandbox, stopping: threading.Event) -> None:
    try:
        environment = sandbox.start()
        say = sys.stdout.write
        for line in environment.read_text().splitlines():
            if not line.split("=")[0].endswith(("KEY", "KEY_ID", "DATABASE_URL", "POSTGRES_URL")):
                say(f"{line}\n")
        say(f"sandbox ready: {environment}\n")
        sys.stdout.flush()
        while not stopping.wait(WATCH):
            sandbox.watch()
    finally:
        sandbox.stop()


def _make_database(server: PostgresServer, name: str, password: str) -> None:
    """A role that may log in and create databases (DBOS makes its system database), and a database it owns."""
    role = sql.Identifier(name)
    with psycopg.connect(server.url(), autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone():
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB").format(role))
        connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(password)))
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(role, role))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    home = Path(os.environ.get("PODIUM_HOME") or ".podium")
    parser.add_argument("--home", type=Path, default=home, help="the sandbox's folder (env PODIUM_HOME)")
    parser.add_argument("--speed", type=Clock.parse, default=Clock(40.0), help="factor on AWS's durations, or max")
    parser.add_argument("--parent-pipe", action="store_true", help="end when stdin does")
    parser.add_argument("--no-clusters", action="store_true", help="EKS without API servers and nodes behind it")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
