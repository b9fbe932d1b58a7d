"""A service on the real ledger and control (SQLite), where no workflow runs: the test says what happened instead."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from steps.errors import Problem
from workflows.fields import leaves, part
from workflows.journal import Journal, Settled
from workflows.phases import INSTALL
from workflows.runtime import Runtime, RuntimeSettings, launch
from workflows.spec import Aws, Exposure, ExposureMode, InstallationSpec

KEY = "canary-api-key-0123456789"
GUIDE = InstallationSpec(
    name="dbos-conductor",
    aws=Aws(region="us-west-2"),
    exposure=Exposure(mode=ExposureMode.PATH, allow_unauthenticated=True),
)


def make_tables(folder: Path) -> Path:
    """A SQLite database with Podium's and DBOS's tables, to be copied."""
    path = folder / "template.sqlite"
    launch(RuntimeSettings(f"sqlite:///{path}")).stop()
    return path


@contextmanager
def runtime_on(template: Path, folder: Path) -> Iterator[Runtime]:
    path = folder / "podium.sqlite"
    shutil.copy(template, path)
    runtime = launch(RuntimeSettings(f"sqlite:///{path}"), execute=False)
    try:
        yield runtime
    finally:
        runtime.stop()


class Story:
    """Writes what the engine would write, so that a test can put an installation into any state."""

    def __init__(self, runtime: Runtime, spec: InstallationSpec = GUIDE) -> None:
        self.journal, self.spec = Journal(runtime.engine), spec
        created = runtime.control.create(spec, idempotency_key=None, fingerprint="")
        self.operation = created.installation.operation
        self.journal.operation_started(self.operation.id)

    def run(self, *phases: str) -> None:
        for phase in phases:
            self.journal.phase_started(self.operation.id, phase, self.title(phase))
            self.journal.step_started(self.operation.id, phase, f"{phase}.ensure", f"{self.title(phase)}: first step")

    def finish(self, *phases: str) -> None:
        self.run(*phases)
        for phase in phases:
            fields = part(leaves(self.spec.public()), INSTALL[phase].change.inputs)
            settled = Settled(fields, {"kubernetes_version": "1.31"} if phase == "preflight" else {})
            self.journal.phase_succeeded(self.operation.id, phase, self.title(phase), settled)

    def finish_all(self) -> None:
        """The installation is READY."""
        self.finish(*(phase.name for phase in INSTALL.wanted(self.spec)))
        self.journal.operation_succeeded(self.operation.id, outputs={}, facts={})

    def fail(self, phase: str, problem: Problem) -> None:
        self.run(phase)
        self.journal.phase_failed(self.operation.id, phase, replace(problem, step=f"{phase}.ensure"))
        self.journal.operation_failed(self.operation.id, problem)

    def title(self, phase: str) -> str:
        return next(one.title for one in self.operation.phases if one.name == phase)
