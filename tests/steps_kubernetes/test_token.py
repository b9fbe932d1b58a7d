"""EKS tokens: made as `aws eks get-token` makes them, renewed in time, once, and whatever the clocks do."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
import yaml

from steps.clients.aws import Aws, AwsTarget
from steps.clients.kubernetes import Clock, Kube, kubeconfig
from steps.errors import Code, PodiumError
from tests.steps_kubernetes.recorded_api import UNAUTHORIZED, RecordedApi
from tests.steps_kubernetes.signature_v4 import parameters, signature, url_in

NODES = "/api/v1/namespaces/dbos"
KEY, SECRET, SESSION = "AKIAX", "sec", "TOK/EN+x=="
# What `aws eks get-token --cluster-name demo --region us-west-2` of aws-cli 1.45.11 made of KEY, SECRET (and SESSION).
OF_AWS_CLI = (
    "https://sts.us-west-2.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256"
    "&X-Amz-Credential=AKIAX%2F20261123%2Fus-west-2%2Fsts%2Faws4_request&X-Amz-Date=20261123T214115Z&X-Amz-Expires=60"
    "&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id"
    "&X-Amz-Signature=e67c0f3b370a515900e9fa4bbca55b96fa04b8a488e695524993b58786b45186"
)
OF_AWS_CLI_WITH_SESSION = (
    "https://sts.us-west-2.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256"
    "&X-Amz-Credential=AKIAX%2F20261123%2Fus-west-2%2Fsts%2Faws4_request&X-Amz-Date=20261123T214120Z&X-Amz-Expires=60"
    "&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&X-Amz-Security-Token=TOK%2FEN%2Bx%3D%3D"
    "&X-Amz-Signature=8ef5b9345b98628529785556eb2bdc966589432d0a07d26487dabe1dfffdeb16"
)


class Hands:
    """Clocks that a test sets."""

    def __init__(self) -> None:
        self.wall, self.steady = 1_800_000_000.0, 50.0

    def clock(self) -> Clock:
        return Clock(lambda: self.wall, lambda: self.steady)

    def pass_by(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def made() -> list[str]:
    """The tokens that were made."""
    return []


@pytest.fixture
def renewing(api: RecordedApi, hands: Hands, made: list[str]) -> Iterator[Kube]:
    """A client whose token source gives token-1, token-2, …"""

    def make() -> str:
        made.append(f"token-{len(made) + 1}")
        return made[-1]

    client = Kube(api.endpoint, api.ca_data, make, hands.clock())
    yield client
    client.close()


def make_token(monkeypatch: pytest.MonkeyPatch, region: str, *, session: str | None = None) -> str:
    """An EKS token for the cluster `demo`. Nobody is asked for it: it is only signed."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    given = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET} | (
        {"AWS_SESSION_TOKEN": session} if session else {}
    )
    for name, value in (given | {"AWS_CONFIG_FILE": "/nonexistent"}).items():
        monkeypatch.setenv(name, value)
    aws = Aws(AwsTarget(region))
    try:
        return aws.cluster_token("demo")
    finally:
        aws.close()


@pytest.mark.parametrize("recorded", [OF_AWS_CLI, OF_AWS_CLI_WITH_SESSION])
def test_the_independent_signature_is_that_of_the_aws_command_line(recorded: str) -> None:
    assert signature(recorded, SECRET, "demo") == dict(parameters(recorded))["X-Amz-Signature"]


@pytest.mark.parametrize(("recorded", "session"), [(OF_AWS_CLI, None), (OF_AWS_CLI_WITH_SESSION, SESSION)])
def test_a_token_is_that_of_the_aws_command_line_but_for_time_and_signature(
    monkeypatch: pytest.MonkeyPatch, recorded: str, session: str | None
) -> None:
    url = url_in(make_token(monkeypatch, "us-west-2", session=session))
    ours, theirs = parameters(url), parameters(recorded)
    assert url.partition("?")[0] == recorded.partition("?")[0]
    assert [name for name, _ in ours] == [name for name, _ in theirs]
    date = dict(ours)["X-Amz-Date"]
    differing = {
        "X-Amz-Date": date,
        "X-Amz-Credential": dict(theirs)["X-Amz-Credential"].replace("20261123", date[:8]),
        "X-Amz-Signature": signature(url, SECRET, "demo"),
    }
    assert dict(ours) == dict(theirs) | differing
    signed = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert abs((datetime.now(UTC) - signed).total_seconds()) < 60


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("us-east-1", "sts.us-east-1.amazonaws.com"),
        ("cn-north-1", "sts.cn-north-1.amazonaws.com.cn"),
        ("us-gov-west-1", "sts.us-gov-west-1.amazonaws.com"),
    ],
)
def test_the_regions_own_sts_is_named_and_signed_for(monkeypatch: pytest.MonkeyPatch, region: str, host: str) -> None:
    url = url_in(make_token(monkeypatch, region))
    given = dict(parameters(url))
    assert urlsplit(url).netloc == host
    assert f"%2F{region}%2Fsts%2F" in given["X-Amz-Credential"]
    assert given["X-Amz-Signature"] == signature(url, SECRET, "demo")


