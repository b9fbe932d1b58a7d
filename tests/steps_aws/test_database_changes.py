"""The RDS instance brought to other settings: once, whatever RDS is doing, with clear words for what it refuses."""

from collections.abc import Iterator
from typing import Any

import pytest

from steps import database, database_changes
from steps.clients.aws import Aws
from steps.database_changes import Attempt
from steps.errors import Code, PodiumError
from steps.names import Owner
from tests.steps_aws.building import Built, settled
from tests.steps_aws.conftest import Cloud, Person

SMALL = ("16.11", "db.t4g.micro", 20, 1)


@pytest.fixture
def instance(aws: Aws, owner: Owner, built: Built) -> Iterator[Owner]:
    """An installation with an instance of PostgreSQL 16.11."""
    group = database.ensure_subnet_group(aws, owner, built.private)
    firewall = database.ensure_security_group(aws, owner, built.vpc_id)
    settled(database.await_instance, aws, database.ensure_instance(aws, owner, *SMALL, group, firewall))
    yield owner
    settled(database.await_instance_deleted, aws, owner)


def change(aws: Aws, owner: Owner, *wanted: Any) -> dict[str, Any]:
    database_changes.ensure_settings(aws, owner, *wanted)
    found: dict[str, Any] = settled(database_changes.await_settings, aws, owner, *wanted, Attempt())
    return found


def refusal(aws: Aws, owner: Owner, *wanted: Any) -> PodiumError:
    with pytest.raises(PodiumError) as caught:
        database_changes.ensure_settings(aws, owner, *wanted)
    return caught.value


def modifications(cloud: Cloud) -> int:
    return len([one for one in cloud.calls() if one["operation"] == "ModifyDBInstance" and one["status"] == 200])


def test_settings_are_changed_once_and_at_once(aws: Aws, instance: Owner, cloud: Cloud) -> None:
    before = modifications(cloud)
    assert change(aws, instance, *SMALL)["storage_gib"] == 20
    assert change(aws, instance, "16", "db.t4g.micro", 20, 1)["engine_version"] == "16.11", "any of that major version"
    assert modifications(cloud) == before
    for _ in range(2):
        database_changes.ensure_settings(aws, instance, "16.13", "db.t4g.small", 21, 3)
    found = change(aws, instance, "16.13", "db.t4g.small", 21, 3)
    assert found == {
        "engine_version": "16.13",
        "instance_class": "db.t4g.small",
        "storage_gib": 22,
        "backup_days": 3,
    }
    assert modifications(cloud) == before + 1
    assert change(aws, instance, "16.9", "db.t4g.small", 21, 3)["engine_version"] == "16.13", "RDS has gone ahead"


def test_a_lost_answer_changes_nothing_twice(aws: Aws, instance: Owner, cloud: Cloud) -> None:
    cloud.fault(match="rds:ModifyDBInstance", kind="lost")
    with pytest.raises(PodiumError) as caught:
        database_changes.ensure_settings(aws, instance, "16.11", "db.t4g.small", 20, 1)
    assert caught.value.code is Code.AWS_RESOURCE_FAILED, "botocore repeats the call, and RDS is busy with the first"
    assert change(aws, instance, "16.11", "db.t4g.small", 20, 1)["instance_class"] == "db.t4g.small"


def test_what_waits_for_a_maintenance_window_is_not_put_off(
    aws: Aws, instance: Owner, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = instance.names.db_instance
    person("rds").modify_db_instance(DBInstanceIdentifier=name, DBInstanceClass="db.t4g.small")
    settled(database.await_instance, aws, name)
    monkeypatch.setattr(database_changes, "GRACE_SECONDS", 0.5)
    assert change(aws, instance, "16.11", "db.t4g.small", 20, 1)["instance_class"] == "db.t4g.small"


def test_less_storage_and_another_major_version_are_refused_together(aws: Aws, instance: Owner) -> None:
    change(aws, instance, "16.11", "db.t4g.micro", 40, 1)
    error = refusal(aws, instance, "17", "db.t4g.micro", 20, 1)
    assert error.code is Code.INVALID_SPEC
    assert "has 40 GiB, and RDS storage only grows" in error.message
    assert "major version" in error.message


def test_storage_that_rds_does_not_change_yet_is_told_with_when_it_will(
    aws: Aws, instance: Owner, cloud: Cloud
) -> None:
    cloud.fault(
        match="rds:ModifyDBInstance",
        kind="error",
        code="InvalidParameterCombination",
        message="You can't currently modify the storage of this DB instance",
    )
    error = refusal(aws, instance, "16.11", "db.t4g.micro", 40, 1)
    assert error.code is Code.AWS_INVALID_REQUEST
    assert error.fault == "user"
    assert "You can't currently modify the storage" in error.message
    assert "six hours" in error.remedy
    assert change(aws, instance, "16.11", "db.t4g.micro", 40, 1)["storage_gib"] == 40


def test_a_change_during_another_one_is_begun_when_that_is_over(aws: Aws, instance: Owner, person: Person) -> None:
    person("rds").modify_db_instance(
        DBInstanceIdentifier=instance.names.db_instance, BackupRetentionPeriod=9, ApplyImmediately=True
    )
    assert change(aws, instance, "16.11", "db.t4g.small", 20, 9)["instance_class"] == "db.t4g.small"


def test_an_instance_that_is_gone_or_another_s_is_not_changed(aws: Aws, owner: Owner) -> None:
    assert refusal(aws, owner, *SMALL).code is Code.AWS_RESOURCE_FAILED
