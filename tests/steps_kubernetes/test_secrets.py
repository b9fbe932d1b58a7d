"""The five sealed secrets, the database Jobs' secrets and the API key: what is sealed, when, and what never shows."""

import base64
import json
import traceback
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from steps import api_key, databases, sealed_secrets
from steps.clients.aws import Aws
from steps.clients.kubernetes import Kube
from steps.database_target import DatabaseTarget
from steps.errors import Code, PodiumError, TransientError
from steps.names import Owner
from steps.waiting import Pending
from tests.steps_kubernetes.recorded_api import RecordedApi, certificate
from tests.steps_kubernetes.recorded_secrets import RecordedSecrets
from tests.steps_kubernetes.test_sealing import unseal

KEY = rsa.generate_private_key(65537, 2048)
CONTROLLER = "/api/v1/namespaces/kube-system/services/sealed-secrets:8080/proxy/v1/cert.pem"
SEALED = "/apis/bitnami.com/v1alpha1/namespaces/dbos/sealedsecrets"
CONDUCTOR = "/api/v1/namespaces/dbos/services/conductor:8090/proxy/v2/orgs/local"
MASTER, CONDUCTOR_PASSWORD, APP_PASSWORD, LICENSE = "m@ster/canary", "conductor-canary", "app-canary", "license-canary"
PASSWORDS = {"conductor": {"secret": "conductor"}, "app": {"secret": "app"}}
TARGET = DatabaseTarget("db.example", 5432, "require", {"secret": "master", "json_key": "password"})


@pytest.fixture(autouse=True)
def stored(api: RecordedApi, secrets: RecordedSecrets) -> None:
    api.answer(f"GET {CONTROLLER}", 200, certificate(KEY).decode())
    values = {"conductor": CONDUCTOR_PASSWORD, "app": APP_PASSWORD, "license": LICENSE}
    for name, value in (values | {"master": json.dumps({"username": "postgres", "password": MASTER})}).items():
        secrets.values[name], secrets.tags[name] = [value], []


def seal_five(kube: Kube, aws: Aws, owner: Owner, license_key: dict[str, str] | None = None) -> list[str]:
    return sealed_secrets.ensure_five(kube, aws, owner, "dbos", TARGET, PASSWORDS, license_key)


def opened(api: RecordedApi, name: str) -> dict[str, str]:
    """The values in a SealedSecret, opened with the controller's key."""
    sealed = api.objects[f"{SEALED}/{name}"]["spec"]["encryptedData"]
    return {key: unseal(KEY, value, f"dbos/{name}") for key, value in sealed.items()}


def test_the_guides_five_secrets_hold_what_the_guide_says(api: RecordedApi, kube: Kube, aws: Aws, owner: Owner) -> None:
    names = seal_five(kube, aws, owner, {"secret": "license"})
    server = "db.example:5432"
    assert {name: opened(api, name) for name in names} == {
        "postgres-admin": {
            "password": MASTER,
            "database-url": f"postgresql://postgres:m%40ster%2Fcanary@{server}/dbos_app?sslmode=require",
        },
        "conductor-db": {
            "database-url": f"postgresql://dbos_conductor_role:{CONDUCTOR_PASSWORD}@{server}/dbos_conductor?sslmode=require"
        },
        "dbos-app-db": {"database-url": f"postgresql://dbos_app_role:{APP_PASSWORD}@{server}/dbos_app?sslmode=require"},
        "conductor-license": {"license-key": LICENSE},
        "conductor-api-key": {"api-key": "placeholder"},
    }


def test_without_a_licence_its_secret_is_empty(api: RecordedApi, kube: Kube, aws: Aws, owner: Owner) -> None:
    seal_five(kube, aws, owner)
    assert opened(api, "conductor-license") == {"license-key": ""}


def test_unchanged_secrets_are_not_sealed_again(api: RecordedApi, kube: Kube, aws: Aws, owner: Owner) -> None:
    seal_five(kube, aws, owner)
    seal_five(kube, aws, owner)
    assert len(api.applied) == 5


def test_a_rotated_password_is_sealed_again(
    api: RecordedApi, kube: Kube, aws: Aws, owner: Owner, secrets: RecordedSecrets
) -> None:
    seal_five(kube, aws, owner)
    before = sealed_secrets.secrets_hash(kube, "dbos", ["postgres-admin"])
    secrets.values["master"].append(json.dumps({"password": "rotated"}))
    seal_five(kube, aws, owner)
    assert [each["metadata"]["name"] for each in api.applied[5:]] == ["postgres-admin"]
    assert opened(api, "postgres-admin")["password"] == "rotated"
    assert sealed_secrets.secrets_hash(kube, "dbos", ["postgres-admin"]) != before


