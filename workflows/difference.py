"""What differs between a spec and what was applied, field by field, and which phases have to do something about it.

Pure: nothing outside is looked at (that is drift: workflows/drift.py). A phase that was begun and did not end well is
touched whatever its fields say, since nobody knows what there is of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workflows import immutable
from workflows.applied import Applied
from workflows.changing import Action, Touched
from workflows.fields import Fields, differing, leaves, part, under
from workflows.graph import Graph, Phase
from workflows.spec import InstallationSpec

IMPOSSIBLE = "impossible"
VERSION = "cluster.version"
FIRST, LAST = "preflight", "smoke-test"
"""What a change begins and ends with, whatever it touches."""


@dataclass(frozen=True)
class FieldChange:
    """One leaf of the spec. `action`: create, update, replace, remove or impossible (then `message` says why)."""

    field: str
    before: Any
    after: Any
    action: str
    phases: tuple[str, ...] = ()
    message: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class Difference:
    """All of it. Nothing to do: no actions and no hops."""

    fields: tuple[FieldChange, ...]
    touched: Touched

    @property
    def impossible(self) -> list[FieldChange]:
        return [one for one in self.fields if one.action == IMPOSSIBLE]

    @property
    def is_empty(self) -> bool:
        return not self.touched.actions and not self.touched.hops


def difference(
    graph: Graph, applied: Mapping[str, Applied], previous: dict[str, Any], version: str | None, new: InstallationSpec
) -> Difference:
    """`previous` is the spec as the installation has it now, in JSON form; `version` the cluster's, when known."""
    after, defaults = leaves(new.public()), leaves(_smallest(new))
    by_phase = {phase.name: _of_phase(phase, applied.get(phase.name), after, defaults) for phase in graph.phases}
    actions: dict[str, Action] = {}
    why: dict[str, str] = {}
    for phase in graph.phases:
        action, reason = _action(phase, applied.get(phase.name), by_phase[phase.name], wanted=not phase.skip(new))
        if action is not None:
            actions[phase.name], why[phase.name] = action, reason
    hops, of_version = _version(applied, version, new)
    fields = _field_changes(_completed(leaves(previous), after, defaults), after, by_phase, actions)
    touched = _with_followers(graph, actions, why, hops, new)
    return Difference(tuple(sorted([*fields, *of_version], key=lambda one: one.field)), touched)


def again(graph: Graph, phases: Mapping[str, str], spec: InstallationSpec) -> Touched:
    """These phases (and why) once more for the same spec, with all that has to look again after them."""
    return _with_followers(graph, dict.fromkeys(phases, Action.UPDATE), dict(phases), (), spec)


def has_reached(phase: Phase, was: Applied, spec: InstallationSpec) -> bool:
    """Whether what the phase last worked with is what this spec says (but for the cluster's version)."""
    return not _of_phase(phase, was, leaves(spec.public()), leaves(_smallest(spec)))


def _of_phase(phase: Phase, was: Applied | None, after: Fields, defaults: Fields) -> dict[str, tuple[Any, Any]]:
    """The leaves that differ for a phase: path → (before, after); none for a phase that has nothing applied."""
    if was is None:
        return {}
    wanted = part(after, phase.change.inputs)
    before = _completed(was.fields, wanted, defaults)
    return {path: (before.get(path), wanted.get(path)) for path in differing(before, wanted) if path != VERSION}


def _completed(before: Fields, after: Fields, defaults: Fields) -> Fields:
    """With the defaults of fields that an older release did not know."""
    unknown = {path for path in after.keys() & defaults.keys() if not _related(path, before)}
    return {path: defaults[path] for path in unknown} | before


def _related(path: str, fields: Fields) -> bool:
    return any(under(path, other) or under(other, path) for other in fields)


def _smallest(spec: InstallationSpec) -> dict[str, Any]:
    """The spec that says nothing but name and place, with all defaults."""
    return InstallationSpec(name=spec.name, aws=spec.aws).public()


def _action(
    phase: Phase, was: Applied | None, changed: Mapping[str, object], *, wanted: bool
) -> tuple[Action | None, str]:
    if not wanted:
        return (Action.REMOVE, "No longer wanted") if was is not None else (None, "")
    if was is None:
        return Action.CREATE, "Not made yet"
    if changed:
        replaced = immutable.REPLACED.keys() & changed.keys()
        return Action.REPLACE if replaced else Action.UPDATE, f"Changed: {', '.join(changed)}"
    return (None, "") if was.settled else (Action.UPDATE, "Did not end well before")


def _version(
    applied: Mapping[str, Applied], now: str | None, new: InstallationSpec
) -> tuple[tuple[str, ...], list[FieldChange]]:
    """The Kubernetes versions to go through, and the change of the field."""
    asked = new.cluster.version
    if "cluster" not in applied or not now or not asked or now == asked or new.cluster.existing_name:
        return (), []
    refused = immutable.version_refusal(now, asked)
    if refused:
        return (), [FieldChange(VERSION, now, asked, IMPOSSIBLE, ("cluster",), *refused)]
    steps = tuple(immutable.hops(now, asked))
    message = f"One minor version at a time: {', '.join([now, *steps])}; each time control plane, add-ons, nodes."
    return steps, [FieldChange(VERSION, now, asked, str(Action.UPDATE), ("cluster", "addons", "nodes"), message)]


def _field_changes(
    previous: Fields,
    after: Fields,
    by_phase: Mapping[str, Mapping[str, tuple[Any, Any]]],
    actions: Mapping[str, Action],
) -> list[FieldChange]:
    """Everything that a phase sees differing, and what the caller changed that no phase has applied yet."""
    told = {path: (previous.get(path), after.get(path)) for path in differing(previous, after) if path != VERSION}
    for changed in by_phase.values():
        told |= changed
    return [_field_change(path, *values, by_phase, actions) for path, values in told.items()]


def _field_change(
    path: str,
    before: Any,
    after: Any,
    by_phase: Mapping[str, Mapping[str, tuple[Any, Any]]],
    actions: Mapping[str, Action],
) -> FieldChange:
    phases = tuple(name for name, changed in by_phase.items() if path in changed and name in actions)
    refused = immutable.refusal(path, before, after) if phases else None
    if refused:
        return FieldChange(path, before, after, IMPOSSIBLE, phases, *refused)
    if phases and path in immutable.REPLACED:
        return FieldChange(path, before, after, str(Action.REPLACE), phases, immutable.REPLACED[path])
    return FieldChange(path, before, after, str(Action.UPDATE), phases)


def _with_followers(
    graph: Graph, actions: dict[str, Action], why: dict[str, str], hops: tuple[str, ...], spec: InstallationSpec
) -> Touched:
    """With what has to look again, with the check before and the trial after; in the table's order."""
    actions, why = dict(actions), dict(why)
    for phase in graph.phases:
        if phase.name not in actions or actions[phase.name] is Action.REMOVE:
            continue
        for follower in phase.change.followers:
            if not graph[follower].skip(spec):
                actions.setdefault(follower, Action.UPDATE)
                why.setdefault(follower, f"Follows {phase.name}")
    if actions or hops:
        for name in {FIRST, LAST} & set(graph.names):
            actions.setdefault(name, Action.UPDATE)
            why.setdefault(name, "Part of every change")
    return Touched({name: actions[name] for name in graph.names if name in actions}, hops, why)
