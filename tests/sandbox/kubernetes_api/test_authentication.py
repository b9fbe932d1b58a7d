"""Who is let in."""

import base64
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest

from tests.contract.backend import Backend
from tests.contract.server import ACCOUNT, CLUSTER, StandIn

ROLE = f"arn:aws:iam::{ACCOUNT}:role/installer"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/installer/session-1"


@pytest.fixture(autouse=True)
def aws(backend: Backend) -> Backend:
    """STS that knows the caller as SESSION, and access entries with ROLE."""
    _caller(backend, SESSION)
    _entry(backend)
    return backend


def _entry(backend: Backend, **more: object) -> None:
    """The only access entry."""
    entry = {"principalArn": ROLE, "username": None, "kubernetesGroups": ["platform"], "policies": []} | more
    body = json.dumps({"entries": [entry]}).encode()
    backend.answers[f"/_sandbox/clusters/{CLUSTER}/access"] = lambda _request: (200, {}, body)


def _caller(backend: Backend, arn: str) -> None:
    """STS answers as AWS does, when the request carries what was signed."""
    result = {"GetCallerIdentityResponse": {"GetCallerIdentityResult": {"Arn": arn, "Account": ACCOUNT}}}
    body = json.dumps(result).encode()

    def answer(request: dict[str, object]) -> tuple[int, dict[str, str], bytes]:
        headers = {str(key).lower(): value for key, value in dict(request["headers"]).items()}  # type: ignore[call-overload]
        return (200, {}, body) if headers.get("x-k8s-aws-id") == CLUSTER else (403, {}, b"")

    backend.answers["/"] = answer


def _token(endpoint: str, *, age: float = 0, signed: str = "host;x-k8s-aws-id", **more: str) -> str:
    moment = datetime.now(UTC) - timedelta(seconds=age)
    query = {
        "Action": "GetCallerIdentity",
        "Version": "2011-06-15",
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Date": moment.strftime("%Y%m%dT%H%M%SZ"),
        "X-Amz-Expires": "60",
        "X-Amz-SignedHeaders": signed,
        "X-Amz-Signature": "00",
        "nonce": str(moment.timestamp()),
    } | more
    url = f"{endpoint}/?{urlencode(query)}"
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def _status(server: StandIn, token: str) -> int:
    with server.client(token) as client:
        return client.get("/api/v1/namespaces").status_code


def test_the_administrators_token_is_let_in(server: StandIn) -> None:
    assert _status(server, server.token) == 200


def test_an_eks_token_gives_the_user_and_groups_of_its_access_entry(server: StandIn, backend: Backend) -> None:
    with server.client(_token(backend.url)) as client:
        review = client.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", json={}).json()
        assert client.get("/api/v1/namespaces").status_code == 403
    user = review["status"]["userInfo"]
    assert (user["username"], user["groups"]) == (SESSION, ["platform", "system:authenticated"])


def test_the_administrator_policy_of_eks_allows_everything(server: StandIn, backend: Backend) -> None:
    _entry(backend, policies=["arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"])
    assert _status(server, _token(backend.url)) == 200


def test_a_verified_token_is_remembered(server: StandIn, backend: Backend) -> None:
    token = _token(backend.url)
    assert _status(server, token) == 403
    count = len(backend.seen)
    assert _status(server, token) == 403
    assert len(backend.seen) == count


def test_a_caller_without_access_entry_is_refused(server: StandIn, backend: Backend) -> None:
    _caller(backend, f"arn:aws:iam::{ACCOUNT}:user/stranger")
    assert _status(server, _token(backend.url)) == 401


def test_tokens_that_cannot_be_for_this_cluster_are_refused(server: StandIn, backend: Backend) -> None:
    refused = [
        _token(backend.url, age=16 * 60),
        _token(backend.url, signed="host"),
        _token("http://127.0.0.1:1"),
        _token(backend.url, Action="ListUsers"),
        "k8s-aws-v1.%%%",
        "k8s-aws-v1.",
    ]
    assert [_status(server, token) for token in refused] == [401] * len(refused)


def test_tokens_are_refused_while_sts_does_not_know_the_caller(server: StandIn, backend: Backend) -> None:
    backend.answers["/"] = lambda _request: (403, {}, b"<ErrorResponse/>")
    assert _status(server, _token(backend.url)) == 401
