"""When each line of a container's log was written.

A container's processes append to its log file themselves, so the times are kept beside it: `0.log.times` has a line
`<bytes> <nanoseconds since 1970>` for each look that found the file longer than before. A line's time is that of
the look that found it, so it is up to `PERIOD` late; a container runtime's is exact.
"""

import asyncio
import bisect
import time
from pathlib import Path

PERIOD = 0.25  # seconds between looks


def _times_file(log: Path) -> Path:
    return log.with_name(f"{log.name}.times")


async def follow(log: Path) -> None:
    """Notes the times of what is written to `log` until cancelled, and once more then."""
    size = 0
    try:
        while True:
            size = _note(log, size)
            await asyncio.sleep(PERIOD)
    finally:
        _note(log, size)


def _note(log: Path, before: int) -> int:
    size = log.stat().st_size
    if size > before:
        with _times_file(log).open("a") as file:
            file.write(f"{size} {time.time_ns()}\n")
    return size


class Times:
    """The times of one log, as they were when this was made."""

    def __init__(self, log: Path) -> None:
        self._sizes: list[int] = []
        self._nanoseconds: list[int] = []
        file = _times_file(log)
        for line in file.read_text().splitlines() if file.exists() else []:
            size, _, nanoseconds = line.partition(" ")
            self._sizes.append(int(size))
            self._nanoseconds.append(int(nanoseconds))

    def at(self, offset: int) -> int:
        """Nanoseconds since 1970 of the byte at `offset`; now, when it was written after the last look."""
        index = bisect.bisect_right(self._sizes, offset)
        return self._nanoseconds[index] if index < len(self._sizes) else time.time_ns()
