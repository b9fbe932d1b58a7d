"""The client that looks for drift: whatever it is asked to change is written down, and never sent."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import botocore.session
import pytest
from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

from steps.clients.aws import Aws, AwsTarget, permissions
from steps.errors import PodiumError
from steps.identity import NODE_POLICIES, ensure_node_role
from steps.names import Owner
from steps.network import ensure_vpc
from steps.noticing import noticed
from steps.readonly import Kind, Records, Stopped, reading_aws, recording
from steps.readonly.aws import _instead, is_read
from tests.steps_aws.conftest import REGION, Cloud, Person

BOTO3 = {"elasticloadbalancing": ("elb", "elbv2"), "tag": ("resourcegroupstaggingapi",), "servicequotas": ()}
"""boto3's names of a service, where IAM's differs; quotas are only read."""
WRITES = sorted(call for call in permissions.calls() if not is_read(call.partition(":")[2]))


@pytest.fixture
def reading(cloud: Cloud) -> Iterator[Aws]:
    aws = reading_aws(AwsTarget(REGION))
    yield aws
    aws.close()


def sent(cloud: Cloud) -> int:
    """Number of the newest call: the log itself keeps only so many."""
    return max((int(call["n"]) for call in cloud.calls()), default=0)


def filled(shape: Shape | None) -> Any:
    """Parameters that pass botocore's own check: what is required, with as little in it as may be."""
    if isinstance(shape, StructureShape):
        return {name: filled(shape.members[name]) for name in shape.required_members}
    if isinstance(shape, ListShape):
        return [filled(shape.member)]
    if isinstance(shape, MapShape):
        return {}
    if isinstance(shape, StringShape):
        return (shape.enum or ["x" * int(shape.metadata.get("min", 1))])[0]
    return {"boolean": False, "blob": b"x"}.get(shape.type_name if shape else "", 1)


def test_podium_writes_more_than_a_few_things() -> None:
    """So that what follows tries something."""
    assert len(WRITES) > 50
    assert {"ec2:CreateVpc", "rds:DeleteDBInstance", "iam:AttachRolePolicy"} <= set(WRITES)


@pytest.mark.parametrize("call", WRITES)
def test_no_request_that_changes_something_is_sent(call: str, reading: Aws, cloud: Cloud) -> None:
    iam_service, _, operation = call.partition(":")
    for service in BOTO3.get(iam_service, (iam_service,)):
        model = botocore.session.get_session().get_service_model(service)
        if operation not in model.operation_names:
            continue
        before, kept = sent(cloud), Records()
        method = getattr(reading.connection.client(service), botocore.xform_name(operation))
        with recording(kept), suppress(Stopped):
            method(**filled(model.operation_model(operation).input_shape))
        assert sent(cloud) == before
        assert len(kept.differences) == 1
        assert kept.differences[0].as_dict()["remedy"]


def test_what_comes_past_the_first_guard_is_refused_by_the_second(reading: Aws, cloud: Cloud) -> None:
    client = reading.connection.client("ec2")
    client.meta.events.unregister("before-call", _instead)
    before = sent(cloud)
    with recording(Records()), pytest.raises(AssertionError, match="CreateVpc would have been sent"):
        client.create_vpc(CidrBlock="10.0.0.0/16")
    assert sent(cloud) == before


def test_a_creation_whose_answer_is_needed_ends_the_comparison(reading: Aws, owner: Owner) -> None:
    kept = Records()
    with recording(kept), pytest.raises(Stopped):
        ensure_vpc(reading, owner, "10.0.0.0/16")
    (difference,) = kept.differences
    assert (difference.kind, difference.resource.type, difference.resource.name) == (
        Kind.MISSING,
        "VPC",
        f"{owner.installation} (vpc)",
    )


def test_a_password_that_would_be_written_is_not_in_the_difference(reading: Aws) -> None:
    kept = Records()
    with recording(kept), suppress(Stopped):
        reading.connection.client("secretsmanager").put_secret_value(SecretId="theirs", SecretString="canary-4711")
    with recording(kept), suppress(Stopped):
        reading.connection.client("rds").modify_db_instance(
            DBInstanceIdentifier="theirs-pg", MasterUserPassword="canary-4711"
        )
    assert len(kept.differences) == 2
    assert "canary-4711" not in str(kept)


def test_each_policy_that_a_role_has_lost_is_told(aws: Aws, reading: Aws, owner: Owner, person: Person) -> None:
    ensure_node_role(aws, owner)
    iam, role = person("iam"), owner.names.node_role
    for policy in NODE_POLICIES[:2]:
        iam.detach_role_policy(RoleName=role, PolicyArn=f"arn:aws:iam::aws:policy/{policy}")
    kept = Records()
    with recording(kept):
        ensure_node_role(reading, owner)
    assert {one.field for one in kept.differences} == {f"attachedPolicies[{policy}]" for policy in NODE_POLICIES[:2]}


def test_a_request_that_a_look_repeats_is_told_once_as_its_step_noticed_it(reading: Aws) -> None:
    kept, rds = Records(), reading.connection.client("rds")
    with recording(kept):
        noticed("settings", expected={"BackupRetentionPeriod": 1}, found={"BackupRetentionPeriod": 3})
        rds.modify_db_instance(DBInstanceIdentifier="theirs-pg", BackupRetentionPeriod=1)
        rds.modify_db_instance(DBInstanceIdentifier="theirs-pg", BackupRetentionPeriod=1)
    (told,) = kept.differences
    assert (told.field, told.found) == ("settings", {"BackupRetentionPeriod": 3})


def test_reads_go_through(reading: Aws, cloud: Cloud) -> None:
    before = sent(cloud)
    with recording(Records()):
        assert reading.network.vpc("vpc-0123456789abcdef0") is None
        with suppress(PodiumError):
            reading.sts.identity()
    assert sent(cloud) > before
