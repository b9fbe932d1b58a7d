"""The Kubernetes client: what it sends, and how refusals become Podium's errors."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from steps import objects
from steps.clients.kubernetes import Kube, kubeconfig
from steps.errors import Code, CredentialsError, PodiumError, TransientError
from steps.names import Owner
from tests.steps_kubernetes.recorded_api import RecordedApi

DEPLOYMENTS = "/apis/apps/v1/namespaces/dbos/deployments"
CONFIG_MAP: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "settings", "namespace": "dbos", "labels": {"podium/installation": "dbos-conductor"}},
}
PROXY = "/api/v1/namespaces/dbos/services/conductor:8090/proxy"


def status(code: int, message: str, **details: Any) -> dict[str, Any]:
    return {"kind": "Status", "status": "Failure", "code": code, "message": message, "details": details}


@pytest.fixture
def renewing(api: RecordedApi) -> Iterator[Kube]:
    """A client whose token source gives token-1, token-2, …"""
    given: list[str] = []

    def token() -> str:
        given.append(f"token-{len(given) + 1}")
        return given[-1]

    client = Kube(api.endpoint, api.ca_data, token)
    yield client
    client.close()


def test_what_does_not_exist_is_none_and_not_an_error(kube: Kube) -> None:
    assert kube.get("Deployment", "conductor", "dbos") is None
    assert kube.list("SealedSecret", "dbos") == []
    assert kube.delete("Deployment", "conductor", "dbos") is False


def test_a_token_refused_once_is_renewed_and_the_call_repeated(api: RecordedApi, renewing: Kube) -> None:
    api.answer(f"GET {DEPLOYMENTS}/conductor", 401, status(401, "Unauthorized"))
    api.answer(f"GET {DEPLOYMENTS}/conductor", 200, {"kind": "Deployment"})
    assert renewing.get("Deployment", "conductor", "dbos") == {"kind": "Deployment"}
    assert api.tokens == ["token-1", "token-2"]


def test_a_token_is_kept_between_calls(api: RecordedApi, renewing: Kube) -> None:
    renewing.get("Deployment", "conductor", "dbos")
    renewing.get("Deployment", "console", "dbos")
    assert api.tokens == ["token-1", "token-1"]


def test_a_token_refused_twice_is_access_denied(api: RecordedApi, renewing: Kube) -> None:
    api.answer(f"GET {DEPLOYMENTS}/conductor", 401, status(401, "Unauthorized"))
    with pytest.raises(PodiumError) as caught:
        renewing.get("Deployment", "conductor", "dbos")
    assert caught.value.code is Code.KUBERNETES_ACCESS_DENIED
    assert "access entry" in caught.value.remedy


@pytest.mark.parametrize(
    ("answered", "code", "transient"),
    [
        (403, Code.KUBERNETES_ACCESS_DENIED, False),
        (404, Code.KUBERNETES_REJECTED, True),
        (409, Code.KUBERNETES_CONFLICT, False),
        (422, Code.KUBERNETES_REJECTED, False),
        (429, Code.KUBERNETES_UNAVAILABLE, True),
        (500, Code.KUBERNETES_UNAVAILABLE, True),
        (503, Code.KUBERNETES_UNAVAILABLE, True),
    ],
)
def test_refused_writes_become_errors(api: RecordedApi, kube: Kube, answered: int, code: Code, transient: bool) -> None:
    api.answer("PATCH /api/v1/namespaces/dbos/configmaps/settings", answered, status(answered, "no"))
    with pytest.raises(PodiumError) as caught:
        kube.apply(CONFIG_MAP)
    assert caught.value.code is code
    assert isinstance(caught.value, TransientError) is transient
    assert caught.value.message.startswith("ConfigMap dbos/settings: no")


def test_a_rejected_object_is_reported_with_its_fields(api: RecordedApi, kube: Kube) -> None:
    cause = {"field": "data", "message": "must be a map"}
    api.answer("PATCH /api/v1/namespaces/dbos/configmaps/settings", 422, status(422, "invalid", causes=[cause]))
    with pytest.raises(PodiumError, match=r"ConfigMap dbos/settings: invalid \(data: must be a map\)"):
        kube.apply(CONFIG_MAP)


def test_a_secret_quoted_by_the_api_is_not_repeated(api: RecordedApi, kube: Kube) -> None:
    api.answer(
        "PATCH /api/v1/namespaces/dbos/configmaps/settings",
        422,
        status(422, "bad: postgresql://a:canary@h/d password=x1y2"),
    )
    with pytest.raises(PodiumError) as caught:
        kube.apply(CONFIG_MAP)
    assert "canary" not in str(caught.value)
    assert "x1y2" not in str(caught.value)


def test_every_write_asks_for_strict_field_validation(api: RecordedApi, kube: Kube) -> None:
    path = "/api/v1/namespaces/dbos/configmaps"
    kube.apply(CONFIG_MAP)
    applied = api.queries[f"PATCH {path}/settings"]
    kube.patch("ConfigMap", "settings", "dbos", {"data": {"a": "1"}})
    patched = api.queries[f"PATCH {path}/settings"]
    kube.create(CONFIG_MAP)
    assert applied == {"fieldManager": ["podium"], "fieldValidation": ["Strict"], "force": ["true"]}
    assert patched == api.queries[f"POST {path}"] == {"fieldManager": ["podium"], "fieldValidation": ["Strict"]}


def test_an_apply_of_an_unknown_field_names_it_though_the_api_says_500(api: RecordedApi, kube: Kube) -> None:
    """What a real API server answers: tests/cluster/test_manifests.py."""
    path = "/api/v1/namespaces/dbos/configmaps"
    api.answer(f"PATCH {path}/settings", 500, status(500, "failed to create typed patch object"))
    api.answer(f"POST {path}", 400, status(400, 'strict decoding error: unknown field "dota"'))
    with pytest.raises(PodiumError) as caught:
        kube.apply(CONFIG_MAP)
    assert not isinstance(caught.value, TransientError)
    assert caught.value.code is Code.KUBERNETES_REJECTED
    assert 'ConfigMap dbos/settings: strict decoding error: unknown field "dota"' in caught.value.message
    assert api.queries[f"POST {path}"]["dryRun"] == ["All"]


def test_an_apply_that_the_api_could_not_do_is_transient(api: RecordedApi, kube: Kube) -> None:
    path = "/api/v1/namespaces/dbos/configmaps"
    api.answer(f"PATCH {path}/settings", 500, status(500, "etcdserver: request timed out"))
    api.answer(f"POST {path}", 409, status(409, 'configmaps "settings" already exists'))
    with pytest.raises(TransientError, match="request timed out"):
        kube.apply(CONFIG_MAP)


def test_a_namespace_that_is_being_deleted_is_waited_for(api: RecordedApi, kube: Kube) -> None:
    cause = {"reason": "NamespaceTerminating", "message": "is being terminated", "field": "metadata.namespace"}
    api.answer("PATCH /api/v1/namespaces/dbos/configmaps/settings", 403, status(403, "forbidden", causes=[cause]))
    with pytest.raises(TransientError) as caught:
        kube.apply(CONFIG_MAP)
    assert caught.value.code is Code.KUBERNETES_CONFLICT


def test_what_rbac_refuses_names_the_role_file(api: RecordedApi, kube: Kube) -> None:
    api.answer(f"GET {DEPLOYMENTS}/conductor", 403, status(403, 'User "x" cannot get resource "deployments"'))
    with pytest.raises(PodiumError) as caught:
        kube.get("Deployment", "conductor", "dbos")
    assert caught.value.code is Code.KUBERNETES_ACCESS_DENIED
    assert "kubectl apply -f deploy/kubernetes/rbac.yaml" in caught.value.remedy


def test_a_long_refusal_keeps_its_end(api: RecordedApi, kube: Kube) -> None:
    api.answer("PATCH /api/v1/namespaces/dbos/configmaps/settings", 422, status(422, "x" * 5000 + "unknown field a"))
    with pytest.raises(PodiumError, match=r"unknown field a$") as caught:
        kube.apply(CONFIG_MAP)
    assert len(caught.value.message) == 600


def test_a_broken_connection_is_transient(tmp_path: Any) -> None:
    gone = RecordedApi(tmp_path)
    client = Kube(gone.endpoint, gone.ca_data, lambda: "token")
    gone.close()
    with pytest.raises(TransientError) as caught:
        client.get("Deployment", "conductor", "dbos")
    client.close()
    assert caught.value.code is Code.KUBERNETES_UNAVAILABLE


def test_a_services_own_errors_are_its_answer(api: RecordedApi, kube: Kube) -> None:
    api.answer(f"GET {PROXY}/v2/orgs/local/apps", 404, "404 page not found")
    answer = kube.service_request("dbos", "conductor", 8090, "GET", "/v2/orgs/local/apps")
    assert (answer.status, answer.text, answer.json()) == (404, "404 page not found", None)


def test_a_service_without_pods_is_transient(api: RecordedApi, kube: Kube) -> None:
    api.answer(f"GET {PROXY}/healthz", 503, status(503, "no endpoints available for service"))
    with pytest.raises(TransientError, match="no endpoints available"):
        kube.service_request("dbos", "conductor", 8090, "GET", "/healthz")


def test_somebody_elses_object_is_left_alone(api: RecordedApi, kube: Kube, owner: Owner) -> None:
    path = "/api/v1/namespaces/dbos/configmaps/settings"
    api.objects[path] = {"kind": "ConfigMap", "metadata": {"name": "settings", "labels": {"app": "theirs"}}}
    with pytest.raises(PodiumError) as caught:
        objects.apply(kube, owner, CONFIG_MAP)
    objects.delete(kube, owner, "ConfigMap", "settings", "dbos")
    assert caught.value.code is Code.NAME_TAKEN
    assert "kubectl label configmap settings -n dbos podium/installation=dbos-conductor" in caught.value.remedy
    assert set(api.calls) == {f"GET {path}"}


def test_the_kubeconfig_holds_endpoint_authority_and_token(kube: Kube) -> None:
    config = yaml.safe_load(kubeconfig(kube))
    assert config["clusters"][0]["cluster"] == {"server": kube.endpoint, "certificate-authority-data": kube.ca_data}
    assert config["users"][0]["user"] == {"token": "token"}


@pytest.mark.parametrize("answer", ["<html>Please sign in</html>", "", '{"kind": "Depl', "[]", "{}"])
def test_what_is_not_the_apis_answer_is_tried_again(api: RecordedApi, kube: Kube, answer: str) -> None:
    calls: list[tuple[str, Callable[[], Any]]] = [
        (f"GET {DEPLOYMENTS}/conductor", lambda: kube.get("Deployment", "conductor", "dbos")),
        (f"GET {DEPLOYMENTS}", lambda: kube.list("Deployment", "dbos")),
        (f"DELETE {DEPLOYMENTS}/conductor", lambda: kube.delete("Deployment", "conductor", "dbos")),
        ("PATCH /api/v1/namespaces/dbos/configmaps/settings", lambda: kube.apply(CONFIG_MAP)),
    ]
    for call, ask in calls:
        api.answer(call, 200, answer)
        with pytest.raises(TransientError, match="was not the Kubernetes API") as caught:
            ask()
        assert caught.value.code is Code.KUBERNETES_UNAVAILABLE


def test_a_reading_is_tried_again_at_once_and_a_write_is_not(api: RecordedApi, kube: Kube) -> None:
    api.answer(f"GET {DEPLOYMENTS}/conductor", 503, status(503, "starting"))
    api.answer(f"GET {DEPLOYMENTS}/conductor", 200, "<html>Please sign in</html>")
    api.answer(f"GET {DEPLOYMENTS}/conductor", 200, {"kind": "Deployment"})
    assert kube.get("Deployment", "conductor", "dbos") == {"kind": "Deployment"}
    write = "PATCH /api/v1/namespaces/dbos/configmaps/settings"
    api.answer(write, 503, status(503, "starting"))
    with pytest.raises(TransientError):
        kube.apply(CONFIG_MAP)
    assert api.calls.count(write) == 1


def test_credentials_that_do_not_work_are_not_tried_again_by_the_client(api: RecordedApi) -> None:
    asked: list[str] = []

    def token() -> str:
        asked.append("token")
        raise CredentialsError.by_user(Code.AWS_CREDENTIALS_EXPIRED, "expired", "renew them")

    client = Kube(api.endpoint, api.ca_data, token)
    with pytest.raises(CredentialsError):
        client.get("Deployment", "conductor", "dbos")
    client.close()
    assert asked == ["token"]
