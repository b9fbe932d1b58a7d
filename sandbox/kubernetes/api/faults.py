"""Faults on request and the record of calls, at /_sandbox/faults and /_sandbox/calls (administrator's token only).

A rule is `{"match": <regex on "VERB /path">, "kind": "error"|"delay"|"reset"|"lost", "status": 503, "reason": "…",
"message": "…", "seconds": 1, "skip": 0, "times": 1}`. `error` answers instead of acting, `delay` waits first, `reset`
drops the connection before anything happens, `lost` after the effect. `times` null means until deleted.
"""

import re
from collections import deque
from dataclasses import dataclass
from typing import Any

from sandbox.kubernetes.errors import ApiError, BadRequest
from sandbox.kubernetes.metadata import now

_KINDS = ("error", "delay", "reset", "lost")
_REASONS = {
    400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 410: "Expired",
    422: "Invalid", 429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout",
}  # fmt: skip
_REMEMBERED = 20_000  # calls


class Injected(ApiError):
    """The error that a rule asks for."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self._status, self._reason = status, reason

    def status(self) -> dict[str, Any]:
        """The Status with the rule's code and reason."""
        body = super().status() | {"code": self._status, "reason": self._reason}
        return body | ({"details": {"retryAfterSeconds": 1}} if self._status in (429, 503) else {})

    @property
    def http_status(self) -> int:
        """The code to answer with."""
        return self._status


@dataclass(slots=True)
class Rule:
    """One fault, and how often it still strikes."""

    pattern: re.Pattern[str]
    kind: str
    given: dict[str, Any]
    skip: int
    times: int | None

    @property
    def seconds(self) -> float:
        """How long a delay takes."""
        return float(self.given.get("seconds", 1.0))

    def error(self) -> Injected:
        """The answer of an `error` rule."""
        status = int(self.given.get("status", 503))
        reason = self.given.get("reason") or _REASONS.get(status, "InternalError")
        return Injected(status, str(reason), str(self.given.get("message", f"sandbox fault: {reason}")))

    def strikes(self, call: str) -> bool:
        """Whether this call is hit; counts it."""
        if self.times == 0 or not self.pattern.search(call):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True

    def shown(self) -> dict[str, Any]:
        """The rule with what is left of it."""
        return self.given | {"skip": self.skip, "times": self.times}


class Faults:
    """The rules in force and the calls so far."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._calls: deque[dict[str, Any]] = deque(maxlen=_REMEMBERED)
        self._count = 0

    def strike(self, verb: str, path: str) -> Rule | None:
        """The first rule that hits this call."""
        return next((rule for rule in self._rules if rule.strikes(f"{verb} {path}")), None)

    def record(self, verb: str, path: str, query: str, status: int, user: str) -> None:
        """Notes a finished call; status 0 means that the connection was dropped."""
        self._count += 1
        entry = {"n": self._count, "at": now(), "verb": verb, "path": path, "query": query}
        self._calls.append(entry | {"status": status, "user": user})

    def control(self, verb: str, what: str, body: Any) -> Any:
        """Answers the control paths; raises BadRequest."""
        if (verb, what) == ("GET", "calls"):
            return list(self._calls)
        if (verb, what) == ("DELETE", "calls"):
            self._calls.clear()
        elif (verb, what) == ("DELETE", "faults"):
            self._rules.clear()
        elif (verb, what) == ("POST", "faults"):
            self._rules += [_rule(each) for each in (body if isinstance(body, list) else [body])]
        elif what != "faults" or verb != "GET":
            raise BadRequest(f"no such control: {verb} {what}")
        return [rule.shown() for rule in self._rules]


def _rule(given: Any) -> Rule:
    if not isinstance(given, dict) or not isinstance(given.get("match"), str):
        raise BadRequest("a fault needs `match`, a regular expression on 'VERB /path'")
    kind = given.get("kind", "error")
    if kind not in _KINDS:
        raise BadRequest(f"kind must be one of {', '.join(_KINDS)}")
    try:
        pattern = re.compile(given["match"])
    except re.error as error:
        raise BadRequest(f"match: {error}") from error
    times = given.get("times", 1)
    return Rule(pattern, kind, given, int(given.get("skip", 0)), None if times is None else int(times))
