"""EKS tokens at a real API server: who is let in by the webhook, and what RBAC then grants."""

import datetime
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.planes import Plane, until
from tests.sandbox.aws.standin import ACCOUNT, StandIn, make_role
from tests.sandbox.aws.test_authenticator import token

REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
CLUSTER_ROLE_BINDING = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "test-viewers"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
    "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "test-viewers"}],
}
BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"


def http_status(plane: Plane, bearer: str) -> int:
    with plane.http(bearer) as client:
        return client.get("/api/v1/pods").status_code


def user_of(plane: Plane, bearer: str) -> dict[str, Any]:
    with plane.http(bearer) as client:
        return dict(client.post(REVIEWS, json=REVIEW).json()["status"]["userInfo"])


@pytest.fixture(scope="module")
def viewer(standin: StandIn) -> str:
    """A role that the cluster does not know yet."""
    return make_role(standin, "viewer", "ec2.amazonaws.com")


@pytest.fixture
def view_for_the_group(control_plane: Plane) -> Iterator[None]:
    with control_plane.http() as administrator:
        assert administrator.post(BINDINGS, json=CLUSTER_ROLE_BINDING).status_code == 201
        yield
        assert administrator.delete(f"{BINDINGS}/test-viewers").status_code == 200


def test_the_creator_of_the_cluster_is_its_administrator(aws: StandIn, control_plane: Plane) -> None:
    bearer = token(aws)
    assert http_status(control_plane, bearer) == 200
    user = user_of(control_plane, bearer)
    assert user["username"] == f"arn:aws:iam::{ACCOUNT}:user/podium"
    assert set(user["groups"]) == {"system:masters", "system:authenticated"}


def test_a_role_may_do_what_rbac_grants_to_the_groups_of_its_access_entry(
    aws: StandIn, viewer: str, control_plane: Plane, view_for_the_group: None
) -> None:
    eks = aws.client("eks")
    assert http_status(control_plane, token(aws, role=viewer)) == 401
    eks.create_access_entry(clusterName="one", principalArn=viewer)
    assert http_status(control_plane, token(aws, role=viewer)) == 403
    eks.update_access_entry(clusterName="one", principalArn=viewer, kubernetesGroups=["test-viewers"])
    bearer = token(aws, role=viewer)
    until(lambda: http_status(control_plane, bearer) == 200)  # `view` is put together by a controller
    with control_plane.http(bearer) as client:
        assert client.post(BINDINGS, json=CLUSTER_ROLE_BINDING).status_code == 403
    eks.delete_access_entry(clusterName="one", principalArn=viewer)
    assert http_status(control_plane, token(aws, role=viewer)) == 401


def test_tokens_that_are_old_or_of_another_cluster_are_refused(aws: StandIn, control_plane: Plane) -> None:
    past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=16)
    old = token(aws, **{"X-Amz-Date": past.strftime("%Y%m%dT%H%M%SZ")})
    for refused in (old, token(aws, cluster="two"), "k8s-aws-v1.nonsense", "nonsense"):
        assert http_status(control_plane, refused) == 401


def test_a_failure_of_sts_is_asked_again_about_and_not_a_refusal(aws: StandIn, control_plane: Plane) -> None:
    aws.fault(match="sts:GetCallerIdentity", kind="5xx", times=1)
    assert http_status(control_plane, token(aws)) == 200


def test_the_webhook_comes_back_after_it_was_killed(aws: StandIn, control_plane: Plane) -> None:
    [process] = control_plane.processes("sandbox.control_plane.authenticator")
    os.kill(process, signal.SIGKILL)
    until(lambda: http_status(control_plane, token(aws)) == 200)
    assert control_plane.processes("sandbox.control_plane.authenticator") != [process]
