"""The `helm` binary: one process per call, with a kubeconfig and a home of its own that go with it.

Arguments are a list, values a file. The process gets no more of Podium's environment than it needs: AWS credentials
and Podium's own secrets stay out.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from steps.clients.kubernetes import Kube, kubeconfig
from steps.errors import Code, Fault, PodiumError, TransientError
from steps.gate import pass_gate
from steps.scrubbing import last_lines

TIMEOUT_SECONDS = 300
PASSED_ON = ("PATH", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE")


class Helm:
    """Runs helm 3 (or newer). `binary` is a path, or a name to look up in PATH."""

    def __init__(self, binary: str = "helm", timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self.binary = binary
        self._timeout = timeout_seconds

    def upgrade_install(
        self,
        kube: Kube,
        release: str,
        chart: str,
        repository: str,
        version: str,
        namespace: str,
        values: Mapping[str, Any],
    ) -> int:
        """`helm upgrade --install` without waiting for readiness; the revision it made."""
        out = self._run(
            kube,
            [
                *("upgrade", "--install", release, chart, "--repo", repository, "--version", version),
                *("--namespace", namespace, "--create-namespace", "--output", "json"),
            ],
            values=values,
        )
        try:
            return int(json.loads(out)["version"])
        except (ValueError, KeyError, TypeError) as error:
            raise _failed("upgrade", "its answer is not the JSON of a release") from error

    def rollback(self, kube: Kube, release: str, revision: int, namespace: str) -> None:
        """Back to that revision, which becomes a new one."""
        self._run(kube, ["rollback", release, str(revision), "--namespace", namespace])

    def uninstall(self, kube: Kube, release: str, namespace: str) -> None:
        """Remove the release and its history; nothing to do when there is none."""
        self._run(kube, ["uninstall", release, "--namespace", namespace, "--ignore-not-found"])

    def _run(self, kube: Kube, arguments: Sequence[str], *, values: Mapping[str, Any] | None = None) -> str:
        """stdout. What helm reads and writes is in a folder that only we can read, deleted after the call.

        When helm fails, a new token is asked for: CredentialsError tells that AWS's credentials were the reason.
        """
        pass_gate()
        with tempfile.TemporaryDirectory(prefix="podium-helm-") as folder:
            home = Path(folder)
            command = [self.binary, *arguments, "--kubeconfig", _write(home / "kubeconfig", kubeconfig(kube))]
            if values is not None:
                command += ["--values", _write(home / "values.yaml", yaml.safe_dump(dict(values)))]
            try:
                return self._call(command, _environment(home))
            except TransientError:
                kube.token(stale=kube.token())
                raise

    def _call(self, command: list[str], environment: dict[str, str]) -> str:
        try:
            done = subprocess.run(
                command,
                env=environment,
                capture_output=True,
                text=True,
                timeout=self._timeout,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except (FileNotFoundError, PermissionError) as error:
            raise _no_binary(self.binary) from error
        except subprocess.TimeoutExpired as error:
            raise _failed(command[1], f"no end after {self._timeout:.0f} s") from error
        if done.returncode != 0:
            raise _failed(command[1], last_lines(done.stderr or done.stdout, count=6))
        return done.stdout


def _write(path: Path, text: str) -> str:
    """Write a file that only its owner can read, from its first byte on."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    return str(path)


def _environment(home: Path) -> dict[str, str]:
    passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return passed | {"HOME": str(home)}


def _no_binary(binary: str) -> PodiumError:
    return PodiumError.by_user(
        Code.HELM_FAILED,
        f"There is no helm to run: {binary} was not found or is not executable.",
        "Install helm 3.13 or newer where Podium runs, or set PODIUM_HELM to its path; then retry.",
    )


def _failed(verb: str, why: str) -> TransientError:
    """Tried again within the step: most often a repository or the API did not answer."""
    return TransientError(
        Code.HELM_FAILED,
        f"helm {verb} failed: {why}",
        fault=Fault.PROVIDER,
        retryable=True,
        remedy="Check that the chart's repository and the cluster can be reached from Podium, then retry.",
    )
