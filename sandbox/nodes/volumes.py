"""Volumes as directories, and mount paths as the paths of those directories.

Most images need no mount namespace: `/sql/setup.sql` in a command, an argument or an environment value becomes
the file's real path. Paths *inside* mounted files are left as they are; an image that insists on fixed paths is started
by `mounts.py`. Other kinds than Secret, ConfigMap, downwardAPI and projected (emptyDir, hostPath, claims, CSI) are an
empty directory of the Pod.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.nodes import volume_files, volume_sources
from sandbox.nodes.api import ApiError, Client, Object
from sandbox.nodes.environment import ConfigError, Lookup
from sandbox.nodes.volume_sources import Sources, Tokens

RETRY = 0.3  # seconds between attempts to lay out; a kubelet's back-off starts at 0.5
REFRESH_RETRY = 2.0  # seconds after a refresh that failed
LONGEST_WAIT = 3600.0  # seconds between two looks, even if nothing says that anything has changed


@dataclass
class PodVolumes:
    """The volumes of one pod. `folders` is filled by `set_up`: volume name -> directory."""

    pod: Callable[[], Object]  # the newest Pod object
    directory: Path
    client: Client
    allocatable: Mapping[str, str]
    warn: Callable[[str, str], None]  # (reason, message) of a warning Event
    folders: dict[str, Path] = field(default_factory=dict)
    _stale: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._tokens = Tokens(self.client)
        self._shown = volume_sources.references(self.pod()["spec"].get("volumes") or [])

    def changed(self, kind: str, name: str) -> None:
        """A `Secret`, a `ConfigMap` or the `Pod` itself has changed."""
        if kind == "Pod" or (kind, name) in self._shown:
            self._stale.set()

    async def set_up(self) -> None:
        """Writes all volumes, as soon as everything that they show is there."""
        await self._until_written(RETRY)

    async def keep_fresh(self) -> None:
        """Writes them again whenever something has changed or a token is to be renewed, until cancelled."""
        while True:
            wait = max(0.0, min(self._tokens.next_renewal - time.monotonic(), LONGEST_WAIT))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):  # not wait_for: until Python 3.12 it may swallow a cancellation
                    await self._stale.wait()
            self._stale.clear()
            await self._until_written(REFRESH_RETRY)

    async def _until_written(self, pause: float) -> None:
        """Tries every `pause` seconds; what could not be read stays as it was."""
        while True:
            try:
                await self._write()
            except ConfigError as error:
                self.warn("FailedMount", f"MountVolume.SetUp failed: {error}")
            except ApiError as error:
                self.warn("FailedMount", f"MountVolume.SetUp failed: {error.message or error}")
            else:
                return
            await asyncio.sleep(pause)

    async def _write(self) -> None:
        pod = self.pod()
        sources = Sources(pod, Lookup(self.client, pod["metadata"]["namespace"]), self._tokens, self.allocatable)
        for volume in pod["spec"].get("volumes") or []:
            folder = self.directory / volume["name"]
            if any(kind in volume for kind in volume_sources.KINDS):
                files = await sources.files(volume)
                await asyncio.to_thread(volume_files.write, folder, files)
            else:
                folder.mkdir(parents=True, exist_ok=True)
            self.folders[volume["name"]] = folder


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
