"""What changes about the RDS instance: its class, its storage, its minor version, how long backups are kept.

RDS applies a change when it is asked to do so at once, else in a maintenance window; until then it is in
PendingModifiedValues. It has no record of what failed: an instance that is at rest again and not as wanted says so.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from steps.clients.aws import Aws
from steps.clients.aws.rds import Instance
from steps.database import FAILED
from steps.errors import Code, PodiumError
from steps.names import Owner
from steps.ownership import check_ours, failed
from steps.waiting import Pending

MODIFIABLE = frozenset({"available", "storage-optimization", "storage-full"})
"""Statuses in which RDS takes a change; more storage is what mends storage-full."""
AT_REST = frozenset({"available", "backing-up", "storage-optimization"})
STOPPED = frozenset({"stopped", "stopping"})
GRACE_SECONDS = 90.0
"""How long RDS may need to show that it has begun."""
ROUNDED_UP = 1.1
"""A growth by less than a tenth is rounded up to a tenth (API Reference, ModifyDBInstance, AllocatedStorage)."""
STORAGE_REMEDY = (
    "RDS changes storage once in six hours, and not while it still optimises the last change: retry when that is over, "
    "or leave database.storage_gib as it is."
)


@dataclass
class Attempt:
    """One try of a wait: since when (monotonic seconds) the change must be under way. A retry is a new one."""

    since: float | None = None


@dataclass(frozen=True)
class Refusal:
    """What RDS cannot do to the instance, and the field of the spec that asks for it."""

    field: str
    message: str
    remedy: str


def ensure_settings(
    aws: Aws, owner: Owner, engine_version: str, instance_class: str, storage_gib: int, backup_days: int
) -> None:
    """Begin to change what differs; nothing that RDS is about to change already.

    Storage may be a little more than asked for, since RDS adds at least a tenth. A version without a minor number is
    any of that major one, and a newer one is fine: RDS brings minor versions by itself. INVALID_SPEC for what RDS
    cannot do: less storage, another major version. A change that comes too early is awaited by `await_settings`.
    """
    found = _own(aws, owner)
    wanted = settings_of(engine_version, instance_class, storage_gib, backup_days)
    _refuse(found, wanted)
    unasked = _differing(found.settings | found.pending, wanted)
    if unasked and found.status in MODIFIABLE:
        _modify(aws, found, unasked)


def await_settings(
    aws: Aws,
    owner: Owner,
    engine_version: str,
    instance_class: str,
    storage_gib: int,
    backup_days: int,
    attempt: Attempt,
) -> dict[str, Any] | Pending:
    """{engine_version, instance_class, storage_gib, backup_days} as they are, once the instance is as wanted."""
    found = _own(aws, owner)
    wanted = settings_of(engine_version, instance_class, storage_gib, backup_days)
    _refuse(found, wanted)
    missing = _differing(found.settings, wanted)
    if not missing and found.status in AT_REST:
        return _shown(found)
    if missing and found.status in MODIFIABLE:
        return _pursue(aws, found, missing, wanted, attempt)
    if attempt.since is not None:
        attempt.since = time.monotonic()
    return Pending(f"RDS says {found.status}")


def refusals(found: Instance, wanted: Mapping[str, Any]) -> list[Refusal]:
    """What RDS will not do for these settings (as `settings_of` has them)."""
    problems = []
    now = str(found.settings.get("EngineVersion", ""))
    if order(now)[:1] != order(wanted["EngineVersion"])[:1]:
        message = f"the DB instance {found.name} runs PostgreSQL {now}; Podium does not change its major version"
        remedy = "Upgrade the instance in RDS (try it on a restored snapshot first), then give its version here."
        problems.append(Refusal("database.engine_version", message, remedy))
    allocated = _allocated(found)
    if allocated >= wanted["AllocatedStorage"] * ROUNDED_UP + 1:
        message = f"the DB instance {found.name} has {allocated} GiB, and RDS storage only grows"
        remedy = f"Ask for {allocated} GiB; for less, restore a dump into a new installation."
        problems.append(Refusal("database.storage_gib", message, remedy))
    return problems


def settings_of(engine_version: str, instance_class: str, storage_gib: int, backup_days: int) -> dict[str, Any]:
    """The settings by their names in RDS's API."""
    return {
        "EngineVersion": engine_version,
        "DBInstanceClass": instance_class,
        "AllocatedStorage": storage_gib,
        "BackupRetentionPeriod": backup_days,
    }


