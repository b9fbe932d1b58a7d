"""What each phase of an installation last worked with: the ground on which a changed spec is compared.

`installations.applied` holds, by phase: `fields`, the leaves of the spec that the phase went by; `facts`, what it found
out; `settled`, whether it ended well; `seq`, the event that tells so. A phase that was unmade is not in it any more.
Rows of a release that did not keep this have NULL there: see `of_installation`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, cast

from workflows.facts import Facts
from workflows.fields import Fields, leaves, part
from workflows.graph import Graph
from workflows.records import InstallationRecord
from workflows.spec import InstallationSpec


@dataclass(frozen=True)
class Applied:
    """One phase's entry."""

    fields: Fields
    settled: bool
    facts: dict[str, Any] = field(default_factory=dict)
    seq: int = 0


def of_installation(graph: Graph, installation: InstallationRecord) -> dict[str, Applied]:
    """By phase, as stored. Of an install that is ready, also what a release that kept nothing had done before this one
    took over: it went by the same spec."""
    stored = {name: Applied(**one) for name, one in (installation.applied or {}).items()}
    kept_since = installation.applied is not None and installation.operation.kind != "install"
    if installation.state != "READY" or kept_since:
        return stored
    spec = InstallationSpec.model_validate(installation.spec)
    fields = leaves(spec.public())
    earlier = {phase.name: Applied(part(fields, phase.change.inputs), settled=True) for phase in graph.wanted(spec)}
    return earlier | stored


def known_facts(installation: InstallationRecord, applied: Mapping[str, Applied]) -> Facts:
    """What the phases found out, a later word before an earlier one."""
    found = dict(installation.facts)
    for one in sorted(applied.values(), key=lambda each: each.seq):
        found |= one.facts
    return cast(Facts, found)


def as_json(applied: Mapping[str, Applied]) -> dict[str, Any]:
    """As it is stored."""
    return {name: asdict(one) for name, one in applied.items()}
