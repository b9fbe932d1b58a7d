"""The engine on a toy graph, with the real DBOS on SQLite: order, failure, retry, cancel, waiting."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.workflows.toy import World, toy_graphs
from workflows.errors import AlreadyExists, IdempotencyMismatch, UnknownPhase, WrongState
from workflows.records import InstallationRecord
from workflows.runtime import Runtime, RuntimeSettings, launch
from workflows.spec import Aws, InstallationSpec, SecretReference

SPEC = InstallationSpec(name="toy", aws=Aws(region="us-west-2"))


@pytest.fixture
def world() -> World:
    return World()


@contextmanager
def running(tmp_path: Path, world: World, *, asking: bool = False, scaling: bool = False) -> Iterator[Runtime]:
    settings = RuntimeSettings(database_url=f"sqlite:///{tmp_path}/podium.db", helm="helm")
    runtime = launch(settings, graphs=toy_graphs(world, asking=asking, scaling=scaling))
    try:
        yield runtime
    finally:
        runtime.stop()


@pytest.fixture
def runtime(tmp_path: Path, world: World) -> Iterator[Runtime]:
    with running(tmp_path, world) as runtime:
        yield runtime


def start(runtime: Runtime, spec: InstallationSpec = SPEC) -> None:
    runtime.control.create(spec, idempotency_key=None, fingerprint="")


def until(runtime: Runtime, found: Callable[[InstallationRecord], bool], seconds: float = 20) -> InstallationRecord:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        record = runtime.ledger.installation("toy")
        assert record is not None
        if found(record):
            return record
        time.sleep(0.02)  # polling with a deadline
    raise AssertionError(f"not reached: {runtime.ledger.installation('toy')}")


def in_state(state: str) -> Callable[[InstallationRecord], bool]:
    return lambda record: record.state == state


def states(record: InstallationRecord) -> dict[str, str]:
    return {phase.name: phase.state for phase in record.operation.phases}


def test_a_phase_starts_only_when_its_needs_are_met(runtime: Runtime, world: World) -> None:
    start(runtime)
    record = until(runtime, in_state("READY"))
    assert record.operation.progress == 100
    assert world.calls[:3] == ["a1", "a2", "a3"]
    assert world.calls[-3:] == ["d1", "d2", "d3"]
    assert set(world.counts.values()) == {1}


def test_retry_runs_only_the_failed_step_again(runtime: Runtime, world: World) -> None:
    world.failing.add("b3")
    start(runtime)
    failed = until(runtime, in_state("FAILED"))
    assert states(failed) == {"a": "succeeded", "b": "failed", "c": "succeeded", "d": "pending"}
    error = failed.operation.phases[1].error
    assert error is not None
    assert (error["code"], error["remedy"], error["step"]) == ("AWS_ACCESS_DENIED", "Allow it.", "toy.make")
    world.failing.clear()
    runtime.control.retry("toy")
    record = until(runtime, in_state("READY"))
    assert world.counts["b3"] == 2
    assert {call for call, count in world.counts.items() if count > 1} == {"b3"}
    assert [phase.attempt for phase in record.operation.phases] == [1, 2, 1, 1]


def test_a_wait_that_hangs_on_a_failed_phase_is_given_up_and_goes_on_with_the_retry(
    runtime: Runtime, world: World
) -> None:
    world.failing.add("b3")
    world.pending.add("c2")
    start(runtime)
    failed = until(runtime, in_state("FAILED"))
    assert states(failed) == {"a": "succeeded", "b": "failed", "c": "cancelled", "d": "pending"}
    assert failed.operation.error is not None
    assert failed.operation.error["code"] == "AWS_ACCESS_DENIED"
    world.failing.clear()
    world.pending.clear()
    runtime.control.retry("toy")
    record = until(runtime, in_state("READY"))
    assert (world.counts["c1"], world.counts["b3"]) == (1, 2)
    assert [phase.attempt for phase in record.operation.phases] == [1, 2, 1, 1]


def test_two_failures_are_both_retried(runtime: Runtime, world: World) -> None:
    world.failing.update({"b3", "c1"})
    start(runtime)
    until(runtime, in_state("FAILED"))
    world.failing.clear()
    runtime.control.retry("toy")
    until(runtime, in_state("READY"))
    assert {call for call, count in world.counts.items() if count > 1} == {"b3", "c1"}


def test_retry_from_a_phase_runs_it_and_all_behind_it_again_in_order(runtime: Runtime, world: World) -> None:
    world.failing.add("d3")
    start(runtime)
    until(runtime, in_state("FAILED"))
    world.failing.clear()
    before = len(world.calls)
    runtime.control.retry("toy", "b")
    until(runtime, in_state("READY"))
    assert world.calls[before:] == ["b1", "b2", "b3", "d1", "d2", "d3"]


def test_cancel_takes_effect_within_two_seconds_in_a_long_wait_and_retry_goes_on(
    runtime: Runtime, world: World
) -> None:
    world.pending.add("b2")
    start(runtime)
    until(runtime, lambda record: states(record)["c"] == "succeeded" and world.counts["b2"] > 0)
    began = time.monotonic()
    runtime.control.cancel("toy")
    looks = world.counts["b2"]
    record = until(runtime, in_state("CANCELLED"))
    assert states(record) == {"a": "succeeded", "b": "cancelled", "c": "succeeded", "d": "pending"}
    deadline = began + 2
    while time.monotonic() < deadline:
        time.sleep(0.05)  # polling with a deadline: looks may go on for up to two seconds
    looks = world.counts["b2"]
    world.pending.clear()
    runtime.control.retry("toy")
    until(runtime, in_state("READY"))
    assert world.counts["b2"] == looks + 1
    assert world.counts["b1"] == 1


def test_a_retry_after_a_cancel_waits_for_the_call_that_was_under_way(runtime: Runtime, world: World) -> None:
    world.blocked["b1"] = threading.Event()
    start(runtime)
    until(runtime, lambda record: "b1" in world.calls and states(record)["c"] == "succeeded")
    runtime.control.cancel("toy")
    runtime.control.retry("toy")
    until(runtime, lambda record: states(record)["b"] == "running")
    world.blocked["b1"].set()
    until(runtime, in_state("READY"))
    of_b1 = [call for call in world.calls if call.startswith("b1")]
    assert of_b1 == ["b1", "b1 ended", "b1", "b1 ended"]


def test_a_waiting_phase_goes_on_when_a_person_provides_what_it_needs(tmp_path: Path, world: World) -> None:
    with running(tmp_path, world, asking=True) as runtime:
        start(runtime)
        record = until(runtime, in_state("WAITING"))
        waiting = next(phase for phase in record.operation.phases if phase.name == "c")
        assert waiting.waiting == {"what": "An API key is needed.", "how": "Provide one.", "commands": []}
        with pytest.raises(WrongState):
            runtime.control.provide("toy", "b", SecretReference(secret="key"))
        runtime.control.provide("toy", "c", SecretReference(secret="key"))
        record = until(runtime, in_state("READY"))
        assert all(phase.attempt == 1 for phase in record.operation.phases)


def test_a_restart_goes_on_where_it_stopped(tmp_path: Path, world: World) -> None:
    world.pending.add("b2")
    with running(tmp_path, world) as runtime:
        start(runtime)
        until(runtime, lambda record: states(record)["c"] == "succeeded" and world.counts["b2"] > 0)
    world.pending.clear()
    with running(tmp_path, world) as runtime:
        until(runtime, in_state("READY"))
    assert {call for call, count in world.counts.items() if count > 1} == {"b2"}


def test_the_same_key_and_body_start_one_installation(runtime: Runtime) -> None:
    first = runtime.control.create(SPEC, idempotency_key="k", fingerprint="f")
    second = runtime.control.create(SPEC, idempotency_key="k", fingerprint="f")
    assert (first.replayed, second.replayed) == (False, True)
    assert first.installation.id == second.installation.id
    with pytest.raises(IdempotencyMismatch):
        runtime.control.create(SPEC, idempotency_key="k", fingerprint="other")
    with pytest.raises(AlreadyExists):
        runtime.control.create(SPEC, idempotency_key="other", fingerprint="f")
    until(runtime, in_state("READY"))


def test_retry_is_refused_unless_failed_or_cancelled(runtime: Runtime) -> None:
    start(runtime)
    until(runtime, in_state("READY"))
    with pytest.raises(WrongState):
        runtime.control.retry("toy")
    with pytest.raises(UnknownPhase):
        runtime.control.retry("toy", "nowhere")


def test_events_count_without_gaps_and_show_every_attempt(runtime: Runtime, world: World) -> None:
    world.failing.add("a3")
    start(runtime)
    until(runtime, in_state("FAILED"))
    world.failing.clear()
    runtime.control.retry("toy")
    until(runtime, in_state("READY"))
    events = runtime.ledger.events("toy", limit=1000)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    made = [(event.kind, event.attempt) for event in events if event.step == "toy.make" and event.phase == "a"]
    made = [(kind, attempt) for kind, attempt in made if kind.startswith("step.")]
    assert made[-4:] == [("step.started", 1), ("step.failed", 1), ("step.started", 2), ("step.succeeded", 2)]


def test_what_a_step_reports_is_in_the_log_scrubbed_also_when_it_fails(runtime: Runtime, world: World) -> None:
    world.telling |= {"a1": ["helm says:", "password: canary"], "a3": ["last words"]}
    world.failing.add("a3")
    start(runtime)
    until(runtime, in_state("FAILED"))
    told = [event for event in runtime.ledger.events("toy", limit=1000) if event.kind == "step.output"]
    assert [(event.phase, event.step, event.message) for event in told] == [
        ("a", "toy.make", "helm says:\npassword: [hidden]"),
        ("a", "toy.make", "last words"),
    ]
    assert told[0].data == {"lines": ["helm says:", "password: [hidden]"]}


def test_a_secret_value_is_never_accepted_by_the_ledger(runtime: Runtime) -> None:
    public = InstallationSpec(
        name="toy", aws=Aws(region="us-west-2"), conductor={"license_key": SecretStr("canary")}
    ).public()
    assert "canary" not in str(public)
