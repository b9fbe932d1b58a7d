"""`podium serve`, `api`, `worker`: settings, log, database, engine, uvicorn; each failure is a line and an exit code.

Exit codes: 0 stopped, 1 the server failed, 2 settings are wrong, 3 the database cannot be reached, 4 the port is taken,
5 another process has the SQLite file or the executor id.
"""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Literal

import structlog

from service import logging as logs
from service.ending import GOODBYE_SECONDS, ORPHAN_SECONDS, end_within
from service.settings import Address, Settings, SettingsError, load

if TYPE_CHECKING:
    from service.ports import Runtime

DATABASE_PATIENCE = 15.0
"""Seconds to wait at start-up for a database that is still starting itself."""

Role = Literal["serve", "api", "worker"]
"""Both, only requests, or only the work."""

_log = structlog.stdlib.get_logger("podium.server")


class _Failure(Exception):
    """Ends the process with `code`; the text is for people."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


def serve(role: Role = "serve", *, with_parent: bool = False) -> int:
    """Runs until SIGTERM or SIGINT (or, `with_parent`, until stdin ends); returns the exit code."""
    _exit_on_signals()
    if with_parent:
        _stop_with_parent()
    try:
        settings = load(public=role != "worker")
        logs.configure(settings.log_level)
        _run(settings, role)
    except SettingsError as error:
        return _complain(role, 2, str(error))
    except _Failure as failure:
        return _complain(role, failure.code, str(failure))
    return 0


def _run(settings: Settings, role: Role) -> None:
    if role != "serve" and settings.database.startswith("sqlite"):
        remedy = "use `podium serve`, or set PODIUM_DATABASE_URL to a PostgreSQL database."
        raise SettingsError(f"SQLite serves one process only: {remedy}")
    with _listen(settings.worker_address if role == "worker" else settings.address, role) as listener:
        runtime = _launch(settings, execute=role != "api")
        logs.adopt_library_loggers()
        from service.asgi import run, run_worker  # noqa: PLC0415 - only a process whose database answers needs it

        try:
            if not (run_worker if role == "worker" else run)(runtime, settings, listener):
                runtime.stop()
                raise _Failure(1, "The server could not start; see the log above.")
        finally:
            _abandon(runtime)


def _abandon(runtime: "Runtime") -> None:
    """Ends the process now, when a call to the outside has not ended in time: Python would wait for its thread."""
    if runtime.abandoned:
        _log.warning("abandoned", phases=runtime.abandoned)
        sys.stderr.flush()
        os._exit(0)


def _listen(address: Address, role: Role) -> socket.socket:
    """Bound before the engine is launched: a second service on this port must not start to work."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address.host, address.port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        text = f"Cannot listen on {address.host}:{address.port}: {error.strerror}. Stop what listens there, or set "
        variable = "PODIUM_WORKER_BIND" if role == "worker" else "PODIUM_URL (or PODIUM_BIND)"
        raise _Failure(4, f"{text}{variable} to another address.") from error
    listener.set_inheritable(False)
    return listener


def _launch(settings: Settings, *, execute: bool) -> "Runtime":
    """Launches the engine, again and again while the database does not answer, up to the deadline."""
    from workflows import errors  # noqa: PLC0415 - the engine is heavy; errors above come first
    from workflows.runtime import Rhythm, RuntimeSettings, launch  # noqa: PLC0415

    settings.home.mkdir(parents=True, exist_ok=True)
    wanted = RuntimeSettings(
        database_url=settings.database,
        executor_id=settings.executor,
        helm=settings.helm,
        rhythm=Rhythm(settings.heartbeat_seconds, settings.dead_after_seconds),
        drain=settings.drain_seconds,
        on_replaced=_stop_myself,
    )

    def reach() -> "Runtime":
        return until_reachable(lambda: launch(wanted, execute=execute), errors.DatabaseUnavailable, settings.database)

    try:
        return _after_predecessor(reach, errors.ExecutorIdInUse, settings.drain_seconds + GOODBYE_SECONDS)
    except errors.DatabaseInUse as error:
        text = f"{error}, and a SQLite file serves one process only. Stop that one, or use PostgreSQL for several."
        raise _Failure(5, text) from error
    except errors.ExecutorIdInUse as error:
        text = f"A worker named {error.executor_id} runs already ({error.holder}). Stop it, or set PODIUM_EXECUTOR_ID."
        raise _Failure(5, text) from error


def _after_predecessor(launch: "Callable[[], Runtime]", in_use: type[Exception], patience: float) -> "Runtime":
    """`launch()`, tried again while an earlier process of this name may be about to end (after a kill, say)."""
    deadline = time.monotonic() + patience
    while True:
        try:
            return launch()
        except in_use as error:
            if time.monotonic() >= deadline:
                raise
            _log.warning("predecessor_runs", error=str(error))
            time.sleep(min(0.5, max(0.05, deadline - time.monotonic())))


def _stop_myself() -> None:
    """As if somebody had sent SIGTERM: another process works under this one's executor id now."""
    os.kill(os.getpid(), signal.SIGTERM)


def until_reachable(
    launch: "Callable[[], Runtime]", unavailable: type[Exception], url: str, patience: float = DATABASE_PATIENCE
) -> "Runtime":
    """`launch()`, tried again for `patience` seconds while it raises `unavailable`."""
    deadline = time.monotonic() + patience
    while True:
        try:
            return launch()
        except unavailable as error:
            if time.monotonic() >= deadline:
                text = (
                    f"Cannot reach Podium's database at {without_password(url)} ({error}). "
                    "Start it, or set PODIUM_DATABASE_URL to one that answers, e.g. postgresql://podium@127.0.0.1/podium."
                )
                raise _Failure(3, text) from error
            _log.warning("database_unavailable", url=without_password(url), error=str(error))
            time.sleep(min(1.0, max(0.05, deadline - time.monotonic())))


def without_password(url: str) -> str:
    """The URL as it may be shown; text that is no URL at all is not repeated."""
    from sqlalchemy import make_url  # noqa: PLC0415
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415

    try:
        parsed = make_url(url)
        return parsed.set(query={}).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        return "PODIUM_DATABASE_URL (not a database URL)"


def _complain(role: Role, code: int, text: str) -> int:
    sys.stderr.write(f"podium {role}: {text}\n")
    return code


def _exit_on_signals() -> None:
    """uvicorn stops gracefully on these and raises them again when it is done; then (or before) the process ends."""

    def leave(_number: int, _frame: FrameType | None) -> None:
        raise SystemExit(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)


def _stop_with_parent() -> None:
    """Sends this process SIGTERM when stdin ends, which is when its parent is gone, however that came about."""

    def wait_for_end() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            continue
        os.kill(os.getpid(), signal.SIGTERM)
        end_within(ORPHAN_SECONDS)

    threading.Thread(target=wait_for_end, name="stop-with-parent", daemon=True).start()
