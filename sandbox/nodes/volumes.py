"""Volumes as directories, and mount paths as the paths of those directories.

There is no mount namespace without root, so `/sql/setup.sql` in a command, an argument or an environment value becomes
the file's real path. Paths *inside* mounted files are left as they are.
Other kinds than Secret, ConfigMap and projected (emptyDir, hostPath, claims, CSI) are an empty directory of the Pod.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from sandbox.nodes.api import Object
from sandbox.nodes.environment import Lookup, field


async def lay_out(pod: Object, directory: Path, lookup: Lookup) -> dict[str, Path]:
    """Writes the Pod's volumes below `directory`; volume name -> its directory.

    Raises `ConfigError` when a Secret or ConfigMap is missing and not optional.
    """
    volumes: dict[str, Path] = {}
    for volume in pod["spec"].get("volumes") or []:
        folder = directory / volume["name"]
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in (await _files(volume, pod, lookup)).items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        volumes[volume["name"]] = folder
    return volumes


def mounts(container: Object, volumes: Mapping[str, Path]) -> dict[str, Path]:
    """mountPath -> real path, for the volumeMounts of a container."""
    return {
        mount["mountPath"].rstrip("/"): volumes[mount["name"]] / mount.get("subPath", "")
        for mount in container.get("volumeMounts") or []
        if mount["name"] in volumes
    }


def substitute(text: str, mounted: Mapping[str, Path]) -> str:
    """`text` with every path below a mount path replaced by its real path."""
    if not mounted:
        return text
    longest_first = sorted(mounted, key=len, reverse=True)
    pattern = rf"(?<![\w./-])({'|'.join(map(re.escape, longest_first))})(?![\w.-])"
    return re.sub(pattern, lambda match: str(mounted[match[1]]), text)


async def _files(volume: Object, pod: Object, lookup: Lookup) -> dict[str, bytes]:
    if "projected" in volume:
        files: dict[str, bytes] = {}
        for source in volume["projected"].get("sources") or []:
            files |= await _source(source, pod, lookup)
        return files
    return await _source(volume, pod, lookup)


async def _source(source: Object, pod: Object, lookup: Lookup) -> dict[str, bytes]:
    if "secret" in source:
        return _select(await lookup.whole("Secret", source["secret"]), source["secret"].get("items"))
    if "configMap" in source:
        return _select(await lookup.whole("ConfigMap", source["configMap"]), source["configMap"].get("items"))
    if "downwardAPI" in source:
        items = source["downwardAPI"].get("items") or []
        return {
            item["path"]: field(pod, item["fieldRef"]["fieldPath"]).encode() for item in items if "fieldRef" in item
        }
    return {}


def _select(data: Mapping[str, bytes] | None, items: list[Object] | None) -> dict[str, bytes]:
    """All keys as files, or only those that `items` name, at their paths."""
    if not items:
        return dict(data or {})
    return {item["path"]: data[item["key"]] for item in items if data and item["key"] in data}
