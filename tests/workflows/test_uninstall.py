"""Uninstall on the toy graph: the order backwards, from any state, retried, blocked, and the tombstone."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workflows.test_engine import SPEC, in_state, running, start, until
from tests.workflows.toy import World
from workflows.errors import AlreadyExists, OperationInProgress
from workflows.phases import INSTALL, UNINSTALL
from workflows.runtime import Runtime


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def runtime(tmp_path: Path, world: World) -> Iterator[Runtime]:
    with running(tmp_path, world) as runtime:
        yield runtime


def undone(world: World) -> list[str]:
    return [call for call in world.calls if call.startswith(("un", "survey", "proof"))]


def test_everything_is_unmade_backwards_and_a_tombstone_stays(runtime: Runtime, world: World) -> None:
    start(runtime)
    until(runtime, in_state("READY"))
    operation = runtime.control.delete("toy", data="retain", force=False)
    assert (operation.kind, operation.state, operation.options) == (
        "uninstall",
        "PENDING",
        {"data": "retain", "force": False},
    )
    tombstone = until(runtime, in_state("DELETED"))
    calls = undone(world)
    assert calls[0] == "survey"
    assert calls[-1] == "proof"
    position = {call: index for index, call in enumerate(calls)}
    assert position["und2"] < position["unb1"]
    assert position["und2"] < position["unc1"]
    assert max(position["unb2"], position["unc2"]) < position["una1"]
    assert tombstone.operation.report == {
        "final_snapshot": None,
        "left": [{"arn": "given", "why": "it was given"}],
        "proof": {"leftovers": []},
    }
    assert tombstone.operation.progress == 100


def test_a_phase_is_unmade_before_what_it_awaited(runtime: Runtime, world: World) -> None:
    """c hangs on b's readiness, so it goes first, as a load balancer goes before the nodes behind it."""
    start(runtime)
    until(runtime, in_state("READY"))
    runtime.control.delete("toy", data="delete", force=False)
    until(runtime, in_state("DELETED"))
    assert world.calls.index("unc2") < world.calls.index("unb1")


def test_without_a_cluster_nothing_inside_it_is_unmade(runtime: Runtime, world: World) -> None:
    world.cluster = False
    world.failing.add("a1")
    start(runtime)
    until(runtime, in_state("FAILED"))
    runtime.control.delete("toy", data="retain", force=False)
    found = until(runtime, in_state("DELETED"))
    assert {phase.name: phase.state for phase in found.operation.phases}["d"] == "skipped"
    assert world.counts["und1"] == 0
    assert world.counts["unb1"] == 1


def test_a_running_install_must_be_cancelled_before_it_is_deleted(runtime: Runtime, world: World) -> None:
    world.pending.add("b2")
    start(runtime)
    until(runtime, lambda found: any(phase.action == "Waiting for b2: not yet" for phase in found.operation.phases))
    with pytest.raises(OperationInProgress):
        runtime.control.delete("toy", data="retain", force=False)
    runtime.control.cancel("toy")
    until(runtime, in_state("CANCELLED"))
    runtime.control.delete("toy", data="retain", force=False)
    until(runtime, in_state("DELETED"))
    assert world.counts["und1"] == 1


def test_an_uninstall_waits_for_the_call_that_a_cancel_left_under_way(runtime: Runtime, world: World) -> None:
    world.blocked["b1"] = threading.Event()
    start(runtime)
    until(runtime, lambda _: "b1" in world.calls)
    runtime.control.cancel("toy")
    runtime.control.delete("toy", data="retain", force=False)
    until(runtime, lambda _: "und2" in world.calls)
    assert "unb1" not in world.calls
    world.blocked["b1"].set()
    until(runtime, in_state("DELETED"))
    assert world.calls.index("b1 ended") < world.calls.index("unb1")


def test_a_failed_uninstall_is_retried_from_the_failed_step(runtime: Runtime, world: World) -> None:
    world.failing.add("unb1")
    start(runtime)
    until(runtime, in_state("READY"))
    runtime.control.delete("toy", data="retain", force=False)
    until(runtime, in_state("FAILED"))
    world.failing.clear()
    runtime.control.retry("toy")
    until(runtime, in_state("DELETED"))
    assert world.counts["und1"] == 1
    assert world.counts["unb1"] == 2


def test_what_blocks_a_delete_is_listed_and_the_wait_goes_on_by_itself(runtime: Runtime, world: World) -> None:
    start(runtime)
    until(runtime, in_state("READY"))
    world.in_the_way.add("una2")
    runtime.control.delete("toy", data="retain", force=False)
    found = until(runtime, in_state("WAITING"))
    waiting = next(phase.waiting for phase in found.operation.phases if phase.state == "waiting")
    assert waiting is not None
    assert waiting["code"] == "BLOCKED"
    assert waiting["resources"] == [{"arn": "arn:x", "why": "is inside", "owner": "somebody"}]
    world.in_the_way.clear()
    until(runtime, in_state("DELETED"))


def test_the_same_request_again_answers_with_the_same_operation(runtime: Runtime, world: World) -> None:
    start(runtime)
    until(runtime, in_state("READY"))
    world.pending.add("und2")
    first = runtime.control.delete("toy", data="retain", force=False)
    assert runtime.control.delete("toy", data="retain", force=False).id == first.id
    with pytest.raises(OperationInProgress):
        runtime.control.delete("toy", data="delete", force=False)
    with pytest.raises(AlreadyExists):
        start(runtime)
    world.pending.clear()
    until(runtime, in_state("DELETED"))
    assert runtime.control.delete("toy", data="retain", force=False).id == first.id


def test_the_name_of_a_deleted_installation_can_be_used_again(runtime: Runtime, world: World) -> None:
    start(runtime)
    before = until(runtime, in_state("READY"))
    runtime.control.delete("toy", data="retain", force=False)
    until(runtime, in_state("DELETED"))
    start(runtime)
    again = until(runtime, in_state("READY"))
    assert again.id != before.id
    assert again.operation.kind == "install"
    assert SPEC.name == again.name
    sequence = [event.seq for event in runtime.ledger.events("toy", limit=1000)]
    assert sequence == list(range(1, len(sequence) + 1))


def test_the_real_table_backwards_keeps_controllers_and_nodes_until_load_balancers_are_gone() -> None:
    before = {name: UNINSTALL.upstream((name,)) for name in UNINSTALL.names}
    assert {"ingress", "ingress-nginx"} <= before["nodes"]
    assert "nodes" in before["addons"]
    assert {"autoscaling", "app"} <= before["keda"] | {"app"}
    assert "autoscaling" in before["keda"]
    assert "autoscaling" in before["app"]
    assert "database-access" in before["cluster"]
    assert {"cluster", "egress", "database", "nodes"} <= before["network"]
    assert {"conductor", "app", "databases"} <= before["database"]
    assert set(UNINSTALL.names) == {*INSTALL.names, "survey", "proof"}
    assert all("survey" in UNINSTALL[name].needs for name in INSTALL.names)
    assert before["proof"] == set(UNINSTALL.names)
