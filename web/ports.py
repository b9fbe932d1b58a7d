"""What the page may change: the verbs behind its buttons."""

from typing import Protocol

from workflows.records import OperationRecord


class Control(Protocol):
    """The part of workflows.control.Control that the page uses."""

    def retry(self, name: str, from_phase: str | None = None) -> OperationRecord: ...
    def cancel(self, name: str) -> OperationRecord: ...
    def delete(self, name: str, *, data: str, force: bool) -> OperationRecord: ...
