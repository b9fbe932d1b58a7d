"""The comparison of specs and the graph of a change, without an engine."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from steps.names import Names
from tests.properties.graphs import FIELDS, NAMES, SKIPPABLE, Outside, Shape, graphs, shapes
from workflows.applied import Applied
from workflows.changing import Action, Touched, changing
from workflows.difference import again, difference
from workflows.fields import leaves, part
from workflows.graph import Graph
from workflows.immutable import hops
from workflows.phases import INSTALL
from workflows.spec import Aws, InstallationSpec

BASE = InstallationSpec(name="toy", aws=Aws(region="us-west-2"))


def spec(scaled: bool, **values: int) -> InstallationSpec:
    """BASE with the fields of some phases set."""
    document: dict[str, Any] = BASE.public()
    for name, value in values.items():
        section, key = FIELDS[name]
        document[section][key] = value
    document["autoscaling"]["enabled"] = scaled
    return InstallationSpec.model_validate(document)


def settled(graph: Graph, wanted: InstallationSpec) -> dict[str, Applied]:
    fields = leaves(wanted.public())
    return {phase.name: Applied(part(fields, phase.change.inputs), settled=True) for phase in graph.wanted(wanted)}


specs = st.builds(spec, st.booleans(), **{name: st.integers(1, 9) for name in NAMES})


@given(shape=shapes(), before=specs, after=specs)
def test_exactly_what_differs_and_its_followers_are_touched(
    shape: Shape, before: InstallationSpec, after: InstallationSpec
) -> None:
    graph = graphs(shape, Outside())["install"]
    applied = settled(graph, before)
    actions = difference(graph, applied, before.public(), None, after).touched.actions
    one, other = leaves(before.public()), leaves(after.public())
    for name in NAMES:
        field = ".".join(FIELDS[name])
        if name == SKIPPABLE and not after.autoscaling.enabled:
            assert actions.get(name) == (Action.REMOVE if before.autoscaling.enabled else None)
        elif name == SKIPPABLE and not before.autoscaling.enabled:
            assert actions[name] == Action.CREATE
        elif one[field] != other[field]:
            assert actions[name] == Action.UPDATE
        elif name in actions:
            led = [by for by in NAMES if name in shape.followers.get(by, ()) and by in actions]
            assert [by for by in led if actions[by] is not Action.REMOVE]


@given(shape=shapes(), wanted=specs)
def test_what_has_been_applied_differs_in_nothing(shape: Shape, wanted: InstallationSpec) -> None:
    graph = graphs(shape, Outside())["install"]
    found = difference(graph, settled(graph, wanted), wanted.public(), None, wanted)
    assert found.is_empty
    assert found.fields == ()


@given(shape=shapes(), actions=st.dictionaries(st.sampled_from(NAMES), st.sampled_from([Action.CREATE, Action.UPDATE])))
def test_a_change_keeps_the_order_of_the_table(shape: Shape, actions: dict[str, Action]) -> None:
    graph = changing(graphs(shape, Outside())["install"], Touched(actions))
    assert set(graph.names) == set(actions)
    for name in actions:
        assert graph.upstream((name,)) - {name} == shape.upstream(name) & set(actions)


@given(shape=shapes(), removed=st.sets(st.sampled_from(NAMES)), made=st.sets(st.sampled_from(NAMES)))
def test_what_goes_goes_backwards_and_before_what_it_stands_on_changes(
    shape: Shape, removed: set[str], made: set[str]
) -> None:
    """Like the real table's: what is removed has nothing above it that stays."""
    removed = {name for name in NAMES if name in removed or shape.upstream(name) & removed}
    made -= removed
    actions = dict.fromkeys(made, Action.UPDATE) | dict.fromkeys(removed, Action.REMOVE)
    order = changing(graphs(shape, Outside())["install"], Touched(actions)).names
    for name in removed:
        for need in shape.upstream(name) & removed:
            assert order.index(name) < order.index(need)
        for need in set(shape.needs[name]) & made:
            assert order.index(name) < order.index(need)


@given(phases=st.sets(st.sampled_from(INSTALL.names), min_size=1), version=st.integers(31, 35))
def test_the_real_table_can_be_touched_anywhere(phases: set[str], version: int) -> None:
    touched = again(INSTALL, dict.fromkeys(phases, "drifted"), BASE)
    wanted = {phase.name for phase in INSTALL.wanted(BASE)}
    graph = changing(INSTALL, Touched(touched.actions, tuple(hops("1.31", f"1.{version}"))))
    assert graph.names[0] == "preflight"
    assert {"smoke-test"} <= set(graph.names)
    assert phases <= set(graph.names) | (set(INSTALL.names) - wanted)
    for number in range(32, version + 1):
        behind = graph.downstream(f"kubernetes-1-{number}")
        assert f"kubernetes-1-{number + 1}" in behind or number == version
        assert not {"network", "identity", "preflight", "cluster"} & set(behind)


names = st.from_regex(r"[a-z](-?[a-z0-9]){2,39}", fullmatch=True).filter(lambda name: len(name) <= 40)


@given(
    one=names, ending=st.sampled_from(["", "-db", "-pg", "-rds", "-node", "-cluster", "-app", "-final", "-conductor"])
)
def test_no_two_installations_share_a_name_at_aws_but_for_their_repositories(one: str, ending: str) -> None:
    """Repositories drop "-conductor" as the guide does: `dbos` and `dbos-conductor` would share theirs, which preflight
    refuses by their tags (steps/preflight_names.py)."""
    other = f"{one}{ending}x" if not ending else f"{one}{ending}"
    mine, theirs = Names(one), Names(other)
    assert {mine.cluster_role, mine.node_role}.isdisjoint({theirs.cluster_role, theirs.node_role})
    assert mine.cluster != theirs.cluster
    assert mine.db_instance != theirs.db_instance
    assert mine.db_subnet_group != theirs.db_subnet_group
    assert mine.db_security_group != theirs.db_security_group
    assert mine.secret("license-key") != theirs.secret("license-key")
    shared = {mine.app_repository, mine.migrate_repository} & {theirs.app_repository, theirs.migrate_repository}
    assert bool(shared) == (mine.stem == theirs.stem)


@given(name=names)
def test_names_fit_the_limits_of_aws(name: str) -> None:
    mine = Names(name)
    assert max(len(mine.cluster_role), len(mine.node_role)) <= 64
    assert len(mine.cluster) <= 100
    assert len(mine.db_instance) <= 63
    assert len(f"{mine.db_instance}-final-{'0' * 12}") <= 255
    assert len(mine.db_subnet_group) <= 255
    assert len(mine.secret("conductor-role-password")) <= 512