def test_the_legacy_global_endpoint_is_signed_for_its_own_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_STS_REGIONAL_ENDPOINTS", "legacy")
    url = url_in(make_token(monkeypatch, "us-west-2"))
    assert urlsplit(url).netloc == "sts.amazonaws.com"
    assert "%2Fus-east-1%2Fsts%2F" in dict(parameters(url))["X-Amz-Credential"]


def test_a_token_is_good_for_its_own_cluster_only(monkeypatch: pytest.MonkeyPatch) -> None:
    url = url_in(make_token(monkeypatch, "us-west-2"))
    assert dict(parameters(url))["X-Amz-Signature"] != signature(url, SECRET, "another")


def test_a_token_is_kept_for_ten_minutes_and_replaced_before_fifteen(
    renewing: Kube, hands: Hands, api: RecordedApi
) -> None:
    for _ in range(4):
        renewing.get("Namespace", "dbos")
        hands.pass_by(299)
    assert api.tokens == ["token-1", "token-1", "token-1", "token-2"]


@pytest.mark.parametrize(("wall", "steady"), [(3600, 0), (601, 0), (0, 601), (-3600, 0), (-3600, 30)])
def test_a_clock_that_jumps_brings_a_new_token(
    renewing: Kube, hands: Hands, api: RecordedApi, wall: float, steady: float
) -> None:
    renewing.get("Namespace", "dbos")
    hands.wall += wall
    hands.steady += steady
    renewing.get("Namespace", "dbos")
    renewing.get("Namespace", "dbos")
    assert api.tokens == ["token-1", "token-2", "token-2"]


def test_helm_gets_a_token_that_outlives_its_run(renewing: Kube, hands: Hands) -> None:
    renewing.get("Namespace", "dbos")
    hands.pass_by(61)
    config = yaml.safe_load(kubeconfig(renewing))
    assert config["users"][0]["user"] == {"token": "token-2"}
    hands.pass_by(59)
    assert yaml.safe_load(kubeconfig(renewing)) == config


def test_a_token_refused_in_the_middle_is_renewed_and_the_call_goes_on(
    renewing: Kube, hands: Hands, api: RecordedApi
) -> None:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "dbos"}}
    renewing.apply(manifest)
    hands.pass_by(60)
    call = "PATCH /api/v1/namespaces/dbos/configmaps/a"
    api.answer(call, 401, UNAUTHORIZED)
    api.answer(call, 200, manifest)
    assert renewing.apply(manifest) == manifest
    assert api.tokens == ["token-1", "token-1", "token-2"]


def test_a_new_token_refused_too_is_an_error_that_names_access_entries(
    renewing: Kube, api: RecordedApi, made: list[str]
) -> None:
    api.answer(f"GET {NODES}", 401, UNAUTHORIZED)
    with pytest.raises(PodiumError) as caught:
        renewing.get("Namespace", "dbos")
    assert caught.value.code is Code.KUBERNETES_ACCESS_DENIED
    assert "aws eks create-access-entry" in caught.value.remedy
    assert "--kubernetes-groups podium" in caught.value.remedy
    assert made == ["token-1", "token-2"]
    assert len(api.calls) == 2


def test_a_services_own_401_renews_nothing(renewing: Kube, api: RecordedApi, made: list[str]) -> None:
    api.answer(f"GET {NODES}/services/conductor:8090/proxy/v2", 401, "log in first")
    assert renewing.service_request("dbos", "conductor", 8090, "GET", "/v2").status == 401
    assert made == ["token-1"]


def test_threads_share_one_renewal(api: RecordedApi, hands: Hands) -> None:
    """Sixteen calls are refused with one token. Its successors have the same text, being made in the same second."""
    made: list[str] = []

    def make() -> str:
        made.append("of this second" if made else "old")
        return made[-1]

    client = Kube(api.endpoint, api.ca_data, make, hands.clock())
    client.get("Namespace", "dbos")
    api.refused = {"old"}
    with ThreadPoolExecutor(16) as pool:
        with api.held():
            calls = [pool.submit(client.get, "Namespace", "dbos") for _ in range(16)]
            deadline = time.monotonic() + 10
            while len(api.tokens) < 17:
                assert time.monotonic() < deadline
                time.sleep(0.01)
        assert [call.result() for call in calls] == [None] * 16
    client.close()
    assert made == ["old", "of this second"]
    assert len(api.tokens) == 1 + 16 + 16


def test_a_token_is_not_shown_when_it_is_printed(renewing: Kube) -> None:
    renewing.get("Namespace", "dbos")
    kept = renewing._tokens.get()
    assert "token-1" not in repr(kept)
