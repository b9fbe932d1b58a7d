"""Install, upgrade, roll back and uninstall: helm's own sequence, so that an end in the middle leaves what helm leaves.

Every action first writes a revision that is `pending-…`, then changes the cluster, then writes how it ended. A helm
that was killed between leaves the pending revision, and the next upgrade refuses to run.
"""

import re
from dataclasses import dataclass, field

from sandbox.helm import cluster_objects, releases
from sandbox.helm.charts import Chart
from sandbox.helm.errors import HelmError
from sandbox.helm.kube import Kube, Object
from sandbox.helm.releases import Release, Storage, status_of
from sandbox.helm.rendering import Target

NAME = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
IN_PROGRESS = "another operation (install/upgrade/rollback) is in progress"


@dataclass(frozen=True, slots=True)
class Deployment:
    """What an install or upgrade was asked to do. `timeout` in seconds."""

    name: str
    namespace: str
    chart: Chart
    values: Object = field(default_factory=dict)
    create_namespace: bool = False
    skip_crds: bool = False
    wait: bool = False
    timeout: float = 300.0


class Helm:
    """The actions on the releases of one namespace of one cluster."""

    def __init__(self, kube: Kube, namespace: str, history_max: int = releases.MAX_HISTORY) -> None:
        self._kube = kube
        self._namespace = namespace
        self.storage = Storage(kube, namespace, history_max)

    def check_reachable(self) -> None:
        """Raise HelmError when the API server does not answer, or not to us."""
        try:
            self._kube.request("GET", "version")
        except HelmError as error:
            raise HelmError(f"Kubernetes cluster unreachable: {error}") from error

    def upgrade_or_install(self, asked: Deployment) -> Release:
        """`helm upgrade --install`."""
        history = self.storage.history(asked.name)
        if not history or status_of(history[-1]) == "uninstalled":
            return self.install(asked, replace=bool(history))
        return self.upgrade(asked)

    def install(self, asked: Deployment, *, replace: bool = False) -> Release:
        """Make the first revision, or with `replace` the one after an uninstalled one that was kept."""
        self._check_name(asked.name)
        history = self.storage.history(asked.name)
        if history and not (replace and status_of(history[-1]) in ("uninstalled", "failed")):
            raise HelmError("cannot re-use a name that is still in use")
        if not asked.skip_crds:
            cluster_objects.install_definitions(self._kube, asked.chart.crds())
        objects = asked.chart.render(Target(asked.name, asked.namespace), asked.values)
        self._check_ownership(objects, asked.name, "install")
        if asked.create_namespace:
            cluster_objects.create_namespace(self._kube, asked.namespace)
        release = self._prepare(asked, objects, 1 + max((each["version"] for each in history), default=0))
        self.storage.create(release)
        try:
            self._roll_out(asked, objects)
        except HelmError as error:
            releases.set_status(release, "failed", f'Release "{asked.name}" failed: {error}')
            self.storage.update(release)
            raise
        releases.set_status(release, "deployed", "Install complete")
        self.storage.update(release)
        return release

    def upgrade(self, asked: Deployment) -> Release:
        """Make the next revision of a release; what its chart no longer holds is removed. Errors say UPGRADE FAILED."""
        try:
            return self._upgrade(asked)
        except HelmError as error:
            raise HelmError(f"UPGRADE FAILED: {error}") from error

    def _upgrade(self, asked: Deployment) -> Release:
        self._check_name(asked.name)
        current, last = self._current(asked.name)
        objects = asked.chart.render(Target(asked.name, asked.namespace), asked.values)
        before = {cluster_objects.identity(obj): obj for obj in cluster_objects.from_manifest(current["manifest"])}
        added = [obj for obj in objects if cluster_objects.identity(obj) not in before]
        self._check_ownership(added, asked.name, "update")
        release = self._prepare(asked, objects, int(last["version"]) + 1)
        releases.set_status(release, "pending-upgrade", "Preparing upgrade")
        releases.touch(release, current["info"]["first_deployed"])
        self.storage.create(release)
        try:
            self._roll_out(asked, objects, before)
        except HelmError as error:
            releases.set_status(release, "failed", f'Upgrade "{asked.name}" failed: {error}')
            self.storage.update(release)
            raise
        self._supersede([current])
        releases.set_status(release, "deployed", "Upgrade complete")
        self.storage.update(release)
        return release

    def _current(self, name: str) -> tuple[Release, Release]:
        """The revision that is in force and the newest one; raises HelmError when there is none to go on from."""
        history = self.storage.history(name)
        if not history:
            raise HelmError(f'"{name}" has no deployed releases')
        last = history[-1]
        if status_of(last) in releases.PENDING:
            raise HelmError(IN_PROGRESS)
        deployed = [each for each in history if status_of(each) == "deployed"]
        if deployed:
            return deployed[-1], last
        if status_of(last) in ("failed", "superseded"):
            return last, last
        raise HelmError(f'"{name}" has no deployed releases')

    def rollback(self, name: str, revision: int) -> Release:
        """Make a new revision that is a copy of `revision` (0: the one before the newest)."""
        history = self.storage.history(name)
        if not history:
            raise releases.ReleaseNotFound
        last = history[-1]
        wanted = revision or int(last["version"]) - 1
        source = next((each for each in history if each["version"] == wanted), None)
        if source is None:
            raise HelmError(f"release has no {wanted} version")
        release = self._copy_of(source, last)
        self.storage.create(release)
        target = cluster_objects.from_manifest(source["manifest"])
        before = {cluster_objects.identity(obj): obj for obj in cluster_objects.from_manifest(last["manifest"])}
        try:
            self._apply_and_prune(name, target, before)
        except HelmError as error:
            self._supersede([last])
            releases.set_status(release, "failed", f'Rollback "{name}" failed: {error}')
            self.storage.update(release)
            raise
        self._supersede([each for each in history if status_of(each) == "deployed"])
        releases.set_status(release, "deployed", release["info"]["description"])
        self.storage.update(release)
        return release

    def _copy_of(self, source: Release, last: Release) -> Release:
        release = source | {"version": int(last["version"]) + 1, "info": dict(source["info"])}
        releases.touch(release, last["info"]["first_deployed"])
        releases.set_status(release, "pending-rollback", f"Rollback to {source['version']}")
        return release

    def uninstall(
        self, name: str, *, keep_history: bool = False, wait: bool = False, timeout: float = 300.0
    ) -> list[Object]:
        """Remove a release's objects and forget it; returns the objects left in place on purpose."""
        self._check_name(name)
        history = self.storage.history(name)
        if not history:
            raise HelmError(f"uninstall: Release not loaded: {name}: release: not found")
        release = history[-1]
        if status_of(release) == "uninstalled":
            return self._uninstall_again(name, history, keep_history=keep_history)
        releases.mark_deleted(release)
        releases.set_status(release, "uninstalling", "Deletion in progress (or silently failed)")
        self.storage.update(release)
        objects = cluster_objects.from_manifest(release["manifest"])
        try:
            removed = cluster_objects.remove(self._kube, objects)
        except HelmError as error:
            raise HelmError(f"failed to delete release: {name}") from error
        try:
            if wait:
                cluster_objects.await_gone(self._kube, removed, timeout)
        except HelmError as error:
            raise HelmError(f"uninstallation completed with 1 error(s): {error}") from error
        finally:
            self._forget(history, keep_history=keep_history)
        return cluster_objects.kept(objects)

    def _uninstall_again(self, name: str, history: list[Release], *, keep_history: bool) -> list[Object]:
        if keep_history:
            raise HelmError(f'the release named "{name}" is already deleted')
        self._forget(history, keep_history=False)
        return []

    def _forget(self, history: list[Release], *, keep_history: bool) -> None:
        if not keep_history:
            for each in history:
                self.storage.delete(each)
            return
        self._supersede([each for each in history[:-1] if status_of(each) == "deployed"])
        releases.set_status(history[-1], "uninstalled", "Uninstallation complete")
        self.storage.update(history[-1])

    def _check_name(self, name: str) -> None:
        if not NAME.match(name) or len(name) > 53:
            raise HelmError(f"release name is invalid: {name}")

    def _check_ownership(self, objects: list[Object], name: str, verb: str) -> None:
        try:
            cluster_objects.check_ownership(self._kube, objects, name, self._namespace)
        except HelmError as error:
            raise HelmError(f"Unable to continue with {verb}: {error}") from error

    def _prepare(self, asked: Deployment, objects: list[Object], revision: int) -> Release:
        chart = {"metadata": asked.chart.metadata}
        release = releases.new_release(asked.name, asked.namespace, revision, chart, asked.values)
        release["manifest"] = cluster_objects.to_manifest(objects)
        return release

    def _roll_out(
        self, asked: Deployment, objects: list[Object], before: dict[cluster_objects.Identity, Object] | None = None
    ) -> None:
        self._apply_and_prune(asked.name, objects, before or {})
        if asked.wait:
            cluster_objects.await_ready(self._kube, objects, asked.timeout)

    def _apply_and_prune(
        self, name: str, objects: list[Object], before: dict[cluster_objects.Identity, Object]
    ) -> None:
        cluster_objects.apply(self._kube, objects, name, self._namespace)
        wanted = {cluster_objects.identity(obj) for obj in objects}
        cluster_objects.remove(self._kube, [obj for key, obj in before.items() if key not in wanted])

    def _supersede(self, revisions: list[Release]) -> None:
        for each in revisions:
            releases.set_status(each, "superseded", each["info"]["description"])
            self.storage.update(each)
