"""RBAC rules: what one allows, and whether some cover another.

Source: k8s.io/kubernetes/pkg/apis/rbac/v1/evaluation_helpers.go and pkg/registry/rbac/validation/policy_comparator.go.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

Rule = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Attributes:
    """What is asked for: an object or list (`resource` as `pods`, `pods/log`), or with `path` something else."""

    verb: str
    group: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""


def allows(rule: Rule, asked: Attributes) -> bool:
    """Whether the rule grants what is asked for."""
    if not _has(rule.get("verbs"), asked.verb):
        return False
    if asked.path:
        return any(_is_path(each, asked.path) for each in rule.get("nonResourceURLs") or [])
    names = rule.get("resourceNames") or []
    return (
        _has(rule.get("apiGroups"), asked.group)
        and any(_is_resource(each, asked.resource) for each in rule.get("resources") or [])
        and (not names or asked.name in names)
    )


def _has(listed: Iterable[str] | None, value: str) -> bool:
    return any(each in ("*", value) for each in listed or ())


def _is_resource(listed: str, resource: str) -> bool:
    _, slash, sub = resource.partition("/")
    return listed in ("*", resource) or bool(slash and listed == f"*/{sub}")


def _is_path(listed: str, path: str) -> bool:
    return listed == path or (listed.endswith("*") and path.startswith(listed[:-1]))


def uncovered(held: list[Rule], wanted: list[Rule]) -> list[Rule]:
    """The parts of `wanted` that nobody holding `held` may pass on, put together again for reading."""
    missing = [part for rule in wanted for part in _parts(rule) if not any(_covers(each, part) for each in held)]
    return list(_together(missing))


def _parts(rule: Rule) -> Iterator[Rule]:
    """The rule as rules of one verb on one resource (name) or path each."""
    for verb in rule.get("verbs") or []:
        for path in rule.get("nonResourceURLs") or []:
            yield {"verbs": [verb], "nonResourceURLs": [path]}
        for group in rule.get("apiGroups") or []:
            for resource in rule.get("resources") or []:
                part = {"apiGroups": [group], "resources": [resource], "verbs": [verb]}
                names = rule.get("resourceNames") or []
                yield from ({**part, "resourceNames": [name]} for name in names) if names else [part]


def _covers(held: Rule, part: Rule) -> bool:
    if not _has(held.get("verbs"), part["verbs"][0]):
        return False
    if "nonResourceURLs" in part:
        return any(_is_path(each, part["nonResourceURLs"][0]) for each in held.get("nonResourceURLs") or [])
    names = held.get("resourceNames") or []
    return (
        _has(held.get("apiGroups"), part["apiGroups"][0])
        and any(_is_resource(each, part["resources"][0]) for each in held.get("resources") or [])
        and (not names or part.get("resourceNames", [""])[0] in names)
    )


def _together(parts: list[Rule]) -> Iterator[Rule]:
    """One rule for all the verbs on the same thing."""
    found: dict[tuple[str, ...], Rule] = {}
    for part in parts:
        key = tuple(str(part.get(field)) for field in ("apiGroups", "resources", "resourceNames", "nonResourceURLs"))
        known = found.setdefault(key, part | {"verbs": []})
        known["verbs"] = list(dict.fromkeys([*known["verbs"], *part["verbs"]]))
    yield from found.values()


def shown(rule: Rule) -> str:
    """A rule as refusals print it."""
    names = ("apiGroups", "resources", "resourceNames", "nonResourceURLs", "verbs")
    fields = [f"{_GO_NAMES[name]}:[{' '.join(_quoted(rule[name]))}]" for name in names if rule.get(name)]
    return "{" + ", ".join(fields) + "}"


def _quoted(values: list[str]) -> list[str]:
    return [f'"{value}"' for value in values]


_GO_NAMES = {
    "apiGroups": "APIGroups",
    "resources": "Resources",
    "resourceNames": "ResourceNames",
    "nonResourceURLs": "NonResourceURLs",
    "verbs": "Verbs",
}
