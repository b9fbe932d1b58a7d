"""Podium's EKS tokens at a real API server whose webhook checks them: let in, renewed, refused."""

import datetime
import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from steps.clients.kubernetes import Clock
from steps.errors import Code, PodiumError
from tests.cluster.eks.access import CLUSTER, acting_as, kube_of, set_environment
from tests.cluster.eks.test_authenticator import user_of
from tests.cluster.planes import Plane
from tests.sandbox.aws.standin import ACCOUNT, StandIn, make_role
from tests.sandbox.aws.test_authenticator import token as token_signed_by_hand

_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, aws: StandIn) -> None:
    set_environment(monkeypatch, aws)


@pytest.fixture
def role(aws: StandIn) -> str:
    """The ARN of a role that the cluster does not know."""
    return make_role(aws, f"token-{next(_numbers)}", "ec2.amazonaws.com")


@pytest.fixture
def known_role(aws: StandIn, role: str) -> Iterator[str]:
    """The ARN of one with an access entry."""
    aws.client("eks").create_access_entry(clusterName=CLUSTER, principalArn=role, kubernetesGroups=["podium"])
    yield role
    aws.client("eks").delete_access_entry(clusterName=CLUSTER, principalArn=role)


def expired(aws: StandIn) -> str:
    past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=16)
    return token_signed_by_hand(aws, **{"X-Amz-Date": past.strftime("%Y%m%dT%H%M%SZ")})


def test_an_assumed_roles_token_is_let_in_with_the_groups_of_its_access_entry(
    known_role: str, control_plane: Plane
) -> None:
    with acting_as(known_role) as aws:
        user = user_of(control_plane, aws.cluster_token(CLUSTER))
    name = known_role.rpartition("/")[2]
    assert user["extra"]["canonicalArn"] == [known_role]
    assert user["username"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/podium"
    assert set(user["groups"]) == {"podium", "system:authenticated"}


def test_a_token_that_the_api_server_calls_expired_is_renewed_and_the_call_goes_on(
    aws: StandIn, control_plane: Plane
) -> None:
    """Of three tokens the second is 16 minutes old, as after a machine's sleep that no clock noticed."""
    now = 0.0
    with acting_as(None) as own:
        tokens = [own.cluster_token(CLUSTER), expired(aws), own.cluster_token(CLUSTER)]
        left = iter(tokens)
        with kube_of(control_plane, lambda: next(left), Clock(wall=lambda: now, steady=lambda: now)) as kube:
            assert kube.get("Namespace", "default") is not None
            now = 700.0
            assert kube.get("Namespace", "kube-system") is not None
            assert kube.list("Namespace") != []
    assert list(left) == []


def test_an_identity_without_access_entry_is_told_how_to_get_one(role: str, control_plane: Plane) -> None:
    with (
        acting_as(role) as aws,
        kube_of(control_plane, lambda: aws.cluster_token(CLUSTER)) as kube,
        pytest.raises(PodiumError) as caught,
    ):
        kube.list("Namespace")
    assert caught.value.code is Code.KUBERNETES_ACCESS_DENIED
    assert "aws eks create-access-entry" in caught.value.remedy


def test_a_token_for_another_cluster_is_refused(control_plane: Plane) -> None:
    with (
        acting_as(None) as aws,
        kube_of(control_plane, lambda: aws.cluster_token("two")) as kube,
        pytest.raises(PodiumError) as caught,
    ):
        kube.list("Namespace")
    assert caught.value.code is Code.KUBERNETES_ACCESS_DENIED


def test_threads_share_one_renewal(aws: StandIn, control_plane: Plane) -> None:
    with acting_as(None) as own:
        given: list[str] = []

        def make() -> str:
            given.append(own.cluster_token(CLUSTER) if given else expired(aws))
            return given[-1]

        with kube_of(control_plane, make) as kube, ThreadPoolExecutor(12) as pool:
            found = list(pool.map(lambda _: kube.get("Namespace", "default"), range(48)))
    assert all(found)
    assert len(given) == 2
