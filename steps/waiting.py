"""What one look at something slow can find: it is done (any other value), it is still under way, or a person must act.

`await_x` functions look once and return one of these; `workflows/durable.py` repeats the look until a deadline.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Pending:
    """Not there yet. `detail` is shown as the phase's current action, e.g. "EKS says CREATING"."""

    detail: str


@dataclass(frozen=True)
class NeedsPerson:
    """Only a person can end this wait: the phase becomes WAITING, with what is needed and how.

    `commands` are shell commands to show, ready to paste; they never hold a secret.
    """

    what: str
    how: str
    commands: tuple[str, ...] = field(default=())
