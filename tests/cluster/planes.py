"""Real control planes as the tests start, kill and look at them."""

import base64
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import yaml

from sandbox.control_plane import readiness
from sandbox.processes import free_port, spawn, stop
from steps.clients.kubernetes import Kube

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0  # seconds until a control plane is up, on a busy machine
ACCOUNT, REGION = "123456789012", "us-west-2"
NO_AWS = "http://127.0.0.1:9"


class Plane:
    """One cluster in `directory`: its address, its authority and its administrator, and maybe its processes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.directory / "admin.kubeconfig"

    @property
    def authority(self) -> str:
        """PEM."""
        return (self.directory / "ca.crt").read_text()

    @property
    def token(self) -> str:
        """The administrator's."""
        return str(yaml.safe_load(self.kubeconfig.read_text())["users"][0]["user"]["token"])

    @property
    def endpoint(self) -> str:
        """An https URL."""
        return str(yaml.safe_load(self.kubeconfig.read_text())["clusters"][0]["cluster"]["server"])

    def client(self, token: str | None = None) -> Kube:
        """To be closed by the caller. `token`: whose; default the administrator's."""
        authority = base64.b64encode(self.authority.encode()).decode()
        return Kube(self.endpoint, authority, lambda: token or self.token)

    def http(self, token: str | None = None) -> httpx2.Client:
        """Plain HTTP for what Podium's client does not do; to be closed by the caller."""
        headers = {"authorization": f"Bearer {token or self.token}"}
        context = ssl.create_default_context(cadata=self.authority)
        return httpx2.Client(base_url=self.endpoint, verify=context, headers=headers, timeout=10, trust_env=False)

    def start(self, port: int | None = None, name: str = "demo", aws_endpoint: str = NO_AWS) -> None:
        """Returns when the control plane is ready; raises AssertionError when it ends instead."""
        command = [sys.executable, "-m", "sandbox.control_plane", "--dir", str(self.directory), "--parent-pipe"]
        command += ["--port", str(port or free_port()), "--cluster", name, "--account", ACCOUNT, "--region", REGION]
        log = self.directory / "control_plane.log"
        started = spawn([*command, "--aws-endpoint", aws_endpoint, "--speed", "max"], log=log, cwd=ROOT)
        self.process = started
        until(lambda: readiness.is_ready(self.directory, started.pid) or started.poll() is not None, PATIENCE)
        assert started.poll() is None, log.read_text()[-3000:]

    def stop(self) -> int:
        """The exit code after an orderly end."""
        assert self.process is not None
        return stop(self.process, timeout=30)

    def processes(self, name: str = "") -> list[int]:
        """The ids of the processes that were started for this cluster, or of those with `name` in their commands."""
        return [process for process, command in _running() if str(self.directory) in command and name in command]


def until(true: Callable[[], bool], seconds: float = 30.0) -> None:
    """Looks until it is true; raises AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


def in_this_network() -> list[tuple[int, str]]:
    """Process ids and command lines of whoever else is in this process's network namespace."""
    ours = os.readlink("/proc/self/ns/net")
    return [
        (process, command) for process, command in _running() if process != os.getpid() and _network(process) == ours
    ]


def _running() -> list[tuple[int, str]]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if command:  # else a zombie, or the kernel's own
            found.append((int(folder.name), command))
    return found


def _network(process: int) -> str:
    try:
        return os.readlink(f"/proc/{process}/ns/net")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ""
