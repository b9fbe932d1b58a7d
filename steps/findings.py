"""What preflight finds: problems (nothing is created while there are any), warnings, and facts for later phases."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from steps.errors import Code, PodiumError, TransientError


@dataclass
class Findings:
    """The outcome of one check, or of all: problems {code, field, message, remedy}, warnings {code, field, message}."""

    problems: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def problem(self, code: Code, where: str, message: str, remedy: str) -> None:
        self.problems.append({"code": str(code), "field": where, "message": message, "remedy": remedy})

    def warn(self, code: str, where: str, message: str) -> None:
        self.warnings.append({"code": code, "field": where, "message": message})

    def add(self, other: "Findings") -> None:
        self.problems += other.problems
        self.warnings += other.warnings
        self.facts |= other.facts

    def add_error(self, error: PodiumError, where: str) -> None:
        """An error as a problem, or as the several problems that it lists."""
        if error.details:
            self.problems += error.details
        else:
            self.problem(error.code, where, error.message, error.remedy)

    def raise_if_any(self, done: str = "created") -> None:
        """Raises PREFLIGHT_FAILED with all problems in `details`. `done`: what has not been done to anything yet."""
        if not self.problems:
            return
        count = len(self.problems)
        what = "a problem was" if count == 1 else f"{count} problems were"
        raise PodiumError.by_user(
            Code.PREFLIGHT_FAILED,
            f"{what} found before anything was {done}: {'; '.join(one['message'] for one in self.problems)}"[:2000],
            self.problems[0]["remedy"] if count == 1 else "Put right each of `details`, then retry.",
            details=tuple(self.problems),
        )


def checked(check: Callable[[Findings], None], where: str) -> Findings:
    """The findings of one check; an error within it becomes a problem of its own.

    Raises TransientError, so that the step is tried again.
    """
    findings = Findings()
    try:
        check(findings)
    except TransientError:
        raise
    except PodiumError as error:
        findings.add_error(error, where)
    return findings
