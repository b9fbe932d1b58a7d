"""How a life is made to die at a point: around DBOS's reads and writes of checkpoints, and around clients' requests.

Set up once, in the process that is to die; the product's files know nothing of it. What is wrapped in dbos 3.4
(`_sys_db.py`): every checkpoint of a workflow is read by `check_operation_execution` and written by
`record_operation_result` (steps, waits for the first phase to end), `init_child_workflow` (a phase's start),
`record_get_result` (a phase's result) or `update_workflow_outcome` (a workflow's end).
"""

import hashlib
import json
import threading
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial, wraps
from typing import Any

from botocore.client import BaseClient
from dbos._context import get_local_dbos_context
from dbos._sys_db import SystemDatabase

from steps.clients.helm import Helm
from steps.clients.kubernetes.transport import Transport
from tests.chaos.helm import CHANGES as HELM_CHANGES
from tests.chaos.helm import what
from tests.chaos.points import Point, Reaper
from workflows.durable import Run

READS = ("Describe", "Get", "List", "BatchGet", "Simulate", "AssumeRole", "Lookup", "Head")
"""How names of AWS operations begin that change nothing."""
CHANGING = ("POST", "PUT", "PATCH", "DELETE")
REVIEWS = "/apis/authorization.k8s.io/"
"""Kubernetes is asked here by POST what one may do."""
OWN_RESULT = "DBOS.getResult"
_VARYING = ("token", "password", "secretstring")

_step: ContextVar[str] = ContextVar("step")
"""The step that a phase is in."""
_call: ContextVar[str | None] = ContextVar("call", default=None)
"""The step for which this thread of the pool calls the outside."""


class Names:
    """Keys of checkpoints. DBOS numbers them per workflow; the operation's own are in the order in which phases happen
    to end, so here each is counted among those of its own name. A replay comes by all from the first."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], list[int]] = {}
        self._lock = threading.Lock()

    def of(self, workflow_id: str, function_id: int, name: str) -> str:
        with self._lock:
            seen = self._seen.setdefault((workflow_id, name), [])
            if function_id not in seen:
                seen.append(function_id)
            return f"{scope(workflow_id)}: {name} #{seen.index(function_id) + 1}"


def scope(workflow_id: str) -> str:
    """The phase, or `operation`."""
    return workflow_id.partition(".")[2] or "operation"


def install(reaper: Reaper) -> None:
    """Wraps everything."""
    _around_checkpoints(reaper, Names())
    _around_steps(reaper)
    _around_requests(reaper)


def _around_checkpoints(reaper: Reaper, names: Names) -> None:
    def check(original: Any, db: Any, workflow_id: str, function_id: int, name: str, **options: Any) -> Any:
        found = original(db, workflow_id, function_id, name, **options)
        key = names.of(workflow_id, function_id, name)
        if found is None and name != OWN_RESULT:
            reaper.reach(Point.BEFORE, key)
        return found

    def record(original: Any, db: Any, result: Any, **options: Any) -> Any:
        key = names.of(result["workflow_uuid"], result["function_id"], result["function_name"])
        return _written(reaper, key, lambda: original(db, result, **options))

    def start(original: Any, db: Any, *arguments: Any, **options: Any) -> Any:
        name = options["function_name"]
        key = names.of(options["parent_workflow_id"], options["parent_function_id"], name)
        return _written(reaper, key, lambda: original(db, *arguments, **options))

    def result_of(original: Any, db: Any, child: str, *arguments: Any, **options: Any) -> Any:
        context = get_local_dbos_context()
        if context is None or not context.is_workflow():
            return original(db, child, *arguments, **options)
        return _written(
            reaper, f"operation: result of {scope(child)}", lambda: original(db, child, *arguments, **options)
        )

    def outcome(original: Any, db: Any, workflow_id: str, *arguments: Any, **options: Any) -> Any:
        return _written(
            reaper, f"{scope(workflow_id)}: outcome", lambda: original(db, workflow_id, *arguments, **options)
        )

    _wrap(SystemDatabase, SystemDatabase.check_operation_execution, check)
    _wrap(SystemDatabase, SystemDatabase.record_operation_result, record)
    _wrap(SystemDatabase, SystemDatabase.init_child_workflow, start)
    _wrap(SystemDatabase, SystemDatabase.record_get_result, result_of)
    _wrap(SystemDatabase, SystemDatabase.update_workflow_outcome, outcome)


def _written(reaper: Reaper, key: str, write: Callable[[], Any]) -> Any:
    reaper.reach(Point.UNRECORDED, key)
    with reaper.alone(Point.RECORDED, key):
        answer = write()
        reaper.reach(Point.RECORDED, key)
    return answer


def _around_steps(reaper: Reaper) -> None:
    names = Names()

    async def checkpointed(original: Any, run: Run, action: str, name: str, body: Any) -> Any:
        """`body` is the step's own work: everything between its first event and its last."""
        context = get_local_dbos_context()
        number = 0 if context is None else context.function_id
        key = names.of(f".{run.phase}", number, name)

        async def then_die() -> Any:
            result = await body()
            reaper.reach(Point.EFFECT, key)
            return result

        _step.set(f"{run.phase}: {name}")
        return await original(run, action, name, then_die)

    async def outside(original: Any, run: Run, name: str, call: Callable[[], Any]) -> Any:
        step = _step.get()

        def named() -> Any:
            token = _call.set(step)
            try:
                return call()
            finally:
                _call.reset(token)

        return await original(run, name, named)

    _wrap(Run, Run.checkpointed, checkpointed)
    _wrap(Run, Run._outside, outside)


