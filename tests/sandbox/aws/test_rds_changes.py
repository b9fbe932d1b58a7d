"""ModifyDBInstance: what is applied when, what RDS refuses."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from botocore.exceptions import ClientError

from tests.sandbox.aws.standin import StandIn, make_network, until
from tests.sandbox.aws.test_rds import connect, create, describe


@pytest.fixture(scope="module")
def own() -> Iterator[StandIn]:
    """A stand-in where RDS's six hours are 7.2 s, and its changes a fraction of one."""
    with tempfile.TemporaryDirectory(prefix="sandbox-aws-") as folder:
        aws = StandIn(Path(folder), speed="3000").start()
        aws.client("rds").create_db_subnet_group(
            DBSubnetGroupName="db", DBSubnetGroupDescription="d", SubnetIds=make_network(aws).private
        )
        create(aws, EngineVersion="16.11")
        settled(aws)
        yield aws
        aws.stop()


def modify(aws: StandIn, **changes: Any) -> dict[str, Any]:
    answer = aws.client("rds").modify_db_instance(DBInstanceIdentifier="pg", ApplyImmediately=True, **changes)
    return dict(answer["DBInstance"])


def refused(aws: StandIn, **changes: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        modify(aws, **changes)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def settled(aws: StandIn) -> None:
    until(lambda: describe(aws)["DBInstanceStatus"], "available")


def test_a_class_is_changed_at_the_end_and_costs_the_connections(own: StandIn) -> None:
    with connect(own, describe(own)) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1")
        asked = modify(own, DBInstanceClass="db.t4g.small", EngineVersion="16")
        assert asked["DBInstanceStatus"] == "modifying"
        assert asked["DBInstanceClass"] == "db.t4g.micro"
        assert asked["PendingModifiedValues"] == {"DBInstanceClass": "db.t4g.small", "EngineVersion": "16.13"}
        assert refused(own, DBInstanceClass="db.t4g.large")[0] == "InvalidDBInstanceState"
        settled(own)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    found = describe(own)
    assert (found["DBInstanceClass"], found["EngineVersion"]) == ("db.t4g.small", "16.13")
    assert not found.get("PendingModifiedValues")
    with connect(own, found) as connection:
        assert connection.execute("TABLE kept").fetchone() == (1,)


def test_what_rds_cannot_do_is_refused(own: StandIn) -> None:
    assert refused(own, AllocatedStorage=10) == (
        "InvalidParameterCombination",
        "Requested storage size (10) cannot be less than the current storage size (20)",
    )
    assert "AllowMajorVersionUpgrade" in refused(own, EngineVersion="17")[1]
    assert refused(own, EngineVersion="16.9")[0] == "InvalidParameterCombination"
    assert refused(own, DBInstanceClass="db.huge")[0] == "InvalidParameterValue"
    assert refused(own, BackupRetentionPeriod=36)[0] == "InvalidParameterValue"


def test_storage_grows_by_a_tenth_at_least_and_not_again_for_hours(own: StandIn) -> None:
    modify(own, AllocatedStorage=21)
    until(lambda: describe(own)["DBInstanceStatus"], "storage-optimization")
    assert describe(own)["AllocatedStorage"] == 22
    connect(own, describe(own)).close()
    early = refused(own, AllocatedStorage=40)
    assert early[0] == "InvalidParameterCombination"
    assert "previous storage change is being optimized" in early[1]
    settled(own)
    assert refused(own, AllocatedStorage=40) == early, "six hours are longer than the optimisation"
    modify(own, BackupRetentionPeriod=3)
    settled(own)

    def grown() -> bool:
        try:
            modify(own, AllocatedStorage=40)
        except ClientError:
            return False
        return True

    until(grown)
    until(lambda: describe(own)["AllocatedStorage"], 40)
