"""A runner with the interface of workflows.durable.Run that lets each step meet every fault before it runs for good.

For each request that a step makes when nothing fails, and each way to fail: the world is put back to before the step,
the request fails once, and then

- the step has succeeded all the same, or raised the right error: code, fault, remedy, no secret in it. This is what the
  runner of the product tries again if it is a TransientError, and what it shows when the fault lasts;
- the step called once more succeeds, and AWS is as it is after a run without faults: nothing twice, nothing orphaned.
"""

import json
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ParamSpec, TypeVar

from steps.clients.aws import Aws, AwsTarget
from steps.errors import Code, CredentialsError, Fault, PodiumError, TransientError
from steps.waiting import Blocked, NeedsPerson, Pending
from tests.chaos_faults.cloud import REGION, Cloud
from tests.chaos_faults.inventory import plain
from tests.chaos_faults.kinds import CANARY, IMPATIENT, ONCE, REPEATED, Combination, combinations, requests_of
from workflows.durable import Run, name_of

P = ParamSpec("P")
R = TypeVar("R")
Step = Callable[[Aws], Any]
"""One step with all its arguments but the client of AWS."""

ATTEMPTS = 6
PATIENCE_SECONDS = 60.0
IMPATIENCE_SECONDS = 0.3


class Clients:
    """The three clients that differ in patience only (see tests/chaos_faults/kinds.py)."""

    def __init__(self) -> None:
        target = AwsTarget(REGION)
        self.by_name = {
            ONCE: Aws(target, attempts=1),
            REPEATED: Aws(target, attempts=2),
            IMPATIENT: Aws(target, attempts=1, read_seconds=IMPATIENCE_SECONDS),
        }

    def fresh(self, name: str) -> Aws:
        """The client as in a new process, which does not know yet who it is."""
        aws = self.by_name[name]
        aws.connection.principal = None
        return aws

    def close(self) -> None:
        for aws in self.by_name.values():
            aws.close()


@dataclass
class Tally:
    """What was tried: numbers by step, for the table in docs/reliability.md."""

    requests: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)


@dataclass
class Trials:
    """`choose`: which of a step's combinations to try; all of them in make test-chaos."""

    cloud: Cloud
    clients: Clients
    choose: Callable[[list[Combination]], list[Combination]] = lambda every: every
    tally: Tally = field(default_factory=Tally)
    failures: list[str] = field(default_factory=list)

    def of(self, name: str, step: Step) -> Any:
        """Tries the step under its faults, then leaves the world as after a run without. Returns that run's result."""
        aws = self.clients.fresh(ONCE)
        self.cloud.checkpoint("before")
        with self.cloud.recorded() as calls:
            result = completed(partial(step, aws))
        self.cloud.checkpoint("after")
        requests = requests_of(calls)
        written = {request.name.partition(":")[0] for request in requests if request.writes}
        wanted = self.cloud.settled_inventory(written)
        secrets = self.cloud.secrets()
        for combination in self.choose(list(combinations(requests))):
            self.cloud.go_back("before")
            trial = Trial(f"{name} {combination}", combination, self.cloud, self.clients, secrets)
            try:
                outcome = trial.run(step)
                trial.compare(shown(result), self.cloud.reaches(written, wanted), wanted)
            except AssertionError as error:
                self.failures.append(str(error))
                print("FAILED", str(error)[:600], flush=True)
                outcome = "failed"
            self.tally.faults[name] += 1
            self.tally.outcomes[outcome] += 1
        self.tally.requests[name] += len(requests)
        self.cloud.go_back("after")
        return result


@dataclass
class Trial:
    """One step under one fault."""

    name: str
    combination: Combination
    cloud: Cloud
    clients: Clients
    secrets: list[str]
    result: str = ""

    def run(self, step: Step) -> str:
        """How it went: `succeeded`, `missed` (the request was not made again), or the error's code."""
        outcome = "succeeded"
        client = self.clients.fresh(self.combination.kind.client)
        self.cloud.fault(self.combination.rule)
        try:
            found = step(client)
        except PodiumError as error:
            self.check(error)
            outcome, found = str(error.code), None
        except Exception as error:
            raise AssertionError(f"{self.name}: would be INTERNAL: {type(error).__name__}: {error}") from error
        struck = self.cloud.struck()
        if outcome != "succeeded" or isinstance(found, Pending):
            found = completed(partial(step, self.clients.by_name[ONCE]))
        assert not isinstance(found, NeedsPerson | Blocked), f"{self.name}: {found}"
        self.result = shown(found)
        return outcome if struck else "missed"

    def compare(self, result: str, found: list[str], wanted: list[str]) -> None:
        """Result and world are as in a run without the fault; a fault that lasts may be told as a warning."""
        assert self.result == result or not self.combination.kind.transient, f"{self.name}: {self.result}, not {result}"
        more, less = Counter(found) - Counter(wanted), Counter(wanted) - Counter(found)
        assert found == wanted, f"{self.name}: too much: {list(more)}, missing: {list(less)}"

    def check(self, error: PodiumError) -> None:
        """It is the error that this fault must become."""
        kind = self.combination.kind
        problem, where = error.problem, f"{self.name}: {error.problem}"
        codes = {problem.code, *(str(one["code"]) for one in problem.details)}
        assert kind.code is not None, f"{where}: botocore's second try should have succeeded"
        assert kind.code in codes, where
        assert isinstance(error, TransientError) == kind.transient, where
        assert not isinstance(error, CredentialsError), where
        assert problem.fault == (Fault.PROVIDER if kind.transient else Fault.USER), where
        assert problem.retryable, where
        assert problem.remedy, where
        if kind.code == Code.AWS_ACCESS_DENIED:
            operation = self.combination.request.name.partition(":")[2]
            assert operation in problem.message + problem.remedy, where
        told = json.dumps(problem.as_dict()) + "".join(traceback.format_exception(error))
        assert not [one for one in self.secrets if one in told], f"{self.name}: a secret is told"
        quiet = self.combination.request.name.startswith(("secretsmanager:", "sts:"))
        assert not quiet or CANARY not in told, where


def completed(call: Callable[[], Any]) -> Any:
    """What the call returns, repeated as the product's runner repeats it, without pauses between tries of a step."""
    deadline, left = time.monotonic() + PATIENCE_SECONDS, ATTEMPTS
    while True:
        try:
            found = call()
        except TransientError:
            left -= 1
            if left == 0:
                raise
            continue
        if not isinstance(found, Pending | NeedsPerson):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def shown(result: Any) -> str:
    """A result without what is chance in it."""
    return plain(json.dumps(result, default=str, sort_keys=True))


@dataclass(frozen=True, kw_only=True)
class TriedRun(Run):
    """Phases run on this as on the product's own runner."""

    trials: Trials

    @property
    def aws(self) -> Aws:
        return self.trials.clients.by_name[ONCE]

    async def step(self, action: str, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        result: R = self._tried(function, *args, **kwargs)
        return result

    async def wait(
        self,
        action: str,
        look: Callable[P, R | Pending | NeedsPerson | Blocked],
        minutes: float,
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        result: R = self._tried(look, *args, **kwargs)
        return result

    def _tried(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        def step(aws: Aws) -> Any:
            return function(*(aws if one is self.aws else one for one in args), **kwargs)

        return self.trials.of(name_of(function), step)
