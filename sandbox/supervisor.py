"""The sandbox's own two processes, and sandbox.env, which tells everybody else where things are."""

import fcntl
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO

import psycopg
from psycopg import sql

from sandbox.aws.credentials import own_credentials
from sandbox.aws.rds.slots import first_server_url
from sandbox.files import read_json, write_json, write_private
from sandbox.helm.wrapper import write_wrapper
from sandbox.postgres import PostgresServer, Template
from sandbox.processes import exit_with_parent, free_port, spawn, stop, wait_until_listening

REGION = "us-west-2"
LOOK_SECONDS = 0.5
PRIVATE = ("PASSWORD", "SECRET", "KEY", "DATABASE_URL", "POSTGRES_URL")


class AlreadyRunning(RuntimeError):
    """Another sandbox uses this home."""


class Supervisor:
    """Everything of one sandbox is in `home`; ports and passwords are kept there, so that a restart changes nothing."""

    def __init__(self, home: Path, speed: str) -> None:
        self.home = home
        self.env_file = home / "sandbox.env"
        self._speed = speed
        self._known: dict[str, str] = {}
        self._lock: IO[str] | None = None
        self._aws: subprocess.Popen[bytes] | None = None
        self._postgres: PostgresServer | None = None

    def start(self) -> None:
        """Returns when both answer and sandbox.env is written. Raises AlreadyRunning, RuntimeError, TimeoutError."""
        self._take_home()
        self._known = self._remembered()
        self._aws = self._start_aws(int(self._known["aws_port"]))
        self._postgres = PostgresServer(
            self.home / "postgres" / "podium", int(self._known["postgres_port"]), Template(self.home)
        )
        self._postgres.start()
        self._make_podiums_database()
        wait_until_listening(int(self._known["aws_port"]), self._aws, 60)
        helm = write_wrapper(self.home / "bin")
        lines = [f"{name}={value}" for name, value in self._environment(helm).items()]
        write_private(self.env_file, ("\n".join(lines) + "\n").encode())

    def watch(self, stopping: threading.Event) -> int:
        """Stays until `stopping`; 1 when the AWS endpoint ended by itself."""
        while not stopping.wait(LOOK_SECONDS):
            if self._aws is not None and self._aws.poll() is not None:
                print(
                    f"the AWS endpoint ended with code {self._aws.returncode}; see {self._log('aws')}", file=sys.stderr
                )
                return 1
        return 0

    def stop(self) -> None:
        """Stops what was started, in reverse order, and lets go of the home."""
        if self._aws is not None:
            stop(self._aws, 30)
        if self._postgres is not None:
            self._postgres.stop()
        if self._lock is not None:
            self._lock.close()

    def stop_with_parent(self, callback: Callable[[], None]) -> None:
        exit_with_parent(callback)

    def shown(self) -> dict[str, str]:
        """The endpoints, without anything secret."""
        found = self._environment(self.home / "bin" / "helm")
        return {name: value for name, value in found.items() if not any(part in name for part in PRIVATE)}

    def _take_home(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self._lock = (self.home / ".lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(
                f"a sandbox is running in {self.home} already; stop it, or use another --home"
            ) from None

    def _remembered(self) -> dict[str, str]:
        """Ports (where still free) and passwords from the last start."""
        path = self.home / "sandbox.json"
        known: dict[str, str] = read_json(path, {})
        for name in ("aws_port", "postgres_port", "podium_port"):
            known[name] = str(free_port(int(known[name]) if name in known else None))
        for name in ("podium_password", "api_key"):
            known.setdefault(name, secrets.token_urlsafe(24))
        write_json(path, known)
        return known

    def _start_aws(self, port: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "sandbox.aws", "--home", str(self.home), "--port", str(port)]
        return spawn([*command, "--speed", self._speed, "--parent-pipe"], log=self._log("aws"))

    def _log(self, name: str) -> Path:
        return self.home / "logs" / f"{name}.log"

    def _make_podiums_database(self) -> None:
        assert self._postgres is not None  # noqa: S101 - start() has made it
        with psycopg.connect(self._postgres.url(), autocommit=True) as connection:
            if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'podium'").fetchone() is None:
                password = sql.Literal(self._known["podium_password"])
                connection.execute(sql.SQL("CREATE ROLE podium LOGIN PASSWORD {}").format(password))
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = 'podium'").fetchone() is None:
                connection.execute("CREATE DATABASE podium OWNER podium")

    def _environment(self, helm: Path) -> dict[str, str]:
        assert self._postgres is not None  # noqa: S101 - start() has made it
        endpoint = f"http://127.0.0.1:{self._known['aws_port']}"
        keys = own_credentials(self.home)
        return {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": keys.access_key,
            "AWS_SECRET_ACCESS_KEY": keys.secret_key,
            "KUBECONFIG": str(self.home / "kubeconfig"),
            "SANDBOX_POSTGRES_URL": first_server_url(self.home),
            "SANDBOX_CONTROL_URL": f"{endpoint}/_sandbox",
            "PODIUM_DATABASE_URL": self._postgres.url("podium", "podium", self._known["podium_password"]),
            "PODIUM_URL": f"http://127.0.0.1:{self._known['podium_port']}",
            "PODIUM_API_KEY": self._known["api_key"],
            "PODIUM_HELM": str(helm),
        }
