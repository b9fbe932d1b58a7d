"""Ends containers that use more memory than their limit, as the kernel's OOM killer does in a memory cgroup.

There are no cgroups here, so this is a look every `PERIOD` at what /proc says: the anonymous and shared memory of all
processes of the container's process group. A container that grows and ends between two looks is not caught. Only on
Linux, and only for containers that are processes of their own.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.kubernetes.schema.quantity import parse
from sandbox.nodes.api import Object

PERIOD = 0.5  # seconds
PROC = Path("/proc")


def limit_of(container: Object) -> int | None:
    """A container's memory limit in bytes."""
    text = ((container.get("resources") or {}).get("limits") or {}).get("memory")
    return int(parse(str(text))) if text else None


@dataclass
class MemoryWatch:
    """All limited containers of an agent."""

    _limits: dict[int, tuple[int, Callable[[], None]]] = field(
        default_factory=dict
    )  # process group -> limit, whom to tell

    def add(self, group: int, limit: int, killed: Callable[[], None]) -> None:
        """From now on kill the process group when it uses more than `limit` bytes, after calling `killed`."""
        self._limits[group] = (limit, killed)

    def remove(self, group: int) -> None:
        """That group has ended."""
        self._limits.pop(group, None)

    async def run(self) -> None:
        """Looks until cancelled."""
        if not sys.platform.startswith("linux"):
            await asyncio.Event().wait()
        while True:
            await asyncio.sleep(PERIOD)
            if self._limits:
                self._look()

    def _look(self) -> None:
        used = dict.fromkeys(self._limits, 0)
        for entry in os.scandir(PROC):
            if entry.name.isdigit():
                with suppress(OSError, ValueError):  # it has just ended
                    group = os.getpgid(int(entry.name))
                    if group in used:
                        used[group] += resident(int(entry.name))
        for group, amount in used.items():
            limit, killed = self._limits[group]
            if amount > limit:
                del self._limits[group]
                killed()
                with suppress(ProcessLookupError):
                    os.killpg(group, signal.SIGKILL)


def resident(pid: int) -> int:
    """Bytes of anonymous and shared memory of a process; its programs' and files' pages do not count."""
    fields = dict(line.split(":", 1) for line in (PROC / str(pid) / "status").read_text().splitlines() if ":" in line)
    return sum(int(fields[name].split()[0]) * 1024 for name in ("RssAnon", "RssShmem") if name in fields)
