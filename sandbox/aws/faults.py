"""Faults on command: rules that make chosen calls fail in the ways AWS and networks fail.

A rule: {"match": regular expression on "service:Operation", "kind": one of KINDS, "times": 1, "skip": 0, "key": "",
"after": false, and by kind "code", "message", "status", "seconds"}. `times` calls are hit after `skip` matching ones
have passed; `key`: only those made with this access key, and by its owner (not on a presigned URL).

    throttle, 5xx, error    answered with that error
    delay                   answered `seconds` later
    hang                    not answered; the connection stays open for `seconds` (default 3600)
    reset                   the connection is dropped
    html                    a proxy's page with status 200 in place of the answer
    empty                   status 200 and nothing else
    lost                    done, and the connection dropped
    truncated               done, and half of the answer sent as if it were the whole
    broken                  done, and the connection dropped in the middle of the answer

Nothing is done of a call that is hit, unless `after` says so (or the kind does): then it takes effect first.
"""

import re
import threading
from dataclasses import asdict, dataclass, field
from typing import Any

from sandbox.aws.errors import AwsError, throttled

KINDS = ("throttle", "5xx", "error", "delay", "reset", "lost", "hang", "html", "empty", "truncated", "broken")
DONE = ("lost", "truncated", "broken")
"""Kinds that strike after the effect whatever the rule says."""


@dataclass
class Rule:
    """One rule; `times` and `skip` count down."""

    match: str
    kind: str
    times: int = 1
    skip: int = 0
    code: str = "InternalFailure"
    message: str = "injected by the sandbox"
    status: int = 400
    seconds: float = 3600.0
    after: bool = False
    key: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}: {self.kind}")
        re.compile(self.match)
        self.after = self.after or self.kind in DONE

    def error(self, service: str) -> AwsError | None:
        """The error to answer with, for the kinds that answer with one."""
        if self.kind == "throttle":
            return throttled(service)
        if self.kind == "5xx":
            return AwsError("InternalFailure", self.message, 500)
        if self.kind == "error":
            return AwsError(self.code, self.message, self.status)
        return None


@dataclass
class Faults:
    """The rules in force, in order of arrival; the first that matches is used."""

    rules: list[Rule] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, rules: list[dict[str, Any]]) -> None:
        """Raises TypeError or ValueError or re.error when a rule is malformed."""
        made = [Rule(**rule) for rule in rules]
        with self.lock:
            self.rules.extend(made)

    def clear(self) -> None:
        with self.lock:
            self.rules.clear()

    def hit(self, name: str, access_key: str) -> Rule | None:
        """The rule that hits this call (`name` is service:Operation), counted down; `access_key`: "" if presigned."""
        with self.lock:
            for rule in self.rules:
                if rule.times > 0 and (not rule.key or rule.key == access_key) and re.search(rule.match, name):
                    if rule.skip > 0:
                        rule.skip -= 1
                        continue
                    rule.times -= 1
                    return rule
        return None

    def listed(self) -> list[dict[str, Any]]:
        with self.lock:
            return [asdict(rule) for rule in self.rules]
