"""What one look at something slow can find: it is done (any other value), it is still under way, or somebody must act.

`await_x` functions look once and return one of these; `workflows/durable.py` repeats the look until a deadline.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Pending:
    """Not there yet. `detail` is shown as the phase's current action, e.g. "EKS says CREATING"."""

    detail: str


@dataclass(frozen=True)
class NeedsPerson:
    """Only a person can end this wait: the phase becomes WAITING, with what is needed and how.

    `commands` are shell commands to show, ready to paste; they never hold a secret. `code` is an error code, where
    there is one for it (AWS_CREDENTIALS_EXPIRED).
    """

    what: str
    how: str
    commands: tuple[str, ...] = field(default=())
    code: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """As the ledger keeps it; `code` only where there is one."""
        coded = {"code": self.code} if self.code else {}
        return {**coded, "what": self.what, "how": self.how, "commands": list(self.commands)}


@dataclass(frozen=True)
class Blocked:
    """A delete that something in the way keeps from succeeding; it goes on by itself when that is gone.

    `resources`: what is in the way and not the installation's, each {arn, why, owner}: why it blocks, and whose it is
    by its tags ("the Podium installation dev", "the Service shop/web of the EKS cluster dev", "somebody else"). None of
    it is touched.
    """

    what: str
    how: str
    resources: tuple[dict[str, str], ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """As the ledger keeps it; `code` is BLOCKED."""
        return {
            "code": "BLOCKED",
            "what": self.what,
            "how": self.how,
            "commands": [],
            "resources": list(self.resources),
        }
