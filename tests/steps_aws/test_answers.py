"""What is not AWS's answer (a proxy's page, nothing, half of it) is never taken for one, and never shows a secret."""

import traceback
from collections.abc import Callable
from typing import Any

import pytest

from steps.clients.aws import Aws, AwsTarget
from steps.clients.aws.quotas import VPCS
from steps.errors import Code, Fault, TransientError
from steps.names import Owner
from tests.steps_aws.building import Built
from tests.steps_aws.conftest import Cloud

ASK: dict[str, Callable[[Aws], Any]] = {
    "ec2": lambda aws: aws.network.vpcs({}),
    "ecr": lambda aws: aws.ecr.repository("some-app"),
    "eks": lambda aws: aws.eks.cluster_count(),
    "elasticloadbalancing": lambda aws: aws.classic_balancers.balancers("arn:"),
    "iam": lambda aws: aws.iam.providers(),
    "logs": lambda aws: aws.logs.groups("/aws/eks/"),
    "rds": lambda aws: aws.rds.instances(),
    "secretsmanager": lambda aws: aws.secrets.named_under("podium/"),
    "servicequotas": lambda aws: aws.service_quotas.limit(VPCS),
    "sts": lambda aws: aws.sts.identity(),
    "tagging": lambda aws: aws.tagging.tagged("podium:installation", "x"),
}


@pytest.mark.parametrize("kind", ["html", "empty", "truncated", "broken"])
@pytest.mark.parametrize("service", ASK)
def test_it_is_tried_again(aws: Aws, cloud: Cloud, service: str, kind: str) -> None:
    cloud.fault(match=f"^{service}:", kind=kind)
    with pytest.raises(TransientError, match="was not AWS") as caught:
        ASK[service](aws)
    assert (caught.value.code, caught.value.fault) == (Code.AWS_UNAVAILABLE, Fault.PROVIDER)
    assert "proxy" in caught.value.remedy
    ASK[service](aws)


def test_a_page_is_no_success_where_nothing_is_read_of_the_answer(aws: Aws, cloud: Cloud, built: Built) -> None:
    ec2 = aws.connection.client("ec2")
    ec2.modify_vpc_attribute(VpcId=built.vpc_id, EnableDnsHostnames={"Value": False})
    cloud.fault(match="ec2:ModifyVpcAttribute", kind="html")
    with pytest.raises(TransientError):
        aws.network.switch_on_dns(built.vpc_id)


def test_an_error_without_a_code_is_not_held_against_anybody(aws: Aws, cloud: Cloud) -> None:
    cloud.fault(match="ecr:DescribeRepositories", kind="truncated")
    with pytest.raises(TransientError, match="was not AWS"):
        aws.ecr.repository("not-there")


def test_half_an_answer_with_a_secret_in_it_is_not_shown(aws: Aws, cloud: Cloud, owner: Owner) -> None:
    name = owner.names.secret("license-key")
    aws.secrets.make(name, "canary" * 400, "a test's", "1" * 32, owner.tags("secret"))
    cloud.fault(match="secretsmanager:GetSecretValue", kind="truncated")
    with pytest.raises(TransientError) as caught:
        aws.secrets.value(name)
    assert "canary" not in "".join(traceback.format_exception(caught.value))


def test_a_page_in_place_of_an_assumed_roles_credentials_is_tried_again(aws: Aws, cloud: Cloud, owner: Owner) -> None:
    aws.iam.make_role(owner.names.cluster_role, "eks.amazonaws.com", "a test's", owner.tags("role"))
    arn = aws.identity().arn.split(":")[4]
    assumed = Aws(AwsTarget(aws.region, role_arn=f"arn:aws:iam::{arn}:role/{owner.names.cluster_role}"))
    cloud.fault(match="^sts:AssumeRole$", kind="html")
    with pytest.raises(TransientError, match="was not AWS") as caught:
        assumed.network.vpcs({})
    assumed.close()
    assert caught.value.code is Code.AWS_UNAVAILABLE
