"""What an EKS cluster is made of here: the stand-in for Kubernetes, or (SANDBOX_KUBERNETES=real) its own programs."""

import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "SANDBOX_KUBERNETES"


class UnusableError(Exception):
    """SANDBOX_KUBERNETES asks for what there is not, or what cannot run here; the message says what to do."""


@dataclass(frozen=True)
class ControlPlanes:
    """One of the two kinds.

    `module`: what `python -m` starts for a cluster. `node_options(CLUSTER_DIR)`: what the node agent is told besides.
    `version`: the only minor version that there is; empty when all are. `ready(CLUSTER_DIR, port, process id)`: is the
    API up? `require()` raises UnusableError when this kind cannot run here.
    """

    module: str
    node_options: Callable[[Path], list[str]]
    version: str
    ready: Callable[[Path, int, int], bool]
    require: Callable[[], None]


def chosen(environment: Mapping[str, str] = os.environ) -> ControlPlanes:
    """As SANDBOX_KUBERNETES says. Raises UnusableError for a word that it does not know."""
    word = environment.get(VARIABLE) or "stand-in"
    if word not in _KINDS:
        raise UnusableError(f"{VARIABLE} must be one of {', '.join(_KINDS)}, not {word!r}")
    return _KINDS[word]()


def _stand_in() -> ControlPlanes:
    def ready(directory: Path, port: int, _process: int) -> bool:
        return (directory / "admin.kubeconfig").exists() and _listens(port)

    return ControlPlanes("sandbox.kubernetes", lambda _: [], "", ready, lambda: None)


def _real() -> ControlPlanes:
    from sandbox.control_plane import readiness, requirements  # noqa: PLC0415 - wants what only Linux has
    from sandbox.control_plane.binaries.recipes import KUBERNETES  # noqa: PLC0415

    def ready(directory: Path, _port: int, process: int) -> bool:
        return readiness.is_ready(directory, process)

    def require() -> None:
        try:
            requirements.require()
        except requirements.UnavailableError as error:
            raise UnusableError(f"{VARIABLE}=real: {error}") from error

    def node_options(directory: Path) -> list[str]:
        return ["--pod-network", "--real-images", "--kubelet-client-ca", str(directory / "ca.crt")]

    minor = KUBERNETES.rpartition(".")[0]
    return ControlPlanes("sandbox.control_plane", node_options, minor, ready, require)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


_KINDS: dict[str, Callable[[], ControlPlanes]] = {"stand-in": _stand_in, "real": _real}
