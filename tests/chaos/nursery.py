"""`python -m tests.chaos.nursery FOLDER...`: forks life after life of Podium until FOLDER/plan.json's operation has
ended, then those of the next folder.

Everything is imported, and botocore's models are read, before the first fork, so that a life costs what it does and
not what Python does. The parent has one thread and no connection: what a child inherits is memory, no locks or sockets.
Helm processes that outlive their Podium come here (PR_SET_CHILD_SUBREAPER) and are awaited at the end.
Writes FOLDER/lives.json: how many there were and how long each took; FOLDER/calls: AWS's call log, a JSON line each.
"""

import ctypes
import gc
import json
import os
import signal
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import kubernetes.client  # noqa: F401 - so that lives need not

from steps.clients.aws import Aws, AwsTarget
from tests.chaos.life import Plan, begin, live
from tests.chaos.points import Memory

PR_SET_CHILD_SUBREAPER = 36
"""prctl(2)."""
MOST_LIVES = 1500
CALLS_EVERY = 4
"""Lives between two looks at the call log, which keeps 5000."""
ORPHAN_SECONDS = 120.0
AWS_SERVICES = (
    *("ec2", "eks", "iam", "rds", "ecr", "elb", "elbv2", "secretsmanager", "sts", "service-quotas", "logs"),
    "resourcegroupstaggingapi",
)


class Nursery:
    """Raises RuntimeError when a life ends otherwise than by dying at its point or by seeing the operation through."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._plan = folder, Plan.read(folder)
        self._memory, self._calls = Memory(folder), CallLog(self._plan.calls, folder / "calls")
        self._seconds: list[float] = []

    def run(self) -> None:
        (self._folder / "nursery").write_text(str(os.getpid()))
        self._fork(begin)
        try:
            while not self._one_life():
                if len(self._seconds) % CALLS_EVERY == 0:
                    self._calls.fetch()
                if len(self._seconds) > MOST_LIVES:
                    raise RuntimeError(f"no end after {MOST_LIVES} lives")
        finally:
            (self._folder / "lives.json").write_text(json.dumps(self._seconds))
        await_orphans()
        self._calls.fetch()

    def _one_life(self) -> bool:
        """Whether it saw the operation's end."""
        before, started = len(self._memory.died()), time.monotonic()
        killed = self._fork(live)
        self._seconds.append(round(time.monotonic() - started, 3))
        if killed and len(self._memory.died()) != before + 1:
            raise RuntimeError("a life was killed, but not by itself")
        return not killed

    def _fork(self, act: Callable[[Plan, Path], NoReturn]) -> bool:
        """Whether the child was killed; raises RuntimeError when it ended with another code than 0."""
        if len(os.listdir("/proc/self/task")) != 1:
            raise RuntimeError("a process with several threads cannot be forked safely")
        pid = os.fork()
        if pid == 0:
            act(self._plan, self._folder)
        status = _wait_for(pid)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            return True
        if status != 0:
            raise RuntimeError(f"a life ended with code {os.waitstatus_to_exitcode(status)}: see above")
        return False


class CallLog:
    """AWS's call log, carried over piece by piece into a file."""

    def __init__(self, url: str, file: Path) -> None:
        self._url, self._file = url, file
        self._last: int = max((call["n"] for call in self._listed()), default=0)

    def fetch(self) -> None:
        """Raises RuntimeError when calls were lost in between."""
        new = [call for call in self._listed() if call["n"] > self._last]
        if not new:
            return
        if new[0]["n"] != self._last + 1:
            raise RuntimeError(f"calls {self._last + 1} to {new[0]['n'] - 1} are not in the log any more")
        self._last = new[-1]["n"]
        with self._file.open("a") as file:
            file.writelines(f"{json.dumps(call)}\n" for call in new)

    def _listed(self) -> list[dict[str, Any]]:
        with urllib.request.urlopen(self._url, timeout=60) as answer:  # noqa: S310 - the sandbox's own http URL
            found: list[dict[str, Any]] = json.load(answer)
        return found


def main(folders: list[Path]) -> None:
    _adopt_orphans()
    warm(Plan.read(folders[0]).region)
    for folder in folders:
        Nursery(folder).run()


def warm(region: str) -> None:
    """Botocore's models into the loader that all sessions of this process, and of its children, share."""
    aws = Aws(AwsTarget(region))
    for service in AWS_SERVICES:
        aws.connection.client(service)
    aws.connection.forget()
    gc.collect()
    gc.freeze()


def _adopt_orphans() -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def _wait_for(pid: int) -> int:
    """The status of this child; others that have ended are reaped on the way."""
    while True:
        found, status = os.wait()
        if found == pid:
            return status


def await_orphans() -> None:
    """Raises TimeoutError when one does not end."""
    deadline = time.monotonic() + ORPHAN_SECONDS
    while time.monotonic() < deadline:
        try:
            found, _status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if found == 0:
            time.sleep(0.05)  # polling with a deadline
    raise TimeoutError(f"a process that outlived its Podium does not end in {ORPHAN_SECONDS:.0f} s")


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
