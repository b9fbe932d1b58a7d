"""EKS as a whole: finds the operation, paginates lists, answers in JSON (EKS API Reference)."""

import re
from collections.abc import Callable
from typing import Any

from sandbox.aws.cloud import Cloud
from sandbox.aws.eks.machines import Machines
from sandbox.aws.eks.store import Cluster, Store
from sandbox.aws.errors import Answer, json_answer, not_implemented
from sandbox.aws.requests import Call

Operation = Callable[["Eks", Call], dict[str, Any]]


class Eks:
    """`store` is plain data and kept across restarts; `operations` are added by the modules beside this one."""

    def __init__(self, cloud: Cloud, machines: Machines) -> None:
        self.cloud = cloud
        self.machines = machines
        self.store = Store()
        self.operations: dict[str, Operation] = {}

    def answer(self, call: Call) -> Answer:
        """Raises AwsError, 501 for an operation that we do not have."""
        operation = self.operations.get(call.operation)
        if operation is None:
            raise not_implemented("eks", call.operation)
        return json_answer(operation(self, call))

    def cluster(self, call: Call) -> Cluster:
        """The cluster that `call` is about; raises AwsError when there is none."""
        name = call.params.get("clusterName") or call.params.get("name")
        return self.store.cluster(call.account, call.region, str(name))

    def begin(self, kind: str, key: tuple[str, ...], action: Any, clock_kind: str | None = None) -> None:
        """Start a timed change that takes as long as `clock_kind` (default: `kind`) does."""
        clock = self.cloud.clock
        seconds = (clock.delete if action == "delete" else clock.create)(clock_kind or kind)
        self.cloud.lifecycle.begin(kind, key, action, seconds)

    def seen(self, kind: str, key: tuple[str, ...]) -> None:
        self.cloud.lifecycle.seen(kind, key)


def page(call: Call, key: str, items: list[Any]) -> dict[str, Any]:
    """A page of a list as maxResults and nextToken ask for it."""
    start = int(call.params.get("nextToken") or 0)
    count = int(call.params.get("maxResults") or 100)
    answer: dict[str, Any] = {key: items[start : start + count]}
    if start + count < len(items):
        answer["nextToken"] = str(start + count)
    return answer


def valid_name(name: str, longest: int = 100) -> bool:
    return bool(re.fullmatch(r"[0-9A-Za-z][A-Za-z0-9_-]*", name)) and len(name) <= longest
