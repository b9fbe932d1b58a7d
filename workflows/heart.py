"""The two threads of a worker: one beats, the other looks after those who have stopped.

They are apart because taking over may take long, and a worker that is busy with that must go on beating. Neither ends
on an error of the database: it comes back, and only then can anybody judge anybody.
"""

import threading
from collections.abc import Callable

import structlog
from dbos import error as dbos_error
from sqlalchemy.exc import SQLAlchemyError

from workflows.lease import Lease, boot_clock
from workflows.workers import Registry, Rhythm

AFTER_A_MISS_SECONDS = 1.0

log = structlog.get_logger(__name__)


class Heart:
    """`beats` and `takeovers` are the same worker on connections of their own.

    `finish` is called with each beat, and brings to an end what requests left half-way (workflows/interventions.py).
    `on_replaced` is called once, when another process goes under this worker's executor id: there is no way on.
    """

    def __init__(
        self,
        beats: Registry,
        takeovers: Registry,
        lease: Lease,
        rhythm: Rhythm,
        finish: Callable[[], object],
        on_replaced: Callable[[], None],
    ) -> None:
        self._beats, self._takeovers, self._lease, self._rhythm = beats, takeovers, lease, rhythm
        self._finish, self._on_replaced = finish, on_replaced
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._beat, name="heartbeat", daemon=True),
            threading.Thread(target=self._look_after_others, name="takeover", daemon=True),
        ]
        self.is_member = False
        """Whether this worker has a row that is its own: neither before it registered, nor after it was replaced."""

    def start(self) -> None:
        """Registers; raises ExecutorIdInUse and SQLAlchemyError."""
        sent = boot_clock()
        self._takeovers.register()
        self.is_member = True
        self._lease.renewed(sent)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._lease.beat_now()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(10)

    def _beat(self) -> None:
        while not self._stopped.is_set():
            try:
                self._beat_once()
            except SQLAlchemyError as error:
                log.warning("worker.beat_missed", type=type(error).__name__)
                self._stopped.wait(AFTER_A_MISS_SECONDS)
            else:
                self._lease.next_beat(self._rhythm.beat)

    def _beat_once(self) -> None:
        sent = boot_clock()
        state = self._beats.beat()
        if state == "working":
            self._lease.renewed(sent)
        elif state == "replaced":
            self._give_up()
        else:
            log.warning("worker.lost", worker=self._beats.me.dbos_id, state=state)
            self._lease.lost()
            sent = boot_clock()
            self._beats.rejoin()
            self._lease.renewed(sent)

    def _give_up(self) -> None:
        if self.is_member:
            self.is_member = False
            self._lease.close()
            log.error("worker.replaced", executor_id=self._beats.me.executor_id)
            self._on_replaced()

    def _look_after_others(self) -> None:
        while not self._stopped.wait(self._rhythm.beat):
            if self._lease.draining:
                continue
            try:
                taken = self._takeovers.take_over()
                self._finish()
            except (SQLAlchemyError, dbos_error.DBOSException) as error:
                log.warning("worker.takeover_failed", type=type(error).__name__)
                continue
            for worker, workflow_ids in taken.items():
                log.warning("worker.taken_over", worker=worker, workflows=len(workflow_ids))
