"""How the outside is put back to before a step, and looked at after it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.chaos_faults.settling import reaches, settled

Look = Callable[[], list[str]]
"""Everything outside, as sorted lines (tests/chaos_faults/inventory.py)."""


class World(Protocol):
    """Trials call these in turn: begin, ended, then (back, reached) for each fault, finish."""

    def begin(self) -> None:
        """The step is about to run without a fault."""

    def ended(self, look: Look) -> None:
        """It has: remember what there is now."""

    def back(self) -> None:
        """Everything as before the step."""

    def difference(self) -> tuple[list[str], list[str]]:
        """What is there now and was not after the run without a fault, and the other way round."""

    def finish(self, first: Any, last: Any) -> Any:
        """Everything as after a run of the step: whose result is returned, the first one's or the last one's."""


class Keeps(Protocol):
    """What can go back to a checkpoint: the AWS stand-in without clusters."""

    def checkpoint(self, name: str) -> None: ...
    def go_back(self, name: str) -> None: ...


@dataclass
class Checkpoints:
    """A world of which copies can be kept."""

    cloud: Keeps
    _look: Look = list
    _wanted: list[str] = field(default_factory=list)

    def begin(self) -> None:
        self.cloud.checkpoint("before")

    def ended(self, look: Look) -> None:
        self._look, self._wanted = look, settled(look)
        self.cloud.checkpoint("after")

    def back(self) -> None:
        self.cloud.go_back("before")

    def difference(self) -> tuple[list[str], list[str]]:
        return reaches(self._look, self._wanted)

    def finish(self, first: Any, last: Any) -> Any:
        self.cloud.go_back("after")
        return first


@dataclass
class Resets:
    """A world with processes in it. `reset` undoes what the step is about to do; False: there is no way to."""

    look: Look
    reset: Callable[[], bool]
    _before: list[str] = field(default_factory=list)
    _wanted: list[str] = field(default_factory=list)

    def begin(self) -> None:
        self.reset()
        self._before = settled(self.look)

    def ended(self, look: Look) -> None:
        self._wanted = settled(self.look)

    def back(self) -> None:
        if self.reset():
            reaches(self.look, self._before)

    def difference(self) -> tuple[list[str], list[str]]:
        return reaches(self.look, self._wanted)

    def finish(self, first: Any, last: Any) -> Any:
        return last