def test_what_the_controller_could_not_open_is_sealed_again(
    api: RecordedApi, kube: Kube, aws: Aws, owner: Owner
) -> None:
    seal_five(kube, aws, owner)
    api.objects[f"{SEALED}/conductor-db"]["status"] = {"conditions": [{"type": "Synced", "status": "False"}]}
    seal_five(kube, aws, owner)
    assert [each["metadata"]["name"] for each in api.applied[5:]] == ["conductor-db"]


@pytest.mark.parametrize("data", [None, {"database-url": "Y2hhbmdlZA=="}], ids=["deleted", "changed"])
def test_a_secret_that_somebody_deleted_or_changed_is_sealed_again(
    api: RecordedApi, kube: Kube, aws: Aws, owner: Owner, data: dict[str, str] | None
) -> None:
    seal_five(kube, aws, owner)
    synced = {"observedGeneration": 1, "conditions": [{"type": "Synced", "status": "True"}]}
    sealed = api.objects[f"{SEALED}/conductor-db"]
    sealed["status"], sealed["metadata"]["generation"] = synced, 1
    if data is not None:
        api.objects["/api/v1/namespaces/dbos/secrets/conductor-db"] = {"metadata": {}, "data": data}
    seal_five(kube, aws, owner)
    assert [each["metadata"]["name"] for each in api.applied[5:]] == ["conductor-db"]


def test_a_secret_as_the_controller_made_it_is_not_sealed_again(
    api: RecordedApi, kube: Kube, aws: Aws, owner: Owner
) -> None:
    seal_five(kube, aws, owner)
    sealed = api.objects[f"{SEALED}/conductor-db"]
    sealed["status"] = {"observedGeneration": 1, "conditions": [{"type": "Synced", "status": "True"}]}
    values = {key: base64.b64encode(value.encode()).decode() for key, value in opened(api, "conductor-db").items()}
    api.objects["/api/v1/namespaces/dbos/secrets/conductor-db"] = {"metadata": {}, "data": values}
    seal_five(kube, aws, owner)
    assert len(api.applied) == 5


def test_hashes_differ_between_installations_with_the_same_secrets(
    api: RecordedApi, kube: Kube, aws: Aws, owner: Owner
) -> None:
    seal_five(kube, aws, owner)
    ours = sealed_secrets.secrets_hash(kube, "dbos", ["conductor-license"])
    api.objects.clear()
    seal_five(kube, aws, Owner("another", "1"))
    assert sealed_secrets.secrets_hash(kube, "dbos", ["conductor-license"]) != ours


def test_no_plaintext_is_applied_outside_the_seal(api: RecordedApi, kube: Kube, aws: Aws, owner: Owner) -> None:
    seal_five(kube, aws, owner, {"secret": "license"})
    text = json.dumps(api.applied) + json.dumps(sealed_secrets.manifests(kube, "dbos"))
    assert not [canary for canary in (MASTER, CONDUCTOR_PASSWORD, APP_PASSWORD, LICENSE) if canary in text]


def test_secrets_are_there_when_the_controller_has_made_them(api: RecordedApi, kube: Kube) -> None:
    assert sealed_secrets.await_unsealed(kube, "dbos", ["a"]) == Pending("SealedSecret a does not exist yet")
    synced = {"type": "Synced", "status": "True"}
    found: dict[str, Any] = {"metadata": {"name": "a", "generation": 2}}
    api.objects[f"{SEALED}/a"] = found | {"status": {"observedGeneration": 1, "conditions": [synced]}}
    assert sealed_secrets.await_unsealed(kube, "dbos", ["a"]) == Pending("the controller has not unsealed a yet")
    api.objects[f"{SEALED}/a"]["status"]["observedGeneration"] = 2
    assert sealed_secrets.await_unsealed(kube, "dbos", ["a"]) == Pending("Secret a does not exist yet")
    api.objects["/api/v1/namespaces/dbos/secrets/a"] = {"metadata": {"name": "a"}}
    assert sealed_secrets.await_unsealed(kube, "dbos", ["a"]) == {"secrets": ["a"]}


def test_a_secret_that_cannot_be_opened_is_reported(api: RecordedApi, kube: Kube) -> None:
    failed = {"type": "Synced", "status": "False", "lastTransitionTime": "2026-01-01T00:00:00Z", "message": "no key"}
    api.objects[f"{SEALED}/a"] = {"metadata": {"name": "a"}, "status": {"conditions": [failed]}}
    with pytest.raises(PodiumError, match="no key") as caught:
        sealed_secrets.await_unsealed(kube, "dbos", ["a"])
    assert caught.value.code is Code.SEALING_FAILED


