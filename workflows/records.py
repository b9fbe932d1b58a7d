"""What the ledger returns: frozen records, times as aware UTC datetimes, JSON parts as plain dicts."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

ACTIVE = ("PENDING", "RUNNING", "WAITING", "CANCELLING")
"""States of an operation that has not ended."""
RETRYABLE = ("FAILED", "CANCELLED")


@dataclass(frozen=True)
class PhaseRecord:
    """One phase of one operation.

    `state`: pending, running, waiting, succeeded, failed, skipped or cancelled. `error` has the keys of
    `steps.errors.Problem` and `step`; `waiting` has `what`, `how` and `commands`. `weight` is the expected duration
    at AWS, seconds.
    """

    name: str
    title: str
    state: str
    needs: tuple[str, ...]
    weight: float
    attempt: int
    started_at: datetime | None = None
    finished_at: datetime | None = None
    action: str | None = None
    error: dict[str, Any] | None = None
    waiting: dict[str, Any] | None = None


@dataclass(frozen=True)
class OperationRecord:
    """One durable run on an installation; `id` is the DBOS workflow id.

    `kind`: install, upgrade, repair or uninstall. `state`: PENDING, RUNNING, WAITING, SUCCEEDED, FAILED, CANCELLING or
    CANCELLED. `progress` is a percentage. `options` is how it was asked for, `report` what it has to say at its end.
    """

    id: str
    installation: str
    kind: str
    state: str
    progress: int
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: dict[str, Any] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    report: dict[str, Any] | None = None
    phases: tuple[PhaseRecord, ...] = ()


@dataclass(frozen=True)
class InstallationRecord:
    """The lasting thing. `spec` holds no secret value, only references; `facts` and `applied` are for later operations
    (workflows/applied.py)."""

    name: str
    id: str
    state: str
    spec: dict[str, Any]
    outputs: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    operation: OperationRecord
    facts: dict[str, Any] = field(default_factory=dict)
    applied: dict[str, Any] | None = None


@dataclass(frozen=True)
class EventRecord:
    """One entry of an installation's log; `seq` counts from 1 without gaps per installation."""

    seq: int
    at: datetime
    operation_id: str
    kind: str
    message: str
    phase: str | None = None
    step: str | None = None
    attempt: int = 1
    data: dict[str, Any] = field(default_factory=dict)
