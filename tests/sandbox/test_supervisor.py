"""`python -m sandbox`: what it starts, what it writes down, and that nothing outlives it."""

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from sandbox.processes import spawn, stop
from tests.sandbox.aws.standin import REPOSITORY, until


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sandbox-home-") as folder:
        yield Path(folder)


def start(home: Path) -> subprocess.Popen[bytes]:
    (home / "sandbox.env").unlink(missing_ok=True)
    command = [sys.executable, "-m", "sandbox", "--home", str(home), "--speed", "max", "--no-clusters", "--parent-pipe"]
    process = spawn(command, log=home / "out.log", cwd=REPOSITORY)
    try:
        until(lambda: "sandbox ready" in (home / "out.log").read_text(), timeout=40)
    except AssertionError:
        seen = "\n".join(servers(home))
        stop(process, 30)
        logs = [f"{path}:\n{path.read_text()}" for path in sorted(home.rglob("*.log"))]
        raise AssertionError("\n".join([*logs, (home / "aws" / "rds" / "slots.json").read_text(), seen])) from None
    return process


def environment(home: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in (home / "sandbox.env").read_text().splitlines())


def servers(home: Path) -> list[str]:
    found = subprocess.run(["/bin/ps", "-wweo", "pid=,command="], capture_output=True, text=True, check=True).stdout
    return [line for line in found.splitlines() if str(home) in line and "-m sandbox --home" not in line]


def test_a_sandbox_says_where_everything_is_and_leaves_nothing_running_when_it_is_killed(home: Path) -> None:
    process = start(home)
    first = environment(home)
    assert stat.S_IMODE((home / "sandbox.env").stat().st_mode) == 0o600
    assert first["PODIUM_API_KEY"] not in (home / "out.log").read_text()
    with psycopg.connect(first["PODIUM_DATABASE_URL"]) as podium:
        podium.execute("CREATE TABLE kept AS SELECT 1")
    psycopg.connect(first["SANDBOX_POSTGRES_URL"]).close()
    assert os.access(first["PODIUM_HELM"], os.X_OK)

    process.kill()
    process.wait()
    if process.stdin is not None:
        process.stdin.close()
    until(lambda: servers(home), [], timeout=20)

    (home / "out.log").unlink()
    process = start(home)
    try:
        assert environment(home) == first
        with psycopg.connect(first["PODIUM_DATABASE_URL"]) as podium:
            assert podium.execute("SELECT * FROM kept").fetchone() == (1,)
        second = subprocess.run(
            [sys.executable, "-m", "sandbox", "--home", str(home)], cwd=REPOSITORY, capture_output=True, check=False
        )
        assert second.returncode == 1
        assert b"already" in second.stderr
    finally:
        assert stop(process, 30) == 0
    assert servers(home) == []
