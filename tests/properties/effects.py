"""Phases that write down every call to the outside, fail as they are told, and look around before each call.

A site is a folder. `calls` has a line per beginning and end of a call: "begin|end EFFECT NUMBER PID [OUTCOME]", where
NUMBER counts the calls of that effect. `wrong` has what a call found that must never be: a need that is not met, a
phase that has succeeded already, an effect whose result DBOS has already. `faults.json` is EFFECT -> outcomes of its
first calls; where there is a file `healthy` there are no faults any more.
"""

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from steps.errors import Code, PodiumError, TransientError
from steps.gate import pass_gate
from steps.waiting import Blocked, NeedsPerson, Pending
from workflows.context import context
from workflows.database import is_sqlite

CANARY = "canary-of-an-unexpected-error"
DONE = ("succeeded", "skipped")
SLOW_SECONDS = 0.15


@dataclass(frozen=True)
class Site:
    """A folder that outlives the processes that work on it."""

    folder: Path

    def faults(self, effect: str, number: int) -> str:
        """The outcome of the `number`th call of an effect."""
        if (self.folder / "healthy").exists():
            return "ok"
        planned = json.loads((self.folder / "faults.json").read_text()).get(effect, [])
        return str(planned[number]) if number < len(planned) else "ok"

    def begin(self, effect: str) -> int:
        """Writes the call down; how many there were before."""
        with self._calls() as file:
            number = sum(line.startswith(f"begin {effect} ".encode()) for line in file.read_bytes().splitlines())
            _append(file, f"begin {effect} {number} {os.getpid()}")
        return number

    def end(self, effect: str, number: int, outcome: str) -> None:
        with self._calls() as file:
            _append(file, f"end {effect} {number} {os.getpid()} {outcome}")

    def is_wrong(self, what: str) -> None:
        _append(self.folder / "wrong", what)

    def calls(self) -> list[list[str]]:
        """The lines of `calls`, in words."""
        path = self.folder / "calls"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def wrong(self) -> list[str]:
        path = self.folder / "wrong"
        return path.read_text().splitlines() if path.exists() else []

    @contextmanager
    def _calls(self) -> Iterator[Path]:
        path = self.folder / "calls"
        with (self.folder / "calls.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            path.touch()
            yield path


def _append(path: Path, line: str) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(file, f"{line}\n".encode())
    finally:
        os.close(file)


@dataclass(frozen=True)
class Effect:
    """One call to the outside: the `index`th step of a phase, forwards or (`undo`) backwards."""

    phase: str
    index: int
    waits: bool
    undo: bool = False

    @property
    def name(self) -> str:
        return f"{'un_' if self.undo else ''}{self.phase}_{self.index}"


def function(site: Site, effect: Effect, needs: tuple[str, ...], awaits: tuple[str, ...]) -> Callable[[str], Any]:
    """The step's function, `operation_id` -> its result; its name in DBOS is the effect's."""

    def call(operation_id: str) -> Any:
        pass_gate()
        number = site.begin(effect.name)
        outcome = "broken"
        try:
            _look_around(site, effect, needs, operation_id)
            outcome = site.faults(effect.name, number)
            if effect.waits and outcome == "ok" and not _over(operation_id, awaits):
                outcome = "pending"
            return _act(effect, outcome)
        finally:
            site.end(effect.name, number, outcome)

    call.__name__, call.__module__ = effect.name, __name__
    return call


def _act(effect: Effect, outcome: str) -> Any:
    found: dict[str, Any] = {
        "pending": Pending("not yet"),
        "person": NeedsPerson("A person is needed.", "Do something."),
        "blocked": Blocked("It is in use.", "Delete what uses it.", ({"arn": "arn:x", "why": "uses", "owner": "?"},)),
    }
    if outcome == "die-before":
        os._exit(9)
    if outcome == "slow":
        time.sleep(SLOW_SECONDS)  # the other side is slow
    if outcome == "die-after":
        os._exit(9)
    if outcome == "transient":
        raise TransientError.by_provider(Code.AWS_UNAVAILABLE, f"{effect.name}: try again", "Wait.")
    if outcome == "fail":
        raise PodiumError.by_user(Code.AWS_ACCESS_DENIED, f"{effect.name} is not allowed", "Allow it.")
    if outcome == "unexpected":
        raise RuntimeError(CANARY)
    return found[outcome] if effect.waits and outcome in found else effect.name


def _states(operation_id: str) -> dict[str, str]:
    found = context().ledger.operation(operation_id)
    return {phase.name: phase.state for phase in found.phases} if found else {}


def _over(operation_id: str, phases: tuple[str, ...]) -> bool:
    states = _states(operation_id)
    return all(states[one] in DONE for one in phases)


def _look_around(site: Site, effect: Effect, needs: tuple[str, ...], operation_id: str) -> None:
    """What must hold whenever a call begins."""
    states = _states(operation_id)
    unmet = {one: states[one] for one in needs if states[one] not in DONE}
    if unmet:
        site.is_wrong(f"{effect.name} was called before its phase's needs were met: {unmet}")
    if states[effect.phase] in (*DONE, "failed"):
        site.is_wrong(f"{effect.name} was called while its phase is {states[effect.phase]}")
    if _is_recorded(operation_id, effect):
        site.is_wrong(f"{effect.name} was called again, though its result is recorded")


def _is_recorded(operation_id: str, effect: Effect) -> bool:
    engine = context().engine
    names = ("workflow_uuid", "function_name", "error")
    table = sa.table("operation_outputs", *map(sa.column, names), schema=None if is_sqlite(engine) else "dbos")
    this = sa.and_(
        table.c.workflow_uuid == f"{operation_id}.{effect.phase}",
        table.c.function_name == f"effects.{effect.name}",
        table.c.error.is_(None),
    )
    with engine.connect() as connection:
        return bool(connection.execute(sa.select(sa.func.count()).select_from(table).where(this)).scalar_one())
