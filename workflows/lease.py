"""Whether this process may act on the workflows that it executes.

Workers of one database watch each other's heartbeats (workflows/workers.py). Whoever has not beaten for `dead` seconds
may be taken over, so it must not call the outside any longer, be it that it was suspended, or that it cannot reach
the database. It finds out by itself, without asking the database: a heartbeat that was sent at t and landed is worth
`dead` seconds from t (less a margin for the call that follows), on a clock that counts suspension too.

`epoch` counts how often this process has lost its workflows; a run that began in an earlier one is over here. A lease
that was never renewed (SQLite, where there is one process only) lasts for ever.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf

from dbos import error as dbos_error

MARGIN = 0.1
"""Share of the lease that is left for the call which begins at its end."""
LOOK_SECONDS = 0.1


class HandedOver(dbos_error.DBOSWorkflowCancelledError):
    """This execution of the workflow is over in this process, though the workflow is not.

    To DBOS it is a cancellation: nothing is recorded, the execution stops, and what another process records stands.
    """


def boot_clock() -> float:
    """Seconds that also pass while the machine sleeps, where the system has such a clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


@dataclass
class Lease:
    """Thread-safe. `steps`: ids of the workflows that are within a step now, one entry per step.

    `owns`: asks the database whether a workflow is this process's to execute.
    """

    dead: float = inf
    owns: Callable[[str], bool] = lambda _workflow_id: True
    epoch: int = 0
    draining: bool = False
    closed: bool = False
    steps: list[str] = field(default_factory=list)
    _until: float = inf
    _wanted: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def fresh(self) -> bool:
        """Nobody can have taken anything over yet."""
        return boot_clock() < self._until

    def renewed(self, sent: float) -> None:
        """A heartbeat that was sent at `sent` (boot_clock) has landed."""
        self._until = sent + self.dead * (1 - MARGIN)

    def lost(self) -> None:
        """Others may have taken over what ran here until now."""
        self.epoch += 1

    def beat_now(self) -> None:
        """Ends `next_beat`."""
        self._wanted.set()

    def next_beat(self, seconds: float) -> None:
        """Waits until the next heartbeat is due, or wanted at once."""
        self._wanted.wait(seconds)
        self._wanted.clear()

    def check(self, epoch: int) -> None:
        """Returns when a run of `epoch` may call the outside; waits for the heartbeat while that is not known.

        Raises HandedOver when the run is over here.
        """
        while self.epoch == epoch and not self.fresh:
            self._wanted.set()
            time.sleep(LOOK_SECONDS)  # polling: the heartbeat decides, whenever the database answers
        if self.epoch != epoch:
            raise HandedOver("Others have taken this workflow over while this process did not answer.")

    def check_writer(self, workflow_id: str | None) -> None:
        """As `check`, for a write to Podium's own tables by a workflow whose epoch is not known.

        Only a process that has ever lost anything has to ask the database.
        """
        while not self.fresh and not self.closed:
            self._wanted.set()
            time.sleep(LOOK_SECONDS)  # polling, as above
        if self.closed:
            raise HandedOver("This process has stopped.")
        if self.epoch and workflow_id is not None and not self.owns(workflow_id):
            raise HandedOver(f"Workflow {workflow_id} is executed elsewhere.")

    @contextmanager
    def step(self, workflow_id: str, epoch: int) -> Iterator[None]:
        """Within the block a step runs, which a drain awaits. Raises HandedOver when none may begin."""
        with self._lock:
            if self.draining or self.epoch != epoch:
                raise HandedOver("This process begins no more steps of this workflow.")
            self.steps.append(workflow_id)
        try:
            yield
        finally:
            with self._lock:
                self.steps.remove(workflow_id)

    def drain(self) -> None:
        """From now on no step begins."""
        with self._lock:
            self.draining = True

    def close(self) -> None:
        """Nothing that ran here may call or write any longer: calls that have not ended are abandoned."""
        self.draining = self.closed = True
        self.epoch += 1
