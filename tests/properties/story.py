"""One example, lived through: the plan's events happen to a real process on a real database; then all is checked."""

import itertools
import json
import multiprocessing
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from tests.properties import process
from tests.properties.effects import CANARY, Site
from tests.properties.plans import Event, Plan
from workflows.database import is_sqlite, make_engine
from workflows.ledger import Ledger
from workflows.records import EventRecord, InstallationRecord

TERMINAL = ("SUCCEEDED", "FAILED", "CANCELLED")
END_SECONDS = 60
"""How long an operation may take to end; patience of the plans' waits is longer."""
LIVES = 60
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.properties.process"])
_STATES = {"FAILED": {"FAILED"}, "CANCELLED": {"CANCELLED"}, "SUCCEEDED": {"READY", "DELETED"}}


class Story:
    """A plan, the folder and the database it happens on, and the process of the moment."""

    def __init__(self, plan: Plan, folder: Path, url: str) -> None:
        self.plan, self.site, self.url = plan, Site(folder), url
        (folder / "faults.json").write_text(json.dumps(plan.faults))
        self.engine = make_engine(url, 2)
        self.ledger = Ledger(self.engine)
        self.answers: list[str | None] = []
        self.lives = 0
        self._death = plan.first_death
        self._process: Any = None
        self._pipe: Any = None

    def live(self) -> None:
        """The whole plan, to an end without faults."""
        self._until_accepted("create")
        for event in self.plan.events:
            self._happen(event)
        self._death = 0
        (self.site.folder / "healthy").touch()
        self._bring_to_success()
        if self.record().operation.kind == "install":
            self._until_accepted("delete")
            self._bring_to_success()

    def close(self) -> None:
        self._kill()
        self.engine.dispose()

    def record(self) -> InstallationRecord:
        found = self.ledger.installation(process.NAME)
        assert found is not None
        return found

    def events(self) -> list[EventRecord]:
        return self.ledger.events(process.NAME, limit=100_000)

    def _bring_to_success(self) -> None:
        operation = self._end().operation
        check_rest(self)
        if operation.state != "SUCCEEDED":
            self._until_accepted("retry")
            operation = self._end().operation
            check_rest(self)
        assert operation.state == "SUCCEEDED", f"without faults, after a retry: {operation}"

    def _happen(self, event: Event) -> None:
        calls = len(self.site.calls())
        self._until(lambda: len(self.site.calls()) >= calls + 2 * event.after or self._is_over(), "calls")
        if event.what == "kill":
            self._death = event.commit
            self._kill()
            return
        if event.what != "cancel":
            self._end()
            check_rest(self)
        self.answers.append(self._say(event.what, event.phase, event.commit))

    def _end(self) -> InstallationRecord:
        """Once the operation has ended, with the process kept alive."""
        self._until(self._is_over, "the operation ends")
        return self.record()

    def _is_over(self) -> bool:
        return self.record().operation.state in TERMINAL and not self._runs()

    def _runs(self) -> int:
        """How many workflows are to run, or run."""
        schema = None if is_sqlite(self.engine) else "dbos"
        table = sa.table("workflow_status", sa.column("status"), schema=schema)
        active = table.c.status.in_(("PENDING", "ENQUEUED", "DELAYED"))
        query = sa.select(sa.func.count()).select_from(table).where(active)
        with self.engine.connect() as connection:
            return int(connection.execute(query).scalar_one())

    def _until(self, found: Callable[[], Any], what: str) -> None:
        deadline = time.monotonic() + END_SECONDS
        while time.monotonic() < deadline:
            self._revive()
            if found():
                return
            time.sleep(0.01)  # polling with a deadline
        raise AssertionError(f"not within {END_SECONDS} s: {what}; {self.tell()}")

    def _until_accepted(self, what: str) -> None:
        """Says it, again as a client does whose request was not answered."""
        for _ in itertools.repeat(None, 5):
            if self._say(what) is not None:
                return
        raise AssertionError(f"{what} was never answered")

    def _say(self, what: str, phase: int = 0, commit: int = 0) -> str | None:
        """The answer; None when the service died over it."""
        self._revive()
        try:
            self._pipe.send((what, phase, commit))
            answer: str = self._pipe.recv()
        except (EOFError, ConnectionError):
            self._bury()
            return None
        return answer

    def _revive(self) -> None:
        for _ in range(LIVES):
            if self._process is not None and self._process.is_alive():
                return
            self._bury()
            self.lives += 1
            commit, self._death = self._death, 0
            self._pipe, other = _context.Pipe()
            self._process = _context.Process(
                target=process.serve, args=(self.url, self.site, self.plan, commit, other), daemon=True
            )
            self._process.start()
            other.close()
            try:
                self._pipe.recv()
            except (EOFError, ConnectionError):
                continue
            return
        raise AssertionError(f"{LIVES} processes died")

    def _kill(self) -> None:
        if self._process is not None and self._process.is_alive():
            os.kill(self._process.pid, signal.SIGKILL)
        self._bury()

    def _bury(self) -> None:
        if self._process is not None:
            self._process.join()
            self._process.close()
            self._pipe.close()
            self._process = None

    def tell(self) -> str:
        """For a failure's message."""
        operation = self.record().operation
        states = {phase.name: phase.state for phase in operation.phases}
        lines = "\n".join(f"{one.seq} {one.kind} {one.phase} {one.step} {one.attempt}" for one in self.events())
        return f"{operation.kind} {operation.state} {states}\n{lines}"


def check_rest(story: Story) -> None:
    """What holds whenever an operation is over."""
    assert story.site.wrong() == [], f"{story.site.wrong()}\n{story.tell()}"
    record = story.record()
    operation = record.operation
    states = [phase.state for phase in operation.phases]
    assert record.state in _STATES[operation.state], story.tell()
    assert not {"running", "waiting"}.intersection(states), story.tell()
    if operation.state == "SUCCEEDED":
        assert set(states) <= {"succeeded", "skipped"}, story.tell()
        assert operation.progress == 100
    if operation.state == "FAILED":
        assert "failed" in states, story.tell()
        assert operation.error
    check_events(story)
    check_calls(story)


def check_events(story: Story) -> None:
    """Gapless, and every call has its start in it, every failure its end, every attempt its number."""
    events = story.events()
    assert [event.seq for event in events] == list(range(1, len(events) + 1)), story.tell()
    tries = Counter(event.step for event in events if event.kind in ("step.started", "step.repeated"))
    calls = Counter(f"effects.{line[1]}" for line in story.site.calls() if line[0] == "begin")
    looks = {f"effects.{effect}" for effect in calls}
    assert looks >= set(), story.tell()
    for step, count in calls.items():
        assert tries[step] >= 1, f"{step} was called {count} times, and the log does not know\n{story.tell()}"
    assert not [event for event in events if CANARY in event.message + json.dumps(event.data)]
    attempts: dict[tuple[str, str | None], int] = {}
    for event in events:
        if event.phase is not None:
            key = (event.operation_id, event.phase)
            assert event.attempt >= attempts.get(key, 1), f"attempt went back at {event.seq}\n{story.tell()}"
            attempts[key] = event.attempt


def check_calls(story: Story) -> None:
    """Never two calls of one phase at once."""
    running: dict[str, tuple[str, str]] = {}
    for line in story.site.calls():
        phase = line[1].rpartition("_")[0].removeprefix("un_")
        if line[0] == "begin":
            before = running.get(phase)
            assert before is None or before[1] != line[3], f"{line[1]} began within {before}\n{story.tell()}"
            running[phase] = (line[1], line[3])
        else:
            running.pop(phase, None)
