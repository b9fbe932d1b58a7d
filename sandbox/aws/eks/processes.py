"""Runs an API server per cluster and an agent per node group, starts again what ended, stops what was deleted."""

import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sandbox.aws.background import PATIENCE, Background, Key
from sandbox.aws.cloud import Cloud
from sandbox.aws.credentials import INTERNAL_KEY
from sandbox.aws.eks import control_planes, versions
from sandbox.aws.eks.kubernetes_api import KubernetesApi, merged
from sandbox.aws.eks.store import Cluster, Nodegroup
from sandbox.files import write_private
from sandbox.processes import free_port, spawn, stop

log = logging.getLogger(__name__)
REPOSITORY = Path(__file__).resolve().parents[3]
APP_PYTHON = REPOSITORY / ".venv" / "dbos-app" / "bin" / "python"
VERSION_FILE = "kubernetes-version"
"""In CLUSTER_DIR: what the stand-in's API server answers at /version."""


@dataclass
class _Running:
    """A process, and how to start it again. `started`: monotonic seconds."""

    process: subprocess.Popen[bytes]
    again: Callable[[], subprocess.Popen[bytes]]
    started: float = field(default_factory=time.monotonic)


class Processes:
    """`Machines` made of processes. What may take long runs in the cloud's workers; results are looked at later.

    Raises UnusableError when SANDBOX_KUBERNETES asks for what cannot run here.
    """

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._kind = control_planes.chosen()
        self._kind.require()
        self._running: dict[Key, _Running] = {}
        self._background = Background(cloud.workers)
        self._kubeconfigs: dict[str, Path] = {}

    def directory(self, cluster: Cluster) -> Path:
        """CLUSTER_DIR."""
        return self._cloud.home / "clusters" / "-".join(cluster.key)

    def start_api(self, cluster: Cluster) -> None:
        self._background.forget(lambda key: key[1:4] == cluster.key)  # of an earlier cluster of that name
        cluster.port = free_port(cluster.port, patience=3.0)
        folder = self.directory(cluster)
        folder.mkdir(parents=True, exist_ok=True)
        args = ["--dir", folder, "--port", cluster.port, "--cluster", cluster.name, "--account", cluster.account]
        args += ["--region", cluster.region, "--aws-endpoint", self._cloud.url, *self._common()]
        self.show_version(cluster)
        self._start(("api", *cluster.key), self._kind.module, args, folder / "kubernetes.log")

    def api_ready(self, cluster: Cluster) -> bool:
        folder, running = self.directory(cluster), self._running[("api", *cluster.key)]
        if not self._kind.ready(folder, cluster.port, running.process.pid):
            return False
        if cluster.wire["arn"] not in self._kubeconfigs:
            self._kubeconfigs[cluster.wire["arn"]] = folder / "admin.kubeconfig"
            self._write_kubeconfig()
        return True

    def certificate(self, cluster: Cluster) -> bytes:
        return (self.directory(cluster) / "ca.crt").read_bytes()

    def delete_api(self, cluster: Cluster) -> None:
        self._kubeconfigs.pop(cluster.wire["arn"], None)
        self._write_kubeconfig()
        ended = self._running.pop(("api", *cluster.key), None)

        def remove() -> None:
            if ended is not None:
                stop(ended.process)
            shutil.rmtree(self.directory(cluster), ignore_errors=True)

        self._background.begin(("api-gone", *cluster.key), remove)

    def api_gone(self, cluster: Cluster) -> bool:
        key = ("api-gone", *cluster.key)
        if key not in self._background:
            self.delete_api(cluster)
        return self._background.done(key)

    def show_version(self, cluster: Cluster) -> None:
        if not self._kind.version:
            text = versions.git_version(cluster.wire["version"])
            write_private(self.directory(cluster) / VERSION_FILE, text.encode())

    def start_nodes(self, cluster: Cluster, group: Nodegroup, batch: int) -> None:
        folder, (first, _) = self.directory(cluster), group.batch(batch)[0]
        args: list[Any] = ["--kubeconfig", folder / "admin.kubeconfig", "--dir", folder / group.directory]
        for name, zone in group.batch(batch):
            args += ["--node", name, "--zone", zone]
        python = os.environ.get("SANDBOX_APP_PYTHON") or APP_PYTHON
        args += ["--nodegroup", group.name, "--instance-type", group.wire["instanceTypes"][0]]
        args += ["--app-python", python, *self._kind.node_options(folder)]
        if not self._kind.version:
            args += ["--kubelet-version", versions.git_version(group.version_of(first))]
        key = ("nodes", *cluster.key, group.name, batch)
        self._start(key, "sandbox.nodes", [*args, *self._common()], folder / "nodes.log")

    def nodes_ready(self, cluster: Cluster, group: Nodegroup) -> bool:
        wanted = frozenset(group.staying)
        key = ("ready", *cluster.key, group.name, wanted)
        if key not in self._background:
            self._background.forget(lambda old: old[:-1] == key[:-1])
            self._background.begin(key, lambda: wanted <= self._api(cluster).ready_nodes())
        return self._background.done(key)

    def drain_nodes(self, cluster: Cluster, group: Nodegroup) -> None:
        leaving, force_after = group.leaving, group.force_after

        def remove() -> bool:
            api = self._api(cluster)
            if not api.drain(leaving) and time.time() < force_after:
                return False
            for node in leaving:
                api.delete_node(node)
            return True

        self._background.begin(_drained(cluster, group), remove)

    def nodes_gone(self, cluster: Cluster, group: Nodegroup) -> bool:
        """Agents all of whose nodes leave end with the last of them."""
        drained = _drained(cluster, group)
        ended = ("ended", *drained)
        if drained not in self._background:  # also when this process has started anew while nodes were going
            self.drain_nodes(cluster, group)
        if not self._background.done(drained):
            return False
        if ended not in self._background:
            self._end_agents(ended, cluster, group)
        if not self._background.done(ended):
            return False
        self._background.forget(lambda key: key in (drained, ended))
        return True

    def keep_nodes(self, cluster: Cluster, group: Nodegroup) -> None:
        drained, leaving = _drained(cluster, group), group.leaving
        self._background.forget(lambda key: key == drained)
        self._background.begin(("kept", *drained), lambda: self._api(cluster).uncordon(leaving))

    def _end_agents(self, key: Key, cluster: Cluster, group: Nodegroup) -> None:
        batches = {group.batch_of(name) for name in group.leaving} - {group.batch_of(name) for name in group.staying}
        agents = [self._running.pop(("nodes", *cluster.key, group.name, batch), None) for batch in batches]

        def end() -> None:
            for agent in agents:
                if agent is not None:
                    stop(agent.process)

        self._background.begin(key, end)

    def install_addon(self, cluster: Cluster, name: str, version: str, configuration: str) -> None:
        from sandbox.kubernetes import addons  # noqa: PLC0415 - only a cluster needs it

        folder, values = self.directory(cluster), yaml.safe_load(configuration or "{}")
        state = {"installed": False}

        def work() -> bool:
            if not state["installed"]:
                addons.install(folder, name, version, values)
                state["installed"] = True
            return addons.ready(folder, name)

        self._background.begin(("addon", *cluster.key, name), work)

    def remove_addon(self, cluster: Cluster, name: str) -> None:
        from sandbox.kubernetes import addons  # noqa: PLC0415

        folder = self.directory(cluster)
        self._background.begin(("addon-gone", *cluster.key, name), lambda: addons.remove(folder, name))

    def addon_ready(self, cluster: Cluster, name: str) -> bool:
        key = ("addon", *cluster.key, name)
        if key not in self._background:  # this process has started anew while it was being installed
            addon = cluster.addons[name]
            self.install_addon(cluster, name, addon["addonVersion"], addon.get("configurationValues", ""))
        return self._background.done(key)

    def watch(self) -> None:
        """Start again what ended by itself, each at most once a second."""
        for key, running in list(self._running.items()):
            if running.process.poll() is not None and time.monotonic() > running.started + PATIENCE:
                log.warning("%s ended with code %s: starting it again", key, running.process.returncode)
                if running.process.stdin is not None:
                    running.process.stdin.close()
                self._running[key] = _Running(running.again(), running.again)

    def close(self) -> None:
        """Stop everything: nodes first, so that they can still say goodbye to their API server."""
        for kind in ("nodes", "api"):
            ended = [self._running.pop(key).process for key in list(self._running) if key[0] == kind]
            for process in ended:
                if process.stdin is not None:
                    process.stdin.close()
            for process in ended:
                stop(process)

    def _start(self, key: Key, module: str, args: list[Any], output: Path) -> None:
        command = [sys.executable, "-m", module, *map(str, args)]
        environment = os.environ | {"AWS_ACCESS_KEY_ID": INTERNAL_KEY, "AWS_SECRET_ACCESS_KEY": "sandbox-internal"}

        def again() -> subprocess.Popen[bytes]:
            return spawn(command, log=output, cwd=REPOSITORY, env=environment)

        self._running[key] = _Running(again(), again)

    def _common(self) -> list[str]:
        return ["--speed", self._cloud.clock.text, "--parent-pipe"]

    def _api(self, cluster: Cluster) -> KubernetesApi:
        return KubernetesApi(self.directory(cluster) / "admin.kubeconfig")

    def _write_kubeconfig(self) -> None:
        write_private(self._cloud.home / "kubeconfig", merged(self._kubeconfigs).encode())


def _drained(cluster: Cluster, group: Nodegroup) -> Key:
    """The key of the work that drains the nodes which leave."""
    return ("drained", *cluster.key, group.name, group.leaving)