def _around_requests(reaper: Reaper) -> None:
    def send(operation: str, parameters: Any, request: Callable[[], Any], *, done: Callable[[Any], bool]) -> Any:
        """A request that changes something; `done` says of an answer whether it has."""
        step = _call.get()
        if step is None:
            return request()
        key = f"{step} | {operation} | {digest(parameters)}"
        with reaper.alone(Point.ANSWERED, key):
            answer = request()
            if done(answer):
                reaper.reach(Point.ANSWERED, key)
        return answer

    def to_aws(original: Any, client: Any, operation: str, parameters: Any) -> Any:
        request = partial(original, client, operation, parameters)
        if operation.startswith(READS):
            return request()
        return send(f"{client.meta.service_model.service_name}:{operation}", parameters, request, done=_always)

    def to_cluster(original: Any, transport: Any, method: str, path: str, *arguments: Any, **options: Any) -> Any:
        request = partial(original, transport, method, path, *arguments, **options)
        if method not in CHANGING or path.startswith(REVIEWS) or "dryRun" in (options.get("params") or {}):
            return request()
        return send(f"{method} {path}", None, request, done=lambda answer: bool(answer.status < 300))

    def by_helm(original: Any, helm: Any, arguments: Any, *others: Any, **options: Any) -> Any:
        request = partial(original, helm, arguments, *others, **options)
        if arguments[0] not in HELM_CHANGES:
            return request()
        return send(what(list(arguments)), None, request, done=_always)

    _wrap(BaseClient, BaseClient._make_api_call, to_aws)  # type: ignore[attr-defined]  # not in its stubs
    _wrap(Transport, Transport.request, to_cluster)
    _wrap(Helm, Helm._call, by_helm)


def _always(_answer: Any) -> bool:
    """Clients that raise what is not a success."""
    return True


def digest(parameters: Any) -> str:
    """Tells requests of one operation apart; without what is made anew at each try."""
    return hashlib.sha256(json.dumps(_lasting(parameters), sort_keys=True, default=str).encode()).hexdigest()[:12]


def _lasting(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lasting(one) for key, one in value.items() if not key.lower().endswith(_VARYING)}
    return [_lasting(one) for one in value] if isinstance(value, list | tuple) else value


def _wrap(owner: type, original: Any, around: Callable[..., Any]) -> None:
    """`around` gets the original method of `owner` first, then its arguments."""

    @wraps(original)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        return around(original, *arguments, **options)

    setattr(owner, original.__name__, wrapped)
