"""What ModifyDBInstance may change, when it does, and what RDS refuses.

Gaps: moto takes any value, and applies it at once (Amazon RDS API Reference, ModifyDBInstance; Amazon RDS User Guide,
"Modifying an Amazon RDS DB instance", "Increasing DB instance storage capacity"). What is to be applied stays in
PendingModifiedValues until it is: at the end of `modifying` with ApplyImmediately, else for a maintenance window that
never comes here. Storage is optimised afterwards, and is not changed again for six hours. Its refusal is worded as in
github.com/hashicorp/terraform-provider-aws/issues/12493.
"""

import math
import time
from collections.abc import Callable
from typing import Any

from moto.rds.exceptions import RDSClientError

from sandbox.aws.clock import Clock
from sandbox.aws.rds import catalog

DEFERRED = (
    "allocated_storage",
    "backup_retention_period",
    "db_instance_class",
    "engine_version",
    "multi_az",
)
RESTARTING = {"db_instance_class", "engine_version"}
"""What costs an instance in one zone a few minutes without its server."""
SMALLEST_GROWTH = 1.1
LONGEST_BACKUP_DAYS = 35


def note(instance: Any, wanted: dict[str, Any], clock: Clock) -> None:
    """Check what a request wants, and take out of `wanted` what is to be applied later. Raises RDSClientError."""
    later = {key: wanted[key] for key in DEFERRED if wanted.get(key) is not None}
    checked = _checked(instance, later, wanted, clock)
    for key in later:
        del wanted[key]
    pending = getattr(instance, "pending_modified_values", {})
    instance.pending_modified_values = pending | {key: value for key, value in checked.items() if value is not None}
    if wanted.get("apply_immediately"):
        instance.sandbox_applying = sorted(instance.pending_modified_values)


def clock_kind(instance: Any) -> str:
    """How long what is being applied takes."""
    applying = set(getattr(instance, "sandbox_applying", ()))
    if applying & RESTARTING:
        return "rds:restart"
    return "rds:storage" if "allocated_storage" in applying else "rds:modify"


def must_restart(instance: Any) -> bool:
    """Whether its server has to be restarted before the change is applied: says so once."""
    before = getattr(instance, "sandbox_restarted", False)
    instance.sandbox_restarted = bool(set(getattr(instance, "sandbox_applying", ())) & RESTARTING)
    return instance.sandbox_restarted and not before


def apply(instance: Any) -> set[str]:
    """Names of what has been changed now."""
    applying = set(getattr(instance, "sandbox_applying", ()))
    instance.sandbox_restarted = False
    for key in applying:
        setattr(instance, key, instance.pending_modified_values.pop(key))
    instance.sandbox_applying = []
    if "allocated_storage" in applying:
        instance.sandbox_storage_changed = time.time()
    return applying


def _checked(instance: Any, later: dict[str, Any], wanted: dict[str, Any], clock: Clock) -> dict[str, Any]:
    """With None for what is there already."""
    checks: dict[str, Callable[[Any], Any]] = {
        "allocated_storage": lambda size: _storage(instance, int(size), clock),
        "backup_retention_period": lambda days: _backup_days(instance, int(days)),
        "db_instance_class": lambda name: _instance_class(instance, name),
        "engine_version": lambda version: _version(instance, version, wanted),
    }
    return {key: checks[key](value) if key in checks else value for key, value in later.items()}


def _storage(instance: Any, wanted: int, clock: Clock) -> int | None:
    current = int(instance.allocated_storage)
    if wanted == current:
        return None
    if wanted < current:
        message = f"Requested storage size ({wanted}) cannot be less than the current storage size ({current})"
        raise RDSClientError("InvalidParameterCombination", message)
    changed = getattr(instance, "sandbox_storage_changed", -math.inf)
    if instance.status == "storage-optimization" or time.time() < changed + clock.create("rds:cooldown"):
        why = "because the previous storage change is being optimized."
        message = f"You can't currently modify the storage of this DB instance {why}"
        raise RDSClientError("InvalidParameterCombination", message)
    return max(wanted, math.ceil(round(current * SMALLEST_GROWTH, 6)))


def _backup_days(instance: Any, wanted: int) -> int | None:
    if not 0 <= wanted <= LONGEST_BACKUP_DAYS:
        message = f"Invalid backup retention period: {wanted}. Must be between 0 and {LONGEST_BACKUP_DAYS}"
        raise RDSClientError("InvalidParameterValue", message)
    return None if wanted == int(instance.backup_retention_period) else wanted


def _instance_class(instance: Any, wanted: str) -> str | None:
    if wanted not in catalog.CLASSES:
        raise RDSClientError("InvalidParameterValue", f"Invalid DB Instance class: {wanted}")
    return None if wanted == instance.db_instance_class else wanted


def _version(instance: Any, text: str, wanted: dict[str, Any]) -> str | None:
    version, current = catalog.version(text), str(instance.engine_version)
    if _order(version) < _order(current):
        raise RDSClientError("InvalidParameterCombination", f"Cannot upgrade postgres from {current} to {version}")
    if _order(version)[0] != _order(current)[0] and not wanted.get("allow_major_version_upgrade"):
        message = "The AllowMajorVersionUpgrade flag must be present when upgrading to a new major version."
        raise RDSClientError("InvalidParameterCombination", message)
    return None if version == current else version


def _order(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]
