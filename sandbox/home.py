"""HOME, the folder of one sandbox: its ports, its environment file, its secrets.

Several sandboxes run side by side, each in a folder of its own; two in one folder are refused.
"""

import fcntl
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sandbox.files import read_json, write_json, write_private
from sandbox.processes import LASTING_PORTS, free_port

PATIENCE = 5.0  # seconds that the processes of a killed sandbox get to give their ports back
REPOSITORY = Path(__file__).resolve().parents[1]


class AlreadyRunningError(Exception):
    """Another supervisor runs in this folder."""


@contextmanager
def alone(home: Path, patience: float = 0.0) -> Iterator[None]:
    """Hold the folder while a process runs; raises AlreadyRunningError when another holds it for `patience` seconds."""
    home.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + patience
    with (home / ".lock").open("w") as lock:
        while not _locked(lock):
            if time.monotonic() >= deadline:
                raise AlreadyRunningError(f"a sandbox is running in {home} already; stop it, or use another --home")
            time.sleep(0.05)
        yield


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def ports(home: Path, names: list[str]) -> dict[str, int]:
    """A port for each name: the one of last time where that is still free (HOME/ports.json)."""
    path = home / "ports.json"
    known = read_json(path, {})
    chosen = {name: free_port(known.get(name), PATIENCE, LASTING_PORTS) for name in names}
    write_json(path, chosen)
    return chosen


def kept_secret(home: Path, name: str) -> str:
    """A random secret made on first use and kept in HOME/`name` (mode 0600)."""
    path = home / name
    if not path.exists():
        write_private(path, secrets.token_urlsafe(24).encode())
    return path.read_text()


def write_environment(home: Path, values: dict[str, str]) -> Path:
    """HOME/sandbox.env, KEY=value lines, mode 0600."""
    path = home / "sandbox.env"
    write_private(path, "".join(f"{key}={value}\n" for key, value in values.items()).encode())
    return path
