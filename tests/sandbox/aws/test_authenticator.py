"""The token webhook of a real API server, before the stand-in's STS and access entries."""

import base64
import datetime
import json
import os
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2
import pytest
import yaml
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from sandbox.aws.credentials import own_credentials
from sandbox.control_plane.authenticator import webhook_config
from sandbox.processes import free_port, spawn, stop, wait_until_listening
from tests.sandbox.aws.standin import ACCOUNT, REGION, REPOSITORY, Network, StandIn, until
from tests.sandbox.aws.test_eks import ADMIN, ME, create_cluster, delete_cluster, status


@contextmanager
def running(standin: StandIn, folder: Path, **environment: str) -> Iterator[httpx2.Client]:
    """A client that knows the webhook's address and authority from its configuration file only."""
    port = free_port()
    config = yaml.safe_load(webhook_config(folder, port))["clusters"][0]["cluster"]
    command = [sys.executable, "-m", "sandbox.control_plane.authenticator", "--dir", str(folder), "--port", str(port)]
    command += ["--cluster", "one", "--account", ACCOUNT, "--region", REGION, "--parent-pipe"]
    command += ["--aws-endpoint", f"http://127.0.0.1:{standin.port}"]
    process = spawn(command, log=folder / "log", cwd=REPOSITORY, env=os.environ | environment)
    wait_until_listening(port, process)
    trust = ssl.create_default_context(cadata=base64.b64decode(config["certificate-authority-data"]).decode())
    base = str(config["server"]).removesuffix("/authenticate")
    with httpx2.Client(base_url=base, verify=trust, trust_env=False) as client:
        yield client
    assert stop(process) == 0, (folder / "log").read_text()


@pytest.fixture(scope="module")
def webhook(standin: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    with running(standin, tmp_path_factory.mktemp("cluster"), SANDBOX_EKS_ADMIN_GROUP="") as client:
        yield client


@pytest.fixture
def cluster(aws: StandIn, roles: dict[str, str], network: Network) -> Iterator[None]:
    create_cluster(aws, roles, network)
    until(lambda: status(aws), "ACTIVE")
    yield
    delete_cluster(aws)


def review(webhook: httpx2.Client, token: str) -> dict[str, Any]:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    answer = webhook.post("authenticate", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json().items() >= {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview"}.items()
    return dict(answer.json()["status"])


def token(aws: StandIn, cluster: str = "one", role: str | None = None, **changed: str) -> str:
    """As `aws eks get-token` makes it; `changed` overwrites parts of the query without signing anew."""
    own = own_credentials(aws.home)
    keys = Credentials(own.access_key, own.secret_key)
    if role:
        granted = aws.client("sts").assume_role(RoleArn=role, RoleSessionName="me@work")["Credentials"]
        keys = Credentials(granted["AccessKeyId"], granted["SecretAccessKey"], granted["SessionToken"])
    url = f"http://127.0.0.1:{aws.port}/?Action=GetCallerIdentity&Version=2011-06-15"
    request = AWSRequest("GET", url, headers={"x-k8s-aws-id": cluster})
    SigV4QueryAuth(keys, "sts", REGION, expires=60).add_auth(request)
    signed = urlsplit(str(request.url))
    query = urlencode(dict(parse_qsl(signed.query)) | changed)
    url = f"{signed.scheme}://{signed.netloc}/?{query}"
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def test_the_creator_is_an_administrator(aws: StandIn, cluster: None, webhook: httpx2.Client) -> None:
    found = review(webhook, token(aws))
    assert found["authenticated"] is True
    assert (found["user"]["username"], found["user"]["groups"]) == (ME, ["system:masters"])
    assert found["user"]["uid"].startswith(f"aws-iam-authenticator:{ACCOUNT}:")
    assert found["user"]["extra"]["canonicalArn"] == [ME]


def test_administrators_can_be_a_group_of_their_own(aws: StandIn, cluster: None, tmp_path: Path) -> None:
    with running(aws, tmp_path, SANDBOX_EKS_ADMIN_GROUP="podium-installers") as webhook:
        assert review(webhook, token(aws))["user"]["groups"] == ["podium-installers"]


def test_a_role_has_the_groups_of_its_access_entry_and_a_name_for_each_session(
    aws: StandIn, roles: dict[str, str], cluster: None, webhook: httpx2.Client
) -> None:
    eks, role = aws.client("eks"), roles["pod"]
    assert review(webhook, token(aws, role=role))["authenticated"] is False
    eks.create_access_entry(clusterName="one", principalArn=role, kubernetesGroups=["podium"])
    user = review(webhook, token(aws, role=role))["user"]
    assert user["groups"] == ["podium"]
    assert user["username"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/test-pod/me-work"
    eks.associate_access_policy(clusterName="one", principalArn=role, policyArn=ADMIN, accessScope={"type": "cluster"})
    assert review(webhook, token(aws, role=role))["user"]["groups"] == ["podium", "system:masters"]


def test_bad_tokens_are_answered_with_the_reason(aws: StandIn, cluster: None, webhook: httpx2.Client) -> None:
    past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=16)
    refused = {
        "abc": "does not begin with",
        "k8s-aws-v1.": "not a presigned URL",
        token(aws, **{"X-Amz-Date": past.strftime("%Y%m%dT%H%M%SZ")}): "expired",
        token(aws, Action="ListUsers"): "GetCallerIdentity",
        token(aws, **{"X-Amz-SignedHeaders": "host"}): "x-k8s-aws-id is not signed",
        token(aws, cluster="two"): "STS does not accept",
        token(aws, **{"X-Amz-Signature": "0" * 64}): "STS does not accept",
        token(aws, **{"X-Amz-Credential": f"AKIANOBODY/20260101/{REGION}/sts/aws4_request"}): "STS does not accept",
    }
    for bad, reason in refused.items():
        found = review(webhook, bad)
        assert found["authenticated"] is False
        assert reason in found["error"]


def test_while_aws_fails_the_answer_is_one_that_the_api_server_asks_again_after(
    aws: StandIn, cluster: None, webhook: httpx2.Client
) -> None:
    aws.fault(match="sts:GetCallerIdentity", kind="5xx", times=1)
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token(aws)}}
    assert webhook.post("authenticate", json=body).status_code == 500
    assert webhook.post("authenticate", json=body).json()["status"]["authenticated"] is True


def test_the_configuration_names_no_secret(tmp_path: Path) -> None:
    config = webhook_config(tmp_path, 4711)
    assert json.loads(json.dumps(yaml.safe_load(config)))["users"] == [{"name": "kube-apiserver", "user": {}}]
    assert "https://127.0.0.1:4711/authenticate" in config
