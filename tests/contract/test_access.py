"""Who is let in, and what they may do: authentication, RBAC, reviews, tokens of ServiceAccounts."""

# ruff: noqa: E501 (a row of a table of messages is a line)

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.contract.kube import Kube, unique
from tests.contract.objects import Object, binding, configmap, meta, role
from tests.contract.server import ApiServer

RBAC = "rbac.authorization.k8s.io"
ROLES, BINDINGS = f"roles.{RBAC}", f"rolebindings.{RBAC}"
REVIEWS = "/apis/authorization.k8s.io/v1"


@pytest.fixture
def nobody(server: ApiServer) -> Iterator[httpx2.Client]:
    """A client without a token."""
    with server.client() as opened:
        del opened.headers["authorization"]
        yield opened


@pytest.fixture
def jane(kube: Kube) -> Kube:
    """A user who may read ConfigMaps in the test's namespace."""
    kube.made(ROLES, role("reader", ["get", "list"], "configmaps"))
    user = unique("jane")
    kube.made(BINDINGS, binding("reading", "reader", user=user))
    acting = kube.acting_as(user)
    acting.until(lambda: acting.call("GET", acting.path("configmaps"))[0] == 200)
    return acting


def _name(kube: Kube) -> str:
    return kube.headers["impersonate-user"]


def test_a_wrong_token_is_unauthorized_everywhere(server: ApiServer) -> None:
    with server.client("wrong") as client:
        for path in ("/api/v1/namespaces", "/version", "/livez", "/apis"):
            response = client.get(path)
            assert (response.status_code, response.json()) == (
                401,
                {
                    "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                    "message": "Unauthorized", "reason": "Unauthorized", "code": 401,
                },
            )  # fmt: skip


def test_anonymous_callers_see_version_and_health_only(nobody: httpx2.Client) -> None:
    assert [nobody.get(path).status_code for path in ("/version", "/livez", "/readyz", "/healthz")] == [200] * 4
    body = nobody.get("/api").json()
    assert (body["code"], body["details"]) == (403, {})
    assert body["message"] == 'forbidden: User "system:anonymous" cannot get path "/api"'
    body = nobody.get("/apis/apps/v1/deployments").json()
    what = 'User "system:anonymous" cannot list resource "deployments" in API group "apps" at the cluster scope'
    assert (body["code"], body["message"]) == (403, f"deployments.apps is forbidden: {what}")
    assert body["details"] == {"group": "apps", "kind": "deployments"}


def test_a_role_allows_what_it_says(jane: Kube) -> None:
    assert jane.call("GET", jane.path("configmaps", "kube-root-ca.crt"))[0] == 200
    assert jane.call("GET", "/apis")[0] == 200
    assert jane.call("GET", jane.path("configmaps", "none"))[0] == 404


def test_what_no_role_allows_is_forbidden(jane: Kube) -> None:
    user, place = _name(jane), f'in the namespace "{jane.namespace}"'
    status, body = jane.create("configmaps", configmap("x"))
    what = f'User "{user}" cannot create resource "configmaps" in API group "" {place}'
    assert (status, body["reason"], body["message"]) == (403, "Forbidden", f"configmaps is forbidden: {what}")
    assert body["details"] == {"kind": "configmaps"}
    _, body = jane.delete("configmaps", "x")
    what = f'User "{user}" cannot delete resource "configmaps" in API group "" {place}'
    assert body["message"] == f'configmaps "x" is forbidden: {what}'
    assert body["details"] == {"kind": "configmaps", "name": "x"}
    _, body = jane.call("GET", jane.path("pods", "p", "log"))
    what = f'User "{user}" cannot get resource "pods/log" in API group "" {place}'
    assert body["message"] == f'pods "p" is forbidden: {what}'
    _, body = jane.call("GET", "/api/v1/configmaps")
    assert body["message"].endswith('cannot list resource "configmaps" in API group "" at the cluster scope')


