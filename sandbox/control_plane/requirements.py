"""What a real control plane needs from where it runs: a private network, and its programs."""

from pathlib import Path

from sandbox.control_plane import network
from sandbox.control_plane.binaries.build import programs

NEEDED = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")


class UnavailableError(Exception):
    """A real control plane cannot run here; the message says what to do."""


def require() -> dict[str, Path]:
    """The programs' paths. Raises UnavailableError."""
    try:
        network.require()
    except network.NetworkError as error:
        raise UnavailableError(str(error)) from error
    there = programs()
    if missing := [name for name in NEEDED if name not in there]:
        raise UnavailableError(f"missing {', '.join(missing)}; build by: python -m sandbox.control_plane.binaries")
    return there
