"""Starts the programs of one control plane in the order of their need, and keeps them going until told to stop."""

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from sandbox.control_plane import readiness
from sandbox.control_plane.children import Children
from sandbox.control_plane.commands import ControlPlane
from sandbox.helm.kube import Kube
from sandbox.helm.kubeconfig import read_access

log = logging.getLogger("sandbox.control_plane")
WATCH = 0.1  # seconds between looks at the processes
PATIENCE = 120.0  # seconds until a program must be ready, on a busy machine
ATTEMPTS = 5  # starts of a program that ends at once, before it is said to be broken
MANAGER = "sandbox-bootstrap"


class NotReadyError(Exception):
    """A program does not come up; the message has the end of its log."""


@dataclass(frozen=True)
class _Program:
    """`ready` says whether those that need it may start."""

    name: str
    command: list[str]
    ready: Callable[[], bool]


class Supervisor:
    """The processes of one control plane. `manifest`: YAML that the administrator applies when it comes up."""

    def __init__(self, plane: ControlPlane, manifest: Path | None) -> None:
        self._plane = plane
        self._manifest = manifest
        self._directory = plane.settings.directory
        self._children = Children(self._directory)
        self._stages = self._programs()

    def run(self, stopping: threading.Event) -> None:
        """Until `stopping`. Raises NotReadyError when a program does not come up, HelmError for a bad manifest."""
        readiness.unmark(self._directory)
        try:
            for stage in self._stages:
                self._bring_up(stage, stopping)
            if self._manifest is not None and not stopping.is_set():
                apply(self._directory / "admin.kubeconfig", self._manifest)
            readiness.mark(self._directory, os.getpid())
            log.info("ready: %s", self._plane.url)
            while not stopping.wait(WATCH):
                self._children.watch()
        finally:
            readiness.unmark(self._directory)
            self._children.stop([program.name for program in stage] for stage in reversed(self._stages))

    def _bring_up(self, stage: list[_Program], stopping: threading.Event) -> None:
        """Returns when the programs of a stage are ready, or are not wanted any more."""
        started, waiting = time.monotonic(), list(stage)
        if not stopping.is_set():
            for program in stage:
                self._children.start(program.name, program.command)
        while waiting and not stopping.wait(WATCH):
            self._children.watch()
            for program in [program for program in waiting if program.ready()]:
                log.info("%s is up after %.1f s", program.name, time.monotonic() - started)
                waiting.remove(program)
            for program in waiting:
                if time.monotonic() > started + PATIENCE or self._children.ends(program.name) >= ATTEMPTS:
                    raise NotReadyError(f"{program.name} does not come up:\n{self._children.last_words(program.name)}")

    def _programs(self) -> list[list[_Program]]:
        """In stages: each needs those before it. They end in the reverse order."""
        plane, ports = self._plane, self._plane.ports
        authority = plane.certificates.authority.certificate

        def program(name: str, command: list[str], port: int, path: str) -> _Program:
            return _Program(name, command, lambda: readiness.answers(port, path, authority))

        def own(name: str, command: list[str], ready: Callable[[], bool]) -> _Program:
            return _Program(name, command, ready)

        return [
            [
                own("etcd", plane.etcd(), lambda: readiness.listens(ports.etcd)),
                own("authenticator", plane.authenticator(), lambda: readiness.listens(ports.authenticator)),
            ],
            [program("kube-apiserver", plane.api_server(), plane.settings.port, "/readyz")],
            [
                program("kube-controller-manager", plane.controller_manager(), ports.controller_manager, "/healthz"),
                program("kube-scheduler", plane.scheduler(), ports.scheduler, "/readyz"),
                own("cloud-controller", plane.cloud_controller(), lambda: self._children.running("cloud-controller")),
            ],
        ]


def apply(kubeconfig: Path, manifest: Path) -> None:
    """Server-side apply of every document in `manifest`, as the administrator. Raises HelmError."""
    with Kube(read_access(str(kubeconfig))) as kube:
        for document in yaml.safe_load_all(manifest.read_text()):
            if document:
                kube.apply(document, MANAGER)
