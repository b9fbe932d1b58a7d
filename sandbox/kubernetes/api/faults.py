"""Faults on request and the record of calls, at /_sandbox/faults and /_sandbox/calls (administrator's token only).

A rule is `{"match": <regex on "VERB /path">, "kind": one of _KINDS, "status": 503, "reason": "…", "message": "…",
"seconds": 1, "after": false, "agent": <regex on the User-Agent>, "skip": 0, "times": 1}`. `times` null means until
deleted.

    error        answered with a Status of that status; with `"plain": true` as a Service answers, not the API server
    delay        answered `seconds` later
    hang         the connection stays open for `seconds`, then it is dropped
    reset        the connection is dropped
    html, empty  status 200 with a proxy's page, or with nothing
    lost         done, and the connection dropped
    truncated    done, and half of the answer sent as if it were the whole
    broken       done, and the connection dropped in the middle of the answer

Nothing is done of a call that is hit, unless `after` says so (or the kind does): then it takes effect first.
"""

import re
from collections import deque
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from sandbox.kubernetes.errors import ApiError, BadRequest
from sandbox.kubernetes.metadata import now

_KINDS = ("error", "delay", "hang", "reset", "html", "empty", "lost", "truncated", "broken")
_DONE = ("lost", "truncated", "broken")
_DROPPED = ("hang", "reset", "lost")
_PAGE = "<html><head><title>Access restricted</title></head><body><h1>Please sign in</h1></body></html>"
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

    @property
    def after(self) -> bool:
        """Whether the call takes effect first."""
        return bool(self.given.get("after")) or self.kind in _DONE

    @property
    def waits(self) -> bool:
        """Whether nothing is said for `seconds`."""
        return self.kind in ("delay", "hang")

    @property
    def drops(self) -> bool:
        """Whether there is no answer at all."""
        return self.kind in _DROPPED

    def instead(self) -> Response | None:
        """What is answered in place of the API server's own answer; raises Injected for an error of its own."""
        if self.kind == "html":
            return HTMLResponse(_PAGE)
        if self.kind == "empty":
            return Response()
        if self.kind == "error" and self.given.get("plain"):
            return JSONResponse(
                {"detail": self.given.get("message", "sandbox fault")}, int(self.given.get("status", 503))
            )
        if self.kind == "error":
            raise self.error()
        return None

    def error(self) -> Injected:
        """The answer of an `error` rule."""
        status = int(self.given.get("status", 503))
        reason = self.given.get("reason") or _REASONS.get(status, "InternalError")
        return Injected(status, str(reason), str(self.given.get("message", f"sandbox fault: {reason}")))

    def strikes(self, call: str, agent: str) -> bool:
        """Whether this call is hit; counts it."""
        if self.times == 0 or not self.pattern.search(call) or not re.search(self.given.get("agent", ""), agent):
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

    def strike(self, request: Request) -> Rule | None:
        """The first rule that hits this call."""
        call, agent = f"{request.method} {request.url.path}", request.headers.get("user-agent", "")
        return next((rule for rule in self._rules if rule.strikes(call, agent)), None)

    def record(self, request: Request, status: int, user: str) -> None:
        """Notes a finished call; status 0 means that the connection was dropped."""
        self._count += 1
        entry = {"n": self._count, "at": now(), "verb": request.method, "path": request.url.path}
        entry |= {"query": request.url.query, "agent": request.headers.get("user-agent", "")}
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
        re.compile(given.get("agent", ""))
    except re.error as error:
        raise BadRequest(f"match: {error}") from error
    times = given.get("times", 1)
    return Rule(pattern, kind, given, int(given.get("skip", 0)), None if times is None else int(times))
