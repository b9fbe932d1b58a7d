"""Environment values, references and expansion."""

import base64
from typing import Any

import pytest

from sandbox.nodes import environment
from sandbox.nodes.api import CONFIG_MAPS, SECRETS, Client, Object, Resource
from sandbox.nodes.environment import ConfigError, Lookup

POD: Object = {
    "metadata": {"name": "app-1", "namespace": "dbos", "labels": {"app.kubernetes.io/name": "app"}},
    "spec": {"nodeName": "n1"},
    "status": {"podIP": "192.168.3.4"},
}


class Stored(Client):
    """A client whose objects are in a dictionary instead of behind a connection."""

    def __init__(self, objects: dict[tuple[Resource, str], Object]) -> None:
        self._objects = objects

    async def find(self, resource: Resource, name: str, namespace: str | None = None) -> Object | None:
        return self._objects.get((resource, name))


def lookup() -> Lookup:
    """One Secret and one ConfigMap."""
    secret = {"data": {"database-url": base64.b64encode(b"postgresql://u:p@h/d").decode()}}
    return Lookup(Stored({(SECRETS, "db"): secret, (CONFIG_MAPS, "settings"): {"data": {"LEVEL": "info"}}}), "dbos")


def from_secret(name: str, key: str, **more: Any) -> Object:
    """An env entry that refers to a Secret."""
    return {"name": "URL", "valueFrom": {"secretKeyRef": {"name": name, "key": key, **more}}}


async def test_values_come_from_secrets_config_maps_and_the_pod_itself() -> None:
    container = {
        "envFrom": [{"prefix": "APP_", "configMapRef": {"name": "settings"}}],
        "env": [
            from_secret("db", "database-url"),
            {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "LABEL", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app.kubernetes.io/name']"}}},
            {"name": "BOTH", "value": "$(IP)/$(LABEL)/$(NOPE)/$$(IP)"},
        ],
    }
    assert await environment.resolve(container, POD, lookup()) == {
        "APP_LEVEL": "info",
        "URL": "postgresql://u:p@h/d",
        "IP": "192.168.3.4",
        "LABEL": "app",
        "BOTH": "192.168.3.4/app/$(NOPE)/$(IP)",
    }


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (from_secret("gone", "k"), 'secret "gone" not found'),
        (from_secret("db", "k"), "couldn't find key k in Secret dbos/db"),
        ({"name": "X", "valueFrom": {"configMapKeyRef": {"name": "gone", "key": "k"}}}, 'configmap "gone" not found'),
    ],
)
async def test_what_is_missing_is_said_in_the_kubelets_words(entry: Object, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        await environment.resolve({"env": [entry]}, POD, lookup())
    assert str(caught.value) == message


async def test_an_optional_reference_may_be_missing() -> None:
    entries = [from_secret("gone", "k", optional=True), from_secret("db", "k", optional=True)]
    assert await environment.resolve({"env": entries}, POD, lookup()) == {}


async def test_a_container_is_told_its_resources_in_the_divisor_that_it_asks_for() -> None:
    def ask(resource: str, divisor: str = "1") -> Object:
        reference = {"resource": resource, "divisor": divisor}
        return {"name": f"{resource}/{divisor}", "valueFrom": {"resourceFieldRef": reference}}

    asked = [("limits.memory", "1Mi"), ("limits.cpu", "1"), ("requests.cpu", "1m"), ("requests.memory", "1")]
    resources = {"limits": {"memory": "1500Ki"}, "requests": {"cpu": "0.25"}}
    container = {"name": "c", "resources": resources, "env": [ask(*each) for each in asked]}
    env = await environment.resolve(container, POD, lookup(), {"cpu": "1930m", "memory": "3554Mi"})
    assert list(env.values()) == ["2", "2", "250", "0"]


async def test_an_unknown_field_is_a_configuration_error() -> None:
    entry = {"name": "X", "valueFrom": {"fieldRef": {"fieldPath": "spec.containers"}}}
    with pytest.raises(ConfigError, match=r"unsupported fieldPath: spec\.containers"):
        await environment.resolve({"env": [entry]}, POD, lookup())
