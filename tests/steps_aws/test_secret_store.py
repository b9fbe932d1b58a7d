"""Secrets: kept once, never made anew, never in an error."""

import json

import pytest

from steps import secret_store
from steps.clients.aws import Aws
from steps.errors import Code, PodiumError
from steps.names import Owner
from steps.secret_store import SecretStore
from tests.steps_aws.conftest import Cloud

CANARY = "canary-4711-never-shown"


def test_a_password_is_never_made_anew(aws: Aws, owner: Owner) -> None:
    first = secret_store.ensure_password(aws, owner, "app-role-password")
    value = SecretStore(aws).get(first)
    assert len(value) == 32
    assert secret_store.ensure_password(aws, owner, "app-role-password") == first
    assert SecretStore(aws).get({"secret": owner.names.secret("app-role-password")}) == value


@pytest.mark.parametrize("call", ["CreateSecret", "DescribeSecret", "GetSecretValue"])
def test_a_lost_answer_leaves_one_version(aws: Aws, owner: Owner, cloud: Cloud, call: str) -> None:
    cloud.fault(match=f"secretsmanager:{call}", kind="lost")
    reference = secret_store.ensure_password(aws, owner, "app-role-password")
    assert secret_store.ensure_password(aws, owner, "app-role-password") == reference


def test_a_password_marked_for_deletion_comes_back_as_it_was(aws: Aws, owner: Owner) -> None:
    reference = secret_store.ensure_password(aws, owner, "app-role-password")
    value = SecretStore(aws).get(reference)
    aws.connection.client("secretsmanager").delete_secret(SecretId=reference["secret"])
    assert not SecretStore(aws).exists(reference)
    assert SecretStore(aws).get(secret_store.ensure_password(aws, owner, "app-role-password")) == value


def test_the_same_value_keeps_its_version_and_another_gets_a_new_one(aws: Aws, owner: Owner) -> None:
    store, name, tags = SecretStore(aws), owner.names.secret("license-key"), owner.tags("secret-license-key")
    first = store.put(name, CANARY, tags)
    assert store.put(name, CANARY, tags) == first
    second = store.put(name, "another", tags)
    assert second["version_id"] != first["version_id"]
    assert store.get({"secret": first["secret"]}) == "another"
    assert store.get(first) == CANARY


def test_a_persons_secret_of_that_name_is_name_taken(aws: Aws, owner: Owner) -> None:
    aws.secrets.make(owner.names.secret("license-key"), CANARY, "a person's", "0" * 32, {})
    with pytest.raises(PodiumError) as caught:
        SecretStore(aws).put(owner.names.secret("license-key"), "value", owner.tags("secret-license-key"))
    assert caught.value.code is Code.NAME_TAKEN
    secret_store.delete_secrets(aws, owner, ("license-key",))
    assert aws.secrets.secret(owner.names.secret("license-key")) is not None


def test_keys_within_json_are_read_and_missing_ones_say_so_without_the_value(aws: Aws, owner: Owner) -> None:
    store, name, tags = SecretStore(aws), owner.names.secret("license-key"), owner.tags("secret-license-key")
    reference = {**store.put(name, json.dumps({"key": CANARY, "port": 5432}), tags), "json_key": "key"}
    assert store.get(reference) == CANARY
    assert store.get({**reference, "json_key": "port"}) == "5432"
    for missing in (
        {**reference, "json_key": "other"},
        {"secret": "no/such/secret", "version_id": None, "json_key": None},
        {"secret": reference["secret"], "version_id": "00000000-0000-0000-0000-000000000000"},
    ):
        with pytest.raises(PodiumError) as caught:
            store.get(missing)
        assert caught.value.code is Code.SECRET_NOT_FOUND
        assert CANARY not in repr(caught.value.problem)
        assert not store.exists(missing)


def test_a_refused_value_is_in_no_error(aws: Aws, owner: Owner, cloud: Cloud) -> None:
    cloud.fault(
        match="secretsmanager:CreateSecret", kind="error", code="ValidationException", message=f"Value {CANARY}"
    )
    with pytest.raises(PodiumError) as caught:
        SecretStore(aws).put(owner.names.secret("license-key"), CANARY, owner.tags("secret-license-key"))
    assert CANARY not in repr(caught.value.problem)
    assert caught.value.__cause__ is None
    assert caught.value.code is Code.AWS_INVALID_REQUEST


def test_all_secrets_of_an_installation_are_deleted_and_no_others(aws: Aws, owner: Owner) -> None:
    longer = Owner(f"{owner.installation}-two", "operation")
    theirs = secret_store.ensure_password(aws, longer, "app-role-password")
    ours = secret_store.ensure_password(aws, owner, "app-role-password")
    for _ in range(2):
        secret_store.delete_secrets(aws, owner)
    assert not SecretStore(aws).exists(ours)
    assert SecretStore(aws).exists(theirs)
