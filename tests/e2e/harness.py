"""A sandbox and a service as real processes, and a client that sees only what a portal would see."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import yaml

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "examples" / "guide.yaml"


def guide(**changes: Any) -> dict[str, Any]:
    """The guide's example, with top-level fields replaced."""
    spec: dict[str, Any] = yaml.safe_load(GUIDE.read_text())
    return spec | changes


def until(found: Callable[[], Any], what: str, seconds: float) -> Any:
    """Asks until the answer is true, and returns it; polling with a deadline."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = found()
        if answer:
            return answer
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


class Program:
    """A process of ours, from the files in `tree`; its output goes to a file."""

    def __init__(self, arguments: list[str], log: Path, env: dict[str, str], tree: Path = ROOT) -> None:
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *arguments], stdout=output, stderr=output, env={**os.environ, **env}, cwd=tree
            )

    def stop(self, seconds: float = 30) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """kill -9: no handler runs."""
        self.process.kill()
        self.process.wait()

    def alive(self) -> bool:
        assert self.process.poll() is None, f"{self.log.name}: {self.log.read_text()[-2000:]}"
        return True


class Sandbox:
    """`python -m sandbox` with a home of its own; `env` on top of ours, e.g. SANDBOX_KUBERNETES="real"."""

    def __init__(self, home: Path, speed: str = "max", **env: str) -> None:
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        arguments = ["sandbox", "--home", str(home), "--speed", speed]
        self._program = Program(arguments, home / "sandbox.out", env)
        ready = f"sandbox ready: {home}/sandbox.env"
        until(lambda: self._program.alive() and ready in (home / "sandbox.out").read_text(), "the sandbox is up", 60)
        self.env = read_env(home / "sandbox.env")

    def fault(self, **rule: Any) -> None:
        """Makes AWS calls fail, e.g. match="ec2:CreateSubnet", kind="error", code="UnauthorizedOperation"."""
        httpx2.post(f"{self.env['SANDBOX_CONTROL_URL']}/faults", json=rule).raise_for_status()

    def clear_faults(self) -> None:
        httpx2.delete(f"{self.env['SANDBOX_CONTROL_URL']}/faults").raise_for_status()

    def push(self, repository: str, tag: str) -> None:
        """An image into a repository, as a person's `docker push`."""
        body = {"repository": repository, "tag": tag}
        httpx2.post(f"{self.env['SANDBOX_CONTROL_URL']}/images", json=body).raise_for_status()

    def calls(self) -> list[dict[str, Any]]:
        """AWS's call log."""
        answer = httpx2.get(f"{self.env['SANDBOX_CONTROL_URL']}/calls", timeout=30).raise_for_status().json()
        found: list[dict[str, Any]] = answer["calls"] if isinstance(answer, dict) else answer
        return found

    def stop(self) -> None:
        self._program.stop(60)


class Service:
    """`podium serve` on a sandbox's environment."""

    role = "serve"
    tree = ROOT
    """The files of the Podium that the next start runs."""

    def __init__(self, sandbox: Sandbox, **env: str) -> None:
        self.sandbox, self._env = sandbox, env
        self.url = sandbox.env["PODIUM_URL"]
        headers = {"Authorization": f"Bearer {sandbox.env['PODIUM_API_KEY']}"}
        self.http = httpx2.Client(base_url=self.url, headers=headers, timeout=30)
        self.log = sandbox.home / "service.out"
        self.start()

    def start(self) -> None:
        env = {**self.sandbox.env, **self._env}
        self._program = Program(["service.cli.main", self.role], self.log, env, self.tree)
        until(self.ready, "the service is ready", 60)

    def ready(self) -> bool:
        self._program.alive()
        try:
            return self.http.get("/readyz").status_code == 200
        except httpx2.TransportError:
            return False

    def kill(self) -> None:
        self._program.kill()

    @property
    def pid(self) -> int:
        return self._program.process.pid

    def stop(self) -> None:
        self.http.close()
        self._program.stop()

    def create(self, spec: dict[str, Any], **headers: str) -> httpx2.Response:
        return self.http.post("/v1/installations", json=spec, headers=headers)

    def installation(self, name: str = "dbos-conductor") -> dict[str, Any]:
        found: dict[str, Any] = self.http.get(f"/v1/installations/{name}").raise_for_status().json()
        return found

    def phases(self, name: str = "dbos-conductor") -> dict[str, dict[str, Any]]:
        return {phase["name"]: phase for phase in self.installation(name)["operation"]["phases"]}

    def reach(self, *states: str, name: str = "dbos-conductor", seconds: float = 180) -> dict[str, Any]:
        """The installation, once it is in one of the states."""

        def look() -> dict[str, Any] | None:
            found = self.installation(name)
            if found["state"] == "FAILED" and "FAILED" not in states:
                raise AssertionError(f"failed: {json.dumps(found['operation'].get('error'))}")
            return found if found["state"] in states else None

        try:
            found: dict[str, Any] = until(look, f"{name} is {' or '.join(states)}", seconds)
        except AssertionError as error:
            waiting = {phase: row["action"] for phase, row in self.phases(name).items() if row["state"] == "running"}
            raise AssertionError(f"{error}; running: {waiting}") from None
        return found

    def events(self, name: str = "dbos-conductor") -> list[dict[str, Any]]:
        """All events, page by page."""
        found: list[dict[str, Any]] = []
        path: str | None = f"/v1/installations/{name}/events"
        while path:
            page = self.http.get(path).raise_for_status().json()
            found += page["events"] if "events" in page else page["items"]
            path = page.get("next")
        return found


def read_env(path: Path) -> dict[str, str]:
    lines = (line.partition("=") for line in path.read_text().splitlines() if "=" in line and not line.startswith("#"))
    return {name: value.strip().strip("'\"") for name, _, value in lines}