def conductor_answers(api: RecordedApi, *, tokens: list[str]) -> None:
    api.answer(f"GET {CONDUCTOR}/tokens", 200, [{"tokenName": name} for name in tokens])
    api.answer(f"POST {CONDUCTOR}/tokens/podium-dbos-app", 201, {"tokenName": "podium-dbos-app", "token": "dbos_key1"})
    api.answer(f"DELETE {CONDUCTOR}/tokens/podium-dbos-app", 204, "")


def test_the_api_key_is_made_stored_and_swapped_in(
    api: RecordedApi, kube: Kube, aws: Aws, owner: Owner, secrets: RecordedSecrets
) -> None:
    conductor_answers(api, tokens=[])
    seal_five(kube, aws, owner)
    reference = api_key.ensure_api_key(kube, aws, owner, "dbos", "dbos-app")
    swapped = api_key.swap(kube, aws, owner, "dbos", reference)
    assert api.bodies[f"POST {CONDUCTOR}/tokens/podium-dbos-app"] == {"appNames": ["dbos-app"]}
    assert secrets.values["podium/dbos-conductor/conductor-api-key"] == ["dbos_key1"]
    assert opened(api, "conductor-api-key") == {"api-key": "dbos_key1"}
    assert "dbos_key1" not in json.dumps([reference, swapped])


def test_a_swapped_key_never_becomes_the_placeholder_again(
    api: RecordedApi, kube: Kube, aws: Aws, owner: Owner
) -> None:
    conductor_answers(api, tokens=[])
    reference = api_key.ensure_api_key(kube, aws, owner, "dbos", "dbos-app")
    api_key.swap(kube, aws, owner, "dbos", reference)
    seal_five(kube, aws, owner)
    assert opened(api, "conductor-api-key") == {"api-key": "dbos_key1"}


def test_a_key_sealed_by_hand_stays(api: RecordedApi, kube: Kube, aws: Aws, owner: Owner) -> None:
    seal_five(kube, aws, owner)
    api.objects[f"{SEALED}/conductor-api-key"]["spec"]["encryptedData"] = {"api-key": "sealed by hand"}
    seal_five(kube, aws, owner)
    assert api.objects[f"{SEALED}/conductor-api-key"]["spec"]["encryptedData"] == {"api-key": "sealed by hand"}


def test_a_known_key_is_kept(api: RecordedApi, kube: Kube, aws: Aws, owner: Owner, secrets: RecordedSecrets) -> None:
    conductor_answers(api, tokens=["podium-dbos-app"])
    name = "podium/dbos-conductor/conductor-api-key"
    secrets.values[name], secrets.tags[name] = (
        ["dbos_kept"],
        [{"Key": "podium:installation", "Value": "dbos-conductor"}],
    )
    reference = api_key.ensure_api_key(kube, aws, owner, "dbos", "dbos-app")
    assert reference == {"secret": f"arn:secret:{name}", "version_id": f"{name}#1"}
    assert not [call for call in api.calls if call.startswith(("POST", "DELETE"))]


def test_a_key_whose_answer_was_lost_is_made_anew(api: RecordedApi, kube: Kube, aws: Aws, owner: Owner) -> None:
    conductor_answers(api, tokens=["podium-dbos-app"])
    api_key.ensure_api_key(kube, aws, owner, "dbos", "dbos-app")
    assert [call.split()[0] for call in api.calls if "/tokens/" in call] == ["DELETE", "POST"]


def test_an_old_conductor_needs_a_person(api: RecordedApi, kube: Kube) -> None:
    for path in ("apps", "tokens"):
        api.answer(f"GET {CONDUCTOR}/{path}", 404, "404 page not found")
    assert api_key.register_app(kube, "dbos", "dbos-app") == "unsupported"
    needed = api_key.instructions("dbos")
    assert needed.commands == ("kubectl port-forward -n dbos svc/console 8080:80",)


