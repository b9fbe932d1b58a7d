"""The end of this process at a promised moment, whatever still holds it.

A stop drains, hands over and says goodbye to the database. When that has gone away too, libraries wait for it without
limit; but nothing is lost by an end in the middle, since what was not checkpointed is repeated.
"""

import os
import threading

import structlog

GOODBYE_SECONDS = 4.0
"""What comes after the drain: the last requests, DBOS's end, the row that says who left."""
ORPHAN_SECONDS = 2.0
"""For a process whose parent is gone, and with it, in a demo, its database."""

_log = structlog.stdlib.get_logger("podium.server")


def end_within(seconds: float) -> None:
    """Ends the process then, with exit code 0, unless it has ended by itself."""
    timer = threading.Timer(seconds, _end, (seconds,))
    timer.daemon = True
    timer.start()


def _end(seconds: float) -> None:
    _log.warning("ended_before_done", seconds=seconds)
    os._exit(0)
