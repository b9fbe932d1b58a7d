"""The `helm` binary: one process per call, with a kubeconfig and a home of its own that go with it.

Arguments are a list; values, credentials and kubeconfig are files that only we can read. The process gets no more of
Podium's environment than it needs: AWS credentials and Podium's own secrets stay out. What it says is returned line
by line, scrubbed, without the chart's NOTES, which tell a person what to type next.
"""

import base64
import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from steps.clients.kubernetes import Kube, kubeconfig
from steps.clients.private_folders import private_folder
from steps.errors import Code, Fault, PodiumError, TransientError
from steps.gate import pass_gate
from steps.scrubbing import HIDDEN, last_lines, scrub

TIMEOUT_SECONDS = 660
HOOK_SECONDS = 600
"""How long helm waits for a chart's hooks and for what it deletes: less than its own life, so that it ends well."""
END_SECONDS = 15
"""How long an interrupted helm may take to write down that it failed."""
HISTORY = 10
"""Revisions kept of a release."""
REPOSITORY = "podium"
PASSED_ON = ("PATH", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE")


@dataclass(frozen=True)
class ChartReference:
    """Where a chart is: `repository` is https://… (or http://…) or oci://…; credentials are for it alone.

    `in_clear`: an OCI registry without TLS.
    """

    name: str
    repository: str
    version: str
    username: str = ""
    password: str = field(default="", repr=False)
    in_clear: bool = False

    @property
    def oci(self) -> bool:
        return self.repository.startswith("oci://")


class Helm:
    """Runs helm 3.13 or newer. `binary` is a path, or a name to look up in PATH."""

    def __init__(self, binary: str = "helm", timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self.binary = binary
        self._timeout = timeout_seconds

    @contextmanager
    def pulled(self, chart: ChartReference) -> Iterator[Path]:
        """The chart's archive (`<name>-<version>.tgz`), there until the block ends."""
        with private_folder() as home:
            self._pull(chart, home)
            archives = list(home.glob(f"{chart.name}-*.tgz"))
            if len(archives) != 1:
                raise _failed("pull", f"it left {len(archives)} archives of {chart.name}")
            yield archives[0]

    def upgrade_install(
        self, kube: Kube, release: str, chart: Path, namespace: str, values: Mapping[str, Any]
    ) -> list[str]:
        """`helm upgrade --install` without the chart's crds/ and without waiting for readiness."""
        with private_folder() as home:
            # JSON is YAML in which no text looks like a number, whichever parser reads it.
            written = _write(home / "values.yaml", json.dumps(dict(values), ensure_ascii=False))
            return self._on(
                kube,
                home,
                [
                    *("upgrade", "--install", release, str(chart), "--namespace", namespace, "--create-namespace"),
                    *("--values", written, "--skip-crds", "--timeout", f"{HOOK_SECONDS}s"),
                    *("--history-max", str(HISTORY)),
                ],
            )

    def rollback(self, kube: Kube, release: str, revision: int, namespace: str) -> list[str]:
        """Back to that revision, which becomes a new one. Without hooks: a failed one leaves `pending-rollback`."""
        arguments = ["rollback", release, str(revision), "--namespace", namespace, "--no-hooks"]
        with private_folder() as home:
            return self._on(kube, home, [*arguments, "--history-max", str(HISTORY)])

    def uninstall(self, kube: Kube, release: str, namespace: str, *, wait: bool = False) -> list[str]:
        """Remove the release and its history; nothing to do when there is none. `wait`: until its objects are gone."""
        arguments = ["uninstall", release, "--namespace", namespace, "--ignore-not-found"]
        with private_folder() as home:
            waiting = ["--wait"] if wait else []
            return self._on(kube, home, [*arguments, *waiting, "--timeout", f"{HOOK_SECONDS}s"])

    def _pull(self, chart: ChartReference, home: Path) -> None:
        to = ["--version", chart.version, "--destination", str(home)]
        if chart.oci:
            if chart.password:
                _write(home / ".config/helm/registry/config.json", _registry_login(chart))
            clear = ["--plain-http"] if chart.in_clear else []
            self._call(["pull", f"{chart.repository.rstrip('/')}/{chart.name}", *to, *clear], home, chart.password)
        elif chart.password:
            _write(home / ".config/helm/repositories.yaml", _repositories(chart))
            self._call(["repo", "update", REPOSITORY], home, chart.password)
            self._call(["pull", f"{REPOSITORY}/{chart.name}", *to], home, chart.password)
        else:
            self._call(["pull", chart.name, "--repo", chart.repository, *to], home)

    def _on(self, kube: Kube, home: Path, arguments: Sequence[str]) -> list[str]:
        """Runs on a cluster; what helm said, up to the chart's notes.

        When helm fails, a call of our own tells whether credentials, or the cluster, were the reason.
        """
        pass_gate()
        command = [*arguments, "--kubeconfig", _write(home / "kubeconfig", kubeconfig(kube))]
        try:
            said = self._call(command, home)
        except TransientError:
            kube.get("Namespace", "kube-system")
            raise
        text, _, _ = scrub(said).partition("\nNOTES:")
        return [line.rstrip() for line in text.splitlines() if line.strip()]

    def _call(self, arguments: Sequence[str], home: Path, secret: str = "") -> str:
        """stdout, after what was said on stderr. Raises HELM_FAILED with helm's last lines, without the `secret`."""
        command = [self.binary, *arguments]
        try:
            process = subprocess.Popen(
                command,
                env=_environment(home),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
            )
        except (FileNotFoundError, PermissionError) as error:
            raise _no_binary(self.binary) from error
        with process:
            try:
                out, told = process.communicate(timeout=self._timeout)
            except subprocess.TimeoutExpired as error:
                _end(process)
                raise _failed(command[1], f"no end after {self._timeout:.0f} s") from error
        if process.returncode != 0:
            said = told or out
            raise _failed(command[1], last_lines(said.replace(secret, HIDDEN) if secret else said, count=6))
        return told + out


def _end(process: subprocess.Popen[str]) -> None:
    """SIGTERM first: helm then notes that its release failed. A killed one leaves it pending."""
    process.terminate()
    try:
        process.communicate(timeout=END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def _write(path: Path, text: str) -> str:
    """Write a file that only its owner can read, from its first byte on."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    return str(path)


def _registry_login(chart: ChartReference) -> str:
    """What `helm registry login` writes, without the password on a command line."""
    host = chart.repository.removeprefix("oci://").partition("/")[0]
    login = base64.b64encode(f"{chart.username}:{chart.password}".encode()).decode()
    return json.dumps({"auths": {host: {"auth": login}}})


def _repositories(chart: ChartReference) -> str:
    """What `helm repo add` writes."""
    entry = {
        "name": REPOSITORY,
        "url": chart.repository,
        "username": chart.username,
        "password": chart.password,
        "pass_credentials_all": False,
    }
    return json.dumps({"apiVersion": "v1", "repositories": [entry]}, ensure_ascii=False)


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