def order(version: str) -> list[int]:
    """16.9 before 16.10."""
    return [int(part) for part in version.split(".") if part.isdigit()]


def _pursue(aws: Aws, found: Instance, missing: dict[str, Any], wanted: Mapping[str, Any], attempt: Attempt) -> Pending:
    """Ask RDS when nobody has, once, also for what only waits for a maintenance window; then give it a moment."""
    now = time.monotonic()
    unasked = _differing(found.settings | found.pending, wanted)
    if attempt.since is None:
        attempt.since = now
        if unasked:
            _modify(aws, found, unasked)
        return Pending(f"RDS says {found.status}; it has been asked for {_told(missing)}")
    if now - attempt.since < GRACE_SECONDS:
        return Pending(f"RDS says {found.status}; it has been asked for {_told(missing)}")
    if unasked:
        raise failed(f"the change of the DB instance {found.name}", (f"RDS has not brought it to {_told(missing)}",))
    _modify(aws, found, missing)
    attempt.since = now
    return Pending(f"RDS says {found.status}; {_told(missing)} is no longer put off to a maintenance window")


def _modify(aws: Aws, found: Instance, changed: dict[str, Any]) -> None:
    try:
        aws.rds.modify_instance(found.name, changed)
    except PodiumError as error:
        if error.code is not Code.AWS_INVALID_REQUEST or "AllocatedStorage" not in changed:
            raise
        message = f"RDS does not change the storage of {found.name} now: {error.message}"
        raise PodiumError.by_user(Code.AWS_INVALID_REQUEST, message, STORAGE_REMEDY) from error


def _differing(now: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What of `wanted` is not settled by what there is now."""
    return {key: value for key, value in wanted.items() if not _settled(key, now.get(key), value)}


def _settled(key: str, now: Any, wanted: Any) -> bool:
    if key == "EngineVersion":
        return order(str(now)) >= order(wanted)
    if key == "AllocatedStorage":
        return int(now or 0) >= int(wanted)
    return bool(now == wanted)


def _refuse(found: Instance, wanted: Mapping[str, Any]) -> None:
    problems = refusals(found, wanted)
    if problems:
        message = "; ".join(one.message for one in problems)
        raise PodiumError.by_user(Code.INVALID_SPEC, message, " ".join(one.remedy for one in problems))


def _own(aws: Aws, owner: Owner) -> Instance:
    """Raises AWS_RESOURCE_FAILED where no change can come about: it is gone, broken or stopped."""
    name = owner.names.db_instance
    found = aws.rds.instance(name)
    if found is None:
        raise failed(f"the DB instance {name}", ("it is not there any more",))
    check_ours(owner, found.tags, f"the DB instance {name}")
    if found.status in FAILED - MODIFIABLE or found.status == "deleting":
        raise failed(f"the DB instance {name}", (f"RDS says {found.status}",))
    if found.status in STOPPED:
        message = f"the DB instance {name} is {found.status}: RDS changes only one that runs"
        remedy = f"Start it (`aws rds start-db-instance --db-instance-identifier {name}`), then retry."
        raise PodiumError.by_user(Code.AWS_RESOURCE_FAILED, message, remedy)
    return found


def _allocated(found: Instance) -> int:
    return int((found.settings | found.pending).get("AllocatedStorage", 0))


def _told(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in settings.items())


def _shown(found: Instance) -> dict[str, Any]:
    now = found.settings
    return {
        "engine_version": now.get("EngineVersion", ""),
        "instance_class": now.get("DBInstanceClass", ""),
        "storage_gib": int(now.get("AllocatedStorage", 0)),
        "backup_days": int(now.get("BackupRetentionPeriod", 0)),
    }
