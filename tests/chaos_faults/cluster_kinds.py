"""How a request to a cluster's API fails: at the API server, or at the Service behind its proxy."""

import re
from collections.abc import Iterator
from typing import Any

from steps.errors import Code, Fault
from tests.chaos_faults.hands import NO_PAUSES
from tests.chaos_faults.kinds import Combination, Request, numbered, ways_of

AGENT = "^podium"
"""Only Podium's own requests fail; the cluster's parts and helm go on."""
RULES: dict[str, dict[str, Any]] = {
    "throttle": {"kind": "error", "status": 429},
    "5xx": {"kind": "error", "status": 500},
}
"""The API server's words for what the stand-in of AWS has kinds of its own for."""
TRIES = 1 + len(NO_PAUSES)
"""A reading fails for the step only when all of the client's own tries do."""
QUOTA = "exceeded quota: compute-resources, requested: pods=1, used: pods=10, limited: pods=10"
SERVICE = re.compile(r"/services/([\w-]+):\d+/proxy/")
UNREADABLE = {
    "conductor": Code.CONDUCTOR_UNAVAILABLE,
    "sealed-secrets": Code.SEALING_FAILED,
    "dbos-app": Code.SMOKE_TEST_FAILED,
}
"""What becomes of an answer that is not that Service's; of the API server's own: KUBERNETES_UNAVAILABLE."""
REFUSED = UNREADABLE | {"conductor": Code.CONDUCTOR_REJECTED}
"""What becomes of the Service's own 403."""
SPOILT = frozenset({"page", "page, done", "empty answer", "half an answer"})


def combinations(calls: list[str]) -> Iterator[Combination]:
    """`calls`: "VERB /path" of each request of a step, in order. Each of them in each way."""
    for request in numbered((name, not name.startswith("GET ")) for name in calls):
        found = SERVICE.search(request.name)
        service = found[1] if found else ""
        times = TRIES if request.name.startswith("GET ") and not service else 1
        where: dict[str, Any] = {
            "match": f"^{re.escape(request.name)}$",
            "agent": AGENT,
            "skip": request.number,
            "times": times,
        }
        for way, rule in ways_of(request).items():
            code = (
                UNREADABLE.get(service, Code.KUBERNETES_UNAVAILABLE) if way in SPOILT else Code.KUBERNETES_UNAVAILABLE
            )
            asked = where | rule | RULES.get(rule["kind"], {})
            yield Combination(request, way, asked, frozenset({code}), fault=_whose(code))
        yield from _refused(request, where)
        if service:
            yield from _by_service(request, where, service)


def _refused(request: Request, where: dict[str, Any]) -> Iterator[Combination]:
    denied = frozenset({Code.KUBERNETES_ACCESS_DENIED})
    rule = where | {"kind": "error", "status": 403, "times": 1}
    yield Combination(request, "denied", rule, denied, False, Fault.USER)
    if request.name.startswith(("PATCH ", "POST ")):
        yield Combination(
            request, "quota", rule | {"message": QUOTA}, denied, False, Fault.USER, "quota: compute-resources"
        )


def _by_service(request: Request, where: dict[str, Any], service: str) -> Iterator[Combination]:
    """What the Service itself answers, passed on by the API server as it is."""
    for way, status in (("500 by the service", 500), ("throttled by the service", 429)):
        code = UNREADABLE[service]
        transient = way.startswith("500") or service != "dbos-app"
        rule = where | {"kind": "error", "plain": True, "status": status}
        yield Combination(request, way, rule, frozenset({code}), transient, _whose(code))
    code = REFUSED[service]
    rule = where | {"kind": "error", "plain": True, "status": 403}
    yield Combination(
        request, "denied by the service", rule, frozenset({code}), code == Code.SEALING_FAILED, _whose(code)
    )


def _whose(code: Code) -> Fault:
    return Fault.USER if code == Code.SMOKE_TEST_FAILED else Fault.PROVIDER
