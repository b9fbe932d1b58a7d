"""A worker as a process of its own, on a small graph: what it does is a line in a file, what holds it up is a file.

`FOLDER/calls` gets a line "pid what" per call to the outside; a call, or a wait, is held up while `FOLDER/hold-what`
is there. Heartbeats every half second, dead after two.
"""

import os
import signal
import threading
import time
from pathlib import Path

from steps.gate import pass_gate
from steps.waiting import Pending
from workflows.durable import Run
from workflows.facts import Facts
from workflows.graph import Graph, Phase, Undo, undoing
from workflows.runtime import Rhythm, RuntimeSettings, launch

RHYTHM = Rhythm(beat=0.5, dead=2.0)
DRAIN_SECONDS = 3.0


def call(folder: Path, what: str) -> None:
    """One request to the outside, as a thin client makes it."""
    pass_gate()
    line = f"{os.getpid()} {what}\n".encode()
    calls = os.open(folder / "calls", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(calls, line)
    finally:
        os.close(calls)
    while (folder / f"hold-{what}").exists():
        time.sleep(0.02)  # the other side is slow


def make(folder: Path, phase: str) -> str:
    """A step of two requests."""
    call(folder, f"{phase}1")
    call(folder, f"{phase}2")
    return phase


def look(folder: Path, phase: str) -> str | Pending:
    return Pending("not yet") if (folder / f"wait-{phase}").exists() else phase


def graphs(folder: Path) -> dict[str, Graph]:
    """a -> (b, c) -> d; each phase makes, waits, and makes again."""

    def phase(name: str, *needs: str) -> Phase:
        async def run(run: Run) -> Facts:
            await run.step(f"Making {name}", make, folder, name)
            await run.wait(f"Waiting for {name}", look, 1, folder, name)
            await run.step(f"Finishing {name}", make, folder, f"{name}-end")
            return Facts()

        return Phase(name, f"Doing {name}", needs, run, Undo(f"Undoing {name}", run), 1)

    install = Graph((phase("a"), phase("b", "a"), phase("c", "a"), phase("d", "b", "c")))
    return {"install": install, "uninstall": undoing(install, first=phase("survey"), last=phase("proof"))}


def settings(url: str, executor_id: str) -> RuntimeSettings:
    return RuntimeSettings(url, executor_id, rhythm=RHYTHM, drain=DRAIN_SECONDS, on_replaced=_stop_myself)


def _stop_myself() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def work(url: str, executor_id: str, folder: Path) -> None:
    """Until SIGTERM. `FOLDER/up-PID` says that it works."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    runtime = launch(settings(url, executor_id), graphs=graphs(folder))
    (folder / f"up-{os.getpid()}").touch()
    stop.wait()
    runtime.stop()
    os._exit(0)
