"""What a container image is to the node agent, and which module runs which image.

An image module has one name, `IMAGE`, an object with `matches(image)` and `start(spec, context)`. Modules are
imported when first asked for, so an agent pays only for the images that its pods use.

    class Console:
        def matches(self, image: str) -> bool:
            return repository(image).endswith("dbosdev/console")

        async def start(self, spec: ContainerSpec, context: ImageContext) -> Running:
            return Task.start(lambda: serve(spec.ports[8080], spec.env), spec)

    IMAGE = Console()
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sandbox.nodes.api import Client
from sandbox.nodes.images.running import StartError, Subprocess, Task

__all__ = [
    "ContainerSpec",
    "Image",
    "ImageContext",
    "Running",
    "StartError",
    "Subprocess",
    "Task",
    "find",
    "repository",
]

# Asked in this order (cheap imports first); the names are modules of sandbox.nodes.images.
MODULES = ("postgres", "migrate", "app", "pause", "ingress", "conductor", "console", "sealed_secrets", "keda")


@dataclass(frozen=True)
class ContainerSpec:
    """What a container is started with."""

    name: str
    image: str
    command: list[str] | None  # overrides the image's entrypoint; mount paths and DNS names are rewritten already
    args: list[str]
    env: dict[str, str]  # resolved, as the container sees it; DNS names rewritten; PORT is the first local port
    ports: dict[int, int]  # containerPort -> port to listen on at 127.0.0.1
    pod_name: str
    namespace: str
    pod_ip: str
    directory: Path  # the container's own scratch directory, kept across its restarts
    log: Path  # stdout and stderr are appended here
    mounts: dict[str, Path]  # mountPath -> directory or file with the volume's content
    local: Callable[[str], str] = str  # how other words of the container are rewritten, e.g. an exec probe's command


@dataclass(frozen=True)
class ImageContext:
    """What an image may use of the machine and of the cluster."""

    api: Client
    app_python: Path  # the interpreter of the sample application's environment
    postgres_bin: Path  # the folder of psql and its siblings
    resolve: Callable[[str, int], tuple[str, int]]
    """(host, port) as seen in the cluster -> where it answers on this machine; other hosts come back unchanged.

    A Service that does not exist yet gets its local port at once and refuses connections until it does."""
    endpoints: Callable[[str, str, int | str], list[tuple[str, int]]]
    """(namespace, service, port number or name) -> the ready backends, as (host, port)."""
    real: Mapping[str, Path] = field(default_factory=dict)  # programs to run in place of stand-ins: name -> path


class Running(Protocol):
    """A started container."""

    async def wait(self) -> int:
        """The exit code, once it has ended; 128 + n when signal n ended it."""

    async def stop(self, grace_seconds: float) -> None:
        """SIGTERM, and SIGKILL after the grace period; returns when nothing of it runs any more."""


class Image(Protocol):
    """A container image that the sandbox can run."""

    def matches(self, image: str) -> bool:
        """Whether this is the image of that reference, e.g. `dbosdev/conductor:1.2`."""

    async def start(self, spec: ContainerSpec, context: ImageContext) -> Running:
        """Starts a container of this image; `StartError` when its command cannot run at all."""


def repository(image: str) -> str:
    """The reference without tag and digest: `reg.example:5000/a/b:1@sha256:…` -> `reg.example:5000/a/b`."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]


def tag(image: str) -> str:
    """The tag of a reference, `latest` when it has none."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[2] or "latest"


def find(image: str) -> Image | None:
    """The image of that reference, or None when the sandbox has none like it."""
    for module in MODULES:
        candidate: Image = importlib.import_module(f"sandbox.nodes.images.{module}").IMAGE
        if candidate.matches(image):
            return candidate
    return None
