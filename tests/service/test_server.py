"""`podium serve` as a process: how it starts, fails and stops."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest

from service.server import until_reachable, without_password
from workflows.errors import DatabaseUnavailable


def serve(tmp_path: Path, *arguments: str, role: str = "serve", **env: str) -> subprocess.Popen[str]:
    known = {name: value for name, value in os.environ.items() if not name.startswith("PODIUM_")}
    return subprocess.Popen(
        [sys.executable, "-m", "service.cli.main", role, *arguments],
        env={**known, "PODIUM_HOME": str(tmp_path / "home"), **env},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def outcome(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, errors = process.communicate(timeout=30)
    return process.returncode, errors


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_ready(url: str, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[1]
        try:
            if httpx2.get(f"{url}/readyz", trust_env=False).status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.05)  # polling with a deadline
    raise AssertionError("not ready")


def test_it_serves_until_its_parent_is_gone(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    process = serve(tmp_path, "--parent-pipe", PODIUM_URL=url)
    wait_until_ready(url, process)
    assert httpx2.get(f"{url}/", trust_env=False).status_code == 200
    code, log = outcome(process)  # closes stdin
    assert code == 0
    assert '"event": "listening"' in log
    assert "Traceback" not in log


def test_it_stops_in_order_on_sigterm_while_it_starts(tmp_path: Path) -> None:
    process = serve(tmp_path, PODIUM_URL=f"http://127.0.0.1:{free_port()}", PODIUM_DATABASE_URL=unreachable())
    assert process.stderr is not None
    process.stderr.readline()  # the first warning that the database does not answer
    process.send_signal(signal.SIGTERM)
    assert outcome(process)[0] == 0


def test_without_a_key_it_does_not_listen_for_the_world(tmp_path: Path) -> None:
    code, errors = outcome(serve(tmp_path, PODIUM_URL="http://0.0.0.0:8400"))
    assert code == 2
    assert errors.startswith("podium serve: Without an API key the service listens on 127.0.0.1 only, not on 0.0.0.0.")


def test_a_port_that_is_taken_is_said_before_anything_runs(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        code, errors = outcome(serve(tmp_path, PODIUM_URL=f"http://127.0.0.1:{port}"))
    assert code == 4
    assert f"Cannot listen on 127.0.0.1:{port}" in errors
    assert not (tmp_path / "home" / "podium.sqlite").exists()


@pytest.mark.parametrize("role", ["api", "worker"])
def test_a_part_of_podium_does_not_work_on_sqlite(tmp_path: Path, role: str) -> None:
    code, errors = outcome(serve(tmp_path, role=role))
    assert code == 2
    assert errors.startswith(f"podium {role}: SQLite serves one process only")


def test_a_second_service_on_one_sqlite_file_is_told_who_has_it(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    first = serve(tmp_path, "--parent-pipe", PODIUM_URL=url)
    wait_until_ready(url, first)
    code, errors = outcome(serve(tmp_path, PODIUM_URL=f"http://127.0.0.1:{free_port()}"))
    assert code == 5
    assert f"in use by process {first.pid} on" in errors
    assert outcome(first)[0] == 0


def unreachable() -> str:
    return f"postgresql://podium:canary-5@127.0.0.1:{free_port()}/podium"


def test_an_unreachable_database_is_tried_for_a_while_and_then_named(capfd: pytest.CaptureFixture[str]) -> None:
    tries = []

    def launch() -> None:
        tries.append(time.monotonic())
        raise DatabaseUnavailable("OperationalError")

    with pytest.raises(Exception, match="PODIUM_DATABASE_URL") as raised:
        until_reachable(launch, DatabaseUnavailable, unreachable(), patience=0.3)  # type: ignore[arg-type]
    assert len(tries) > 1
    assert getattr(raised.value, "code", None) == 3
    assert "podium:***@127.0.0.1" in str(raised.value)
    assert "canary" not in str(raised.value) + "".join(capfd.readouterr())


def test_a_database_that_comes_up_in_time_is_used() -> None:
    tries = []

    def launch() -> str:
        tries.append(1)
        if len(tries) < 2:
            raise DatabaseUnavailable("OperationalError")
        return "runtime"

    found: object = until_reachable(launch, DatabaseUnavailable, "sqlite://", patience=5)  # type: ignore[arg-type]
    assert found == "runtime"


def test_a_database_url_is_shown_without_its_secrets() -> None:
    assert "canary" not in without_password("postgresql://a:canary@db/x?password=canary")
    assert "canary" not in without_password("canary")