@pytest.mark.parametrize(
    ("verb", "options", "expected"),
    [
        ("GET", {"watch": "true"}, "watch"),
        ("DELETE", {}, "deletecollection"),
        ("POST", {}, "create"),
    ],
)
def test_verbs_of_collections_have_names_of_their_own(jane: Kube, verb: str, options: Any, expected: str) -> None:
    body = configmap("x") if verb == "POST" else None
    _, answer = jane.call(verb, jane.path("configmaps"), body, **options)
    assert f'cannot {expected} resource "configmaps"' in answer["message"]


def test_a_role_may_name_its_objects(kube: Kube) -> None:
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"], "resourceNames": ["mine"]}]
    kube.made(ROLES, meta("one") | {"rules": rules})
    bill = kube.acting_as(unique("bill"))
    kube.made(BINDINGS, binding("one", "one", user=_name(bill)))
    kube.made("configmaps", configmap("mine"))
    bill.until(lambda: bill.call("GET", bill.path("configmaps", "mine"))[0] == 200)
    assert bill.call("GET", bill.path("configmaps", "kube-root-ca.crt"))[0] == 403


def test_nobody_grants_what_they_do_not_have(kube: Kube, jane: Kube) -> None:
    kube.made(ROLES, role("granter", ["create"], "roles", "rolebindings", group=RBAC))
    kube.made(BINDINGS, binding("granting", "granter", user=_name(jane)))
    jane.until(lambda: jane.create(ROLES, role(unique("held"), ["get"], "configmaps"))[0] == 201)
    status, body = jane.create(ROLES, role("more", ["get", "delete"], "configmaps", "pods"))
    head = f'user "{_name(jane)}" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:'
    assert (status, body["reason"]) == (403, "Forbidden")
    assert body["message"].startswith(f'roles.{RBAC} "more" is forbidden: {head}\n')
    assert set(body["message"].splitlines()[1:]) == {
        '{APIGroups:[""], Resources:["configmaps"], Verbs:["delete"]}',
        '{APIGroups:[""], Resources:["pods"], Verbs:["get" "delete"]}',
    }
    status, body = jane.create(BINDINGS, binding("all", "cluster-admin", "ClusterRole", user="x"))
    assert (status, "not currently held" in body["message"]) == (403, True)
    assert jane.create(BINDINGS, binding("own", "reader", user="x"))[0] == 201
    status, body = jane.create(BINDINGS, binding("none", "missing", "ClusterRole", user="x"))
    assert (status, body["message"]) == (404, f'rolebindings.{RBAC} "missing" not found')


def test_only_who_may_impersonates(jane: Kube) -> None:
    response = jane.client.get("/api", headers={"impersonate-user": "x", "impersonate-group": "y"})
    assert response.status_code == 200  # the administrator may
    _, body = jane.call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {})
    user = {"username": _name(jane), "groups": ["system:authenticated"]}
    assert body["status"]["userInfo"] == user


def _allowed(kube: Kube, **attributes: str) -> Any:
    spec = {"resourceAttributes": {"namespace": kube.namespace, "resource": "configmaps"} | attributes}
    status, body = kube.call("POST", f"{REVIEWS}/selfsubjectaccessreviews", {"spec": spec})
    assert status == 201, body
    return body["status"]


def test_access_can_be_asked_for(jane: Kube) -> None:
    reason = f'RBAC: allowed by RoleBinding "reading/{jane.namespace}" of Role "reader" to User "{_name(jane)}"'
    assert _allowed(jane, verb="get") == {"allowed": True, "reason": reason}
    assert _allowed(jane, verb="delete") == {"allowed": False}
    assert _allowed(jane, verb="get", group="apps", resource="deployments", subresource="scale") == {"allowed": False}
    admin = Kube(jane.client, jane.namespace)
    assert _allowed(admin, verb="delete")["allowed"] is True
    spec = {
        "user": _name(jane),
        "resourceAttributes": {"namespace": jane.namespace, "verb": "get", "resource": "configmaps"},
    }
    _, body = admin.call("POST", f"{REVIEWS}/subjectaccessreviews", {"spec": spec})
    assert body["status"] == {"allowed": True, "reason": reason}
    assert jane.call("POST", f"{REVIEWS}/subjectaccessreviews", {"spec": spec})[0] == 403


