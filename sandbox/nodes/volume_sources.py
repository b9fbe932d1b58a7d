"""What is in a volume of kind secret, configMap, downwardAPI or projected, with the permissions that it asks for."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.nodes import downward
from sandbox.nodes.api import ApiError, Client, Object
from sandbox.nodes.downward import UnsupportedFieldError
from sandbox.nodes.environment import ConfigError, Lookup
from sandbox.nodes.volume_files import File

KINDS = ("secret", "configMap", "downwardAPI", "projected")
DEFAULT_MODE = 0o644
TOKEN_SECONDS = 3607  # what the API server's admission puts into kube-api-access volumes; the default is an hour
NOT_IMPLEMENTED = 501
RENEWAL = 0.8  # of a token's life; the kubelet's token manager


@dataclass
class Tokens:
    """ServiceAccount tokens of one pod, asked for once and again when most of their life is over."""

    client: Client
    _known: dict[tuple[str, int], tuple[str, float]] = field(default_factory=dict)
    # (audience, seconds) -> (token, monotonic seconds when it is to be renewed)

    async def get(self, pod: Object, audience: str, seconds: int) -> str:
        """A token bound to the pod. ApiError when the API server makes none."""
        token, until = self._known.get((audience, seconds), ("", 0.0))
        if time.monotonic() >= until:
            token, life = await self.client.create_token(pod, audience, seconds)
            self._known[audience, seconds] = (token, time.monotonic() + RENEWAL * life)
        return token

    @property
    def next_renewal(self) -> float:
        """Monotonic seconds; infinity without tokens."""
        return min((until for _, until in self._known.values()), default=float("inf"))


@dataclass(frozen=True)
class Sources:
    """Reads volumes for one pod. `allocatable`: the node's, for limits that are not set."""

    pod: Object
    lookup: Lookup
    tokens: Tokens
    allocatable: Mapping[str, str]

    async def files(self, volume: Object) -> dict[str, File]:
        """Relative path -> file. `ConfigError` when a Secret, ConfigMap or key is missing and not optional."""
        source: Object = next((volume[kind] for kind in KINDS if kind in volume), {})
        default = source.get("defaultMode", DEFAULT_MODE)
        files: dict[str, File] = {}
        for part in source.get("sources") or [] if "projected" in volume else [volume]:
            files |= {
                path: File(content, mode or default) for path, (content, mode) in (await self._part(part)).items()
            }
        return files

    async def _part(self, part: Object) -> "_Found":
        if "secret" in part:
            return await self._keys("Secret", part["secret"])
        if "configMap" in part:
            return await self._keys("ConfigMap", part["configMap"])
        if "downwardAPI" in part:
            items = part["downwardAPI"].get("items") or []
            return {item["path"]: (self._own(item).encode(), item.get("mode")) for item in items}
        if token := part.get("serviceAccountToken"):
            seconds = int(token.get("expirationSeconds") or TOKEN_SECONDS)
            return await self._token(token["path"], token.get("audience") or "", seconds)
        raise ConfigError(f"the sandbox's nodes cannot project {', '.join(part)}")

    async def _token(self, path: str, audience: str, seconds: int) -> "_Found":
        """No file where the API server makes no tokens, which it says itself: the stand-in."""
        try:
            content = await self.tokens.get(self.pod, audience, seconds)
        except ApiError as error:
            if error.status != NOT_IMPLEMENTED:
                raise
            return {}
        return {path: (content.encode(), None)}

    async def _keys(self, kind: str, reference: Object) -> "_Found":
        """All keys as files, or only those that `items` name, at their paths."""
        data = await self.lookup.whole(kind, reference)
        items = reference.get("items")
        if not items:
            return {name: (content, None) for name, content in (data or {}).items()}
        missing = [item["key"] for item in items if item["key"] not in (data or {})]
        if missing and not reference.get("optional"):
            raise ConfigError(f"references non-existent {kind.lower()} key: {missing[0]}")
        return {item["path"]: (data[item["key"]], item.get("mode")) for item in items if data and item["key"] in data}

    def _own(self, item: Object) -> str:
        try:
            if "fieldRef" in item:
                return downward.field(self.pod, item["fieldRef"]["fieldPath"])
            reference = item["resourceFieldRef"]
            containers = [*(self.pod["spec"].get("initContainers") or []), *self.pod["spec"]["containers"]]
            named = next(each for each in containers if each["name"] == reference["containerName"])
            return downward.resource(named, reference, self.allocatable)
        except UnsupportedFieldError as error:
            raise ConfigError(str(error)) from error


_Found = dict[str, tuple[bytes, Any]]
"""Path -> (content, the file's own mode or None)."""


def references(volumes: list[Object]) -> set[tuple[str, str]]:
    """The Secrets and ConfigMaps that volumes show: (`Secret` or `ConfigMap`, name)."""
    found = set()
    for volume in volumes:
        for part in [volume, *((volume.get("projected") or {}).get("sources") or [])]:
            if secret := part.get("secret"):
                found.add(("Secret", secret.get("secretName") or secret.get("name", "")))
            if config_map := part.get("configMap"):
                found.add(("ConfigMap", config_map.get("name", "")))
    return found
