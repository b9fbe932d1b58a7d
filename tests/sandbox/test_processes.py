"""Processes that end with their parent, and ports."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.processes import QUIET_PORTS, free_port, spawn, stop, wait_until_listening

CHILD = """
import sys, threading
from sandbox.processes import exit_with_parent
ended = threading.Event()
exit_with_parent(ended.set)
print("up", flush=True)
ended.wait()
print("cleaned up", flush=True)
"""
PARENT = """
import sys, pathlib
from sandbox.processes import spawn
spawn([sys.executable, "-c", sys.argv[1]], log=pathlib.Path(sys.argv[2]))
sys.stdin.read()
"""


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_child_cleans_up_when_it_is_told_to_stop(tmp_path: Path) -> None:
    child = spawn([sys.executable, "-c", CHILD], log=tmp_path / "log")
    assert stop(child) == 0
    assert "cleaned up" in (tmp_path / "log").read_text()


def test_a_child_cleans_up_when_its_parent_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with subprocess.Popen([sys.executable, "-c", PARENT, CHILD, str(log)], stdin=subprocess.PIPE) as parent:
        _until_in(log, "up")
        parent.send_signal(signal.SIGKILL)
    _until_in(log, "cleaned up")


def test_a_child_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    child = spawn(["/bin/sh", "-c", "exec sleep 60"], log=tmp_path / "log")
    assert stop(child, timeout=0.1) == -signal.SIGKILL


def test_a_taken_port_is_replaced_by_a_quiet_one(taken: int) -> None:
    assert free_port(taken) in QUIET_PORTS
    again = free_port()
    assert free_port(again) == again


def test_waiting_for_a_port_says_when_the_process_has_ended(tmp_path: Path, taken: int) -> None:
    wait_until_listening(taken)
    child = spawn(["/bin/sh", "-c", "exit 3"], log=tmp_path / "log")
    with pytest.raises(RuntimeError, match="code 3"):
        wait_until_listening(free_port(), child)
    stop(child)


def _until_in(log: Path, text: str) -> None:
    from tests.sandbox.aws.standin import until  # noqa: PLC0415 - imports boto3

    until(lambda: log.exists() and text in log.read_text())
