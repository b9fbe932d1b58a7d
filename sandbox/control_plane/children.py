"""The programs of one control plane as processes: started in order, started again when one ends, stopped in order."""

import logging
import os
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.control_plane.child import dying_with_us
from sandbox.home import REPOSITORY
from sandbox.processes import spawn, stop

log = logging.getLogger("sandbox.control_plane")
PATIENCE = 1.0  # seconds between two starts of the same program
GOODBYE = 5.0  # seconds that a program gets to end by itself; nothing is lost when it is killed
TAIL = 2000  # bytes of a log that an error shows


@dataclass
class _Child:
    """`started`: monotonic seconds; `ends`: how often it has ended by itself."""

    command: list[str]
    process: subprocess.Popen[bytes]
    started: float = field(default_factory=time.monotonic)
    ends: int = 0


class Children:
    """Processes by name, whose output goes to CLUSTER_DIR/logs/NAME.log. To be used from the main thread only."""

    def __init__(self, directory: Path) -> None:
        self._logs = directory / "logs"
        self._children: dict[str, _Child] = {}

    def start(self, name: str, command: list[str]) -> None:
        """Starts a program that the kernel kills when this process ends."""
        self._children[name] = _Child(command, self._spawn(name, command))

    def watch(self) -> None:
        """Starts again what has ended by itself, each at most once a second."""
        for name, child in self._children.items():
            if child.process.poll() is not None and time.monotonic() > child.started + PATIENCE:
                log.warning("%s ended with code %s: starting it again", name, child.process.returncode)
                stop(child.process)
                child.process, child.started = self._spawn(name, child.command), time.monotonic()
                child.ends += 1

    def ends(self, name: str) -> int:
        """How often the program has ended by itself."""
        return self._children[name].ends

    def running(self, name: str) -> bool:
        """Whether its process is there."""
        return self._children[name].process.poll() is None

    def last_words(self, name: str) -> str:
        """The end of its log."""
        path = self._logs / f"{name}.log"
        return path.read_bytes()[-TAIL:].decode(errors="replace") if path.exists() else ""

    def stop(self, groups: Iterable[Iterable[str]]) -> None:
        """Ends the programs of one group after those of the group before."""
        for group in groups:
            ended = [self._children.pop(name).process for name in group if name in self._children]
            for process in ended:
                process.terminate()
            for process in ended:
                stop(process, GOODBYE)

    def _spawn(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        # A proxy for the outside world would be asked for pods' and Services' addresses too.
        environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
        return spawn(dying_with_us(command), log=self._logs / f"{name}.log", env=environment, cwd=REPOSITORY)
