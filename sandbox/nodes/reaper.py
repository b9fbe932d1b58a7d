"""Ends the containers of an agent that was killed.

`python reaper.py` reads lines `+<process group>` and `-<process group>` from its standard input. The write end is held
by the agent alone, so end of file means that the agent is gone, however it ended: every group announced and
not taken back is killed. It sits in a session of its own, so that a signal to the agent's group does not reach it.
Linux and macOS alike; prctl's parent-death signal would not reach grandchildren, such as the psql of a bash.
"""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import ClassVar


class Reaper:
    """The agent's side: one reaper process, started when the first container is."""

    _instance: ClassVar["Reaper | None"] = None

    def __init__(self) -> None:
        # -I -S: no site-packages, so that it starts in a few milliseconds and stays small.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__], stdin=subprocess.PIPE, start_new_session=True, cwd="/"
        )

    @classmethod
    def get(cls) -> "Reaper":
        """The reaper of this process."""
        if cls._instance is None:
            cls._instance = Reaper()
        return cls._instance

    def watch(self, group: int) -> None:
        """Kill this process group when the agent ends."""
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        """That group has ended; its number may come back for something else."""
        self._tell(f"-{group}\n")

    @classmethod
    def close(cls) -> None:
        """Kills what is still announced and waits for the reaper's end."""
        if (reaper := cls._instance) is not None:
            cls._instance = None
            reaper._process.communicate()

    def _tell(self, line: str) -> None:
        pipe = self._process.stdin
        if pipe is None or pipe.closed:
            return
        pipe.write(line.encode())
        pipe.flush()


def main() -> None:
    """Reads announcements to the end of the file, then kills the groups that are left."""
    groups: set[int] = set()
    for line in sys.stdin:
        number = int(line[1:])
        if line[0] == "+":
            groups.add(number)
        else:
            groups.discard(number)
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
