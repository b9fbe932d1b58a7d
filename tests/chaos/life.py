"""One process of Podium without its HTTP side: `begin` asks Control for an operation, `live` works until it has ended.

Both are for a process that has just been forked, and end it. What asks and answers is in a folder: see `Plan`.
"""

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from dbos._dbos import _get_or_create_dbos_registry
from dbos._utils import INTERNAL_QUEUE_NAME

from tests.chaos import hooks
from tests.chaos.points import Memory, Point, Reaper
from workflows import execution
from workflows.drift import drifted
from workflows.graph import Graph, undoing
from workflows.phases import GRAPHS
from workflows.runtime import Runtime, RuntimeSettings, launch
from workflows.spec import InstallationSpec

LIFE_SECONDS = 240.0
"""A life that neither dies nor ends by then hangs."""
LOOK_SECONDS = 0.05
QUEUE_SECONDS = 0.05
"""Between two looks for work that was left; in the product four a second, and DBOS's own queue one."""
_OVER = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")


@dataclass(frozen=True)
class Plan:
    """What a nursery does: `FOLDER/plan.json`.

    `kind` and `arguments` are Control's: install {spec}, uninstall {name, data, force}, upgrade {spec}, repair
    {name}. `point`: where to die, None: nowhere. `only`: beginnings of the keys that die, none: all. `phases`: those
    of the install's table that there are, none: all. `calls`: URL of AWS's call log.
    """

    database_url: str
    helm: str
    kind: str
    arguments: dict[str, Any]
    calls: str
    region: str
    point: str | None = None
    only: tuple[str, ...] = ()
    phases: tuple[str, ...] = field(default_factory=tuple)

    def write(self, folder: Path) -> None:
        (folder / "plan.json").write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, folder: Path) -> "Plan":
        found = json.loads((folder / "plan.json").read_text())
        return cls(**found | {"only": tuple(found["only"]), "phases": tuple(found["phases"])})

    def launch(self, *, execute: bool) -> Runtime:
        settings = RuntimeSettings(self.database_url, "mortal", self.helm, pool_size=5, drain=0.0)
        return launch(settings, execute=execute, graphs=self._graphs())

    def _graphs(self) -> dict[str, Graph]:
        if not self.phases:
            return dict(GRAPHS)
        install = Graph(tuple(phase for phase in GRAPHS["install"].phases if phase.name in self.phases))
        first, *_, last = GRAPHS["uninstall"].phases
        return {"install": install, "uninstall": undoing(install, first=first, last=last)}


def begin(plan: Plan, folder: Path) -> NoReturn:
    """Writes the operation's id to `FOLDER/operation`."""

    def act() -> None:
        runtime = plan.launch(execute=False)
        (folder / "operation").write_text(_begun(runtime, plan))
        runtime.stop()

    _end_with(act)


def _begun(runtime: Runtime, plan: Plan) -> str:
    control, given = runtime.control, plan.arguments
    if plan.kind == "install":
        spec = InstallationSpec.model_validate(given["spec"])
        return control.create(spec, idempotency_key=None, fingerprint="").installation.operation.id
    if plan.kind == "uninstall":
        return control.delete(given["name"], data=given["data"], force=given["force"]).id
    if plan.kind == "upgrade":
        return control.apply(InstallationSpec.model_validate(given["spec"])).operation.id
    return control.repair(given["name"], drifted(control.drift(given["name"]))).operation.id


def live(plan: Plan, folder: Path) -> NoReturn:
    """Until the operation has ended, or this process has."""

    def act() -> None:
        point = Point(plan.point) if plan.point else None
        hooks.install(Reaper(Memory(folder), point, plan.only))
        _look_for_work_often()
        runtime = plan.launch(execute=True)
        _until_over(runtime, (folder / "operation").read_text())
        runtime.stop()

    _end_with(act)


def _look_for_work_often() -> None:
    execution.QUEUE_POLL_SECONDS = QUEUE_SECONDS
    _get_or_create_dbos_registry()._register_internal_queue(INTERNAL_QUEUE_NAME, polling_interval_sec=QUEUE_SECONDS)


def _until_over(runtime: Runtime, operation_id: str) -> None:
    """Raises RuntimeError when the operation fails, TimeoutError when it hangs."""
    deadline = time.monotonic() + LIFE_SECONDS
    while time.monotonic() < deadline:
        (found,) = runtime.client.list_workflows(workflow_ids=[operation_id], load_input=False, load_output=False)
        if found.status in _OVER:
            operation = runtime.ledger.operation(operation_id)
            if operation is None or operation.state != "SUCCEEDED":
                raise RuntimeError(f"{found.status}: {operation and (operation.state, operation.error)}")
            return
        time.sleep(LOOK_SECONDS)  # polling with a deadline
    operation = runtime.ledger.operation(operation_id)
    phases = operation.phases if operation else []
    running = {phase.name: phase.action for phase in phases if phase.state in ("running", "waiting")}
    raise TimeoutError(f"not over after {LIFE_SECONDS:.0f} s; running: {running}")


def _end_with(act: Callable[[], None]) -> NoReturn:
    """Ends this process without its parent's exit handlers: 0, or 1 with the reason on stderr."""
    try:
        act()
    except BaseException:  # noqa: BLE001 - whatever it was, it must not go on as if it were the parent
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)
