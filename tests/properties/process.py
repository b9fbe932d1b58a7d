"""The service as a process: works on a site's database, does what it is told through a pipe, dies where it is told.

Pauses are a tenth of the product's, so that hundreds of examples end in minutes.
"""

import os
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import sqlalchemy as sa

from tests.properties.effects import Site
from tests.properties.plans import Plan, graphs, name
from workflows import durable, engine, execution
from workflows.errors import RequestError
from workflows.runtime import Rhythm, Runtime, RuntimeSettings, launch
from workflows.spec import Aws, InstallationSpec

NAME = "toy"
SPEC = InstallationSpec(name=NAME, aws=Aws(region="us-west-2"))
RHYTHM = Rhythm(beat=0.5, dead=2.0)


def serve(url: str, site: Site, plan: Plan, commit: int, pipe: Connection) -> None:
    """Until the pipe is closed, or the `commit`th commit (0: none)."""
    os.setsid()
    _hurry()
    death = _Death(commit)
    runtime = launch(RuntimeSettings(url, "service", rhythm=RHYTHM), graphs=graphs(site, plan))
    pipe.send("up")
    while True:
        try:
            what, phase, commit = pipe.recv()
        except EOFError:
            os._exit(0)
        if commit:
            death.comes_in(commit)
        pipe.send(_answer(_commands(runtime, phase)[what]))


def _commands(runtime: Runtime, phase: int) -> dict[str, Callable[[], Any]]:
    control = runtime.control
    return {
        "create": lambda: control.create(SPEC, idempotency_key="key", fingerprint="f"),
        "cancel": lambda: control.cancel(NAME),
        "retry": lambda: control.retry(NAME),
        "from": lambda: control.retry(NAME, name(phase)),
        "delete": lambda: control.delete(NAME, data="retain", force=False),
    }


def _answer(act: Callable[[], Any]) -> str:
    """ "done", or the name of the refusal."""
    try:
        act()
    except RequestError as error:
        return type(error).__name__
    return "done"


class _Death:
    """Ends this process at a commit, of Podium's or of DBOS's connections, before it happens."""

    def __init__(self, commit: int) -> None:
        self._left = commit
        sa.event.listen(sa.Engine, "commit", self._count)

    def comes_in(self, commits: int) -> None:
        """At the `commits`th from now; 0: it does not come."""
        self._left = commits

    def _count(self, _connection: sa.Connection) -> None:
        self._left -= 1
        if self._left == 0:
            os._exit(9)


def _hurry() -> None:
    engine.WAIT_FIRST_POLL_SECONDS = 0.02
    execution.QUEUE_POLL_SECONDS = 0.03
    durable.FIRST_BACKOFF_SECONDS = 0.05
    durable.SHORTEST_LOOK_SECONDS = 0.03
    durable.LONGEST_LOOK_SECONDS = 0.3