def test_all_rules_can_be_asked_for(jane: Kube) -> None:
    _, body = jane.call("POST", f"{REVIEWS}/selfsubjectrulesreviews", {"spec": {"namespace": jane.namespace}})
    assert {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["configmaps"]} in body["status"]["resourceRules"]
    assert body["status"]["incomplete"] is False


def test_a_question_must_be_about_something(jane: Kube) -> None:
    status, body = jane.call("POST", f"{REVIEWS}/selfsubjectaccessreviews", {"spec": {}})
    text = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
    assert (status, text in body["message"]) == (422, True)


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ([{}], "[rules[0].verbs: Required value: verbs must contain at least one value, rules[0].apiGroups: Required value: resource rules must supply at least one api group, rules[0].resources: Required value: resource rules must supply at least one resource]"),
        ([{"verbs": ["get"], "nonResourceURLs": ["/x"]}], 'rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs'),
    ],
)  # fmt: skip
def test_roles_are_checked(kube: Kube, rules: list[Object], text: str) -> None:
    status, body = kube.create(ROLES, meta("r") | {"rules": rules})
    assert (status, body["message"]) == (422, f'Role.{RBAC} "r" is invalid: {text}')


def test_bindings_are_checked_and_keep_their_role(kube: Kube) -> None:
    status, body = kube.create(BINDINGS, meta("b") | {"roleRef": {"kind": "X", "name": ""}})
    text = (
        '[roleRef.kind: Unsupported value: "X": supported values: "Role", "ClusterRole", roleRef.name: Required value]'
    )
    assert (status, body["message"]) == (422, f'RoleBinding.{RBAC} "b" is invalid: {text}')
    kube.made(BINDINGS, binding("b", "r", user="u"))
    status, body = kube.patch(BINDINGS, "b", {"roleRef": {"name": "z"}}, "merge")
    shown = f'{{"APIGroup":"{RBAC}","Kind":"Role","Name":"z"}}'
    assert (
        body["message"] == f'RoleBinding.{RBAC} "b" is invalid: roleRef: Invalid value: {shown}: cannot change roleRef'
    )


def test_a_service_account_has_tokens(kube: Kube, server: ApiServer) -> None:
    status, body = kube.call(
        "POST", kube.path("serviceaccounts", "default", "token"), {"spec": {"expirationSeconds": 3600}}
    )
    assert (status, body["kind"]) == (201, "TokenRequest")
    assert body["status"]["expirationTimestamp"]
    with server.client(body["status"]["token"]) as client:
        review = client.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", json={}).json()
        user = review["status"]["userInfo"]
        assert user["username"] == f"system:serviceaccount:{kube.namespace}:default"
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{kube.namespace}", "system:authenticated"]
        assert user["groups"] == groups
        assert client.get(kube.path("configmaps")).status_code == 403
        subjects = [{"kind": "ServiceAccount", "name": "default", "namespace": kube.namespace}]
        kube.made(ROLES, role("reader", ["list"], "configmaps"))
        kube.made(BINDINGS, meta("b") | {"roleRef": {"kind": "Role", "name": "reader"}, "subjects": subjects})
        kube.until(lambda: client.get(kube.path("configmaps")).status_code == 200)


def test_a_token_ends_with_what_it_is_bound_to(kube: Kube, server: ApiServer) -> None:
    kube.made("serviceaccounts", meta("short"))
    _, body = kube.call("POST", kube.path("serviceaccounts", "short", "token"), {"spec": {}})
    with server.client(body["status"]["token"]) as client:
        assert client.get("/apis").status_code == 200
        kube.delete("serviceaccounts", "short")
        kube.until(lambda: client.get("/apis").status_code == 401)


def test_tokens_last_ten_minutes_at_least(kube: Kube) -> None:
    path = kube.path("serviceaccounts", "default", "token")
    status, body = kube.call("POST", path, {"spec": {"expirationSeconds": 60}})
    text = "spec.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes"
    assert (status, body["message"]) == (422, f'TokenRequest.authentication.k8s.io "" is invalid: {text}')


def test_a_token_can_be_reviewed(kube: Kube) -> None:
    _, body = kube.call("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": "wrong"}})
    assert body["status"].get("authenticated") is None
    assert "invalid bearer token" in body["status"]["error"]
