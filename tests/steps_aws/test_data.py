"""What becomes of the data: a last snapshot, taken once and found again; or nothing."""

import re

import pytest

from steps import database
from steps.clients.aws import Aws, AwsTarget
from steps.errors import Code, PodiumError, TransientError
from steps.names import Owner
from tests.steps_aws.building import Built, blocked, settled
from tests.steps_aws.conftest import REGION, Cloud, Person


@pytest.fixture
def instance(aws: Aws, owner: Owner, built: Built) -> str:
    group = database.ensure_subnet_group(aws, owner, built.private)
    firewall = database.ensure_security_group(aws, owner, built.vpc_id)
    name = database.ensure_instance(aws, owner, "16", "db.t4g.micro", 20, 1, group, firewall)
    settled(database.await_instance, aws, name)
    return name


def test_retained_data_is_in_one_complete_snapshot_marked_as_kept(aws: Aws, owner: Owner, instance: str) -> None:
    begun = database.delete_instance(aws, owner, "retain")
    assert begun == database.delete_instance(aws, owner, "retain"), "a crash repeats the step"
    name = begun["snapshot"]
    assert name == database.snapshot_name(owner)
    kept = settled(database.await_instance_deleted, aws, owner, "retain", name)
    [snapshot] = [one for one in aws.rds.snapshots(instance) if one.kind == "manual"]
    assert kept == {"snapshot": name, "snapshot_arn": snapshot.arn, "note": ""}
    assert (snapshot.status, snapshot.tags["podium:retained"]) == ("available", "true")
    assert snapshot.tags["podium:installation"] == owner.installation
    assert database.delete_instance(aws, owner, "retain") == {"snapshot": name, "note": ""}
    assert aws.rds.instance(instance) is None


def test_the_snapshots_name_is_what_rds_takes_whatever_the_operation_is_called() -> None:
    longest = "a" + "-b" * 19 + "c"
    names = {database.snapshot_name(Owner(longest, operation)) for operation in ("1", "2", "3--x-", "a" * 300)}
    assert len(names) == 4
    for name in names:
        assert len(name) <= 255
        assert re.fullmatch(r"[a-z](-?[a-z0-9])*", name)


def test_a_lost_answer_takes_one_snapshot(cloud: Cloud, aws: Aws, owner: Owner, instance: str) -> None:
    once = Aws(AwsTarget(REGION), attempts=1)
    cloud.fault(match="rds:DeleteDBInstance$", kind="lost")
    with pytest.raises(TransientError):
        database.delete_instance(once, owner, "retain")
    once.close()
    name = database.delete_instance(aws, owner, "retain")["snapshot"]
    assert settled(database.await_instance_deleted, aws, owner, "retain", name)["snapshot"] == name
    assert len([one for one in aws.rds.snapshots(instance) if one.kind == "manual"]) == 1


def test_a_persons_snapshot_of_the_name_is_name_taken(aws: Aws, owner: Owner, instance: str, person: Person) -> None:
    name = database.snapshot_name(owner)
    rds = person("rds")
    rds.create_db_snapshot(
        DBSnapshotIdentifier=name, DBInstanceIdentifier=instance, Tags=[{"Key": "team", "Value": "x"}]
    )
    with pytest.raises(PodiumError) as caught:
        database.delete_instance(aws, owner, "retain")
    assert caught.value.code is Code.NAME_TAKEN
    assert aws.rds.instance(instance) is not None
    rds.delete_db_snapshot(DBSnapshotIdentifier=name)
    assert database.delete_instance(aws, owner, "retain")["snapshot"] == name
    settled(database.await_instance_deleted, aws, owner, "retain", name)


def test_deletion_protection_blocks_until_it_is_off(aws: Aws, owner: Owner, instance: str, person: Person) -> None:
    rds = person("rds")
    rds.modify_db_instance(DBInstanceIdentifier=instance, DeletionProtection=True, ApplyImmediately=True)
    settled(database.await_instance, aws, instance)
    name = database.delete_instance(aws, owner, "retain")["snapshot"]
    found = blocked(database.await_instance_deleted, aws, owner, "retain", name)
    assert found.resources[0]["arn"].endswith(f":db:{instance}")
    assert "deletion protection" in found.resources[0]["why"]
    rds.modify_db_instance(DBInstanceIdentifier=instance, DeletionProtection=False, ApplyImmediately=True)
    assert settled(database.await_instance_deleted, aws, owner, "retain", name)["snapshot"] == name


@pytest.mark.parametrize("data", ["retain", "delete"])
def test_backups_that_somebodys_delete_left_go_only_with_the_data(
    aws: Aws, owner: Owner, instance: str, person: Person, data: database.Data
) -> None:
    rds = person("rds")
    rds.delete_db_instance(DBInstanceIdentifier=instance, SkipFinalSnapshot=True, DeleteAutomatedBackups=False)
    begun = database.delete_instance(aws, owner, data)
    kept = settled(database.await_instance_deleted, aws, owner, data, begun["snapshot"])
    assert kept["snapshot"] is None
    assert len(aws.rds.automated_backups(instance)) == (1 if data == "retain" else 0)
    assert bool(kept["note"]) is (data == "retain")


def test_deleted_data_leaves_no_snapshot_but_a_persons_own(
    aws: Aws, owner: Owner, instance: str, person: Person
) -> None:
    person("rds").create_db_snapshot(DBSnapshotIdentifier=f"mine-{instance}", DBInstanceIdentifier=instance)
    assert database.delete_instance(aws, owner, "delete")["snapshot"] is None
    kept = settled(database.await_instance_deleted, aws, owner, "delete", None)
    assert kept == {"snapshot": None, "snapshot_arn": None, "note": ""}
    assert [one.name for one in aws.rds.snapshots(instance)] == [f"mine-{instance}"]
    assert aws.rds.automated_backups(instance) == []
