"""A phase's function as a look for drift runs it: the same steps, with clients that change nothing, outside of DBOS.

Same interface as `workflows.durable.Run`. A step is called once; where it would make something, nobody has its result.
A wait looks once: what is not ready is a difference. The phase ends where something is needed that nobody has.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NoReturn, ParamSpec, TypeVar

from steps import charts
from steps.clients.aws import Aws
from steps.clients.kubernetes import Kube
from steps.errors import Code, PodiumError, Problem, TransientError
from steps.names import Owner
from steps.readonly import Difference, Kind, NoResult, Stopped, Unknown, records
from steps.readonly.records import Resource
from steps.readonly.releases import compare_release
from steps.waiting import Blocked, NeedsPerson, Pending
from workflows.facts import Facts
from workflows.install import conductor
from workflows.spec import InstallationSpec

P = ParamSpec("P")
R = TypeVar("R")

UNREADABLE = frozenset(
    {
        Code.AWS_CREDENTIALS_MISSING,
        Code.AWS_CREDENTIALS_EXPIRED,
        Code.AWS_ACCESS_DENIED,
        Code.AWS_UNAVAILABLE,
        Code.AWS_INVALID_REQUEST,
        Code.KUBERNETES_UNAVAILABLE,
        Code.KUBERNETES_ACCESS_DENIED,
        Code.KUBERNETES_REJECTED,
        Code.CONDUCTOR_UNAVAILABLE,
        Code.CONDUCTOR_REJECTED,
        Code.TIMED_OUT,
    }
)
"""Errors that say nothing of the thing itself."""
KINDS = {Code.NAME_TAKEN: Kind.TAKEN, Code.SECRET_NOT_FOUND: Kind.MISSING}
"""Errors that say more than that it failed."""


class NotCompared(Exception):
    """This phase cannot be compared; says why."""


class Unreadable(Exception):
    """AWS, Kubernetes or Conductor did not say how the phase's things are."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclass(frozen=True)
class Reading:
    """Clients that change nothing. `kube` makes its own when first asked; raises as the cluster's do."""

    aws: Aws
    kube: Callable[[Facts], Kube]


@dataclass(frozen=True)
class DriftRun:
    """One phase, to be run in one thread within `recording`."""

    operation_id: str
    phase: str
    spec: InstallationSpec
    facts: Facts
    reading: Reading
    awaits: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def owner(self) -> Owner:
        return Owner(self.spec.name, self.operation_id)

    @property
    def aws(self) -> Aws:
        return self.reading.aws

    @property
    def kube(self) -> Kube:
        return self.reading.kube(self.facts)

    async def step(self, action: str, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Raises Stopped, NotCompared, Unreadable."""
        _check_known(args, kwargs)
        instead: Callable[..., Any] = INSTEAD.get(function, function)
        found: R = self._called(partial(instead, *args, **kwargs))
        return found

    async def wait(
        self,
        action: str,
        look: Callable[P, R | Pending | NeedsPerson | Blocked],
        minutes: float,
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Raises as `step`; the answer is Unknown where the look was in vain."""
        _check_known(args, kwargs)
        instead: Callable[..., Any] = INSTEAD.get(look, look)
        found: R = self._looked(action, partial(instead, *args, **kwargs))
        return found

    async def checkpointed(self, action: str, name: str, body: Callable[[], Awaitable[Any]]) -> Any:
        return await body()

    async def patiently(self, action: str, name: str, call: Callable[[], R]) -> R:
        found: R = self._called(call)
        return found

    async def look(self, action: str, name: str, call: Callable[[], Any], minutes: float) -> Any:
        return self._looked(action, call)

    def _called(self, call: Callable[[], R]) -> Any:
        try:
            return call()
        except Stopped:
            return NoResult()
        except PodiumError as error:
            return self._note(error)

    def _looked(self, action: str, call: Callable[[], Any]) -> Any:
        try:
            found = call()
        except Stopped:
            return Unknown()
        except PodiumError as error:
            if error.code not in UNREADABLE and records().has_missing:
                return Unknown()
            return self._note(error)
        if not isinstance(found, Pending | NeedsPerson | Blocked):
            return found
        if not records().has_missing:
            detail = found.detail if isinstance(found, Pending) else found.what
            remedy = "" if isinstance(found, Pending) else found.how
            resource = Resource("Phase", self.phase)
            records().add(Difference(Kind.UNREADY, resource, f"{action}: {detail}", remedy=remedy))
        return Unknown()

    def _note(self, error: PodiumError) -> NoResult:
        if error.code in UNREADABLE:
            raise Unreadable(error.problem) from error
        passing = Kind.UNREADY if isinstance(error, TransientError) else Kind.FAILED
        resource = Resource("Phase", self.phase)
        kind = KINDS.get(error.code, passing)
        records().add(Difference(kind, resource, error.message, remedy=error.remedy))
        return NoResult()


def _check_known(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Raises Stopped when something is the result of a step that was not done."""
    if any(isinstance(one, NoResult) for one in (*args, *kwargs.values())):
        raise Stopped


def _by_hand(*_arguments: Any) -> NoReturn:
    raise NotCompared("This Conductor is too old to say which API keys there are.")


INSTEAD: Mapping[Any, Callable[..., Any]] = {
    charts.ensure_release: compare_release,
    conductor.await_provided_key: _by_hand,
}
"""Functions of steps that a look for drift does not call, and what it calls instead."""
