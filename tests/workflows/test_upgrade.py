"""A changed spec on the toy graph: only what differs is touched, from any end of what was before; what is refused."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.workflows.test_engine import SPEC, in_state, running, start, states, until
from tests.workflows.toy import World
from workflows.errors import Impossible, NotFound, OperationInProgress, UninstallBegun
from workflows.runtime import Runtime
from workflows.spec import InstallationSpec
from workflows.tables import installations

MORE_NODES = {"nodes": {"count": 5}}
UNSCALED = {"autoscaling": {"enabled": False}}


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def runtime(tmp_path: Path, world: World) -> Iterator[Runtime]:
    with running(tmp_path, world, scaling=True) as runtime:
        yield runtime


@pytest.fixture
def ready(runtime: Runtime, world: World) -> Runtime:
    start(runtime)
    until(runtime, in_state("READY"))
    world.calls.clear()
    return runtime


def spec(**changes: Any) -> InstallationSpec:
    return InstallationSpec.model_validate(SPEC.public() | changes)


def test_only_the_phases_whose_fields_differ_are_touched(ready: Runtime, world: World) -> None:
    changed = ready.control.apply(spec(**MORE_NODES))
    assert (changed.unchanged, changed.operation.kind) == (False, "upgrade")
    record = until(ready, in_state("READY"))
    assert world.calls == ["b+"]
    assert states(record) == {"b": "succeeded"}
    assert record.spec["nodes"]["count"] == 5
    assert record.operation.options["changes"] == [{"field": "nodes.count", "before": 2, "after": 5}]


def test_the_installation_is_updating_while_it_changes_and_a_second_change_is_refused(
    ready: Runtime, world: World
) -> None:
    world.blocked["b+"] = threading.Event()
    first = ready.control.apply(spec(**MORE_NODES))
    until(ready, in_state("UPDATING"))
    assert ready.control.apply(spec(**MORE_NODES)).operation.id == first.operation.id
    with pytest.raises(OperationInProgress):
        ready.control.apply(spec(nodes={"count": 6}))
    world.blocked["b+"].set()
    until(ready, in_state("READY"))


def test_the_same_spec_again_does_nothing(ready: Runtime, world: World) -> None:
    before = ready.ledger.installation("toy")
    changed = ready.control.apply(spec())
    assert before is not None
    assert (changed.unchanged, changed.operation.id) == (True, before.operation.id)
    assert ready.control.plan_change(spec())["unchanged"] is True
    assert world.calls == []


def test_what_is_no_longer_wanted_is_unmade_and_made_again_when_it_is_wanted_again(
    ready: Runtime, world: World
) -> None:
    ready.control.apply(spec(**UNSCALED))
    until(ready, in_state("READY"))
    assert world.calls == ["une1", "une2"]
    world.calls.clear()
    ready.control.apply(spec())
    until(ready, in_state("READY"))
    assert world.calls == ["e+"]


def test_followers_look_again(ready: Runtime, world: World) -> None:
    ready.control.apply(spec(database={"storage_gib": 50}))
    until(ready, in_state("READY"))
    assert world.calls == ["c+", "d+"]


def test_a_failed_upgrade_is_retried_from_its_failed_step(ready: Runtime, world: World) -> None:
    world.failing.add("c+")
    ready.control.apply(spec(**MORE_NODES, database={"storage_gib": 50}))
    failed = until(ready, in_state("FAILED"))
    assert states(failed) == {"b": "succeeded", "c": "failed", "d": "pending"}
    world.failing.clear()
    ready.control.retry("toy")
    until(ready, in_state("READY"))
    assert (world.counts["b+"], world.counts["c+"], world.counts["d+"]) == (1, 2, 1)


def test_another_spec_after_a_failed_upgrade_touches_what_that_one_left_unsettled(ready: Runtime, world: World) -> None:
    world.failing.add("c+")
    ready.control.apply(spec(**MORE_NODES, database={"storage_gib": 50}))
    until(ready, in_state("FAILED"))
    world.failing.clear()
    world.calls.clear()
    plan = ready.control.plan_change(spec(database={"storage_gib": 50}))
    assert [(one["field"], one["before"], one["after"]) for one in plan["changes"]] == [("nodes.count", 5, 2)]
    ready.control.apply(spec(database={"storage_gib": 50}))
    until(ready, in_state("READY"))
    assert sorted(world.calls) == ["b+", "c+", "d+"]


def test_a_corrected_spec_goes_on_where_a_failed_install_ended(runtime: Runtime, world: World) -> None:
    world.failing.add("b1")
    start(runtime)
    until(runtime, in_state("FAILED"))
    world.failing.clear()
    world.calls.clear()
    runtime.control.apply(spec(**MORE_NODES))
    record = until(runtime, in_state("READY"))
    assert set(states(record)) == {"b", "d", "e"}
    assert world.calls == ["b+", "d+", "e+"]


def test_a_cancelled_upgrade_leaves_its_phase_to_the_next_one(ready: Runtime, world: World) -> None:
    world.blocked["b+"] = threading.Event()
    ready.control.apply(spec(**MORE_NODES))
    until(ready, lambda _found: "b+" in world.calls)
    ready.control.cancel("toy")
    until(ready, in_state("CANCELLED"))
    world.blocked.pop("b+").set()
    ready.control.apply(spec())
    until(ready, in_state("READY"))
    assert world.counts["b+"] == 2


def test_facts_of_untouched_phases_are_known_and_those_of_touched_ones_are_kept(ready: Runtime, world: World) -> None:
    ready.control.apply(spec(**MORE_NODES))
    record = until(ready, in_state("READY"))
    assert record.facts["zones"] == ["b"]
    ready.control.apply(spec(**MORE_NODES, console={"replicas": 2}))
    record = until(ready, in_state("READY"))
    assert record.facts["zones"] == ["d"]
    assert world.calls == ["b+", "d+"]


def test_what_cannot_be_changed_is_refused_with_what_to_do_and_nothing_is_begun(ready: Runtime, world: World) -> None:
    with pytest.raises(Impossible) as refused:
        ready.control.apply(
            spec(aws={"region": "eu-west-1"}, database={"storage_gib": 20, "engine_version": "15"}, **MORE_NODES)
        )
    assert [one["field"] for one in refused.value.fields] == ["aws.region", "database.engine_version"]
    assert all(one["remedy"] for one in refused.value.fields)
    record = ready.ledger.installation("toy")
    assert record is not None
    assert (record.state, record.operation.kind, world.calls) == ("READY", "install", [])


def test_storage_grows_and_does_not_shrink(ready: Runtime) -> None:
    ready.control.apply(spec(database={"storage_gib": 50}))
    until(ready, in_state("READY"))
    with pytest.raises(Impossible) as refused:
        ready.control.apply(spec(database={"storage_gib": 40}))
    assert "only grows (50 GiB" in refused.value.fields[0]["message"]


def test_what_was_never_begun_may_still_be_chosen_otherwise(runtime: Runtime, world: World) -> None:
    world.failing.add("a1")
    start(runtime)
    until(runtime, in_state("FAILED"))
    world.failing.clear()
    runtime.control.apply(spec(database={"storage_gib": 20, "engine_version": "15"}))
    assert until(runtime, in_state("READY")).spec["database"]["engine_version"] == "15"


def test_after_an_uninstall_was_begun_there_is_no_way_back(ready: Runtime, world: World) -> None:
    world.failing.add("unb1")
    ready.control.delete("toy", data="delete", force=False)
    until(ready, in_state("FAILED"))
    with pytest.raises(UninstallBegun):
        ready.control.apply(spec(**MORE_NODES))
    world.failing.clear()
    ready.control.retry("toy")
    until(ready, in_state("DELETED"))
    with pytest.raises(NotFound):
        ready.control.apply(spec(**MORE_NODES))


def test_an_installation_of_a_release_that_kept_no_record_of_what_was_applied(ready: Runtime, world: World) -> None:
    with ready.engine.begin() as connection:
        connection.execute(sa.update(installations).values(applied=None))
    ready.control.apply(spec(**MORE_NODES))
    until(ready, in_state("READY"))
    assert world.calls == ["b+"]
    assert ready.control.plan_change(spec(**MORE_NODES))["unchanged"] is True


def test_a_repair_does_the_named_phases_and_their_followers_again(ready: Runtime, world: World) -> None:
    changed = ready.control.repair("toy", {"c": "The DB instance is gone"})
    assert changed.operation.kind == "repair"
    until(ready, in_state("READY"))
    assert world.calls == ["c+", "d+"]
    assert ready.control.repair("toy", {}).unchanged
