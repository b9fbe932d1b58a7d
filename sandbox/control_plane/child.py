"""Becomes a program that the kernel kills as soon as the process that asked for it has ended, by whatever means.

Real control plane programs do not read stdin as the sandbox's own do. Run as a script (it imports nothing of the
sandbox, and starts in 20 ms): `python -I -S child.py PARENT_PID PROGRAM ARGUMENTS…`. Linux only.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

_SET_PARENT_DEATH_SIGNAL = 1  # linux/prctl.h: PR_SET_PDEATHSIG; it outlives exec


def dying_with_us(command: Sequence[str]) -> list[str]:
    """The command line that runs `command` so; start it from the main thread, whose end is what the kernel looks at."""
    return [sys.executable, "-I", "-S", str(Path(__file__)), str(os.getpid()), *command]


def _become(parent: int, command: list[str]) -> None:
    ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    if os.getppid() == parent:  # else it ended before the kernel knew
        os.execv(command[0], command)  # noqa: S606 - the parent's own command


if __name__ == "__main__":
    _become(int(sys.argv[1]), sys.argv[2:])
