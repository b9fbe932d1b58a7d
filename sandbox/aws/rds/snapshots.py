"""Snapshots over time, and automated backups that outlive their instance.

Gaps: moto's final snapshot is complete at once and shares its list of tags with the instance; automated backups of an
instance that is gone have no id and cannot be deleted (Amazon RDS User Guide, "Deleting a DB instance", "Retaining
automated backups"; API Reference, DeleteDBInstanceAutomatedBackup). The data itself is not kept here.
"""

from typing import Any

import moto.rds.models as moto_rds
from moto.core.responses import ActionResult
from moto.rds.exceptions import RDSClientError
from moto.rds.responses import RDSResponse


def renamed(backend: Any, constant: str, resource_id: str) -> None:
    """moto takes an instance's first automated snapshot before it has its own id: all would share moto's constant."""
    for snapshot in backend.database_snapshots.values():
        if snapshot.dbi_resource_id == constant:
            snapshot.dbi_resource_id = resource_id


def begun(backend: Any, name: str) -> None:
    """A snapshot that is being taken: complete when its instance is gone."""
    snapshot = backend.database_snapshots[name]
    snapshot.tags = [dict(tag) for tag in snapshot.tags]
    snapshot.status = "creating"
    snapshot.percent_progress = 0


def completed(backend: Any, instance: str) -> None:
    for snapshot in backend.database_snapshots.values():
        if snapshot.db_instance_identifier == instance and snapshot.status == "creating":
            snapshot.status = "available"
            snapshot.percent_progress = 100


def install() -> None:
    """Ids for automated backups, and their deletion."""
    backup = moto_rds.DBInstanceAutomatedBackup
    backup.dbi_resource_id = property(lambda found: found.automated_snapshots[0].dbi_resource_id)
    backup.db_instance_automated_backups_arn = property(_arn)
    RDSResponse.delete_db_instance_automated_backup = _delete


def _arn(found: Any) -> str:
    backend = found.backend
    return f"arn:aws:rds:{backend.region_name}:{backend.account_id}:auto-backup:ab-{found.dbi_resource_id[3:].lower()}"


def _delete(response: Any) -> Any:
    """Added to moto's RDSResponse."""
    wanted = response.params.get("DbiResourceId")
    backend = response.backend
    found = [
        snapshot
        for snapshot in backend.database_snapshots.values()
        if snapshot.snapshot_type == "automated" and snapshot.dbi_resource_id == wanted
    ]
    if not found:
        raise RDSClientError("DBInstanceAutomatedBackupNotFound", f"Automated backup {wanted} not found.")
    if any(snapshot.db_instance_identifier in backend.databases for snapshot in found):
        raise RDSClientError("InvalidDBInstanceAutomatedBackupState", "The automated backup is active.")
    for snapshot in found:
        del backend.database_snapshots[snapshot.db_snapshot_identifier]
    return ActionResult({"DBInstanceAutomatedBackup": {"DbiResourceId": wanted, "Status": "deleted"}})
