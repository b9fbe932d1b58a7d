"""Credentials, identity, cluster tokens, and what happens when AWS is unwell."""

import base64
import json
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from steps.clients.aws import Aws, AwsTarget
from steps.errors import Code, PodiumError, TransientError
from steps.names import Owner
from tests.steps_aws.conftest import REGION, Cloud


def test_the_identity_is_asked_once(aws: Aws) -> None:
    assert aws.account_id() == "123456789012"
    assert aws.partition == "aws"


def test_no_credentials_is_an_error_of_its_own(environment: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(PodiumError) as caught:
        Aws(AwsTarget(REGION)).account_id()
    assert caught.value.code is Code.AWS_CREDENTIALS_MISSING


def test_unknown_keys_are_rejected_credentials(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAUNKNOWNUNKNOWN00")
    with pytest.raises(PodiumError) as caught:
        Aws(AwsTarget(REGION)).account_id()
    assert caught.value.code is Code.AWS_CREDENTIALS_MISSING


def test_after_expiry_new_credentials_of_the_environment_are_used(cloud: Cloud, owner: Owner) -> None:
    bundle = Aws(AwsTarget(REGION))
    bundle.account_id()
    cloud.credentials("expired")
    with pytest.raises(PodiumError) as caught:
        bundle.network.vpcs(owner.tags("vpc"))
    assert caught.value.code is Code.AWS_CREDENTIALS_EXPIRED
    with pytest.MonkeyPatch.context() as patch:
        fresh = "AKIAFRESHFRESHFRESH0"
        httpx2.post(f"{cloud.url}/_sandbox/credentials", json={"access_key": fresh, "state": "valid"})
        patch.setenv("AWS_ACCESS_KEY_ID", fresh)
        assert bundle.network.vpcs(owner.tags("vpc")) == []
    bundle.close()


def test_a_role_is_assumed_with_the_session_name_podium(cloud: Cloud) -> None:
    bundle = Aws(AwsTarget(REGION, "arn:aws:iam::123456789012:role/installer", "portal-4711"))
    assert bundle.identity().arn == "arn:aws:sts::123456789012:assumed-role/installer/podium"
    bundle.close()


def test_a_role_that_may_not_be_assumed_says_so_whatever_was_called(cloud: Cloud, owner: Owner) -> None:
    cloud.settings(denied_actions=["sts:AssumeRole"])
    bundle = Aws(AwsTarget(REGION, "arn:aws:iam::123456789012:role/installer"))
    with pytest.raises(PodiumError) as caught:
        bundle.network.vpcs(owner.tags("vpc"))
    assert caught.value.code is Code.AWS_ACCESS_DENIED
    assert "trust policy of aws.role_arn" in caught.value.remedy
    bundle.close()


def test_a_cluster_token_is_a_presigned_identity_call_for_that_cluster_only(aws: Aws) -> None:
    token = aws.cluster_token("dbos-conductor")
    prefix, _, encoded = token.partition(".")
    assert prefix == "k8s-aws-v1"
    assert "=" not in encoded
    url = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    query = parse_qs(urlsplit(url).query)
    assert query["Action"] == ["GetCallerIdentity"]
    assert query["X-Amz-Expires"] == ["60"]
    assert "x-k8s-aws-id" in query["X-Amz-SignedHeaders"][0]
    headers = {"x-k8s-aws-id": "dbos-conductor", "Accept": "application/json"}
    answer = httpx2.get(url, headers=headers)
    assert answer.status_code == 200
    assert aws.account_id() in json.dumps(answer.json())


def test_throttling_that_passes_is_not_noticed(aws: Aws, owner: Owner, cloud: Cloud) -> None:
    cloud.fault(match="ec2:DescribeVpcs", kind="throttle", times=2)
    assert aws.network.vpcs(owner.tags("vpc")) == []


def test_a_dropped_connection_is_tried_again(aws: Aws, owner: Owner, cloud: Cloud) -> None:
    cloud.fault(match="ec2:DescribeVpcs", kind="reset", times=1)
    assert aws.network.vpcs(owner.tags("vpc")) == []


def test_nobody_listening_is_transient(environment: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(TransientError) as caught:
        Aws(AwsTarget(REGION), attempts=1).account_id()
    assert caught.value.code is Code.AWS_UNAVAILABLE
