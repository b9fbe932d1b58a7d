"""A runner with the interface of workflows.durable.Run that lets each step meet every fault before it runs for good.

For each request that a step makes when nothing fails, and each way to fail: the world is put back to before the step,
the request fails once, and then

- the step has succeeded all the same, or raised the right error: code, fault, remedy, no secret in it. This is what the
  runner of the product tries again if it is a TransientError, and what it shows when the fault lasts;
- the step called once more succeeds, and the outside is as it is after a run without faults: nothing twice, nothing
  orphaned.
"""

import json
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ParamSpec, Protocol, TypeVar

from steps.clients.aws import Aws
from steps.clients.kubernetes import Kube
from steps.errors import CredentialsError, PodiumError, TransientError
from steps.waiting import Blocked, NeedsPerson, Pending
from tests.chaos_faults.hands import Clients, Hands, Step
from tests.chaos_faults.inventory import plain
from tests.chaos_faults.kinds import CANARY, Combination
from tests.chaos_faults.worlds import World
from workflows.durable import Run, name_of

P = ParamSpec("P")
R = TypeVar("R")

ATTEMPTS = 6
PATIENCE_SECONDS = 60.0
FOR_THE_LOG = ("leftovers.sweep ", "charts.ensure_release ", "charts.delete_release ", "smoke.run_smoke_test ")
"""Steps whose result says what this very call did, or met: no phase makes anything of it, or, of a release that has
gone altogether meanwhile, that there is nothing to wait for."""


class System(Protocol):
    """A part of the outside: its record of requests, its faults, what it holds."""

    def recorded(self) -> AbstractContextManager[list[str]]:
        """Podium's requests meanwhile, in order; complete at the end."""

    def combinations(self, calls: list[str]) -> Iterator[Combination]: ...

    def fault(self, rule: dict[str, Any]) -> None: ...

    def struck(self) -> bool:
        """Whether the one fault has struck; there is none afterwards."""

    def lines(self, calls: list[str]) -> list[str]:
        """All that there is, as far as these requests may have changed it."""

    def secrets(self) -> list[str]:
        """Every value that must never be shown."""


@dataclass
class Tally:
    """What was tried: numbers by step, for the table in docs/reliability.md."""

    requests: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))


@dataclass
class Trials:
    """`choose`: which of a step's combinations to try; all of them in make test-chaos."""

    systems: list[System]
    clients: Clients
    choose: Callable[[list[Combination]], list[Combination]] = list
    tally: Tally = field(default_factory=Tally)
    failures: list[str] = field(default_factory=list)

    def of(self, name: str, step: Step, world: World) -> Any:
        """Tries the step under its faults, then leaves the world as after a run without. Returns that run's result."""
        self.tally.seconds[name] -= time.monotonic()
        try:
            return self._tried(name, step, world)
        except Exception as error:
            error.add_note("\n".join([f"in {name}; failed before:", *self.failures]))
            raise
        finally:
            self.tally.seconds[name] += time.monotonic()

    def _tried(self, name: str, step: Step, world: World) -> Any:
        hands = self.clients.fresh("once")
        world.begin()
        with ExitStack() as stack:
            calls = [stack.enter_context(system.recorded()) for system in self.systems]
            result = completed(partial(step, hands))
        seen = list(zip(self.systems, calls, strict=True))
        world.ended(lambda: [line for system, made in seen for line in system.lines(made)])
        last, secrets = result, [value for system in self.systems for value in system.secrets()]
        for system, made in seen:
            every = list(system.combinations(made))
            self.tally.requests[name] += len({one.request for one in every})
            for combination in self.choose(every):
                world.back()
                trial = Trial(f"{name} {combination}", combination, system, self.clients, secrets)
                self._note(name, trial, step, shown(result), world)
                last = trial.result
        return world.finish(result, last)

    def _note(self, name: str, trial: "Trial", step: Step, result: str, world: World) -> None:
        try:
            outcome = trial.run(step)
            trial.compare(result, *world.difference())
        except AssertionError as error:
            self.failures.append(str(error))
            outcome = "failed"
        self.tally.faults[name] += 1
        self.tally.outcomes[outcome] += 1


@dataclass
class Trial:
    """One step under one fault."""

    name: str
    combination: Combination
    system: System
    clients: Clients
    secrets: list[str]
    result: Any = None

    def run(self, step: Step) -> str:
        """How it went: `succeeded`, `missed` (the request was not made again), or the error's code."""
        outcome, found, ended = "succeeded", None, False
        hands = self.clients.fresh(self.combination.client)
        self.system.fault(self.combination.rule)
        try:
            found, ended = step(hands), True
        except PodiumError as error:
            self.check(error)
            outcome = str(error.code)
        except Exception as error:
            raise AssertionError(f"{self.name}: would be INTERNAL: {type(error).__name__}: {error}") from error
        finally:
            struck = self.system.struck()
            if not ended or isinstance(found, Pending):
                found = completed(partial(step, self.clients.usual))
        assert not isinstance(found, NeedsPerson | Blocked), f"{self.name}: {found}"
        self.result = found
        return outcome if struck else "missed"

    def compare(self, result: str, more: list[str], less: list[str]) -> None:
        """Result and world are as in a run without the fault; what is not transient may be told as a warning."""
        told = not self.combination.transient or self.name.startswith(FOR_THE_LOG)
        assert shown(self.result) == result or told, f"{self.name}: {self.result}, not {result}"
        assert (more, less) == ([], []), f"{self.name}: too much: {more}, missing: {less}"

    def check(self, error: PodiumError) -> None:
        """It is the error that this fault must become."""
        wanted, problem = self.combination, error.problem
        where = f"{self.name}: {problem}"
        codes = {problem.code, *(str(one["code"]) for one in problem.details)}
        assert wanted.codes, f"{where}: the client's own second try should have succeeded"
        assert wanted.codes & codes, f"{where}: should be {sorted(wanted.codes)}"
        assert isinstance(error, TransientError) == wanted.transient, where
        assert not isinstance(error, CredentialsError), where
        assert problem.fault == wanted.fault, where
        assert problem.retryable, where
        assert problem.remedy, where
        assert wanted.told in problem.message + problem.remedy, where
        told = json.dumps(problem.as_dict()) + "".join(traceback.format_exception(error))
        assert not [one for one in self.secrets if one in told], f"{self.name}: a secret is told"
        quiet = wanted.request.name.startswith(("secretsmanager:", "sts:"))
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


Trier = Callable[[str, str, Step], Any]
"""Phase, step's name, step -> its result."""


@dataclass(frozen=True, kw_only=True)
class TriedRun(Run):
    """Phases run on this as on the product's own runner."""

    hands: Hands
    trier: Trier

    @property
    def aws(self) -> Aws:
        return self.hands.aws

    @property
    def kube(self) -> Kube:
        assert self.hands.kube is not None
        return self.hands.kube

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
        def step(hands: Hands) -> Any:
            given = [hands.stand_in(one, self.hands) for one in args]
            return function(*given, **{key: hands.stand_in(one, self.hands) for key, one in kwargs.items()})

        return self.trier(self.phase, name_of(function), step)
