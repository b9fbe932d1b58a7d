"""The points where a process dies, and the memory, across lives, of what has died there.

A key says what was going on: `network: network.ensure_vpc #1` is a checkpoint (phase, step, which one of that name),
`network: network.ensure_vpc | ec2:CreateVpc | 3f…` a request of a step. Keys are the same in every run of an operation,
whatever the order in which phases that run side by side get on, but for the digest of a request's parameters.
"""

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from enum import StrEnum
from pathlib import Path


class Point(StrEnum):
    """Where. The letters are those of docs/reliability.md."""

    BEFORE = "before"
    """(a) DBOS has found no record of the step; its function has not been called."""
    EFFECT = "effect"
    """(b) The step's call to the outside, or the look that found what a wait waits for, is over; not noted anywhere."""
    UNRECORDED = "unrecorded"
    """(b) It stands in the event log; DBOS has not recorded it."""
    RECORDED = "recorded"
    """(c) DBOS has recorded it; nobody has acted on it."""
    ANSWERED = "answered"
    """(d) Within a step, once a request that changes something is done, its answer unseen."""
    HELM_OUTLIVES = "helm-outlives"
    """(d) While helm runs, which goes on alone."""
    HELM_DIES = "helm-dies"
    """(d) While helm is in the middle of a release, together with it."""


CHECKPOINTS = (Point.BEFORE, Point.EFFECT, Point.UNRECORDED, Point.RECORDED)


class Memory:
    """Files in `folder`: `died` and `reached`, one JSON line per key. Appends are single writes: a SIGKILL of the
    writer leaves the file as the kernel has it."""

    def __init__(self, folder: Path) -> None:
        self._died, self._reached = folder / "died", folder / "reached"

    def died(self) -> list[tuple[Point, str]]:
        """In the order of the deaths."""
        return _read(self._died)

    def reached(self) -> set[tuple[Point, str]]:
        """What a run without crash came by."""
        return set(_read(self._reached))

    def note_death(self, point: Point, key: str) -> None:
        _append(self._died, point, key)

    def note_reached(self, point: Point, key: str) -> None:
        _append(self._reached, point, key)


class Reaper:
    """In a life: dies at `point` at each key that has not died yet; without a point, only notes what it comes by."""

    def __init__(self, memory: Memory, point: Point | None, only: tuple[str, ...] = ()) -> None:
        """`only`: the beginnings of keys; none: all keys."""
        self._memory, self._point, self._only = memory, point, only
        self._gone = {key for died, key in memory.died() if died is point}
        self._lock = threading.RLock()

    def reach(self, point: Point, key: str) -> None:
        """Thread-safe: who comes second while another dies waits for the end."""
        if self._point is None:
            self._memory.note_reached(point, key)
        elif self._is_to_die(point, key):
            with self._lock:
                self._memory.note_death(point, key)
                os.kill(os.getpid(), signal.SIGKILL)
                threading.Event().wait()

    @contextmanager
    def alone(self, point: Point, key: str) -> Iterator[None]:
        """Around what leads to `reach` and cannot be done again: nobody else dies while it is under way, when it would
        be done and its own death be missed."""
        with self._lock if self._is_to_die(point, key) else nullcontext():
            yield

    def _is_to_die(self, point: Point, key: str) -> bool:
        return point is self._point and key not in self._gone and (not self._only or key.startswith(self._only))


def _append(file: Path, point: Point, key: str) -> None:
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(handle, f"{json.dumps([point, key])}\n".encode())
    finally:
        os.close(handle)


def _read(file: Path) -> list[tuple[Point, str]]:
    if not file.exists():
        return []
    lines = (json.loads(line) for line in file.read_text().splitlines())
    return [(Point(point), key) for point, key in lines]
