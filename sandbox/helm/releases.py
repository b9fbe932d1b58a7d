"""Releases and where helm keeps them: one Secret per revision, in helm 3's own format.

The payload is base64(gzip(JSON)), which the Secret encodes once more, so the real binary can read what this one wrote.
"""

import base64
import gzip
import json
import time
from datetime import UTC, datetime
from typing import Any

from sandbox.helm.errors import ApiError, HelmError
from sandbox.helm.kube import Kube

Release = dict[str, Any]
Object = dict[str, Any]

MANAGER = "helm"
SECRET_TYPE = "helm.sh/release.v1"  # noqa: S105 -- a Kubernetes Secret's type
PENDING = ("pending-install", "pending-upgrade", "pending-rollback")
MAX_HISTORY = 10


class ReleaseNotFound(HelmError):
    """No release of that name, or no such revision."""

    def __init__(self) -> None:
        super().__init__("release: not found")


def new_release(name: str, namespace: str, revision: int, chart: Object, values: Object) -> Release:
    """A release that is being prepared; `chart` is {metadata: Chart.yaml}."""
    return {
        "name": name,
        "info": {
            "first_deployed": _now(),
            "last_deployed": _now(),
            "deleted": "",
            "description": "Initial install underway",
            "status": "pending-install",
        },
        "chart": chart,
        "config": values,
        "manifest": "",
        "version": revision,
        "namespace": namespace,
    }


def set_status(release: Release, status: str, description: str) -> None:
    """Note how the release stands."""
    release["info"] |= {"status": status, "description": description}


def mark_deleted(release: Release) -> None:
    """Note when its removal began."""
    release["info"]["deleted"] = _now()


def touch(release: Release, first_deployed: str) -> None:
    """Note that the release is being deployed now, and when its name was first."""
    release["info"] |= {"first_deployed": first_deployed, "last_deployed": _now()}


def status_of(release: Release) -> str:
    """info.status."""
    return str(release["info"]["status"])


class Storage:
    """The releases of one namespace; `history_max` revisions are kept of each, 0 for all."""

    def __init__(self, kube: Kube, namespace: str, history_max: int = MAX_HISTORY) -> None:
        self._kube = kube
        self._namespace = namespace
        self._history_max = history_max

    def history(self, name: str) -> list[Release]:
        """All revisions, oldest first, possibly none."""
        found = self._query({"owner": "helm", "name": name})
        return sorted(found, key=lambda release: int(release["version"]))

    def last(self, name: str) -> Release:
        """The newest revision; raises ReleaseNotFound."""
        history = self.history(name)
        if not history:
            raise ReleaseNotFound
        return history[-1]

    def all(self) -> list[Release]:
        """The newest revision of every release, by name."""
        newest: dict[tuple[str, str], Release] = {}
        for release in sorted(self._query({"owner": "helm"}), key=lambda each: int(each["version"])):
            newest[release["namespace"], release["name"]] = release
        return [newest[key] for key in sorted(newest, key=lambda key: (key[1], key[0]))]

    def _query(self, labels: dict[str, str]) -> list[Release]:
        try:
            secrets = self._kube.list("Secret", self._namespace, labels)
        except ApiError as error:
            raise ApiError(error.status, error.reason, f"query: failed to query with labels: {error}") from error
        return [decode(secret["data"]["release"]) for secret in secrets]

    def create(self, release: Release) -> None:
        """Store a new revision, making room for it; raises HelmError when somebody else stored it first."""
        self._make_room(release["name"])
        secret = _secret(release, {"createdAt": str(int(time.time()))})
        try:
            self._kube.create(secret, MANAGER)
        except ApiError as error:
            if error.reason == "AlreadyExists":
                raise HelmError("release: already exists") from error
            raise ApiError(error.status, error.reason, f"create: failed to create: {error}") from error

    def update(self, release: Release) -> None:
        """Store a revision's new state."""
        secret = _secret(release, {"modifiedAt": str(int(time.time()))})
        present = self._kube.get("Secret", release["namespace"], secret["metadata"]["name"])
        created = (present["metadata"].get("labels") or {}).get("createdAt")
        if created:
            secret["metadata"]["labels"]["createdAt"] = created
        self._kube.replace(secret, MANAGER)

    def delete(self, release: Release) -> None:
        """Forget a revision."""
        self._kube.delete("Secret", release["namespace"], secret_name(release))

    def _make_room(self, name: str) -> None:
        """Forget the oldest revisions beyond the limit, but not the deployed one."""
        if not self._history_max:
            return
        history = self.history(name)
        in_force = max((each["version"] for each in history if status_of(each) == "deployed"), default=None)
        removable = [each for each in history if each["version"] != in_force]
        for release in removable[: max(0, len(history) - self._history_max + 1)]:
            self.delete(release)


def secret_name(release: Release) -> str:
    """The name of a revision's Secret."""
    return f"sh.helm.release.v1.{release['name']}.v{release['version']}"


def encode(release: Release) -> str:
    """A release as a Secret's data holds it."""
    packed = gzip.compress(json.dumps(release, separators=(",", ":")).encode(), mtime=0)
    return base64.b64encode(base64.b64encode(packed)).decode()


def decode(data: str) -> Release:
    """The release in a Secret's data."""
    release: Release = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(data))))
    return release


def _secret(release: Release, times: dict[str, str]) -> Object:
    labels = {
        "name": release["name"],
        "owner": "helm",
        "status": status_of(release),
        "version": str(release["version"]),
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": secret_name(release), "namespace": release["namespace"], "labels": labels | times},
        "type": SECRET_TYPE,
        "data": {"release": encode(release)},
    }


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
