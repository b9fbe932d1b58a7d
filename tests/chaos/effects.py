"""What AWS's call log says was done how often. A call counts as the thing that it made: what it was asked for, without
the token that tells a repetition from a second wish.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

MAKES = ("Create", "Allocate", "Attach", "Associate", "Run", "Authorize", "Register")
UNMAKES = ("Delete", "Release", "Detach", "Disassociate", "Terminate", "Revoke", "Deregister")
TOKENS = ("ClientToken", "clientRequestToken", "ClientRequestToken")
REPEATABLE = frozenset({"AttachRolePolicy", "DetachRolePolicy"})
"""Sets of policies: once more changes nothing, and AWS answers as if it did (IAM API Reference)."""


def calls(file: Path) -> list[dict[str, Any]]:
    """What a nursery wrote, in AWS's order."""
    return [json.loads(line) for line in file.read_text().splitlines()]


def made(log: list[dict[str, Any]]) -> Counter[str]:
    """Things by what they were asked for: calls that succeeded, those of one token counted once."""
    return Counter(what for what, _token in _effects(log, MAKES))


def unmade(log: list[dict[str, Any]]) -> Counter[str]:
    """As `made`, for what takes away."""
    return Counter(what for what, _token in _effects(log, UNMAKES))


def by_operation(found: Counter[str]) -> Counter[str]:
    """Without what was asked for, which names ids: comparable between runs."""
    counted: Counter[str] = Counter()
    for what, count in found.items():
        counted[what.partition(" ")[0]] += count
    return counted


def twice(log: list[dict[str, Any]]) -> dict[str, int]:
    """What was made more than once."""
    return {what: count for what, count in made(log).items() if count > 1}


def _effects(log: list[dict[str, Any]], names: tuple[str, ...]) -> list[tuple[str, str]]:
    seen: dict[tuple[str, str], None] = {}
    for call in log:
        operation, parameters = call["operation"], dict(call["params"])
        if call["status"] >= 300 or not operation.startswith(names) or operation in REPEATABLE:
            continue
        tokens = [str(parameters.pop(name)) for name in TOKENS if name in parameters]
        what = f"{call['service']}:{operation} {json.dumps(parameters, sort_keys=True)}"
        seen[what, tokens[0] if tokens else f"call {call['n']}"] = None
    return list(seen)
