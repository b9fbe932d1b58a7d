"""The API servers that the suite runs against: the sandbox's stand-in, started here, or one that is up already."""

import base64
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from sandbox.processes import free_port

CLUSTER, ACCOUNT, REGION = "demo", "123456789012", "us-west-2"
_DEADLINE = 15.0  # seconds


class ApiServer:
    """A Kubernetes API server that is reached by a kubeconfig of its administrator (who has a bearer token)."""

    real = True

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig

    @property
    def url(self) -> str:
        """The endpoint."""
        return str(self._config("clusters")["cluster"]["server"])

    @property
    def token(self) -> str:
        """The administrator's token."""
        return str(self._config("users")["user"]["token"])

    @property
    def authority(self) -> str:
        """The cluster's certificate authority, base64 of PEM."""
        return str(self._config("clusters")["cluster"]["certificate-authority-data"])

    def _config(self, section: str) -> dict[str, Any]:
        found: dict[str, Any] = yaml.safe_load(self.kubeconfig.read_text())[section][0]
        return found

    def client(self, token: str | None = None) -> httpx2.Client:
        """An HTTP client that trusts the cluster's authority and sends `token` (default: the administrator's)."""
        authority = base64.b64decode(self._config("clusters")["cluster"]["certificate-authority-data"]).decode()
        context = ssl.create_default_context(cadata=authority)
        headers = {"authorization": f"Bearer {self.token if token is None else token}", "user-agent": "contract/1"}
        return httpx2.Client(base_url=self.url, verify=context, headers=headers, timeout=10, trust_env=False)


class StandIn(ApiServer):
    """The sandbox's API server and controllers, one process on a directory of its own."""

    real = False

    def __init__(self, directory: Path, aws_endpoint: str) -> None:
        super().__init__(directory / "admin.kubeconfig")
        self.directory = directory
        self.aws_endpoint = aws_endpoint
        self.port = free_port(None)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The endpoint, known before the process runs."""
        return f"https://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts the process and waits until it is ready."""
        arguments = ["--dir", str(self.directory), "--port", str(self.port), "--cluster", CLUSTER, "--account", ACCOUNT]
        arguments += ["--region", REGION, "--aws-endpoint", self.aws_endpoint, "--speed", "max", "--parent-pipe"]
        with (self.directory / "api.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sandbox.kubernetes", *arguments],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + _DEADLINE
        while not self._ready():
            if time.monotonic() > deadline or self._process.poll() is not None:
                self.kill()
                pytest.fail((self.directory / "api.log").read_text())
            time.sleep(0.05)

    def _ready(self) -> bool:
        try:
            with self.client() as client:
                return client.get("/readyz").status_code == 200
        except (httpx2.HTTPError, FileNotFoundError):
            return False

    def kill(self) -> None:
        """kill -9."""
        assert self._process
        self._process.kill()
        self._reap()

    def close_pipe(self) -> int:
        """Ends as the parent's end does; returns the exit status."""
        assert self._process
        assert self._process.stdin
        self._process.stdin.close()
        return self._process.wait(_DEADLINE)

    def stop(self) -> None:
        """SIGTERM."""
        assert self._process
        self._process.terminate()
        self._reap()

    def _reap(self) -> None:
        assert self._process
        self._process.wait(_DEADLINE)
        if self._process.stdin:
            self._process.stdin.close()
