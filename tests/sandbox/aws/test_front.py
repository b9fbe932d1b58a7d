"""The front: who may call, what goes wrong on command, what is written down."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, HTTPClientError
from botocore.parsers import ResponseParserError
from botocore.signers import RequestSigner

from sandbox.aws.credentials import INTERNAL_KEY
from tests.sandbox.aws.standin import ACCOUNT, REGION, StandIn


def refused(aws: StandIn, service: str, operation: str, key: str) -> str:
    with pytest.raises(ClientError) as error:
        getattr(aws.client(service, key), operation)()
    return str(error.value.response["Error"]["Code"])


def test_the_sandboxs_own_keys_are_known_and_others_are_refused_in_each_services_words(aws: StandIn) -> None:
    assert aws.client("sts").get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/podium"
    assert aws.client("sts", INTERNAL_KEY).get_caller_identity()["Account"] == ACCOUNT
    unknown = "AKIAUNKNOWN000000000"
    assert refused(aws, "sts", "get_caller_identity", unknown) == "InvalidClientTokenId"
    assert refused(aws, "ec2", "describe_vpcs", unknown) == "AuthFailure"
    assert refused(aws, "eks", "list_clusters", unknown) == "UnrecognizedClientException"
    assert refused(aws, "secretsmanager", "list_secrets", unknown) == "UnrecognizedClientException"
    assert refused(aws, "resourcegroupstaggingapi", "get_resources", unknown) == "UnrecognizedClientException"


def test_credentials_expire_on_request_and_can_be_made_valid_again(aws: StandIn) -> None:
    aws.control("POST", "/credentials", {"access_key": "AKIATEMPORARY0000000", "state": "expired"})
    assert refused(aws, "sts", "get_caller_identity", "AKIATEMPORARY0000000") == "ExpiredToken"
    assert refused(aws, "eks", "list_clusters", "AKIATEMPORARY0000000") == "ExpiredTokenException"
    aws.control("POST", "/credentials", {"access_key": "AKIATEMPORARY0000000", "state": "valid"})
    assert aws.client("eks", "AKIATEMPORARY0000000").list_clusters()["clusters"] == []


def test_an_assumed_role_is_somebody_else(aws: StandIn, roles: dict[str, str]) -> None:
    assumed = aws.client("sts").assume_role(RoleArn=roles["node"], RoleSessionName="me")["Credentials"]
    sts = aws.client("sts", assumed["AccessKeyId"])
    assert sts.get_caller_identity()["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/test-node/me"


def test_a_throttled_call_is_retried_by_botocore(aws: StandIn) -> None:
    patient = StandIn(aws.home, attempts=4, port=aws.port)
    aws.control("DELETE", "/calls")
    calls: list[tuple[str, Callable[[], Any]]] = [
        ("ec2:DescribeSubnets", lambda: patient.client("ec2").describe_subnets()),
        ("eks:ListClusters", lambda: patient.client("eks").list_clusters()),
        ("rds:DescribeDBInstances", lambda: patient.client("rds").describe_db_instances()),
        ("tagging:GetResources", lambda: patient.client("resourcegroupstaggingapi").get_resources()),
        ("secretsmanager:ListSecrets", lambda: patient.client("secretsmanager").list_secrets()),
    ]
    for match, call in calls:
        aws.fault(match=match, kind="throttle")
        call()
        assert [entry["status"] >= 400 for entry in aws.calls(match.split(":")[1])] == [True, False]
    patient.close_clients()


def test_a_lost_answer_has_had_its_effect_and_a_reset_has_not(aws: StandIn) -> None:
    ec2 = aws.client("ec2")
    for kind, made in (("lost", 1), ("reset", 0)):
        aws.fault(match="ec2:CreateSecurityGroup", kind=kind)
        with pytest.raises((ConnectionClosedError, HTTPClientError)):
            ec2.create_security_group(GroupName=f"g-{kind}", Description="d")
        found = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": [f"g-{kind}"]}])
        assert len(found["SecurityGroups"]) == made


def test_a_spoilt_answer_comes_in_place_of_a_call_or_after_its_effect(aws: StandIn) -> None:
    ec2 = aws.client("ec2")
    spoilt = [("html", False, 0), ("empty", False, 0), ("5xx", False, 0), ("truncated", False, 1), ("broken", False, 1)]
    for kind, after, made in [*spoilt, ("html", True, 1), ("empty", True, 1), ("5xx", True, 1), ("throttle", True, 1)]:
        aws.fault(match="ec2:CreateSecurityGroup", kind=kind, after=after)
        group = f"{kind}-{after}"
        with pytest.raises((ClientError, ResponseParserError, KeyError)):
            ec2.create_security_group(GroupName=group, Description="x")["GroupId"]
        found = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": [group]}])["SecurityGroups"]
        assert len(found) == made, group


def test_everything_can_be_put_back_to_a_checkpoint(aws: StandIn) -> None:
    iam = aws.client("iam")
    iam.create_user(UserName="before")
    aws.control("PUT", "/checkpoints/one")
    iam.create_user(UserName="after")
    iam.delete_user(UserName="before")
    aws.control("POST", "/checkpoints/one")
    names = [user["UserName"] for user in iam.list_users()["Users"]]
    assert ("before" in names, "after" in names) == (True, False)


def test_an_injected_error_skips_and_counts_down(aws: StandIn) -> None:
    aws.fault(match="iam:GetRole", kind="error", code="AccessDenied", status=403, skip=1)
    codes = []
    for _ in range(3):
        with pytest.raises(ClientError) as error:
            aws.client("iam").get_role(RoleName="nobody")
        codes.append(error.value.response["Error"]["Code"])
    assert codes == ["NoSuchEntity", "AccessDenied", "NoSuchEntity"]


def test_what_is_missing_is_loud_and_no_404(aws: StandIn) -> None:
    for service, operation in (("eks", "list_insights"), ("ec2", "describe_capacity_blocks")):
        with pytest.raises(ClientError) as error:
            getattr(aws.client(service), operation)(**({"clusterName": "c"} if service == "eks" else {}))
        answer = error.value.response
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 501
        assert "SandboxNotImplemented" in str(answer["Error"])


def test_denied_actions_are_denied_and_the_policy_simulator_says_so(aws: StandIn) -> None:
    aws.control("PUT", "/settings", {"denied_actions": ["eks:Create*"]})
    arn = aws.client("sts").get_caller_identity()["Arn"]
    results = aws.client("iam").simulate_principal_policy(
        PolicySourceArn=arn, ActionNames=["eks:CreateCluster", "ec2:CreateVpc"]
    )["EvaluationResults"]
    decisions = {result["EvalActionName"]: result["EvalDecision"] for result in results}
    assert decisions == {"eks:CreateCluster": "implicitDeny", "ec2:CreateVpc": "allowed"}
    with pytest.raises(ClientError) as error:
        aws.client("eks").create_addon(clusterName="c", addonName="vpc-cni")
    assert error.value.response["Error"]["Code"] == "AccessDeniedException"


def test_a_presigned_caller_identity_url_is_answered_in_json(aws: StandIn) -> None:
    sts = aws.client("sts")
    signer = RequestSigner(
        sts.meta.service_model.service_id, REGION, "sts", "v4", sts._request_signer._credentials, sts.meta.events
    )
    url = signer.generate_presigned_url(
        {
            "method": "GET",
            "url": f"http://127.0.0.1:{aws.port}/?Action=GetCallerIdentity&Version=2011-06-15",
            "body": {},
            "headers": {"x-k8s-aws-id": "c"},
            "context": {},
        },
        region_name=REGION,
        expires_in=60,
        operation_name="",
    )
    answer = httpx2.get(url, headers={"x-k8s-aws-id": "c", "Accept": "application/json"}).json()
    assert answer["GetCallerIdentityResponse"]["GetCallerIdentityResult"]["Account"] == ACCOUNT
    old = httpx2.get(url.replace("X-Amz-Date=20", "X-Amz-Date=19"), headers={"x-k8s-aws-id": "c"})
    assert old.status_code == 403


def test_secrets_do_not_get_into_the_call_log(aws: StandIn) -> None:
    secret = aws.client("secretsmanager").create_secret(Name="canary", SecretString="do-not-log-me")
    aws.client("secretsmanager").delete_secret(SecretId=secret["ARN"], ForceDeleteWithoutRecovery=True)
    assert "do-not-log-me" not in str(aws.control("GET", "/calls"))


def test_of_many_that_create_the_same_thing_at_once_one_wins(aws: StandIn) -> None:
    iam = aws.client("iam")

    def create(_: int) -> str:
        try:
            iam.create_role(RoleName="contended", AssumeRolePolicyDocument='{"Version": "2012-10-17", "Statement": []}')
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "created"

    with ThreadPoolExecutor(8) as threads:
        answers = sorted(threads.map(create, range(16)))
    assert answers == ["EntityAlreadyExists"] * 15 + ["created"]


def test_a_hanging_call_is_answered_never_and_a_delayed_one_late(aws: StandIn) -> None:
    aws.fault(match="ec2:DescribeVpcs", kind="hang", seconds=0.3)
    with pytest.raises((ConnectionClosedError, HTTPClientError)):
        aws.client("ec2").describe_vpcs()
    aws.fault(match="ec2:DescribeVpcs", kind="delay", seconds=0.3)
    started = time.monotonic()
    aws.client("ec2").describe_vpcs()
    assert time.monotonic() - started >= 0.3


def test_a_malformed_fault_is_refused(aws: StandIn) -> None:
    for rule in ({"match": "x", "kind": "nonsense"}, {"match": "(", "kind": "reset"}, {"kind": "reset"}):
        answer = httpx2.post(f"http://127.0.0.1:{aws.port}/_sandbox/faults", json=rule)
        assert answer.status_code == 400
