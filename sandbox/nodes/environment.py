"""A container's environment: values, references to Secrets, ConfigMaps and the Pod itself, `$(NAME)` expansion.

Messages of `ConfigError` are the kubelet's (kubernetes/pkg/kubelet/kubelet_pods.go, makeEnvironmentVariables).
"""

import base64
import re
from collections.abc import Mapping

from sandbox.nodes import downward
from sandbox.nodes.api import CONFIG_MAPS, SECRETS, Client, Object
from sandbox.nodes.downward import UnsupportedFieldError

_REFERENCE = re.compile(r"\$(?:\$|\(([A-Za-z_.-][\w.-]*)\))")


class ConfigError(Exception):
    """The container cannot be configured yet: CreateContainerConfigError, with the kubelet's message."""


class Lookup:
    """Secrets and ConfigMaps of one namespace, read anew for every container start so that none is stale."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client, self._namespace = client, namespace
        self._secrets: dict[str, dict[str, bytes] | None] = {}
        self._config_maps: dict[str, dict[str, bytes] | None] = {}

    async def secret(self, name: str) -> dict[str, bytes] | None:
        """The decoded data of a Secret, None when there is no such Secret."""
        if name not in self._secrets:
            item = await self._client.find(SECRETS, name, self._namespace)
            self._secrets[name] = item and _decode(item.get("data"))
        return self._secrets[name]

    async def config_map(self, name: str) -> dict[str, bytes] | None:
        """The data and binaryData of a ConfigMap, None when there is no such ConfigMap."""
        if name not in self._config_maps:
            item = await self._client.find(CONFIG_MAPS, name, self._namespace)
            self._config_maps[name] = item and _text(item.get("data")) | _decode(item.get("binaryData"))
        return self._config_maps[name]

    async def key(self, kind: str, reference: Object) -> bytes | None:
        """One key of a `Secret` or `ConfigMap`; None when it is missing but optional, else `ConfigError`."""
        data = await self.whole(kind, reference)
        if data is None:
            return None
        if reference["key"] not in data and not reference.get("optional"):
            raise ConfigError(f"couldn't find key {reference['key']} in {kind} {self._namespace}/{reference['name']}")
        return data.get(reference["key"])

    async def whole(self, kind: str, reference: Object) -> dict[str, bytes] | None:
        """All keys of a `Secret` or `ConfigMap`; None when it is missing but optional, else `ConfigError`."""
        name = reference.get("name") or reference.get("secretName", "")
        data = await (self.secret(name) if kind == "Secret" else self.config_map(name))
        if data is None and not reference.get("optional"):
            raise ConfigError(f'{kind.lower()} "{name}" not found')
        return data


async def resolve(
    container: Object, pod: Object, lookup: Lookup, allocatable: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The environment that the container's `envFrom` and `env` give, in that order. `allocatable`: the node's."""
    env: dict[str, str] = {}
    for source in container.get("envFrom") or []:
        kind, reference = (
            ("Secret", source["secretRef"]) if "secretRef" in source else ("ConfigMap", source["configMapRef"])
        )
        data = await lookup.whole(kind, reference) or {}
        env |= {source.get("prefix", "") + name: value.decode() for name, value in data.items()}
    for entry in container.get("env") or []:
        try:
            value = _own_value(entry, container, pod, allocatable or {})
        except UnsupportedFieldError as error:
            raise ConfigError(str(error)) from error
        if value is None:
            value = await _value(entry, lookup, env)
        if value is not None:
            env[entry["name"]] = value
    return env


def expand(text: str, env: Mapping[str, str]) -> str:
    """`$(NAME)` replaced by its value, left alone when there is none; `$$` is a dollar sign."""

    def replace(match: re.Match[str]) -> str:
        if match[1] is None:
            return "$"
        return env.get(match[1], match[0])

    return _REFERENCE.sub(replace, text)


def _own_value(entry: Object, container: Object, pod: Object, allocatable: Mapping[str, str]) -> str | None:
    """What the pod is told about itself; None for an entry that is about something else."""
    source = entry.get("valueFrom") or {}
    if "fieldRef" in source:
        return downward.field(pod, source["fieldRef"]["fieldPath"])
    if reference := source.get("resourceFieldRef"):
        name = reference.get("containerName") or container["name"]
        named = [*(pod["spec"].get("initContainers") or []), *(pod["spec"].get("containers") or []), container]
        return downward.resource(next(item for item in named if item["name"] == name), reference, allocatable)
    return None


async def _value(entry: Object, lookup: Lookup, env: dict[str, str]) -> str | None:
    source = entry.get("valueFrom")
    if not source:
        return expand(entry.get("value", ""), env)
    if "secretKeyRef" in source:
        found = await lookup.key("Secret", source["secretKeyRef"])
    elif "configMapKeyRef" in source:
        found = await lookup.key("ConfigMap", source["configMapKeyRef"])
    else:
        raise ConfigError(f"the sandbox's nodes cannot resolve {', '.join(source)} of {entry['name']}")
    return None if found is None else found.decode()


def _decode(data: dict[str, str] | None) -> dict[str, bytes]:
    return {name: base64.b64decode(value) for name, value in (data or {}).items()}


def _text(data: dict[str, str] | None) -> dict[str, bytes]:
    return {name: value.encode() for name, value in (data or {}).items()}