@pytest.mark.parametrize("answer", ["<html>Please sign in</html>", "", '[{"appNa'])
def test_what_is_not_conductors_answer_is_tried_again_and_taken_for_nothing_else(
    api: RecordedApi, kube: Kube, aws: Aws, owner: Owner, answer: str
) -> None:
    conductor_answers(api, tokens=["podium-dbos-app"])
    api.answer(f"GET {CONDUCTOR}/apps", 200, answer)
    with pytest.raises(TransientError, match="was not Conductor"):
        api_key.register_app(kube, "dbos", "dbos-app")
    api.scripted[f"DELETE {CONDUCTOR}/tokens/podium-dbos-app"] = [(200, answer)]
    with pytest.raises(TransientError, match="was not Conductor"):
        api_key.ensure_api_key(kube, aws, owner, "dbos", "dbos-app")


def test_half_an_answer_with_a_key_in_it_is_not_shown(api: RecordedApi, kube: Kube, aws: Aws, owner: Owner) -> None:
    conductor_answers(api, tokens=[])
    api.scripted[f"POST {CONDUCTOR}/tokens/podium-dbos-app"] = [(201, '{"token": "dbos_canary", "tokenNa')]
    with pytest.raises(TransientError) as caught:
        api_key.ensure_api_key(kube, aws, owner, "dbos", "dbos-app")
    assert caught.value.code is Code.CONDUCTOR_UNAVAILABLE
    assert "canary" not in "".join(traceback.format_exception(caught.value))


def test_a_page_in_place_of_the_certificate_is_tried_again(
    api: RecordedApi, kube: Kube, aws: Aws, owner: Owner
) -> None:
    api.scripted[f"GET {CONTROLLER}"] = [(200, "<html>Please sign in</html>")]
    with pytest.raises(TransientError) as caught:
        seal_five(kube, aws, owner)
    assert caught.value.code is Code.SEALING_FAILED


def test_a_new_conductor_registers_the_application(api: RecordedApi, kube: Kube) -> None:
    api.answer(f"GET {CONDUCTOR}/apps", 200, [])
    api.answer(f"GET {CONDUCTOR}/apps/dbos-app", 404, {"title": "Not Found"})
    api.answer(f"PUT {CONDUCTOR}/apps/dbos-app", 204, "")
    assert api_key.register_app(kube, "dbos", "dbos-app") == "registered"


def test_a_registered_application_is_left_alone(api: RecordedApi, kube: Kube) -> None:
    api.answer(f"GET {CONDUCTOR}/apps", 200, [{"name": "dbos-app"}])
    api.answer(f"GET {CONDUCTOR}/apps/dbos-app", 200, {"name": "dbos-app"})
    assert api_key.register_app(kube, "dbos", "dbos-app") == "registered"
    assert not [call for call in api.calls if call.startswith("PUT")]


def test_conductors_refusal_is_told_with_its_reason(api: RecordedApi, kube: Kube) -> None:
    api.answer(f"GET {CONDUCTOR}/apps", 200, [])
    api.answer(f"GET {CONDUCTOR}/apps/dbos-app", 404, {"title": "Not Found"})
    api.answer(f"PUT {CONDUCTOR}/apps/dbos-app", 403, {"title": "Forbidden", "detail": "licence: one app only"})
    with pytest.raises(PodiumError, match="licence: one app only") as caught:
        api_key.register_app(kube, "dbos", "dbos-app")
    assert caught.value.code is Code.CONDUCTOR_REJECTED


def test_the_databases_job_gets_passwords_from_a_secret_only(
    api: RecordedApi, kube: Kube, aws: Aws, owner: Owner
) -> None:
    job = databases.ensure_job(kube, aws, owner, "dbos", TARGET, PASSWORDS, "1")
    secret, sql, applied = api.applied
    assert sorted(secret["data"]) == ["APP_VERIFIER", "CONDUCTOR_VERIFIER", "PGPASSWORD"]
    assert applied["metadata"]["name"] == job
    for canary in (MASTER, CONDUCTOR_PASSWORD, APP_PASSWORD):
        assert canary not in json.dumps([sql, applied, job])
    databases.clean_up(kube, owner, "dbos")
    assert not [path for path in api.objects if "podium-db" in path]


def test_the_separation_job_runs_as_the_application_role(api: RecordedApi, kube: Kube, aws: Aws, owner: Owner) -> None:
    databases.ensure_separation_job(kube, aws, owner, "dbos", TARGET, {"secret": "app"}, "1")
    secret, _, job = api.applied
    environment = {each["name"]: each for each in job["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert list(secret["data"]) == ["PGPASSWORD"]
    assert (environment["PGUSER"]["value"], environment["PGDATABASE"]["value"]) == ("dbos_app_role", "dbos_app")
    assert environment["PGPASSWORD"]["valueFrom"]["secretKeyRef"]["name"] == "podium-db-separation"
    assert "APP_VERIFIER" not in environment
